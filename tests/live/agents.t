#!/usr/bin/perl
# Coding agents from npm start in a terminal under std.agent: they say their version and their options. `make
# test-agents` fetches them, a gigabyte; without it this is skipped. What they do with a model is not tried.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my %agents = ( # a folder, and the program in it: npm.sh runs no install script, which would link to it
    claude   => 'node_modules/@anthropic-ai/claude-code-linux-x64/claude',
    codex    => 'node_modules/.bin/codex',
    gemini   => 'node_modules/.bin/gemini',
    opencode => 'node_modules/opencode-linux-x64/bin/opencode',
);
my @there = grep { -x "$build/agents/$_/$agents{$_}" } sort keys %agents;
plan skip_all => 'no agent is here (make test-agents)' if !@there;

diag "not here: $_" for grep { !-x "$build/agents/$_/$agents{$_}" } sort keys %agents;
my $public = folder(); # the ordinary user may not reach a checkout of root's
system('cp', '-r', "$build/agents/$_", "$public/$_") == 0 or die for @there;
for my $user (users()) {
    my $dir = folder();
    mkdir "$dir/$_" for 'project', 'state';
    owned($user, $dir, "$dir/project", "$dir/state");
    spew("$dir/p.sbx", <<"P");
sbx 1;
import std.agent;
policy p {
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
    for my $agent (@there) {
        for my $option (['--version', qr/\d+\.\d+\.\d+/], ['--help', qr/usage|options/i]) {
            my $run = run({ %$user, cwd => $dir, seconds => 60 }, 'script', '-qec',
                "$sbxrun p.sbx -- /opt/agents/$agent/$agents{$agent} $option->[0]", '/dev/null');
            is $run->{status}, 0, "$user->{name}: $agent $option->[0] in a terminal" or diag $run->{out};
            like $run->{out}, $option->[1], "$user->{name}: $agent $option->[0] says it";
        }
    }
}
done_testing;
