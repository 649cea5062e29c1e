#!/usr/bin/perl
# Each sentence of docs/language.md has what shows it: language.tsv names a test and words of it, or is the test itself,
# of a few rules and what must come of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Shown;
use Test::More;

# words of a sentence, how, what, must
my @rows = rows("$FindBin::Bin/language.tsv");
my @sentences = sentences(slurp("$root/docs/language.md"));
cmp_ok scalar @sentences, '>', 180, 'the page has sentences';
shown('docs/language.md', \@sentences, \@rows);

# What such rules may be beside: as the caller, whose home is `home`.
my @users = users();
sub folder_of {
    my ($user, $file) = @_;
    my $dir = folder();
    mkdir "$dir/$_" for qw(w ro ro/sub home roots roots/lib);
    spew("$dir/ro/file", "text\n"), spew("$dir/ro/sub/file", "deep\n"), spew("$dir/home/file", "of the home\n");
    spew("$dir/w/file", "old\n"), spew("$dir/roots/lib/part.sbx", "sbx 1;\npolicy part { limits { pids 7; } }\n");
    symlink 'file', "$dir/ro/link" or die $!;
    system('cp', $probe, "$dir/probe") == 0 or die $probe;
    spew("$dir/p.sbx", $file);
    owned($user, $dir, map { "$dir/$_" } qw(w home w/file));
    return $dir;
}

# The whole file: where what stands in the row is the rules of a policy, these beside what programs need, or alone.
sub whole {
    my ($text, $use) = @_;
    return $text =~ /^sbx / ? $text =~ s/ \\n /\n/gr
        : "sbx 1;\nimport std.base;\n" . ($text =~ /\bpolicy p\b/ ? $text : "policy p { $use $text }") . "\n";
}

my $home = sub { (env => { HOME => "$_[0]/home", CALLER => 'of the caller' }) };
my %ways = (
    # QUESTION => how --why answers; …
    asks => sub {
        my ($label, $text, $must) = @_;
        my $dir = folder_of($users[-1], whole($text, ''));
        for my $each (split /; /, $must) {
            my ($question, $answer) = split / => /, $each;
            my $why = run({ cwd => $dir }, $sbxc, '--why', $question, '--policy', 'p', 'p.sbx');
            my $said = "$why->{out}$why->{err}" =~ s/\s+/ /gr =~ s/ by p\.sbx:\d+:\d+: / by /gr;
            ok index($said, ": $answer ") >= 0, "$label: $question" or diag $said;
        }
    },
    # what --check says: `right`, nothing
    finds => sub {
        my ($label, $text, $must) = @_;
        my @options = $text =~ s/^\((.*?)\) // ? split / /, $1 : ();
        my $dir = folder_of($users[-1], whole($text, ''));
        my $check = run({ cwd => $dir }, $sbxc, '--check', '--color=never', @options, 'p.sbx');
        my $said = "$check->{status} $check->{out}$check->{err}" =~ s/\s+/ /gr;
        like $said, $must eq 'right' ? qr/^0 $/ : qr/$must/, $label;
    },
    # COMMAND => what it prints in the sandbox, as root and as an ordinary user
    runs => sub {
        my ($label, $text, $must) = @_;
        my @options = $text =~ s/^\((.*?)\) // ? split / /, $1 : ();
        my ($command, $prints) = $must =~ /^(.*) => (.*)$/ or die "$label: $must";
        for my $user (@users) {
            my $dir = folder_of($user, whole($text, 'use std.base; fs { allow read, exec "/probe" from "./probe"; }'));
            my $run = in_sandbox($user, $dir, { args => \@options, $home->($dir) }, 'sh', '-c', $command);
            like "$run->{out}$run->{err}" =~ s/\s+/ /gr =~ s/ $//r, qr/^(?:$prints)$/, "$user->{name}: $label";
        }
    },
);
for my $row (@rows) {
    my ($words, $how, $what, $must) = @$row;
    my $label = "$words: $what" . ($must ? " => $must" : '');
    if ($ways{$how}) {
        $ways{$how}->($label, $what, $must // die $label);
    } elsif ($how ne '-') { # else the reason why no run shows it
        stands($words, $how, $what);
    }
}
done_testing;
