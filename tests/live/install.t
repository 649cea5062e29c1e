#!/usr/bin/perl
# What `make install` puts in place works from there, and `make uninstall` takes it away.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
my @built = map { ('-o', "$build/$_") } 'sbxc', 'sbxrun', 'aisbx', 'sbximage', 'sbxnames', 'libsbx.so.0'; # as they are
my @make = ({ env => { MAKEFLAGS => '', SANITIZE => '' } }, 'make', '-C', $root, @built, "BUILD=$build", "DESTDIR=$dir",
    'PREFIX=/opt/sbx');
is run(@make, 'install')->{status}, 0, 'make install';
spew("$dir/p.sbx", "sbx 1;\nimport std.shell;\npolicy p { use std.shell; }\n");
is run("$dir/opt/sbx/bin/sbxc", '--check', "$dir/p.sbx")->{status}, 0, 'sbxc works from there, with the library';
my $run = run("$dir/opt/sbx/bin/sbxrun", "$dir/p.sbx", '--', 'echo', 'inside');
is $run->{out}, "inside\n", 'and so does sbxrun' or diag $run->{err};
my $doc = "$dir/opt/sbx/share/doc/sbx";
is_deeply [grep { !-e "$doc/$_" } slurp("$doc/README.md") =~ /\]\(([^)#:]+)/g], [], 'what README leads to is there';
is `find $dir/opt -perm /6000`, '', 'no program of another user\'s rights';
is run(@make, 'uninstall')->{status}, 0, 'make uninstall';
is `find $dir/opt -type f`, '', 'nothing is left';
done_testing;
