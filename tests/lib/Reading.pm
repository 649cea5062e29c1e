# The second reading: ten policies with forty operations each, and what docs/language.md says of them, as somebody
# understood it who saw only the page. tests/meaning/reading/NN.sbx is the policy; a line that ends in `# run: RULE` is
# that rule where the policy is run, since nothing can enforce the line (`-`: no rule). NN.tsv has a row for each
# operation: what is asked, the verdict, the line that decides (`std.NAME` for one of the library; `net`, what follows
# from the net rules; `-`, none), why it can't be tried in the kernel or comes out otherwise there (`-`: it is tried,
# and agrees), and the reason for the verdict.
package Reading;
use strict;
use warnings;
use Exporter 'import';
use Sbx;

our @EXPORT = qw(reading readings reading_folder reading_run ask is_outside is_brokered);
my $data = "$root/tests/meaning/reading";

sub readings { return map { m{(\d+)\.sbx$} } sort glob "$data/[0-9]*.sbx" }

# The rows of a policy, each { operation, verdict, line, kernel, reason }.
sub reading {
    my ($name) = @_;
    my ($head, @rows) = split /\n/, slurp("$data/$name.tsv");
    my @columns = split /\t/, $head;
    return map { my %row; @row{@columns} = split /\t/; \%row } @rows;
}

# A folder with the policies, and the host's files that they show.
sub reading_folder {
    my ($user) = @_;
    my $dir = folder();
    system('cp', glob("$data/*.sbx"), "$dir/") == 0 or die 'cp';
    system('sh', "$data/setup.sh", $dir) == 0 or die 'setup.sh';
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if $> == 0 && defined $user->{uid};
    return $dir;
}

# The policy as it is run.
sub reading_run {
    my ($name) = @_;
    return join "\n", map { s/^(\s*).*# run: (.*)$/$2 eq '-' ? '' : "$1$2"/er } split /\n/, slurp("$data/$name.sbx");
}

# What --why answers: the verdict, the line, and of what is partly allowed an operation of each kind.
sub ask {
    my ($file, $operation) = @_;
    my $run = run($sbxc, '--why', $operation, $file);
    my $says = { 0 => 'allow', 2 => 'error', 4 => 'deny', 5 => 'partly' }->{ $run->{status} } // $run->{err};
    return { verdict => $says } if $says !~ /^(?:allow|deny|partly)$/;
    my @points = $run->{out} =~ /^(\S.*): (?:allowed|denied|killed)\b/mg;
    return { verdict => $says, line => '-', points => \@points } if $says eq 'partly';
    my ($by) = $run->{out} =~ /^.*: (?:allowed|denied|killed).*\n  (?:by (.*)|no rule allows it)$/m
        or return { verdict => $run->{out} };
    my $line = !defined $by ? '-' : $by =~ m{^std/(\w+)\.sbx:} ? "std.$1"
        : $by =~ m{^(?:\S*/)?\w+\.sbx:(\d+):\d+: (?:allow|deny|\w+ from|capabilities)} ? $1 : 'net';
    return { verdict => $says, line => $line };
}

# Operations that sbxrun does in the command's place, where the policy lets them be of more than the loopback.
sub is_outside { my ($row) = @_; return $row->{operation} =~ /^(?:connect|bind|listen) / }
sub is_brokered { my ($file) = @_; return run($sbxc, '--emit=plan', $file)->{out} =~ /"broker": *\[ *"/ }

1;
