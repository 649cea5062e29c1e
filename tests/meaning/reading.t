#!/usr/bin/perl
# The second reading (tests/lib/Reading.pm): what the page says of each operation is what --why answers, what expect
# holds to, and what the kernel does in the sandbox, as root and as an ordinary user. Operations on a network that is
# not the sandbox's own are tried in tests/net/reading.t. Then files of a few lines, and whether they are accepted.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Reading;
use Test::More;

my ($asked, %tried_as) = (0);
my $bin = folder(); # the programs, for whoever runs them
system('cp', map({ "$build/$_" } qw(sbxc sbxrun sbxnames sbximage)), "$bin/") == 0 or die 'cp';

# The policy with these expectations, each on a line of its own, from the line after its last one on.
sub with_tests {
    my ($text, @expects) = @_;
    my $tests = join '', map { "$_;\n" } @expects;
    return $text =~ s/\}\s*\z/tests {\n$tests}\n}\n/r;
}

# The results of TAP, by the line of the policy that they are about.
sub results {
    my ($tap, $live) = @_;
    my %results;
    while ($tap =~ /^(not )?ok \d+ - (live: )?[^:\s]*:(\d+):\d+: (.*)/mg) {
        $results{$3} = { ok => !$1, text => $4 } if !!$2 eq !!$live;
    }
    return \%results;
}

for my $name (readings()) {
    my $dir = reading_folder({});
    my @rows = reading($name);
    for my $row (@rows) {
        $row->{answer} = ask("$dir/$name.sbx", $row->{operation});
        my $line = $row->{verdict} eq 'error' ? '' : ' ' . ($row->{answer}{line} // '');
        is $row->{answer}{verdict} . $line, $row->{verdict} . ($line && " $row->{line}"),
            "$name: $row->{operation}: $row->{reason}";
        $asked++;
    }
    @rows = grep { $_->{verdict} ne 'error' } @rows;

    # What is partly allowed is neither.
    my @expects;
    for my $row (@rows) {
        push @expects, map { [ $row, $_ ] } $row->{verdict} eq 'partly' ? qw(allow deny) : $row->{verdict};
    }
    my $text = slurp("$dir/$name.sbx");
    spew("$dir/expects.sbx", with_tests($text, map { "expect $_->[1] $_->[0]{operation}" } @expects));
    my $results = results(run($sbxc, '--test', "$dir/expects.sbx")->{out});
    my $first = () = $text =~ /\n/g; # `tests {` stands where the last line was
    for (@expects) {
        my $got = $results->{ ++$first };
        is $got && $got->{ok} ? 'holds' : 'fails', $_->[0]{verdict} eq 'partly' ? 'fails' : 'holds',
            "$name: expect $_->[1] $_->[0]{operation}" or diag explain $got;
    }

    # In the kernel. Where the policy is run otherwise than it is written, what that changes can't be tried.
    my $runs = reading_run($name);
    spew("$dir/run.sbx", $runs);
    my $changed = $runs ne $text =~ s/\n\z//r;
    my $brokered = is_brokered("$dir/run.sbx");
    my @tries;
    for my $row (@rows) {
        my $now = $changed ? ask("$dir/run.sbx", $row->{operation}) : $row->{answer};
        $row->{refused} = $now->{verdict} ne $row->{verdict};
        next if $row->{refused};
        if ($row->{verdict} ne 'partly') {
            push @tries, [ $row, "$row->{verdict} $row->{operation}" ];
            next;
        }
        my %points; # an example of each kind, where all of it is so
        @points{qw(allow deny)} = @{ $now->{points} };
        push @tries, map { [ $row, "$_ $points{$_}" ] }
            grep { ask("$dir/run.sbx", $points{$_})->{verdict} eq $_ } sort keys %points;
    }
    for my $user (users()) {
        my $own = reading_folder($user);
        spew("$own/run.sbx", with_tests($runs, map { "expect $_->[1]" } @tries));
        my %how = (%$user, cwd => $own, seconds => 60, env => { CI_DEPLOY_KEY => 'k' });
        my $run = run(\%how, "$bin/sbxc", '--test', '--live', 'run.sbx');
        my $results = results($run->{out}, 1);
        my $line = () = $runs =~ /\n/g;
        my %tried;
        for (@tries) {
            my $got = $results->{ ++$line + 1 };
            ok $got && $got->{ok}, "$name, $user->{name}: $_->[1]" or diag explain $got;
            $tried{ $_->[0]{operation} } += $1 if ($got->{text} // '') =~ /\((\d+) tried/;
        }
        diag $run->{out}, $run->{err} if !%$results;
        for my $row (@rows) {
            my $tried = $tried{ $row->{operation} } // 0;
            next if is_outside($row) && $brokered;
            $tried_as{ $user->{name} }++ if $tried;
            is $tried ? 'tried' : 'not', $row->{kernel} eq '-' ? 'tried' : 'not',
                "$name, $user->{name}: $row->{operation}, in the kernel";
        }
    }
}
is $asked, 400, 'operations, asked of --why and expect';
cmp_ok $tried_as{$_}, '>=', 190, "$_: $tried_as{$_} of them tried in the kernel" for sort keys %tried_as;

# Whole files.
my $dir = reading_folder({});
system('cp', '-r', "$FindBin::Bin/reading/checks", "$dir/");
my ($head, @checks) = split /\n/, slurp("$FindBin::Bin/reading/checks.tsv");
for (@checks) {
    my ($file, $options, $verdict, $reason) = split /\t/;
    my $run = run({ cwd => $dir }, $sbxc, '--check', '-I', '.', split(' ', $options), "checks/$file.sbx");
    is $run->{status} == 0 ? 'accepted' : 'error', $verdict, "$file $options: $reason" or diag $run->{err};
}
done_testing;
