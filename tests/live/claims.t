#!/usr/bin/perl
# What the standard library says of itself, in each `summary` and `because` and in comments, is so: claims.tsv says what
# shows it, and has every claim. Expectations are decided, and tried in the sandbox; commands are run in it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Shown;
use Test::More;

# policy, claim, how, what, must
my @rows = rows("$FindBin::Bin/claims.tsv");
my %rows_of;
push @{ $rows_of{ $_->[0] } }, $_ for @rows;

my %argument = (endpoint => '("server.example":443)', port => '(8443)'); # by the type of a policy's parameter

# Every claim has a row, and every row is about words that are there.
my (%claims, %text, @policies);
for my $file (grep { !/groups/ } glob "$root/stdlib-policies/*.sbx") {
    my ($module) = $file =~ m{([^/]+)\.sbx$};
    my $all = slurp($file);
    my $words = $all =~ s/\n\s*# ?/ /gr =~ s/\s+/ /gr;
    my $source = $all =~ s/^\s*#.*//mgr;
    while ($source =~ /^policy (\w+)(?:\(\w+: (\w+)\))? \{\n(.*?)^\}/msg) {
        my ($policy, $takes, $body) = ($1, $2, $3);
        my $name = $policy eq $module ? "std.$module" : "std.$module.$policy";
        push @policies, { name => $name, module => $module, use => $name . ($takes ? $argument{$takes} : '') };
        $text{$name} = $words;
        push @{ $claims{$name} }, $1 while $body =~ /\b(?:summary|because)\s+"([^"]*)"/g;
    }
}
for my $policy (map { $_->{name} } @policies) {
    my %has = map { $_->[1] => 1 } @{ $rows_of{$policy} };
    is join('; ', grep { !$has{$_} } @{ $claims{$policy} }), '', "$policy: every claim has what shows it";
    is join('; ', grep { index($text{$policy}, $_) < 0 } sort keys %has), '', "$policy: and no other is shown";
}
is join(' ', grep { !$text{$_} } sort keys %rows_of), '', 'rows are about policies that there are';
cmp_ok scalar(map { @$_ } values %claims), '>', 40, 'there are claims';

# A test that says so: of a file the words of one of its cases.
for my $row (grep { $_->[2] eq 'test' } @rows) {
    my ($policy, $claim, undef, $file, $label) = @$row;
    stands("$policy: $claim", $file, $label);
}

# What a row begins with in brackets is there on the host, or the row is nothing for this one.
sub applies { my ($row) = @_; $row->[3] =~ s/^\[([^\]]+)\] // ? -e $1 : 1 }
my $bin = folder();
system 'cp', $sbxc, "$build/sbxrun", "$bin/";
my %caller = ( # what the caller has in the environment
    SECRET => 'claim', LANG => 'C', GOPROXY => 'http://server.example', PIP_INDEX_URL => 'http://server.example/simple',
    NPM_CONFIG_REGISTRY => 'http://server.example/npm', GIT_AUTHOR_NAME => 'claimant', GIT_AUTHOR_EMAIL => 'c@example',
    OPENAI_BASE_URL => 'http://server.example',
);
my @there = grep { applies($_) } @rows;
cmp_ok scalar @there, '>=', 60, scalar(@there) . ' rows are for this host';
for my $user (users()) {
    for my $policy (@policies) {
        my @of = grep { $_->[0] eq $policy->{name} } @there;
        my @expected = grep { $_->[2] eq 'expect' } @of;
        my $dir = folder();
        mkdir "$dir/w";
        system 'cp', $probe, "$dir/probe";
        owned($user, $dir, "$dir/w");
        # Those that bring no programs of their own beside those of the host.
        my $bare = qr/^std\.(?:client|base\.(?:inside|sizes|machine|adjust))$/;
        my $beside = $policy->{name} =~ $bare ? 'use std.base;' : '';
        my $imports = join '', map { "import std.$_;\n" } $policy->{module} eq 'client' ? 'base' : (),
            $policy->{module};
        my $written = sub { # the policy, with more
            spew("$dir/p.sbx", "sbx 1;\n${imports}policy p {\n$beside use $policy->{use};\n"
                . "fs { allow read, exec \"/probe\" from \"./probe\"; }\n$_[0]\n}\n");
        };
        my $sh = sub {
            my ($script) = @_;
            my $run = in_sandbox($user, $dir, { env => \%caller, seconds => 60 }, 'sh', '-c', "{ $script; } 2>&1");
            return $run->{out} =~ s/\s+/ /gr =~ s/ $//r;
        };
        $written->('tests { ' . join("\n", map { "expect $_->[3];" } @expected) . ' }');
        my $test = run({ %$user, cwd => $dir, seconds => 60 }, "$bin/sbxc", '--test', '--live', 'p.sbx') if @expected;
        for my $i (0 .. $#expected) {
            my $number = $i + 1;
            my ($said) = $test->{out} =~ /^(.*ok $number - .*(?:\n#.*)*)/m;
            like $said // $test->{err}, qr/^ok/, "$user->{name}: $policy->{name}: $expected[$i][1]: $expected[$i][3]";
        }
        is $test->{status}, 0, "$user->{name}: $policy->{name}: so it is in the sandbox" or diag $test->{out}
            if @expected;
        $written->('');
        for my $row (@of) {
            my (undef, $claim, $how, $what, $must) = @$row;
            my $label = "$user->{name}: $policy->{name}: $claim: $what";
            if ($how eq 'sh') {
                like $sh->($what), qr/^(?:$must)$/, $label;
            } elsif ($how eq 'again') { # what a second run finds
                $sh->($what);
                like $sh->($what), qr/^(?:$must)$/, $label;
            } elsif ($how eq 'differs') {
                isnt $sh->($what), $sh->($what), $label;
            } elsif ($how eq 'same') { # as on the host
                my $file = run({ %$user, cwd => $dir }, $sbxrun, 'p.sbx', '--', 'cat', $what);
                ok $file->{out} eq slurp($what), $label or diag $file->{err};
            } elsif ($how eq 'with') { # RULES => COMMAND
                my ($rules, $command) = $what =~ /^(.*) => (.*)$/ or die $what;
                $written->($rules);
                like $sh->($command), qr/$must/, $label;
                $written->('');
            } elsif ($how !~ /^(?:expect|test)$/) {
                fail "$label: no such way: $how";
            }
        }
    }
}
done_testing;
