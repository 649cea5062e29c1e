#!/usr/bin/perl
# Every diagnostic has a page in docs/diagnostics, which --explain shows: what it means, an example that triggers it and
# one that is right.
use strict;
use warnings;
use FindBin;
use File::Basename qw(dirname);
use File::Path qw(make_path);
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

# Without an example: they are about command lines, about what takes minutes, or about faults of ours.
my %untried = map { $_ => 1 } qw(SBX0315 SBX0317 SBX0318 SBX0514 SBX0515 SBX0516 SBX0706 SBX0811);
my @codes = map { "SBX$_" } slurp("$root/lang/diagnostics.def") =~ /DIAGNOSTIC\((\d+)/g;

sub write_files {
    my ($dir, %files) = @_;
    for (keys %files) { make_path(dirname("$dir/$_")); spew("$dir/$_", $files{$_}) }
}
sub check {
    my ($dir, $file) = @_;
    return run({ cwd => $dir, seconds => 90 }, $sbxc, $file =~ /json$/ ? '--import=docker-seccomp' : '--check', $file);
}

for my $code (@codes) {
    my $page = -e "$root/docs/diagnostics/$code.md" ? slurp("$root/docs/diagnostics/$code.md") : '';
    like $page, qr/^# $code: \S.*\n\n\S/, "$code has a page" or next;
    is run($sbxc, '--explain', $code)->{out}, $page, "$code is explained by it";
    next if $untried{$code} && $page !~ /```/;
    my (%wrong, %right, $in_right);
    while ($page =~ /^```(\w+) (wrong|right|file=(\S+))\n(.*?)^```$/msg) {
        my ($kind, $what, $name, $text) = ($1, $2, $3, $4);
        $text = run('sh', '-c', $text)->{out} if $kind eq 'sh';
        my $suffix = $kind eq 'json' ? 'json' : 'sbx';
        $in_right = 1 if $what eq 'right';
        ($in_right ? $right{ $name // "right.$suffix" } : $wrong{ $name // "wrong.$suffix" }) = $text;
    }
    my ($wrong) = grep { /^wrong/ } keys %wrong;
    my ($right) = grep { /^right/ } keys %right;
    ok $wrong && $right, "$code has two examples" or next;
    my $dir = folder() . '/policies';
    write_files($dir, %wrong);
    my $run = check($dir, $wrong);
    like $run->{err}, qr/\[$code\]/, "$code: its wrong example triggers it" or diag $run->{err};
    write_files($dir, %right);
    $run = check($dir, $right);
    is "$run->{status} $run->{err}", '0 ', "$code: its right example is right";
}
my @pages = map { m{([^/]+)\.md$} } glob "$root/docs/diagnostics/*.md";
is_deeply [ sort @pages ], [ sort @codes ], 'no page is left over';
my $run = run($sbxc, '--explain', 'SBX9999');
is $run->{status}, 2, 'a code that does not exist';
like $run->{err}, qr/SBX0421/, 'is told what codes look like';
is run($sbxc, '--explain', 'sbx0421')->{status}, 0, 'codes are found in lower case';
is run($sbxc, '--explain', '421')->{status}, 0, 'and by number';
done_testing;
