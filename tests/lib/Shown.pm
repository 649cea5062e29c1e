# What shows each sentence of a page: tables that name, for words of a sentence, a test and words of it.
package Shown;
use strict;
use warnings;
use Exporter 'import';
use Sbx;
use Test::More;

our @EXPORT = qw(rows sentences shown stands);

# The rows of a table: fields between tabs. A line that begins with # is a comment.
sub rows { my ($path) = @_; return map { [ split /\t/, $_, -1 ] } grep { /\S/ && !/^#/ } split /\n/, slurp($path) }

# The sentences of a page: those of its paragraphs and the items of its lists, and each row of a table; without the
# marks of bold words. Headings, also of tables, and blocks of code are none.
sub sentences {
    my ($text) = @_;
    $text =~ s/^```.*?^```[^\n]*$//gms;
    $text =~ s/^[|].*\n(?=[|] -)//gm;
    my @sentences;
    for my $block (split /\n\s*\n|\n(?=- |[|]|#)/, $text) {
        $block =~ s/\s+/ /g;
        $block =~ s/^ | $|^ ?- |\*\*//g;
        next if $block eq '' || $block =~ /^#|^[|] -/;
        push @sentences, $block =~ /^[|]/ ? $block : split /(?<=[.])\s+(?=[A-Z0-9`("])/, $block;
    }
    return @sentences;
}

# Each of the sentences has a row that has words of it, and each row is about one of them.
sub shown {
    my ($page, $sentences, $rows) = @_;
    my %used;
    for my $sentence (@$sentences) {
        my @of = grep { index($sentence, $rows->[$_][0]) >= 0 } 0 .. $#$rows;
        $used{$_} = 1 for @of;
        ok @of > 0, "$page: $sentence";
    }
    is join('; ', map { $rows->[$_][0] } grep { !$used{$_} } 0 .. $#$rows), '',
        "$page: every row is about a sentence that is there";
}

# The file has these words, which may go over lines of a comment or parts of a string.
sub stands {
    my ($label, $file, $words) = @_;
    my $text = -f "$root/$file" ? slurp("$root/$file") =~ s/"\n\s*\. "//gr =~ s/\n(?:#|\/\/) / /gr : '';
    ok index($text, $words) >= 0, "$label: $file has `$words`";
}

1;
