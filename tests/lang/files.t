#!/usr/bin/perl
# Which files `sbxc --check` looks at: trees, standard input, what changed; many at once.
use strict;
use warnings;
use FindBin;
use File::Path qw(make_path);
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
my $bad = "sbx 1;\npolicy p { fs { allow read \"/a/\"; } }\n";
my $good = "sbx 1;\npolicy p { fs { allow read \"/a\"; } }\n";
make_path("$dir/t/sub/deep", "$dir/t/.hidden", "$dir/t/empty");
spew("$dir/t/a.sbx", $bad);
spew("$dir/t/sub/b.sbx", $bad);
spew("$dir/t/sub/deep/c.sbx", $good);
spew("$dir/t/.hidden/d.sbx", $bad);
spew("$dir/t/sub/e.txt", 'no policy');
symlink('..', "$dir/t/sub/round");
my @check = ({ cwd => $dir }, $sbxc, '--check');
my $run = run(@check, 't');
is $run->{status}, 1, 'a tree with errors';
is join(' ', $run->{err} =~ /--> +(\S+?):\d/g), 't/a.sbx t/sub/b.sbx', 'its files, in order, no hidden ones, no links';
is run(@check, 't/sub/deep', 't/empty')->{status}, 0, 'a tree without, and an empty one';
is run(@check, 't/none')->{status}, 2, 'one that is not there';
is run(@check, 't/')->{err}, $run->{err}, 'a slash behind it changes nothing';

$run = run({ cwd => $dir, in => "$dir/t/a.sbx" }, $sbxc, '--check', '-');
is $run->{status}, 1, 'standard input';
like $run->{err}, qr/--> +<stdin>:2:\d+/, 'has a name';
spew("$dir/t/imports.sbx", "sbx 1;\nimport \"sub/deep/c.sbx\";\npolicy p { use c; }\n");
is run({ cwd => "$dir/t", in => "$dir/t/imports.sbx" }, $sbxc, '--check', '-')->{status}, 0,
    'and imports from the working folder';
isnt run({ cwd => "$dir/t/sub", in => "$dir/t/imports.sbx" }, $sbxc, '--check', '-')->{status}, 0, 'not from elsewhere';
is run({ in => '/dev/null' }, $sbxc, '--check', '-')->{status}, 1, 'an empty one is no policy';
is run('sh', '-c', "head -c 9000000 /dev/zero | $sbxc --check -")->{status}, 2, 'one that is too large';

# Many at once: printed in order.
make_path("$dir/many");
spew(sprintf("$dir/many/p%03d.sbx", $_), $_ % 3 ? $good : $bad) for 0 .. 199;
$run = run(@check, '--no-proof', 'many');
is join(' ', $run->{err} =~ /p(\d+)\.sbx/g), join(' ', map { sprintf '%03d', $_ } grep { $_ % 3 == 0 } 0 .. 199),
    'two hundred files, in order';
is run(@check, '--no-proof', '--format=json', 'many')->{out} =~ tr/\n//,
    run(@check, '--no-proof', '--format=json', 'many')->{out} =~ tr/\n//, 'always the same';

make_path("$dir/deep/" . 'd/' x 70);
$run = run($sbxc, '--check', "$dir/deep");
is $run->{status}, 2, 'folders in folders without end are not passed over';
like $run->{err}, qr/lies deeper/, 'but told';

SKIP: {
    skip 'git is not installed', 8 if run('git', '--version')->{status};
    make_path("$dir/r/lib");
    my @git = ({ cwd => "$dir/r" }, 'git', '-c', 'user.name=t', '-c', 'user.email=t@example.com');
    spew("$dir/r/lib/part.sbx", "sbx 1;\npolicy part { fs { allow read \"/part\"; } }\n");
    spew("$dir/r/user.sbx", "sbx 1;\nimport \"lib/part.sbx\";\npolicy p { use part; fs { allow read \"/x/\"; } }\n");
    spew("$dir/r/other.sbx", $bad);
    run(@git, 'init', '-q');
    run(@git, 'add', '.');
    run(@git, 'commit', '-qm', 'first');
    my @changed = ({ cwd => "$dir/r" }, $sbxc, '--check', '--changed', 'HEAD', '.');
    is run(@changed)->{status}, 0, 'nothing changed, nothing is found';
    spew("$dir/r/lib/part.sbx", "sbx 1;\npolicy part { fs { allow read \"/part\", \"/more\"; } }\n");
    $run = run(@changed);
    is $run->{status}, 1, 'what imports a changed file is looked at';
    like $run->{err}, qr/user\.sbx/, 'here';
    unlike $run->{err}, qr/other\.sbx/, 'and nothing else';
    spew("$dir/r/new.sbx", $bad);
    like run(@changed)->{err}, qr/new\.sbx/, 'a new file has changed';
    like run({ cwd => "$dir/r/lib" }, $sbxc, '--check', '--changed', 'HEAD', '..')->{err}, qr/new\.sbx/,
        'also seen from a folder of the repository';
    is run({ cwd => "$dir/r" }, $sbxc, '--check', '--changed', 'no-such', '.')->{status}, 2, 'a commit that is none';
    is run({ cwd => $dir, env => { GIT_CEILING_DIRECTORIES => $dir, GIT_DIR => '/nonexistent' } }, $sbxc, '--check',
        '--changed', 'HEAD', 't')->{status}, 2, 'no repository';
}
done_testing;
