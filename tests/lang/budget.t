#!/usr/bin/perl
# A MiB of anything: every action ends within 10 seconds of the processor's time and 512 MiB (with proofs: 20 seconds
# and a GiB), by an answer or by a finding. Each text is tried by two of the actions in turn, of which the language
# server is one; SBX_BUDGET=all tries every text by every action, which takes minutes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use POSIX ();
use Sbx;
use Test::More;

my %number = (
    x86_64  => 98,
    aarch64 => 165
);    # of getrusage(2)
my $getrusage = $number{ (POSIX::uname())[4] } or plan skip_all => 'getrusage has another number here';
my $dir       = folder();
my $head      = "sbx 1;\nimport std.base;\npolicy p {\nuse std.base; command \"/bin/true\";\n";

# As many items as fit into a MiB; %d is the item's number, which $of may change.
sub filled {
    my ($before, $item, $after, $of) = @_;
    my $text = $before;
    for (my $i = 0;; $i++) {
        my $n    = $of ? $of->($i) : $i;
        my $next = $item =~ s/%d/$n/gr =~ s/%m/$n + 1/ger;
        last if length($text) + length($next) + length($after) > 1 << 20;
        $text .= $next;
    }
    return $text . $after;
}
sub block { my ($block, $item, $of) = @_; return filled("$head$block {\n", "$item\n", "}\n}\n", $of) }

my %texts = (
    'paths'                    => block('fs', 'allow read "/a/%d";'),
    'places'                   => block('fs', 'allow read "/a/%d" from "./x%d";'),
    'denied paths in one rule' =>
        filled("${head}fs { allow read \"/a\" from \"./a\"; deny read \"/x\"", ', "/a/%d/b"', '; } }'),
    'ports'     => block('net', 'allow connect tcp 10.0.0.0/8:%d;', sub { $_[0] % 65536 }),
    'addresses' => block(
        'net',
        'deny connect tcp 10.%d:443;',
        sub { join '.', $_[0] >> 16 & 255, $_[0] >> 8 & 255, $_[0] & 255 }
    ),
    'names'   => block('net', 'allow connect tcp "h%d.example.com":443;'),
    'numbers' =>
        filled("${head}syscalls { allow lseek where offset in { 1", ', %d', ' }; } }', sub { 3 * $_[0] + 5 }),
    'ranges' => filled(
        "${head}syscalls { allow lseek where offset in { 1",
        ', %d', ' }; } }', sub { 10 * $_[0] + 5 . '..' . (10 * $_[0] + 7) }
    ),
    'alternatives' => filled("${head}syscalls { allow lseek where offset == 1", ' or offset == %d', '; } }'),
    'bits'         => filled("${head}syscalls { allow lseek where offset == 1", '|%d',              '; } }'),
    'rules on one call'       => block('syscalls', 'allow keyctl where option == %d;'),
    'rules on two arguments'  => block('syscalls', 'allow lseek where offset == %d and whence == 1;'),
    'groups within groups'    => filled("sbx 1;\n", "group \@g%d { \@g%m }\n",   "policy p { }\n"),
    'policies'                => filled("sbx 1;\n", "policy q%d { }\n",          "policy p { }\n"),
    'policies of one another' => filled("sbx 1;\n", "policy q%d { use q%m; }\n", "policy p { }\n"),
    'many of many'            => join(
        '',
        "sbx 1;\n",
        map({
                my $n = $_;
                "policy q$n { " . join(' ', map {"use q$_;"} $n + 1 .. ($n + 8 > 3999 ? 3999 : $n + 8)) . " }\n"
        } 0 .. 3999),
        "policy p { use q0; }\n"
    ),
    'ceilings' => filled(
        "sbx 1;\npolicy o { }\npolicy p {\n",
        "within o;\n",
        "}\n"
    ),
    'ceilings of ceilings' => join(
        '',
        "sbx 1;\n",
        map({
                my $n = $_ + 1;
                "policy q$_ { within q$n; within q$n; }\n"
        } 0 .. 200),
        "policy q201 { }\npolicy p { within q0; }\n"
    ),
    'lets that do not exist' => filled(
        join(
            '',
            "sbx 1;\n",
            map {"let a$_ = 1;\n"} 1 .. 30_000
            )
            . "policy p { limits {\n",
        "pids \$b%d;\n",
        "} }\n"
    ),
    'constants that do not exist' => block(
        'syscalls',
        'allow keyctl where option == KEYCTX_%d;'
    ),
    'variables' => filled(
        "${head}process { env keep A",
        ', A%d',
        '; } }'
    ),
    'words that are wrong' => block(
        'fs',
        'allow reed "/a";'
    ),
    'no semicolons' => block(
        'fs',
        'allow read "/a"'
    ),
    'one line of errors' => filled(
        $head,
        'a b c; ',
        '}'
    ),
    'closing braces' => 'sbx 1; ' . '}' x ((1 << 20) - 7),
    'degradations'   => filled(
        $head,
        "require landlock else degrade because \"x\";\n",
        "}\n"
    ),
);
my $small = spew("$dir/small.sbx", "sbx 1;\nimport std.base;\npolicy p { use std.base; command \"/bin/true\"; }\n");

# Seconds of the processor and MiB, by the kernel's count; and what came of it.
my $measure = sub {
    my ($options, @command) = @_;
    my $run = run(
        {
            seconds => 90,
            %$options
        },
        $^X, '-e',
        'my ($file, $n) = splice @ARGV, 0, 2; system { $ARGV[0] } @ARGV; my $usage = "\0" x 144;'
            . 'syscall($n + 0, -1, $usage); my @u = unpack "q5", $usage; open my $f, ">", $file;'
            . 'print {$f} join " ", $u[0] + $u[1] / 1e6 + $u[2] + $u[3] / 1e6, $u[4] / 1024, $? >> 8, $? & 127;',
        "$dir/usage",
        $getrusage,
        @command
    );
    my ($seconds, $mebibytes, $status, $signal) = split ' ', slurp("$dir/usage");
    return {
        %$run,
        cpu       => $seconds,
        mebibytes => $mebibytes,
        status    => $run->{status} eq 'late' ? 'late' : $status,
        signal    => $signal
    };
};
my @actions = (
    [$sbxc,   '--check'],
    [$sbxrun, '--dry-run', '--no-cache', '--policy', 'p'],
    [$sbxc,   '--diff',    '--policy',   'p',        $small],
    [$sbxc,   '--fmt'],
    [$sbxc,   '--why',       'write "/etc"', '--policy', 'p'],
    [$sbxc,   '--emit=plan', '--no-proof',   '--policy', 'p'],
    [$sbxc,   '--doc',       '--no-proof',   '--policy', 'p'],
);
my $turn = 0;
for my $name (sort keys %texts) {
    my %mine = map { ($turn + $_) % (@actions + 1) => 1 } 0, 4;
    my @picked = grep { $ENV{SBX_BUDGET} || $mine{$_} } 0 .. @actions;
    $turn++;
    my $file = spew("$dir/p.sbx", $texts{$name});
    cmp_ok length $texts{$name}, '<=', 1 << 20, "$name: a MiB";
    my (@wrong, $over);
    for my $action (@actions[grep { $_ < @actions } @picked]) {
        next if $over && $action->[1] !~ /--(?:dry|diff|fmt)/;    # one ran out as the others will
        my $run = $measure->({}, @$action, $file);
        $over ||= $run->{err} =~ /SBX0318/;
        my $what = join(' ', map {s{.*/}{}r} @$action) . sprintf ': exit %s, signal %s, %.1f s, %d MiB',
            @$run{qw(status signal cpu mebibytes)};
        my $proves = $action->[1] eq '--check';
        push @wrong, $what
            if $run->{status} !~ /^(?:[0-2]|[45]|125)$/
            || $run->{signal}
            || $run->{cpu} >       ($proves ? 20   : 10)
            || $run->{mebibytes} > ($proves ? 1024 : 512);
    }
    my $text    = $texts{$name};
    my $message = sub {
        my $json = encode_json({ jsonrpc => '2.0', @_ });
        'Content-Length: ' . length($json) . "\r\n\r\n$json";
    };
    my %document = (textDocument => { uri => "file://$dir/p.sbx" });
    my $session  = join '',
        $message->(
        id     => 1,
        method => 'initialize',
        params => { capabilities => {} }
        ),
        $message->(
        method => 'initialized',
        params => {}
        ),
        $message->(
        method => 'textDocument/didOpen',
        params => {
            textDocument => {
                uri        => "file://$dir/p.sbx",
                languageId => 'sbx',
                version    => 1,
                text       => $text
            }
        }
        ),
        map({ $message->(
                id     => $_->[0] + 2,
                method => "textDocument/$_->[1]",
                params => {
                    %document,
                    position => {
                        line      => 4,
                        character => 8
                    },
                    range => {
                        start => {
                            line      => 0,
                            character => 0
                        },
                        end => {
                            line      => 9,
                            character => 0
                        }
                    },
                    context => { diagnostics => [] },
                    options => {
                        tabSize      => 4,
                        insertSpaces => JSON::PP::true
                    }
                }
        ) } [0, 'hover'],
        [1, 'completion'],
        [2, 'documentSymbol'],
        [3, 'semanticTokens/full'],
        [4, 'formatting'],
        [5, 'codeAction'],
        [6, 'inlayHint']),
        $message->(
        id     => 99,
        method => 'shutdown'
        ),
        $message->(method => 'exit');
    my $served = grep { $_ == @actions } @picked;
    my $run = $served ? $measure->({ in => spew("$dir/session", $session) }, $sbxc, '--lsp') : undef;
    push @wrong, sprintf 'the language server: exit %s, signal %s, %.1f s, %d MiB',
        @$run{qw(status signal cpu mebibytes)}
        if $served && ($run->{status} ne '0' || $run->{cpu} > 12 || $run->{mebibytes} > 512);
    push @wrong, 'the language server answers nothing'
        if $served && ($run->{out} !~ /"id":99/ || $run->{out} !~ /"id":7/);
    is join("\n", @wrong), '', "$name: each action within its bounds";
}

# What runs out says so, as an error like any other.
my $large = spew("$dir/large.sbx", filled("sbx 1;\nimport std.base;\n", "policy q%d { use std.base; }\n", ''));
my $over = $measure->({}, $sbxc, '--check', $large);
is $over->{status}, 1, 'what is too large is an error';
like $over->{err}, qr/^error\[SBX0318\]: this takes more than (?:352 MiB|8 seconds) of .+ to compile$/m, 'and says so';
done_testing;
