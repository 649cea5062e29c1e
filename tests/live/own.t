#!/usr/bin/perl
# What the other tests count is theirs: what they start and leave is seen, what others do on the machine is not.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my $before = leftovers();
is_deeply [own_processes()], [], 'nothing is started: no process is ours';
system 'sh', '-c', 'setsid sh -c "sleep 500 & sleep 600 & exit" & wait';
ok soon(sub { own_processes(qr/^sleep\0/) == 2 }), 'orphans of what was started are ours';
is scalar(own_processes(qr/^sleep\x00600\0/)), 1, 'by their command line';
kill 'KILL', own_processes();
ok soon(sub { !own_processes() }), 'until they are dead';
is left_since($before, 0), '', 'nothing is left';

SKIP: {
    skip 'control groups and mounts are root\'s to make here', 6 if $> || !own_group('memory');
    my $group = own_group('memory');
    my $beside = $group =~ s{[^/]*$}{sbx-beside-$$}r;
    mkdir $_ or die "$_: $!" for $beside, "$group/sbx-1-0";
    is left_since($before, 0), "$group/sbx-1-0", 'a group beneath the test\'s is its own, one beside it is not';
    rmdir for $beside, "$group/sbx-1-0";
    is left_since($before, 0), '', 'and it is gone';

    my $dir = folder();
    is system('mount', '-t', 'tmpfs', 'none', $dir), 0, 'a mount';
    is left_since($before, 0), 'mounts', 'is seen';
    system 'umount', $dir;
    my $elsewhere = 'nsenter -m -t ' . getppid;
    is system("$elsewhere mount -t tmpfs none $dir"), 0, 'one by somebody else';
    is left_since($before, 0), '', 'is not';
    system "$elsewhere umount $dir";
}

# Nobody looks at the machine in another way.
my %may = (
    'tests/lib/Live.pm' => 'it is where what is one\'s own is told',
    'tests/live/own.t' => 'it has these words',
    'tests/live/hosts.t' => 'in a mount namespace of its own, something else is mounted there',
    'tests/live/machine.t' => 'how much memory there is, nobody changes',
    'tests/bench/run.sh' => 'it measures, alone on the machine',
);
my $patterns = join ' ', map { "'tests/*.$_'" } qw(t pm sh);
my @files = grep { !m{^tests/vm/} } split /\n/, `git -C $root ls-files -co --exclude-standard $patterns`;
cmp_ok scalar @files, '>', 50, 'there are tests';
my $looks = qr{/proc/[[*]|opendir.*['"]/proc['"]|/sys/fs/(?:cgroup|bpf)|file-nr|meminfo|loadavg
    |\b(?:pgrep|pkill|killall)\b}x;
for my $file (grep { !$may{$_} } @files) {
    my @lines = grep { $_ =~ $looks } split /\n/, slurp("$root/$file");
    is_deeply \@lines, [], "$file looks at no process, control group or count of somebody else's";
}
done_testing;
