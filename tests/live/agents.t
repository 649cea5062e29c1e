#!/usr/bin/perl
# Coding agents from npm start in a terminal under std.agent, offline, and do a task under examples/agent.sbx, alone and
# in a terminal: model.py asks for a command, which writes a program of the project, runs it, and tries to leave a hook
# for the host's git. `make test-agents` fetches them, a gigabyte; what is not here is skipped.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Test::More;

my $api = 'http://model.test:8000';
my $key = 'key-of-the-test';
my $command = q{printf 'print(6 * 7)\n' > hello.py && python3 hello.py; touch .git/hooks/pre-commit || echo kept};
my $said = qr/It printed: .*42.*kept/s;

# A folder, and in it the program (npm.sh runs no install script, which would link to it); its arguments for a task
# alone and in a terminal; its environment; what lies in its state, as a person who was there before leaves it; and a
# command of its own that is run first, with the key as its input.
my %agents = (
    claude => {
        program => 'node_modules/@anthropic-ai/claude-code-linux-x64/claude',
        alone => '--dangerously-skip-permissions -p', terminal => '--dangerously-skip-permissions',
        env => { ANTHROPIC_API_KEY => $key, ANTHROPIC_BASE_URL => $api },
        state => {
            '.claude.json' => qq({"hasCompletedOnboarding":true,"customApiKeyResponses":{"approved":["$key"]},)
                . '"projects":{"/workspace":{"hasTrustDialogAccepted":true}}}',
            '.claude/settings.json' => '{"skipDangerousModePermissionPrompt":true}',
        },
    },
    codex => {
        program => 'node_modules/.bin/codex',
        alone => 'exec --dangerously-bypass-approvals-and-sandbox',
        terminal => '--no-daemon --dangerously-bypass-approvals-and-sandbox', first => 'login --with-api-key',
        env => { CODEX_API_KEY => $key },
        state => { '.codex/config.toml' => qq(openai_base_url = "$api/v1"\n)
            . qq([projects."/workspace"]\ntrust_level = "trusted"\n) },
    },
    gemini => {
        program => 'node_modules/.bin/gemini',
        alone => '--yolo --skip-trust -p', terminal => '--yolo --skip-trust -i',
        env => { GEMINI_API_KEY => $key, GOOGLE_GEMINI_BASE_URL => $api },
        state => { '.gemini/settings.json' => '{"security":{"auth":{"selectedType":"gemini-api-key"}}}' },
    },
    opencode => {
        program => 'node_modules/opencode-linux-x64/bin/opencode',
        alone => 'run', terminal => '--prompt',
        env => { OPENAI_API_KEY => $key, OPENAI_BASE_URL => "$api/v1" },
        state => {
            '.config/opencode/opencode.json' => '{"model":"it/model","provider":{"it":{"npm":'
                . '"@ai-sdk/openai-compatible","options":{"baseURL":"{env:OPENAI_BASE_URL}","apiKey":'
                . '"{env:OPENAI_API_KEY}"},"models":{"model":{}}}}}',
        },
    },
);
my @there = grep { -x "$build/agents/$_/$agents{$_}{program}" } sort keys %agents;
plan skip_all => 'no agent is here (make test-agents)' if !@there;

own_network();
servers('dns', 'model.test=192.0.2.1');
my $requests = folder() . '/requests';
Net::servers_with("$FindBin::Bin/model.py", $requests, '192.0.2.1', 8000, $command);

my $public = folder(); # the ordinary user may not reach a checkout of root's
system('cp', '-r', "$build/agents/$_", "$public/$_") == 0 or die for @there;
for my $user (users()) {
    my $name = $user->{name};
    my $dir = folder();
    system('cp', "$root/examples/agent.sbx", $dir) == 0 or die;
    owned($user, $dir);
    run({ %$user }, 'mkdir', "$dir/project", "$dir/state");
    spew("$dir/offline.sbx", <<"P");
sbx 1;
import std.agent;
policy offline {
    use std.agent;
    fs {
        allow read, write "/workspace" from "./project";
        allow read, write "/agent" from "./state";
        allow read, write "/tmp" from tmpfs size 256MiB;
        allow read, exec "/opt/agents" from "$public";
    }
    process { cwd "/workspace"; }
}
P
    spew("$dir/task.sbx", <<"P"); # the example, and where the programs are
sbx 1;
import "agent.sbx" as example;
policy task(project: path, state: path) {
    use example.agent(\$project, \$state, "model.test":8000);
    fs { allow read, exec "/opt/agents" from "$public"; }
}
P
    for my $agent (sort keys %agents) {
        my %agent = %{ $agents{$agent} };
        SKIP: {
            skip "$agent is not here", 1 if !grep { $_ eq $agent } @there;
            my $program = "/opt/agents/$agent/$agent{program}";
            for my $option (['--version', qr/\d+\.\d+\.\d+/], ['--help', qr/usage|options/i]) {
                my $run = run({ %$user, cwd => $dir, seconds => 60 }, 'script', '-qec',
                    "$sbxrun offline.sbx -- $program $option->[0]", '/dev/null');
                is $run->{status}, 0, "$name: $agent $option->[0] in a terminal" or diag $run->{out};
                like $run->{out}, $option->[1], "$name: $agent $option->[0] says it";
            }

            my $own = "$dir/$agent";
            run({ %$user }, 'sh', '-c', "mkdir -p $own/state && git init -q $own/project && git init -q $own/project2");
            for my $file (sort keys %{ $agent{state} }) {
                my ($folder) = "$own/state/$file" =~ m{(.*)/};
                spew("$dir/file", $agent{state}{$file});
                run({ %$user }, 'sh', '-c', "mkdir -p $folder && cp $dir/file $own/state/$file");
            }
            spew("$dir/key", $key);
            my %options = (%$user, cwd => $dir, env => $agent{env}, seconds => 120, in => "$dir/key");
            my $in = sub {
                my ($project, $arguments) = @_;
                return "$sbxrun -D project=$agent/$project -D state=$agent/state task.sbx -- $program $arguments";
            };
            my $done = sub {
                my ($project, $how) = @_;
                my $file = "$own/$project/hello.py";
                is eval { slurp($file) }, "print(6 * 7)\n", "$name: $agent $how: its work is in the project";
                is +(stat $file)[4], (stat $dir)[4], "$name: $agent $how: and its user's";
                is join(' ', grep { -e "$own/$project/$_" } '.git/hooks/pre-commit', '.env', '.envrc', '.vscode'), '',
                    "$name: $agent $how: nothing for the host to run";
                my @asked = map { [split] } split /\n/, slurp($requests);
                my %answered = map { $_->[3] => 1 } @asked;
                is join(' ', grep { $answered{$_} } 'call', 'said'), 'call said',
                    "$name: $agent $how: asked for the command, and told the model what it printed";
                is join(' ', grep { $_ ne $key } map { $_->[2] } grep { $_->[0] eq 'POST' } @asked), '',
                    "$name: $agent $how: with its key";
                my %names = map { (split)[0] => 1 } split /\n/, asked();
                is join(' ', sort keys %names), 'model.test', "$name: $agent $how: no other name was asked for";
                spew($requests, '');
            };

            spew($requests, '');
            asked();
            my $run = run(\%options, 'sh', '-c', $in->('project', "$agent{alone} 'Write hello.py'") . ' < /dev/null');
            is $run->{status}, 0, "$name: $agent $agent{alone}" or diag $run->{err};
            like $run->{out}, $said, "$name: $agent alone: it says what the model did" or diag $run->{err};
            $done->('project', 'alone');

            $run = run(\%options, 'sh', '-c', $in->('project', $agent{first})) if $agent{first};
            is $run->{status}, 0, "$name: $agent $agent{first}" or diag $run->{err} if $agent{first};
            my @tmux = ('tmux', '-f', '/dev/null', '-S', "$dir/tmux");
            my $screen;
            run(\%options, @tmux, 'new-session', '-d', '-x', 120, '-y', 50,
                $in->('project2', "$agent{terminal} 'Write hello.py'"));
            ok soon(sub {
                $screen = run(\%options, @tmux, 'capture-pane', '-p')->{out};
                return $screen =~ $said;
            }, 90), "$name: $agent $agent{terminal}: it says so in a terminal" or diag $screen;
            ok soon(sub {
                return 1 if run(\%options, @tmux, 'send-keys', 'C-c')->{status} != 0;
                select undef, undef, undef, 0.3;
                return 0;
            }, 30), "$name: $agent in a terminal: it can be left";
            run(\%options, @tmux, 'kill-server');
            $done->('project2', 'in a terminal');
        }
    }
}

# The page for those who use them says each of these.
my $page = slurp("$root/docs/library.md");
for my $agent (sort keys %agents) {
    ok index($page, "`$agent $_`") >= 0, "docs/library.md: $agent $_"
        for map { s/ -i$//r } grep { defined } @{ $agents{$agent} }{qw(alone terminal first)};
}
done_testing;
