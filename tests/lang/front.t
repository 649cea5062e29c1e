#!/usr/bin/perl
# The pages as somebody goes through them: links lead somewhere, everything is at most two hops from README, nothing is
# said twice.
use strict;
use warnings;
use utf8;
use FindBin;
use File::Basename qw(dirname);
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;
binmode Test::More->builder->$_, ':encoding(UTF-8)' for 'output', 'failure_output', 'todo_output';

my @pages = ('README.md', 'CONTRIBUTING.md', map { s{^\Q$root\E/}{}r } sort glob "$root/docs/*.md");
my %text = map { my $t = slurp("$root/$_"); utf8::decode($t); ($_ => $t =~ s/^```.*?^```$//msgr) } @pages;

# A path without `.` and `..` in it.
sub plain {
    my @parts;
    for (split m{/}, $_[0]) { $_ eq '..' ? pop @parts : $_ ne '.' && push @parts, $_ }
    return join '/', @parts;
}

# What a heading is called in a link.
sub anchor { return lc($_[0]) =~ s/[^\w\- ]//gr =~ s/ /-/gr }

my (%links, @dead);
for my $page (@pages) {
    for my $link ($text{$page} =~ /\]\(([^)\s]+)\)/g) { # a list: a page may link to itself, and is searched then
        my ($target, $part) = split /#/, $link, 2;
        next if $target =~ /^[a-z]+:/;
        my $file = $target eq '' ? $page : plain((dirname($page) eq '.' ? '' : dirname($page) . '/') . $target);
        push @{ $links{$page} }, $file;
        push @dead, "$page: $link" if !-e "$root/$file";
        push @dead, "$page: $link"
            if defined $part && !grep { anchor($_) eq $part } ($text{$file} // '') =~ /^#+ (.*)$/mg;
    }
}
is_deeply \@dead, [], 'every link leads somewhere';

my %hops = ('README.md' => 0);
for my $hop (1 .. 2) {
    my @from = grep { $hops{$_} == $hop - 1 } keys %hops;
    $hops{$_} //= $hop for map { @{ $links{$_} // [] } } @from;
}
is_deeply [grep { !defined $hops{$_} } @pages], [], 'every page is at most two hops from README';

# What newcomers ask: README's own words for it, the page that it leads to, and what answers there.
for (
    ['where a limit is kept',     'docs/architecture.md', qr{`enforcer/limits/limits\.c`}],
    ['what happens at `connect`', 'docs/architecture.md', qr{^## The way of a `connect`$}m],
    ['add a limit, a driver',     'CONTRIBUTING.md',      qr{^\*\*A driver\.\*\*}m],
    ['why a call was denied',     'docs/running.md',      qr{^## Why a call was denied$}m],
    )
{
    my ($question, $page, $answer) = @$_;
    my ($row) = grep { index($_, $question) >= 0 } split /\n/, $text{'README.md'};
    like $row // '', qr/\]\(\Q$page\E\)/, "README says where to read $question";
    like $text{$page}, $answer, 'and it is there';
}
cmp_ok scalar(() = slurp("$root/README.md") =~ /^/mg), '<=', 140, 'README is for somebody with a minute';

my $rooms = qr{(?:grammar|lang|compiler|enforcer|names|image|libsbx|tests|tools|examples|docs|stdlib-policies)};
for my $page (@pages) {
    my @named = $text{$page} =~ m{`($rooms/[\w./-]+)`}g;
    is_deeply [grep { !-e "$root/$_" } @named], [], "what $page names is there" if @named;
}

# Comments of the sources lead somewhere, too.
my @nowhere;
my @kinds = map { "*.$_" } '[chly]', 'def', 't', 'pm', 'awk', 'sh', 'sbx';
for my $file (tracked(@kinds, 'Makefile', '.ci', ':!tests/fuzz')) {
    my $text = slurp("$root/$file");
    while ($text =~ m{(?<![\w/.-])($rooms/[\w./-]+\.(?:[chly]|def|awk|sh|t|pm|md|tsv|ebnf))\b}g) {
        push @nowhere, "$file: $1" if !-e "$root/$1";
    }
}
is_deeply \@nowhere, [], 'what sources name is there';

my %said;
for my $page (@pages) {
    for (split /(?<=[.:;])\s+|\n\n|\|/, $text{$page}) {
        my $sentence = s/\s+/ /gr =~ s/^[-*> ]+//r;
        $said{$sentence}{$page} = 1 if length $sentence > 60;
    }
}
is_deeply [grep { keys %{ $said{$_} } > 1 } sort keys %said], [], 'no sentence is on two pages';
done_testing;
