#!/usr/bin/perl
# The examples do their work, from a copy that belongs to whoever runs them, and what they must not do is refused.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

for my $user (users()) {
    my $name = $user->{name};
    my $dir = folder();
    system("cp -r $root/examples $root/lang $root/compiler $root/enforcer $root/grammar $root/image $root/names "
        . "$root/aisbx $root/libsbx $root/stdlib-policies $root/docs $root/tools $root/Makefile $dir/ && rm -rf "
        . "$dir/examples/build-c/out/[a-z]*") == 0 or die;
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if defined $user->{uid} && $> == 0;
    my $example = sub { run({ %$user, cwd => '/', seconds => 120 }, $sbxrun, @_) };

    my $run = $example->("$dir/examples/python.sbx");
    is $run->{status}, 0, "$name: python" or diag $run->{err};
    like $run->{out}, qr/^cup +8 +93\.00$/m, "$name: its work";
    is scalar(() = $run->{out} =~ /^  it tried to /mg), 8,
        "$name: all that the plug-in tried was refused" or diag $run->{out};
    unlike $run->{out}, qr/it could/, "$name: really";
    $run = $example->("$dir/examples/python.sbx", '--', 'python3', '-m', 'unittest', '-q');
    is $run->{status}, 0, "$name: its unit tests";
    like $run->{err}, qr/Ran 4 tests.*OK/s, "$name: all four";

    $run = $example->("$dir/examples/pipeline.sbx");
    like $run->{out}, qr/^192\.0\.2\.7 +128 requests, 17 failed\n(.*\n){4}$/, "$name: pipeline";

    for my $policy ('project', 'project_dev') {
        $run = $example->('--policy', $policy, "$dir/examples/project.sbx", '--', 'sh', '-c',
            'python3 -m unittest -q && echo new > new; mkdir .git; cat prices.key');
        like $run->{err}, qr/Ran 4 tests.*OK/s, "$name: $policy: the project's tests";
        unlike $run->{out}, qr/./, "$name: $policy: its secret stays one";
        is -e "$dir/examples/python/new" ? 1 : 0, $policy eq 'project' ? 0 : 1,
            "$name: $policy: what is written stays as it says";
        ok !-e "$dir/examples/python/.git", "$name: $policy: and no hooks";
    }

    # The agent's shell: it works, and commits in a clone; what the host would run stays, and so does what it keeps.
    my $project = "$dir/project";
    my @git = ('git', '-C', $project, '-c', "safe.directory=$project", '-c', 'user.name=n', '-c', 'user.email=e');
    run({ %$user }, @$_) for ['cp', '-r', "$dir/examples/python", $project], [@git, 'init', '-q', '-b', 'main'],
        [@git, 'add', 'main.py'], [@git, 'commit', '-q', '-m', 'one'];
    my $repository = sub { # names and contents
        return join "\n", map { "$_ " . (-f $_ ? slurp($_) : '') } sort split /\n/, `find '$project/.git'`;
    };
    my $before = $repository->();
    spew("$project/.env", 'KEY=1');
    $run = run({ %$user, cwd => $dir, seconds => 60,
            env => { map { ("GIT_${_}_NAME" => 'n', "GIT_${_}_EMAIL" => 'e') } 'AUTHOR', 'COMMITTER' } },
        $sbxrun, '-D', 'project=project', '-D', 'state=examples/agent/state', '-D', 'api="model.example":8443',
        "$dir/examples/agent.sbx", '--', 'sh', '-c', <<'S');
echo 'print("new")' > new.py && python3 new.py && git status --short new.py && git log --format=%s
git clone -q /workspace ~/clone && cp new.py ~/clone && (cd ~/clone && git add -A && git commit -q -m two)
printf '#!/bin/sh\necho run\n' > run && chmod +x run && ./run
for path in .git/hooks/pre-commit .git/config .git/commondir .git/worktrees/x .git/rebase-merge .git/logs/HEAD \
    .git/index .git/COMMIT_EDITMSG .git/modules/x .git/config.worktree .git/info/attributes \
    .git/objects/info/alternates .envrc .vscode/tasks.json .env; do
    { echo x > $path; } 2> /dev/null && echo wrote $path
    { ln -s /workspace/new.py $path; mkdir -p $path; mv new.py $path; } 2> /dev/null && echo wrote $path
done
{ mv .git git; rm -rf .git; } 2> /dev/null && echo moved
cat .env 2> /dev/null
echo kept > ~/kept
S
    is $run->{out}, "new\n?? new.py\none\nrun\n", "$name: agent: its work, and nothing else" or diag $run->{err};
    is $repository->(), $before, "$name: agent: its repository stays";
    $run = run({ %$user }, @git, 'fetch', '-q', "$dir/examples/agent/state/clone", 'main:theirs');
    like run({ %$user }, @git, 'log', '--format=%s', '--name-only', 'theirs')->{out},
        qr/^two\n.*^new\.py\n.*^one\n/ms, "$name: agent: its commit" or diag $run->{err};
    is join(' ', grep { -e "$project/$_" } '.envrc', '.vscode', '.git/hooks/pre-commit'), '',
        "$name: agent: and nothing for the host to run";
    is slurp("$dir/examples/agent/state/kept"), "kept\n", "$name: agent: its state is there for the next run";

    SKIP: {
        skip "$name: no Redis here", 1 if !-x '/usr/bin/redis-server';
        $run = $example->("$dir/examples/server.sbx");
        is $run->{out}, "is 1\na 2\nrose 2\n", "$name: server: a test with a database" or diag $run->{err};
    }
    SKIP: {
        skip "$name: no Chromium here", 1 if !-x '/usr/bin/chromium';
        $run = $example->("$dir/examples/browser.sbx");
        like $run->{out}, qr/>sum: 11</, "$name: browser: a page and its script" or diag $run->{err};
    }

    my $sum = sub {
        my $files = 'find . -path ./examples/build-c/out -prune -o -type f -print0';
        return scalar `cd $dir && $files | sort -z | xargs -0 sha256sum | sha256sum`;
    };
    my $sources = $sum->();
    $run = $example->("$dir/examples/build-c.sbx", '--', 'make', '-C', '/workspace/src');
    is $run->{status}, 0, "$name: builds this repository" or diag $run->{err};
    ok -x "$dir/examples/build-c/out/sbxrun", "$name: into the output folder";
    like `$dir/examples/build-c/out/sbxc --version`, qr/^sbxc /, "$name: and it works";
    is $sum->(), $sources, "$name: nothing else changed";
}
done_testing;
