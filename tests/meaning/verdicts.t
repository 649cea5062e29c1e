#!/usr/bin/perl
# The policy function: each case is a policy with questions in comments, `#: OPERATION => VERDICT LINE`. VERDICT is allowed, denied
# (ERRNO), killed or partly; LINE is where the rule that decides stands, `-` for no rule, or `net` for one that follows from the net rules.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

for my $file (sort glob "$FindBin::Bin/cases/*.sbx") {
    my ($name) = $file =~ m{([^/]+)\.sbx$};
    my $asked = 0;
    for my $line (split /\n/, slurp($file)) {
        my ($question, $verdict, $error, $where) = $line =~ /^#: (.*?) => (\w+)(?: \((\w+)\))? (\S+)$/ or next;
        $asked++;
        my $run = run($sbxc, '--why', $question, '--policy', 'p', $file);
        my ($got, $got_error, $by) = ('', '', '');
        if ($run->{out} =~ /^.*: partly allowed$/m) { ($got, $by) = ('partly', $where) }
        elsif ($run->{out} =~ /^.*: (allowed|denied|killed)(?: \((\w+)\))?\n  (?:by \S*?:(\d+):\d+: (.*)|no rule allows it)$/m) {
            ($got, $got_error) = ($1, $2 // '');
            $by = !defined $3 ? '-' : $4 =~ /no net rule/ ? 'net' : $3;
        }
        is "$got $got_error $by", "$verdict " . ($error // '') . " $where", "$name: $question" or diag $run->{out}, $run->{err};
    }
    cmp_ok $asked, '>', 0, "$name asks something";
}
done_testing;
