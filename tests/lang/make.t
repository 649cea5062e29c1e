#!/usr/bin/perl
# The Makefile as people meet it: `make help`, a second `make`, what editors get.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

sub make {
    my @more = @_;
    my %plain = (MAKEFLAGS => '', SANITIZE => '', MAKELEVEL => '0');
    return run({ cwd => $root, seconds => 300, env => \%plain }, 'make', "BUILD=$build", @more);
}

my $help = make('help');
is $help->{status}, 0, 'make help';
my %said = $help->{out} =~ /^make (\S+) +(\S.*)$/mg;
my ($phony) = slurp("$root/Makefile") =~ /^\.PHONY: ((?:.*\\\n)*.*)/m;
my @targets = grep { !/-(?:deps|programs)$/ && $_ ne '\\' } split ' ', $phony;
is join(' ', sort keys %said), join(' ', sort @targets), 'says what each target is for';

is make()->{status}, 0, 'make';
my $again = make();
is "$again->{status} $again->{out}$again->{err}", '0 ', 'a second one does nothing and says nothing';

my $commands = decode_json(slurp("$build/compile_commands.json"));
my @sources = tracked('*.c', ':!examples', ':!tests/toolchains');
my %known = map { $_->{file} => $_ } @$commands;
is_deeply [grep { !$known{$_} } @sources], [], 'editors are told of every C file';
my ($one) = grep { $_->{file} eq 'compiler/sbxc.c' } @$commands;
is run({ cwd => $one->{directory} }, 'sh', '-c', "$one->{command} -fsyntax-only")->{status}, 0, 'how it is compiled';
done_testing;
