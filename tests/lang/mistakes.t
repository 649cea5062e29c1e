#!/usr/bin/perl
# One mistake gives one finding, where it was made: each `;` of a policy left away, all of them at once, each word
# mistyped, each string and block left open; as a file, and in an editor.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Lsp;
use Sbx;
use JSON::PP;
use Test::More;

my $dir = folder();
my $json = JSON::PP->new->utf8;
my @keywords = slurp("$root/grammar/sbx.y") =~ /^%token (?=[A-Z])(?!<)(.*)$/mg;
my %keyword = map { $_ => 1 } map { /"([a-z-]+)"/g } @keywords;
cmp_ok scalar keys %keyword, '>', 60, 'the grammar has words';

# What is said of a text: [code, line, column, message, label and help], errors only.
sub findings {
    my ($text, @options) = @_;
    my $run = run($sbxc, '--check', '--no-proof', '--format=json', @options, spew("$dir/p.sbx", $text));
    my $said = eval { $json->decode($run->{out}) } or return ['none', 0, 0, "exit $run->{status}: $run->{err}", ''];
    return map { [@$_{qw(code line column message)}, join ' ', map { $_ // '' } $_->{label}, $_->{help}] }
        grep { $_->{severity} eq 'error' } @{ $said->{diagnostics} };
}
sub told { join '; ', map { "$_->[0] $_->[1]:$_->[2]" } @_ }

# A text as its words: [text, line, column]; comments and blanks are none.
sub words {
    my ($text) = @_;
    my (@words, $line, $start);
    ($line, $start) = (1, 0);
    while ($text =~ /\G(?:(\n)|(#[^\n]*|[ \t]+)|("(?:[^"\\\n]|\\.)*"|[\@\$]?[A-Za-z_][\w-]*|[^\s"]))/g) {
        if (defined $1) { ($line, $start) = ($line + 1, pos $text); next }
        push @words, { text => $3, at => $-[3], line => $line, column => $-[3] - $start + 1 } if defined $3;
    }
    return @words;
}

# Policies with every statement there is: the pages' own.
my %texts = map { m{([^/]+)\.sbx$} ? ($1 => slurp($_)) : () } glob("$root/examples/*.sbx $root/examples/*/*.sbx");
my ($large) = slurp("$root/docs/language.md") =~ /^```sbx file=py_dev_strict\.sbx\n(.*?)^```/ms;
$large =~ s/^import "org.*\n//m;
$large =~ s/^    within org.*\n//m;
$large =~ s/from "\.\/repo"/from ".\/repo"/;
$texts{language} = $large;
for my $name (sort keys %texts) {
    delete $texts{$name} if $texts{$name} =~ /^import "/m;
}
cmp_ok scalar keys %texts, '>', 2, 'there are policies to break';

for my $name (sort keys %texts) {
    my $text = $texts{$name};
    is told(findings($text)), '', "$name: right as it is" or next;
    my @words = words($text);
    my (@odd, @places);
    my $count = 0;
    for my $i (grep { $words[$_]{text} eq ';' } 0 .. $#words) {
        my $before = $words[ $i - 1 ];
        my $place = "SBX0103 $before->{line}:" . ($before->{column} + length $before->{text});
        push @places, $place;
        my $broken = $text;
        substr($broken, $words[$i]{at}, 1) = '';
        my $told = told(findings($broken));
        push @odd, "without the `;` of $place: $told" if $told ne $place;
        $count++;
    }
    is join("\n", @odd), '', "$name: each `;` left away is one finding, where it is missing ($count)";
    my $none = $text;
    substr($none, $_->{at}, 1) = ' ' for grep { $_->{text} eq ';' } @words;
    is told(findings($none)), join('; ', @places), "$name: all left away are one finding each";
    my $uri = Lsp::uri("$dir/p.sbx");
    my $server = Lsp->new($sbxc, $dir);
    $server->open($uri, $none);
    my @shown = map { "$_->{code} " . ($_->{range}{start}{line} + 1) . ':' . ($_->{range}{start}{character} + 1) }
        grep { $_->{severity} == 1 } @{ $server->findings($uri, 1) };
    is join('; ', @shown), join('; ', @places), "$name: in an editor, too";
    is $server->stop, 0, "$name: whose server ends";

    @odd = ();
    $count = 0;
    for my $word (grep { $keyword{ $_->{text} } } @words) {
        for my $wrong ($word->{text} . 'x', ucfirst $word->{text}) {
            my $broken = $text;
            substr($broken, $word->{at}, length $word->{text}) = $wrong;
            my @found = findings($broken);
            next if !@found; # a name, which may be called so
            push @odd, "$wrong for $word->{text} at $word->{line}:$word->{column}: " . told(@found)
                . (@found == 1 ? " says $found[0][4]" : '')
                if @found != 1 || "$found[0][1]:$found[0][2]" ne "$word->{line}:$word->{column}"
                || $found[0][4] !~ /`\Q$word->{text}\E`/;
            $count++;
        }
    }
    is join("\n", @odd), '', "$name: each word mistyped is one finding, there, and says which is meant ($count)";

    for my $brace ('{', '}') {
        @odd = ();
        my $last = 0;
        for my $word (grep { $_->{text} eq $brace } @words) {
            my $broken = $text;
            substr($broken, $word->{at}, 1) = '';
            my @found = findings($broken);
            push @odd, "without the `$brace` of $word->{line}:$word->{column}: " . told(@found)
                if @found != 1 || $found[0][1] < $word->{line};
        }
        is join("\n", @odd), '', "$name: each `$brace` left away is one finding, there or behind it";
    }
    @odd = ();
    for my $word (grep { $_->{text} =~ /^"/ } @words) {
        my $broken = $text;
        substr($broken, $word->{at} + length($word->{text}) - 1, 1) = '';
        my $told = told(findings($broken));
        push @odd, $told if $told ne "SBX0102 $word->{line}:$word->{column}";
    }
    is join("\n", @odd), '', "$name: each string left open is one finding, at its start";
}
done_testing;
