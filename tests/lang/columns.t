#!/usr/bin/perl
# Lines end before column 120, in code and prose: everything that is tracked, but for what is listed here.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $columns = 120;

# Whole files, with why.
my @whole = (
    [qr/\.tsv$/,                                   'tables of data, a row a line'],
    [qr/\.out$/,                                   'what a program must print, as it prints it'],
    [qr{^tests/fuzz/corpus/},                      'inputs, some of them not text'],
    [qr{^tests/lang/(?:cases|broken|profiles)/},   'inputs that have to be as they are'],
    [qr{^tests/meaning/(?:cases|reading)/},        'a question and its answer, a rule and how it is run, a line each'],
    [qr{^tests/lang/layout/},                      'inputs of --fmt'],
    [qr{^docs/attacks\.md$},                       'made by make matrix'],
);

# Lines, by file.
my %lines = (
    'docs/architecture.md' => qr/^\|/, # the tables of rooms and files, which a test reads
    'docs/sockets.md' => qr/^\|/,      # a table that is made of the code's
    'docs/programs.md' => qr/^\|/,     # tables that programs.t makes
    'compiler/options.def' => qr/^(?:ACTION|OPTION)\(/, # an option a row, which commandline.t reads
    'enforcer/options.def' => qr/^OPTION\(/,
);

my @files = tracked();
cmp_ok @files, '>', 500, 'files are tracked';
my %used;
for my $file (@files) {
    next if !-f "$root/$file";
    my ($listed) = grep { $file =~ $_->[0] } @whole;
    my $number = 0;
    my @long;
    for (split /\n/, slurp("$root/$file")) {
        $number++;
        next if length() <= $columns; # bytes, which are no fewer
        my $line = $_;
        next if utf8::decode($line) && length $line <= $columns;
        push @long, $number if !$lines{$file} || $line !~ $lines{$file};
        $used{$file} = 1;
    }
    $used{ $listed->[0] } = 1, next if $listed && @long;
    is "@long", '', "$file" if !$listed;
}
is_deeply [grep { !$used{$_} } map({ $_->[0] } @whole), sort keys %lines], [], 'what is listed is needed';
done_testing;
