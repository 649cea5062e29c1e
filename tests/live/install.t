#!/usr/bin/perl
# What `make install` puts in place works from there, and `make uninstall` takes it away.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
my @make = ({ env => { MAKEFLAGS => '', SANITIZE => '' } }, 'make', '-C', $root, '-o', "$build/sbxc", '-o', "$build/sbxrun", '-o', "$build/sbximage", '-o', "$build/sbxnames", "BUILD=$build", "DESTDIR=$dir", 'PREFIX=/opt/sbx'); # -o: as they are
is run(@make, 'install')->{status}, 0, 'make install';
spew("$dir/p.sbx", "sbx 1;\nimport std.shell;\npolicy p { use std.shell; }\n");
is run("$dir/opt/sbx/bin/sbxc", '--check', "$dir/p.sbx")->{status}, 0, 'sbxc works from there, with the library';
my $run = run("$dir/opt/sbx/bin/sbxrun", "$dir/p.sbx", '--', 'echo', 'inside');
is $run->{out}, "inside\n", 'and so does sbxrun' or diag $run->{err};
is run(@make, 'uninstall')->{status}, 0, 'make uninstall';
is `find $dir/opt -type f`, '', 'nothing is left';
done_testing;
