#!/usr/bin/perl
# The policy function: each case is a policy with questions in comments, `#: OPERATION => VERDICT LINE`. VERDICT is
# allowed, denied
# (ERRNO), killed or partly; LINE is where the rule that decides stands, `-` for no rule, or `net` for one that follows
# from the net rules.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use JSON::PP;
use Test::More;

my $json = JSON::PP->new->utf8;
my %status = (allowed => 0, denied => 4, killed => 4, partly => 5);
for my $file (sort glob "$FindBin::Bin/cases/*.sbx") {
    my ($name) = $file =~ m{([^/]+)\.sbx$};
    my $asked = 0;
    for my $line (split /\n/, slurp($file)) {
        my ($question, $verdict, $error, $where) = $line =~ /^#: (.*?) => (\w+)(?: \((\w+)\))? (\S+)$/ or next;
        $asked++;
        my $run = run($sbxc, '--why', $question, '--policy', 'p', $file);
        my ($got, $got_error, $by) = ('', '', '');
        if ($run->{out} =~ /^.*: partly allowed$/m) { ($got, $by) = ('partly', $where) }
        elsif (
            $run->{out} =~ /^.*:\ (allowed|denied|killed)(?:\ \((\w+)\))?\n
                \ \ (?:by\ \S*?:(\d+):\d+:\ (.*)|no\ rule\ allows\ it)$/mx) {
            ($got, $got_error) = ($1, $2 // '');
            $by = !defined $3 ? '-' : $4 =~ /no net rule/ ? 'net' : $3;
        }
        is "$got $got_error $by", "$verdict " . ($error // '') . " $where", "$name: $question" or diag $run->{out},
            $run->{err};
        is $run->{status}, $status{$verdict}, "$name: $question: its status";
        my $as_json = run($sbxc, '--why', $question, '--format=json', '--policy', 'p', $file);
        my $said = eval { $json->decode($as_json->{out}) } // {};
        is "$as_json->{status} $said->{answer}", "$status{$verdict} " . ($verdict eq 'killed' ? 'denied' : $verdict),
            "$name: $question: as JSON";
        my ($part) = grep { $verdict eq 'partly' || $_->{verdict} eq $verdict } @{ $said->{parts} // [] };
        is $part->{error} // '', $error // '', "$name: $question: its error" if $verdict ne 'partly';
    }
    cmp_ok $asked, '>', 0, "$name asks something";
}
# Which layer holds it on this host, where sbxrun is there to say.
my $python = "$root/examples/python.sbx";
for (['read "/workspace/main.py"', 'on this host: /workspace: bind mount, read-only, noexec, nosuid, nodev'],
    ['read "/etc/shadow"', 'on this host: nothing of it is in the view'],
     ['read "/workspace/prices.key"', 'on this host: /workspace/prices.key: hidden by a mount'],
     ['syscall ptrace', 'on this host: seccomp, a filter of \d+ instructions'],
     ['connect tcp 10.0.0.1:80', 'on this host: an empty network namespace; the broker'],
     ['capability CAP_KILL', 'on this host: capability sets']) {
    like run($sbxc, '--why', $_->[0], $python)->{out}, qr/^  $_->[1]/m, "$_->[0]: its layers";
}
my $out = spew(folder() . '/p.sbx', 'sbx 1; policy p { net { allow connect udp loopback:53; } }');
my $unasked = run("$build/sbxrun", '--layers', 'nonsense', $python);
is $unasked->{status}, 125, 'sbxrun --layers of no question';
like $unasked->{err}, qr/= help: ask as/, 'says so';
like run($sbxc, '--why', 'connect udp 127.0.0.1:53', $out)->{out},
    qr/^  on this host: not run, for nothing here enforces this set of ports.*\(.*p\.sbx:1:/m,
    'a policy that is not run';
my $alone = folder();
system('cp', $sbxc, "$alone/");
unlike run({ env => { PATH => '/nonexistent' } }, "$alone/sbxc", '--why', 'syscall ptrace', $python)->{out},
    qr/on this host/, 'without sbxrun nobody knows';
done_testing;
