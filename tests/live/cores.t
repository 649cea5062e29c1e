#!/usr/bin/perl
# Core dumps never leave a sandbox: not where the host pipes them to a program, whatever the program sets its limits to;
# where it sends them to a socket the run is refused.
# /proc/sys/kernel/core_pattern is the whole host's, so this runs as root only, for a moment, and a process of its own
# puts back what was there, however this one ends.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Time::HiRes qw(sleep);
use Test::More;

my $pattern = '/proc/sys/kernel/core_pattern';
my $before = eval { slurp($pattern) };
plan skip_all => 'only root may say where core dumps go' if $> || !defined $before || !eval { spew($pattern, $before) };
pipe my $ended, my $alive or die $!;
my $keeper = fork // die;
if (!$keeper) {
    $SIG{$_} = 'IGNORE' for qw(INT TERM HUP QUIT);
    POSIX::setsid();
    close $alive;
    sysread $ended, my $nothing, 1;
    spew($pattern, $before);
    POSIX::_exit(0);
}
close $ended;

my $dir = folder();
chmod 0777, $dir;
my $mark = "dumped-$$";
system('cp', "$build/tests/attacks/attack", "$dir/$mark") == 0 or die 'there is no program to crash';
spew("$dir/handler", "#!/bin/sh\ncat > /dev/null\ncase \$1 in *$mark*) echo \$1 >> $dir/dumps;; esac\n");
chmod 0755, "$dir/handler";
my $dumps = sub { # of ours, since it was last asked
    for (1 .. 20) { last if -s "$dir/dumps"; sleep 0.02 }
    my $text = -e "$dir/dumps" ? slurp("$dir/dumps") : '';
    unlink "$dir/dumps";
    return $text;
};
my $policy = "use std.base; fs { allow read, exec \"/crash\" from \"$dir/$mark\"; }";

for my $user (users()) {
    my $name = $user->{name};
    my $own = sandbox($user, '');
    spew("$own/p.sbx", "sbx 1; import std.base; policy p { $policy command \"/crash\", \"crash\"; }");
    my @o = ({ %$user, cwd => $own });
    spew($pattern, "|$dir/handler %E");
    run(@o, "$dir/$mark", 'crash');
    like $dumps->(), qr/$mark/, "$name: outside, the handler gets the dump";
    my $run = run(@o, $sbxrun, 'p.sbx');
    is $run->{status}, 128 + 6, "$name: inside it dies as well";
    is $dumps->(), '', "$name: and the handler gets nothing";
    for my $sets ('0', '1 0', '4096', '-1', '0 1 0') {
        is run(@o, $sbxrun, 'p.sbx', '--', '/crash', 'crash', split ' ', $sets)->{status}, 128 + 6,
            "$name: it sets its limit to $sets";
        is $dumps->(), '', "$name: and the handler gets nothing";
    }
    is run(@o, $sbxrun, 'p.sbx', '--', 'sh', '-c', '/crash crash & kill -QUIT $$')->{status}, 128 + 3,
        "$name: nor of a shell and its children";
    is $dumps->(), '', "$name: nothing";
    $run = run(@o, 'bash', '-c', "ulimit -H -c 0; exec $sbxrun p.sbx");
    if ($run->{status} == 125) {
        like $run->{err}, qr/cannot forbid core dumps: .*\n.*`ulimit -H -c 1`/,
            "$name: where the caller's limit leaves no choice, it is refused";
    }
    else { is $run->{status}, 128 + 6, "$name: or its limit can be raised" }
    is $dumps->(), '', "$name: and nothing is handed over";
    if (eval { spew($pattern, "@/nowhere.sock"); 1 } && slurp($pattern) =~ /^@/) {
        $run = run(@o, $sbxrun, 'p.sbx');
        is $run->{status}, 125, "$name: where they go to a socket, it is refused";
        like $run->{err}, qr/sends core dumps to a socket .*\nsbxrun: let the host pipe them/, "$name: with what to do";
    }
    spew($pattern, 'core');
    is run(@o, 'bash', '-c', "ulimit -H -c 0; exec $sbxrun p.sbx")->{status}, 128 + 6,
        "$name: to files none are written under any limit";
}
close $alive;
waitpid $keeper, 0;
is slurp($pattern), $before, 'the host is as it was';
done_testing;
