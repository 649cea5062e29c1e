#!/usr/bin/perl
# The language server in a real editor: Neovim opens, edits, completes, renames over two files and lays out.
use strict;
use warnings;
use utf8;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my ($editor) = grep { -x } map { "$_/nvim" } split /:/, $ENV{PATH};
plan skip_all => 'Neovim is not installed' if !$editor;
my $dir = folder();
mkdir "$dir/org";
spew("$dir/org/lib.sbx", "sbx 1;\npolicy ceiling "
    . "{\n    fs { allow read \"/srv\"; }\n    syscalls { allow openat2; }\n    limits { memory 1GiB; }\n}\n");
my $user = "sbx 1;\nimport \"org/lib.sbx\" as org;\n"
    . "policy p {\n    within org.ceiling;\n    summary \"🎉🎉\";  limits { memory 1Mb; }\n"
    . "    syscalls { allow open; }\n}\n";
utf8::encode($user);
spew("$dir/user.sbx", $user);
my $run = run({ seconds => 60, cwd => $dir, env => { SBXC => $sbxc, FOLDER => $dir, HOME => $dir,
            XDG_CACHE_HOME => $dir, XDG_STATE_HOME => $dir, XDG_DATA_HOME => $dir, NVIM_LOG_FILE => "$dir/log" } },
    $editor, '--headless', '-u', 'NONE', '-i', 'NONE', '-n', '-c', "luafile $FindBin::Bin/neovim.lua");
my $out = eval { decode_json(slurp("$dir/out.json")) } // {};
is $out->{problem}, undef, 'the session runs' or diag $run->{out}, $run->{err};
ok $out->{opened}, 'opens a file and shows what is wrong';
like $out->{finding}{message}, qr/`Mb` is not a unit/, 'in words';
is $out->{finding}{line}, 4, 'on its line';
is $out->{finding}{column}, index((split /\n/, $user)[4], 'Mb'), 'in its column, which Neovim counts in bytes';
ok $out->{mended}, 'an edit mends it';
is join(' ', sort @{ $out->{completions} // [] }), 'openat openat2', 'completes a call';
is $out->{completed}, '    syscalls { allow openat2; }', 'in place of what was written';
like $out->{hover}, qr/opens a file with limits/, 'says what it is';
is $out->{definition}, "file://$dir/org/lib.sbx", 'knows where a name is from';
like $out->{renamed}, qr/within org\.roof;/, 'renames here';
like slurp("$dir/org/lib.sbx"), qr/policy roof/, 'and in the other file';
is run($sbxc, '--fmt', '--diff', "$dir/user.sbx")->{out}, '', 'lays out as `--fmt` does';
unlike $out->{formatted}, qr/;  limits/, 'which it was not before';
ok $out->{stopped}, 'and ends';
done_testing;
