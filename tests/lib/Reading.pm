# The second reading: ten policies with forty operations each, and what docs/language.md says of them, as somebody
# understood it who saw only the page. tests/meaning/reading/NN.sbx is the policy; a line that ends in `# run: RULE` is
# that rule where the policy is run, since nothing can enforce the line (`-`: no rule). NN.tsv has a row for each
# operation: what is asked, the verdict, the line that decides (`std.NAME` for one of the library; `net`, what follows
# from the net rules; `-`, none), why it can't be tried in the kernel (`-`: it is), and the reason for the verdict.
package Reading;
use strict;
use warnings;
use Exporter 'import';
use Sbx;

our @EXPORT = qw(reading readings reading_folder reading_run);
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

1;
