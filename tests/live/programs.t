#!/usr/bin/perl
# Ordinary programs under the library's modules (programs.tsv): each prints in the sandbox what it prints outside, with
# the same status, as root and as an ordinary user. docs/programs.md is the table of them; UPDATE=1 writes it anew.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Sbx;
use Live;
use Net;
use Test::More;

own_network();
servers('http', 'dns');

# What each policy has besides its module and its row's own lines.
my @common = (
    'fs { allow read, write "/work" from "./work"; }',
    'fs { allow read, write "/tmp" from tmpfs size 256MiB; }',
    'process { cwd "/work"; }',
);
my $most = 5; # lines more than the module

my @path = qw(/usr/local/bin /usr/bin /bin);
my %environment = (PATH => join(':', @path), LANG => 'C.UTF-8', TERM => 'xterm');

my @names = qw(what packages programs project outside modules lines script);
my @rows;
for (grep { /\S/ && !/^#/ } split /\n/, slurp("$FindBin::Bin/programs.tsv")) {
    my @fields = split /\t/;
    my %row = map { $names[$_] => $fields[$_] // '' } 0 .. $#names;
    $row{lines} = [ map { s/^\s+//r } split /(?<=\})(?=\s)/, $row{lines} ];
    $row{apart} = [ map { /^(.*?) => ?(.*?) ?because (.+)$/ ? { from => $1, to => $2, why => $3 }
            : die "$row{what}: no reason: $_" } @fields[@names .. $#fields] ];
    push @rows, \%row;
}
cmp_ok scalar @rows, '>=', 50, scalar(@rows) . ' programs';
for my $row (@rows) {
    my $count = @common + map { /;/g } @{ $row->{lines} };
    cmp_ok $count, '<=', $most, "$row->{what}: at most $most lines more than its module";
}

sub policy {
    my ($row) = @_;
    my @modules = split / \+ /, $row->{modules};
    my %imports = map { /^(std\.\w+)/ ? ($1 => 1) : () } @modules;
    return "sbx 1;\n" . join('', map { "import $_;\n" } sort keys %imports) . "\npolicy program {\n"
        . join('', map { "    $_\n" } (map { "use $_;" } @modules), @common, @{ $row->{lines} }) . "}\n";
}

# What a run printed, without what has to differ.
sub printed {
    my ($row, $run) = @_;
    my $text = "$run->{out}$run->{err}status $run->{status}\n";
    for my $apart (@{ $row->{apart} }) {
        $text =~ s/$apart->{from}/my $kept = $1 \/\/ ''; $apart->{to} =~ s{\$1}{$kept}r/gme;
    }
    return $text;
}

# One row as one user, in the folder, outside and inside: what is wrong with it, '' for nothing.
sub tried {
    my ($user, $row, $dir) = @_;
    my @clean = ('env', '-i', map({ "$_=$environment{$_}" } sort keys %environment), "HOME=$dir/home");
    my @script = ('sh', '-c', $row->{script});
    my $as = $row->{outside} eq 'user' ? (users())[-1] : $user;
    my $outside = run({ %$as, seconds => 60, cwd => "$dir/outside" }, @clean, "TMPDIR=$dir/home", @script);
    my $inside = run({ %$user, seconds => 60, cwd => $dir }, @clean, $sbxrun, 'p.sbx', '--', @script);
    my ($expected, $got) = map { printed($row, $_) } $outside, $inside;
    return '' if $expected eq $got && $expected =~ /\n.*\n/ && $outside->{status} ne 'late';
    return "--- outside\n$expected--- inside\n$got";
}

# The folder of a row's run as a user: p.sbx, what the script finds in it outside and inside, a home.
sub prepared {
    my ($user, $row) = @_;
    my $dir = folder();
    mkdir "$dir/$_" for 'home', 'outside', 'work';
    if ($row->{project}) {
        system("cp -r $root/tests/toolchains/$row->{project}/. $dir/$_") == 0 or die for 'outside', 'work';
    }
    spew("$dir/p.sbx", policy($row));
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if defined $user->{uid} && $> == 0;
    if ($row->{outside} eq 'user' && $> == 0) {
        my ($uid, $gid) = user();
        system('chown', '-R', "$uid:$gid", "$dir/outside", "$dir/home");
    }
    return $dir;
}

sub missing {
    my ($row) = @_;
    return grep { my $name = $_; !grep { -e $_ } $name =~ m{^/} ? $name : map { "$_/$name" } @path }
        split / /, $row->{programs};
}

# As many rows at once as there are processors: each is a process, which writes what was wrong into a file. The users
# come one after the other, since a server may have one port.
my @users = users();
my $only = $ENV{PROGRAMS} // ''; # a pattern: those rows alone
my (@jobs, %running);
for my $row (grep { $_->{what} =~ /$only/ } @rows) {
    $row->{missing} = [ missing($row) ];
    next if @{ $row->{missing} };
    push @jobs, { row => $row, tries => [ map { { user => $_, dir => prepared($_, $row) } } @users ] };
}
my @left = @jobs;
my $processors = `nproc`;
while (@left || %running) {
    while (@left && keys %running < $processors) {
        my $job = shift @left;
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            for my $try (@{ $job->{tries} }) {
                my $said = eval { tried($try->{user}, $job->{row}, $try->{dir}) } // $@;
                spew("$try->{dir}/said", $said);
            }
            POSIX::_exit(0);
        }
        $running{$pid} = $job;
    }
    delete $running{ +wait };
}
for my $job (@jobs) {
    my $row = $job->{row};
    for my $try (@{ $job->{tries} }) {
        my $said = -e "$try->{dir}/said" ? slurp("$try->{dir}/said") : 'it was not tried';
        ok $said eq '', "$try->{user}{name}: $row->{what} prints what it prints outside" or diag $said;
        $row->{wrong} = 1 if $said ne '';
    }
}

# The page.
sub code { my ($text) = @_; return $text eq '' ? '' : "`$text`" }
my %came = map { my $row = $_; $row->{what} => $row->{wrong} ? 'differs' : $row->{missing} && @{ $row->{missing} }
        ? 'not on this machine' : 'as outside' } @rows;
my $before = -e "$root/docs/programs.md" ? slurp("$root/docs/programs.md") : '';
my $number = 0;
my @table = map { my $row = $_; $number++;
    "| $number | $row->{what} | " . join(', ', split / /, $row->{packages}) . ' | '
        . join(', ', map { code($_) } split / \+ /, $row->{modules}) . ' | '
        . join(' ', map { code($_) } @{ $row->{lines} }) . " | $came{ $row->{what} } |\n" } @rows;
my @reasons = map { my $row = $_; map { "| $row->{what} | " . code($_->{from} =~ s/\|/\\|/gr) . " | $_->{why} |\n" }
    @{ $row->{apart} } } @rows;
my $count = grep { $_ eq 'as outside' } values %came;
my $page = <<"P" . join('', @table) . <<'Q' . join('', @reasons);
# Programs

Ordinary programs, each under its module of [the standard library](library.md). Besides, a policy has three lines for
places to work in, and at most two of its own. The first is:

```sbx file=program.sbx
@{[ policy($rows[0]) =~ s/\n\z//r ]}
```

Each prints in the sandbox what it prints outside, and ends with the same status, as root and as an ordinary user. A
test runs all of it and holds this page to it (`tests/live/programs.t`; `programs.tsv` beside it has the commands).

| | program | Debian packages | module | lines more | prints |
| --- | --- | --- | --- | --- | --- |
P

What is not compared, since it has to differ:

| program | what | because |
| --- | --- | --- |
Q
if ($ENV{UPDATE}) {
    spew("$root/docs/programs.md", $page);
} elsif ($only eq '') { # what is not on this machine may have been on that of the page
    my @missing = grep { $came{$_} eq 'not on this machine' } sort keys %came;
    diag "not on this machine: $_" for @missing;
    my $listed = $before;
    for my $text ($page, $listed) {
        for my $what (@missing) { $text =~ s/^(\| \d+ \| \Q$what\E \|.*\|) [\w ]+ \|$/$1 - |/m }
    }
    is $page, $listed, 'docs/programs.md says so (UPDATE=1 writes it anew)';
}
done_testing;
