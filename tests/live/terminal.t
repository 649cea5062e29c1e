#!/usr/bin/perl
# A terminal: the command has it as its standard input and output, but not as its controlling terminal; what is typed reaches it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

plan skip_all => 'script(1) is not installed' unless grep { -x "$_/script" } split /:/, $ENV{PATH};

sub typed { # runs a command on a new terminal, with keys typed into it, each after a pause
    my ($user, $dir, $command, @keys) = @_;
    my $keys = join ' ', map { "sleep 0.4; printf '$_';" } @keys;
    # script(1) runs the command by $SHELL. The trap is for a shell that would itself end at control-C, as dash does and bash doesn't.
    return run({ %$user, cwd => $dir, seconds => 15, env => { SHELL => '/bin/sh' } },
               'sh', '-c', "{ $keys sleep 0.3; } | script -qec \"trap : INT; $command\" /dev/null");
}

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; } limits { lifetime 10s; }');
    my $run = typed($user, $dir, "stty rows 33 cols 77; $sbxrun p.sbx -- sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size'");
    like $run->{out}, qr/^33 77\r$/m, "$name: a terminal, with its size";
    $run = typed($user, $dir, "$sbxrun p.sbx -- sh -c 'read line; echo got \\\$line'", 'hello\\n');
    like $run->{out}, qr/^got hello\r$/m, "$name: what is typed is read";
    $run = typed($user, $dir, "$sbxrun p.sbx -- sh -c 'trap \\\"echo interrupted; exit 5\\\" INT; sleep 5 & wait'; echo status \\\$?", '\\003');
    like $run->{out}, qr/interrupted\r\nstatus 5\r/, "$name: control-C";
    cmp_ok $run->{seconds}, '<', patience(4), "$name: at once";
    $run = typed($user, $dir, "$sbxrun p.sbx -- sleep 8; echo status \\\$?", '\\003');
    like $run->{out}, qr/status 130\r/, "$name: control-C of a program that does not mind it";
    $run = typed($user, $dir, "$sbxrun p.sbx -- /probe tiocsti");
    like $run->{out}, qr/^EPERM\r$/m, "$name: nothing can be typed into it from inside";
    $run = typed($user, $dir, "$sbxrun p.sbx -- sh -c ': < /dev/tty' ");
    like $run->{out}, qr/No such device or address/, "$name: it is not the controlling terminal";
    $run = typed($user, $dir, "$sbxrun p.sbx -- sh -c 'echo reopened > /dev/stdout' ");
    like $run->{out}, qr/^reopened\r$/m, "$name: it can be opened again by its descriptor" if defined $user->{uid}; # for root it belongs to another than the sandbox
}
done_testing;
