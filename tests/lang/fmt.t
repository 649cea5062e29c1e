#!/usr/bin/perl
# `sbxc --fmt`: the layout of cases that show each part of it; the same again when done twice; the meaning kept; files
# with errors left alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();

# layout/NAME.sbx becomes layout/NAME.out.
for my $file (sort glob "$FindBin::Bin/layout/*.sbx") {
    (my $expected = $file) =~ s/sbx$/out/;
    my $run = run($sbxc, '--fmt', $file);
    spew($expected, $run->{out}) if $ENV{UPDATE};
    is $run->{out}, -e $expected ? slurp($expected) : '(there is no .out file)', $file =~ s{.*/}{}r or diag $run->{err};
}

# Every policy of this tree that has no errors.
my @corpus = grep { -f && run($sbxc, '--fmt', $_)->{status} == 0 }
    glob "$root/{examples,stdlib-policies,tests/{meaning/cases,lang/cases,lang/layout,fuzz/corpus/policy}}/*";
cmp_ok @corpus, '>', 40, 'a corpus';
my (@twice, @changed, @wide);
for my $file (@corpus) {
    my $once = run($sbxc, '--fmt', $file)->{out};
    my ($folder, $name) = $file =~ m{(.*)/(.*)};
    my $run = run({ cwd => $folder, in => spew("$dir/once.sbx", $once) }, $sbxc, '--fmt', '-');
    push @twice, $name if $run->{out} ne $once;
    push @wide, $name if grep { length > 120 && !/"[^"]{60,}|#/ } split /\n/, $once;
    my @plain = ($once, slurp($file));
    s/\s+//g for @plain;
    push @changed, $name if $plain[0] ne $plain[1];
}
is "@twice", '', 'done twice it is the same';
is "@changed", '', 'no word and no comment is lost';
is "@wide", '', 'no line is wider than 120 where words allow it';
is run($sbxc, '--fmt', '--diff', "$root/examples", "$root/stdlib-policies")->{status}, 0,
    "this tree's own policies are laid out so";

# Writing, showing, leaving alone.
my $ugly = "sbx 1;\npolicy   p{fs{allow read \"/a\" ;}}\n";
my $nice = "sbx 1;\npolicy p { fs { allow read \"/a\"; } }\n";
my $file = spew("$dir/p.sbx", $ugly);
chmod 0640, $file;
is run($sbxc, '--fmt', $file)->{out}, $nice, 'printed';
is slurp($file), $ugly, 'and nothing is written';
my $run = run($sbxc, '--fmt', '--diff', $file);
is $run->{status}, 1, 'a difference is status 1';
like $run->{out}, qr/^-policy   p\{fs.*\n\+policy p \{ fs/m, 'and is shown';
symlink $file, "$dir/link.sbx";
is run($sbxc, '--fmt', '--write', "$dir/link.sbx")->{status}, 0, 'written';
is slurp($file), $nice, 'in its place';
ok -l "$dir/link.sbx", 'a link stays a link';
is sprintf('%o', (stat $file)[2] & 0777), '640', 'with its mode';
is join(' ', map { s{.*/}{}r } glob "$dir/p.sbx*"), 'p.sbx', 'nothing is left beside it';
is run($sbxc, '--fmt', '--diff', $file)->{status}, 0, 'and it is nice now';
is run({ in => spew("$dir/in", $ugly) }, $sbxc, '--fmt', '-')->{out}, $nice, 'standard input';
my $broken = spew("$dir/broken.sbx", "sbx 1;\npolicy   p { fs { allow reed \"/a\"; } }\n");
$run = run($sbxc, '--fmt', '--write', $broken);
is $run->{status}, 1, 'a file with errors';
like $run->{err}, qr/SBX0105/, 'is told of';
like slurp($broken), qr/policy   p/, 'and left alone';
SKIP: {
    skip 'root may write anywhere', 1 unless $>;
    chmod 0555, $dir;
    is run($sbxc, '--fmt', '--write', spew("$dir/p.sbx", $ugly))->{status}, 2, 'a folder that can\'t be written';
    chmod 0755, $dir;
}
is run($sbxc, '--check', '--write', $file)->{status}, 2, '--write belongs to --fmt';
is run('sh', '-c', "$sbxc --fmt $file > /dev/full")->{status}, 2, 'a full disk is noticed';
done_testing;
