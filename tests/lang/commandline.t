#!/usr/bin/perl
# The command line as its table has it: --help, man pages, completions.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my %programs = (sbxc => [$sbxc, 'compiler'], sbxrun => [$sbxrun, 'enforcer']);
for my $program (sort keys %programs) {
    my ($path, $folder) = @{ $programs{$program} };
    my @options = map { $_->[0] ne '' ? "--$_->[0]" : "-$_->[1]" } map { [/"([^"]*)", +"([^"]*)"/] }
        grep { /^(?:ACTION|OPTION)\(/ } split /\n/, slurp("$root/$folder/options.def");
    cmp_ok @options, '>', 9, "$program has options";
    my $help = run($path, '--help');
    is $help->{status}, 0, "$program --help";
    my @lines = split /\n/, $help->{out};
    cmp_ok @lines, '<=', 40, 'it fits a screen';
    is scalar(grep { length > 120 } @lines), 0, 'also in its width';
    my $man = slurp("$root/docs/man/$program.1");
    for my $option (@options) {
        like $help->{out}, qr/^  \Q$option\E\b/m, "$option in --help";
        my $flag = $option =~ s/^-//r;
        like $man, qr/^\.It Fl \Q$flag\E(?: |$)/m, "$option in the man page";
    }
    is run($path, '--no-such-option')->{status} > 0, 1, 'what is not in it is refused';

    my $bash = "$build/completions/bash/$program";
    my $try = sub {
        my @words = map { "'$_'" } $program, @_;
        return run('bash', '-c',
            ". $bash; COMP_WORDS=(@words); COMP_CWORD=$#words; _$program; echo \"\${COMPREPLY[*]}\"")->{out};
    };
    is join(' ', sort split ' ', $try->('-')), join(' ', sort @options), "bash completes all of $program\'s options";
    is $try->('plain'), "\n", 'and leaves files to the shell';
    for my $shell (['zsh', '-n', "$build/completions/zsh/_$program"],
        ['fish', '--no-execute', "$build/completions/fish/$program.fish"]) {
      SKIP: {
            skip "$shell->[0] is not installed", 1 unless grep { -x "$_/$shell->[0]" } split /:/, $ENV{PATH};
            is run(@$shell)->{status}, 0, "$shell->[0] reads its completions";
        }
    }
    like slurp("$build/completions/zsh/_$program"), qr/^#compdef $program\n/, 'zsh knows whose they are';
    like slurp("$build/completions/fish/$program.fish"), qr/^complete -c $program -l policy -x/m, 'fish too';
}
like run('bash', '-c', ". $build/completions/bash/sbxc; COMP_WORDS=(sbxc --format = s); COMP_CWORD=3; "
    . "_sbxc; echo \"\${COMPREPLY[*]}\"")->{out}, qr/^sarif$/, 'values behind a `=`';
SKIP: {
    skip 'groff is not installed', 3 if run('groff', '--version')->{status};
    is run('groff', '-mandoc', '-Tutf8', '-ww', '-z', "$root/docs/man/$_")->{err}, '', "$_ is a man page" for 'sbxc.1',
        'sbxrun.1', 'sbx.5';
}
# Every word of the grammar, and what its tables add, is on the pages about the language.
my @words = map { /"([a-z-]+)"/g } slurp("$root/grammar/sbx.y") =~ /^%token (.*)$/mg;
push @words, map { slurp("$root/lang/data/$_") =~ /^(?:LIMIT|FEATURE)\((\w+)/mg } 'limits.def', 'features.def';
cmp_ok @words, '>', 80, 'the grammar has words';
for my $page ('man/sbx.5', 'language.md') {
    my $text = slurp("$root/docs/$page");
    is_deeply [grep { $text !~ /(?<![\w-])\Q$_\E(?![\w-])/ } @words], [], "docs/$page has all of them";
}

# What the environment tells the programs is on their pages.
my %read = (sbxrun => 'enforcer', sbxc => 'compiler');
for my $program (sort keys %read) {
    my $sources = join '', map { slurp($_) } glob "$root/$read{$program}/*.c $root/$read{$program}/*/*.c";
    my %variables = map { $_ => 1 } $sources =~ /(?:getenv|variable_of)\("([A-Z_]+)"/g;
    delete @variables{'HOME', 'PATH'}; # what they are is no program's own
    my $man = slurp("$root/docs/man/$program.1");
    my @unsaid = grep { $man !~ /^\.(?:It|Pq) Ev \Q$_\E\b/m } sort keys %variables;
    is_deeply \@unsaid, [], "$program(1) has the environment";
}
# A wrong option is named, with the one that is meant or what it lacks.
for my $case ([$sbxc, '--chek', qr/^sbxc: --chek is no option: did you mean `--check`\?\n/],
    [$sbxc, '--emit', qr/^sbxc: --emit needs a value: `--emit=plan\|seccomp/],
    [$sbxc, '-D', qr/^sbxc: -D needs a value: `-D /],
    [$sbxc, '--check=1', qr/^sbxc: --check takes no value\n/], [$sbxc, '-x', qr/^sbxc: -x is no option\n/],
    [$sbxrun, '--dryrun', qr/^sbxrun: --dryrun is no option: did you mean `--dry-run`\?\n/],
    [$sbxrun, '--report', qr/^sbxrun: --report needs a value: `--report=FILE`/],
    [$sbxrun, '-x', qr/^sbxrun: -x is no option\n/]) {
    my ($program, $word, $said) = @$case;
    like run($program, $word)->{err}, $said, "$word: said";
}

# Without an action all of them are named.
my @actions = map { /^ACTION\(\w+, +"(\w+)"/ } split /\n/, slurp("$root/compiler/options.def");
my $none = run($sbxc, 'x.sbx')->{err};
is join(' ', grep { $none !~ /--\Q$_\E\b/ } @actions), '', 'who says nothing is told of each action';
my $two = spew(folder() . '/two.sbx', "sbx 1;\npolicy first { }\npolicy second { }\n");
like run($sbxc, '--why', 'read "/a"', '--policy', 'secnd', $two)->{err},
    qr/none is called `secnd`: did you mean `second`\?/, 'a policy that is not there';
like run($sbxc, '--why', 'read "/a"', '--policy', 'other', $two)->{err},
    qr/none is called `other`: it has first, second/, 'one that is like none';

# The policy in sbx(5) is one.
my ($example) = slurp("$root/docs/man/sbx.5") =~ /^\.Bd -literal.*?\n(.*?)^\.Ed/ms;
is run($sbxc, '--check', '--no-proof', spew(folder() . '/report.sbx', $example))->{status}, 0,
    'the example of sbx(5) is right';
done_testing;
