#!/usr/bin/perl
# Repositories as they are: git works on them, and a deny of what the host's git would run holds whatever `.git` is: a
# folder, a file (worktrees, submodules), a link, missing, or made during the run.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my %author = map { ("GIT_${_}_NAME" => 'n', "GIT_${_}_EMAIL" => 'n@example.org') } qw(AUTHOR COMMITTER);
plan skip_all => 'git is not installed' if system 'git --version > /dev/null 2>&1';

for my $user (users()) {
    my $name = $user->{name};
    my $rules = sub {
        my ($more) = @_;
        return sandbox($user, 'fs { allow read, write "/w" from "./w"; allow read, write "/tmp" from tmpfs size 16MiB;
            allow read, write "/other" from "./other"; deny write "/w/.git/hooks", "/w/.git/config"; } '
            . 'process { cwd "/w"; }' . ($more // ''), uses => 'git');
    };
    my $git = sub { # on the host, as its user
        my ($dir, @words) = @_;
        my $run = run({ %$user, cwd => $dir, env => { %author, HOME => $dir } }, 'git', '-c',
            'protocol.file.allow=always', @words);
        $run->{status} eq '0' or die "git @words: $run->{err}";
        return $run->{out};
    };
    my $make = sub {
        my $dir = $rules->($_[0]);
        mkdir "$dir/other";
        owned($user, "$dir/other");
        return $dir;
    };
    my $commit = sub {
        my ($dir) = @_;
        $git->($dir, 'init', '-q', '.');
        owned($user, spew("$dir/a", "a\n"));
        $git->($dir, 'add', 'a');
        $git->($dir, 'commit', '-qm', 'one');
    };
    my $inside = sub {
        my ($dir, $script) = @_;
        return in_sandbox($user, $dir, { env => \%author, seconds => 60 }, 'sh', '-c', $script);
    };
    # What would have the host's git run something of the command's.
    my $plants = 'echo x > .git/hooks/pre-commit; echo x > .git/config; mv .git .g; rm -rf .git; mkdir -p .git/hooks; '
        . 'echo x > .git/hooks/pre-commit; rm -f .git/config; echo x > .git/config; ln -s /w/a .git/config; true';

    # A folder.
    my $dir = $make->();
    $commit->("$dir/w");
    my $run = $inside->($dir, 'git status --short; echo b > b; git add b; git commit -qm two; git log --format=%s; '
        . 'git stash list; git branch x; git checkout -q x; git diff HEAD~1 --stat | tail -1');
    is "$run->{status} $run->{out}", "0 two\none\n 1 file changed, 1 insertion(+)\n",
        "$name: git works in a repository" or diag $run->{err};
    my $config = slurp("$dir/w/.git/config");
    $inside->($dir, $plants);
    is slurp("$dir/w/.git/config"), $config, "$name: its configuration stays";
    ok !-e "$dir/w/.git/hooks/pre-commit", "$name: nothing is planted in it";

    # All of it denied, as it should be: whatever git would obey, and however it is put there.
    my @obeyed = qw(config config.worktree hooks/post-checkout hooks/pre-commit commondir gitdir worktrees/x/commondir
        modules/x/config rebase-merge/git-rebase-todo rebase-apply/next sequencer/todo info/attributes info/exclude
        objects/info/alternates HEAD index logs/HEAD COMMIT_EDITMSG refs/heads/main packed-refs FETCH_HEAD ORIG_HEAD);
    $dir = $make->();
    spew("$dir/p.sbx", slurp("$dir/p.sbx") =~ s/deny write [^;]*;/deny write "\/w\/.git";/r);
    $commit->("$dir/w");
    $git->("$dir/w", 'config', 'core.fsmonitor', 'false');
    my $all = sub { join "\n", map { "$_ " . (-f $_ ? slurp($_) : '') } sort split /\n/, `find '$dir/w/.git'` };
    my $whole = $all->();
    $run = $inside->($dir,
        "for f in @obeyed; do for g in .git/\$f; do mkdir -p \${g%/*}; echo x > \$g; ln -sf /w/a \$g; "
        . 'rm -rf $g; mv $g /w/moved; cp a $g; done 2> /dev/null; done; mv .git x; rm -rf .git moved; '
        . 'git status --short; git log --format=%s; git diff HEAD --stat; git add a; '
        . 'git commit -qm two || echo no commit; '
        . 'git clone -q . /other/c && cd /other/c && echo b > b && git add b && git commit -qm two && '
        . 'git log --format=%s');
    is $run->{out}, "one\nno commit\ntwo\none\n",
        "$name: denied altogether, git can be asked, and a clone committed to"
        or diag $run->{err};
    is $all->(), $whole, "$name: all of it stays";
    $git->("$dir/w", 'fetch', '-q', "$dir/other/c", 'HEAD:theirs');
    is $git->("$dir/w", 'log', '--format=%s', 'theirs'), "two\none\n", "$name: from which the host fetches";

    # What no rule says: a repository that it makes below, and what a hook of the host's runs.
    my $ran = "$dir/ran";
    spew("$dir/w/.git/hooks/pre-commit", "#!/bin/sh\n./lint.sh\n");
    chmod 0755, "$dir/w/.git/hooks/pre-commit";
    owned($user, "$dir/w/.git/hooks/pre-commit", $dir);
    $inside->($dir, "git init -q below; printf '#!/bin/sh\necho below >> $ran\n' > program; chmod +x program; "
        . 'git -C below config core.fsmonitor "$PWD/../program"; git -C below config core.fsmonitor ../program; '
        . "printf '#!/bin/sh\necho lint >> $ran\n' > lint.sh; chmod +x lint.sh");
    $git->("$dir/w", 'status');
    ok !-e $ran, "$name: what it makes the host's git obeys nowhere above";
    $git->("$dir/w/below", 'status');
    is slurp($ran), "below\n", "$name: in a repository that it makes below it does";
    $git->("$dir/w", 'commit', '-q', '--allow-empty', '-m', 'three');
    is slurp($ran), "below\nlint\n", "$name: and a hook of the host's runs what lies in the project";

    # A file, as a worktree has: the repository lies elsewhere.
    $dir = $make->();
    $commit->("$dir/other");
    rmdir "$dir/w";
    $git->("$dir/other", 'worktree', 'add', '-q', "$dir/w");
    my $link = slurp("$dir/w/.git");
    owned($user, spew("$dir/w/.git", "gitdir: /other/.git/worktrees/w\n"));
    $run = $inside->($dir, 'git status --short; echo b > b; git add b; git commit -qm two; git log --format=%s');
    is "$run->{status} $run->{out}", "0 two\none\n", "$name: git works in a worktree" or diag $run->{err};
    $inside->($dir, 'rm -f .git; mv .git x; mv b .git; ln -sf /other .git; mkdir -p .git/hooks; true');
    ok -f "$dir/w/.git" && !-l "$dir/w/.git", "$name: and its file stays one";
    is slurp("$dir/w/.git"), "gitdir: /other/.git/worktrees/w\n", "$name: as it was";
    owned($user, spew("$dir/w/.git", $link));
    is $git->("$dir/w", 'log', '--format=%s'), "two\none\n", "$name: what was committed is there on the host";

    # A submodule, beneath.
    $dir = $make->();
    $commit->("$dir/other");
    $commit->("$dir/w");
    $git->("$dir/w", 'submodule', '--quiet', 'add', "$dir/other", 'sub');
    $run = $inside->($dir, 'git submodule status | cut -c1; cd sub; git status --short; echo c > c; git add c; '
        . 'git commit -qm three; git log --format=%s');
    is "$run->{status} $run->{out}", "0  \nthree\none\n", "$name: git works in a submodule" or diag $run->{err};

    # In a copy, too.
    $dir = $make->();
    spew("$dir/p.sbx", slurp("$dir/p.sbx") =~ s/from "\.\/w"/from overlay ".\/w" size 4MiB/r);
    owned($user, spew("$dir/w/.git", "gitdir: /nowhere\n"));
    $run = $inside->($dir, 'rm .git; mkdir .git; test -f .git && echo file');
    SKIP: {
        skip 'this kernel has no overlay in memory', 1 if $run->{err} =~ /needs Linux 6\.6 or newer/;
        is $run->{out}, "file\n", "$name: a file stays one in a copy" or diag $run->{err};
    }

    # Missing, and made during the run.
    $dir = $make->();
    $run = $inside->($dir, 'git init -q . 2>/dev/null; ' . $plants);
    is $run->{status}, 0, "$name: it starts without a repository" or diag $run->{err};
    ok !-e "$dir/w/.git/hooks" && !-e "$dir/w/.git/config", "$name: nothing of it is there after a run that made one";

    # A link that leads nowhere inside stays one; one to what the sandbox may write is refused.
    $dir = $make->();
    symlink '../elsewhere/.git', "$dir/w/.git";
    $run = $inside->($dir, 'rm -f .git; mv .git x; ln -sfn /other .git; ' . $plants . '; readlink .git');
    is "$run->{status} $run->{out}", "0 ../elsewhere/.git\n", "$name: a link stays as it is" or diag $run->{err};
    $dir = $make->();
    mkdir "$dir/ro";
    symlink '/w/later', "$dir/ro/m";
    spew("$dir/p.sbx", slurp("$dir/p.sbx") =~ s/fs \{/fs { allow read "\/ro" from ".\/ro"; /r);
    symlink '/ro/m', "$dir/w/.git";
    $run = $inside->($dir, 'echo ran');
    is "$run->{status} $run->{out}", '125 ', "$name: nor may one lead to another link" or diag $run->{err};
    for my $to ('../other/.git', '/other/.git', 'real', 'real/../../elsewhere/.git') {
        $dir = $make->();
        mkdir "$dir/w/real";
        symlink $to, "$dir/w/.git";
        $run = $inside->($dir, 'echo ran');
        is "$run->{status} $run->{out}", '125 ', "$name: $to: a link to what the sandbox may write is refused";
        like $run->{err}, qr/^sbxrun: \/w\/\.git is a symbolic link to what the sandbox may write, past the rule on /m,
            "$name: $to: with the reason";
    }
}
done_testing;
