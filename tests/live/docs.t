#!/usr/bin/perl
# Every block of code in README.md, CONTRIBUTING.md and docs/*.md, as a newcomer meets it: each page in an empty folder
# of its own, from an installed copy, in the page's order, as the ordinary user and as root. (tests/lang/pages.t does
# docs/diagnostics.)
#
# The word behind a fence says what a block is, and one that says nothing fails:
#   sbx file=F          a file to write, which sbxc --check finds right; `sbx file=F wrong`: in which it finds an error
#   python file=F, c file=F, yaml file=F, …   likewise, checked by its own language; what a workflow runs is run, an
#                       editor's settings are tried
#   console             `$ command` lines and what each prints; `# exit N` where its status is not 0. `…` stands for
#                       anything within a line, or, alone on one, for any lines
#   sh                  a script that ends with 0
#   sh checkout         `make` lines that are for a checkout of this repository: the targets are there (make -n)
#   text                a drawing or a piece of grammar: only those listed below
use strict;
use warnings;
use utf8;
use FindBin;
use File::Basename qw(dirname basename);
use File::Path qw(make_path);
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;
binmode Test::More->builder->$_, ':encoding(UTF-8)' for 'output', 'failure_output', 'todo_output';

# How many drawings a page has.
my %drawings = ('docs/architecture.md' => 2);

# What a page presupposes, made in its folder.
my %given = (
    'docs/ci.md' => sub { # a repository with a branch that changes a policy
        my ($sh, $dir) = @_;
        $sh->(q{git init -q -b main && git config user.email a@b.example && git config user.name a && mkdir policies &&
            echo 'sbx 1; import std.base; policy job { use std.base; limits { pids 8; } }' > policies/job.sbx &&
            git add . && git commit -q -m first && git update-ref refs/remotes/origin/main main &&
            sed -i 's/pids 8/pids 4/' policies/job.sbx && git commit -q -a -m second}, 0);
        symlink $root, "$dir/sbx";
    },
);

my $installed = folder() . '/sbx';
my @built = map { ('-o', "$build/$_") } 'sbxc', 'sbxrun', 'aisbx', 'sbximage', 'sbxnames', 'libsbx.so.0'; # as they are
my @make = ('make', '-C', $root, @built, "BUILD=$build", "PREFIX=$installed");
is run({ env => { MAKEFLAGS => '', SANITIZE => '' } }, @make, 'install')->{status}, 0, 'make install';

sub text { my ($path) = @_; my $bytes = slurp($path); utf8::decode($bytes) or die "$path is not UTF-8"; return $bytes }
sub bytes { my ($text) = @_; utf8::encode($text); return $text }

# The blocks of a page: line, kind, attributes, content.
sub blocks {
    my ($page) = @_;
    my (@blocks, $open, $line);
    for (split /\n/, text("$root/$page")) {
        $line++;
        if ($open && $_ eq '```') {
            $open = 0;
        } elsif ($open) {
            $blocks[-1]{content} .= "$_\n";
        } elsif (/^\s*(?:```|~~~)(.*)/) {
            push @blocks, { where => "$page:$line", tag => $1, content => '' };
            $open = 1;
        }
    }
    fail("$page: a block is not closed") if $open;
    return @blocks;
}

# What a command's output must match.
sub pattern {
    my ($expected) = @_;
    my $pattern = '';
    for ($expected =~ /^(.*)\n/mg) {
        $pattern .= $_ eq '…' ? '(?:.*\n)*?' : join('.*?', map { quotemeta } split /…/, $_, -1) . '\n';
    }
    return qr/\A$pattern\z/;
}

# Each line that starts with `$ ` is a command, with what it prints and its status.
sub commands {
    my ($content) = @_;
    my @commands;
    for (split /\n/, $content) {
        if (/^\$ (.*)/)                       { push @commands, { command => $1, prints => '', status => 0 } }
        elsif (!@commands)                    { return () }
        elsif (/^# exit (\d+)$/)              { $commands[-1]{status} = $1 }
        elsif (/^> (.*)/ && $commands[-1]{prints} eq '') { $commands[-1]{command} .= "\n$1" }
        else                                  { $commands[-1]{prints} .= "$_\n" }
    }
    return @commands;
}

# A file of each language is checked by that language.
my %check = (
    sbx    => 'sbxc --check FILE',
    python => 'python3 -c \'import ast, sys; ast.parse(open(sys.argv[1]).read())\' FILE',
    c      => 'cc -fsyntax-only $(pkg-config --cflags sbx) FILE',
    sh     => 'sh -n FILE',
    make   => 'make -n -f FILE',
    json   => 'python3 -m json.tool FILE',
    toml   => 'python3 -c \'import sys, tomllib; tomllib.load(open(sys.argv[1], "rb"))\' FILE',
    yaml   => 'python3 -c \'import sys, yaml; yaml.safe_load(open(sys.argv[1]))\' FILE',
    lua    => 'nvim --headless -u NONE -i NONE -n -c "lua assert(loadfile([[FILE]]))" -c qa!',
);

# What besides is tried of a file, by its name.
my $steps = <<'END'; # what a workflow runs
import json, sys, yaml
for job in yaml.safe_load(open(sys.argv[1]))["jobs"].values():
    print("\n".join(json.dumps(step["run"]) for step in job["steps"] if "run" in step))
END
my $hooks = <<'END'; # what the hooks of a repository that somebody uses run, by their ids
import sys, yaml
offered = {hook["id"]: hook["entry"] for hook in yaml.safe_load(open(sys.argv[2]))}
for repository in yaml.safe_load(open(sys.argv[1]))["repos"]:
    print("\n".join(offered[hook["id"]] for hook in repository["hooks"]))
END
my $runner = <<"END"; # what is there when a step is run
export PATH=\$(cat ../path 2>/dev/null):\$PATH GITHUB_PATH=../path GITHUB_BASE_REF=main
export MAKEFLAGS='BUILD=$build @built'
END
my $server = <<'END'; # whether what an editor would start is a language server
import subprocess, sys, tomllib
server = tomllib.load(open(sys.argv[1], "rb"))["language-server"]["sbx"]
body = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}'
message = b"Content-Length: %d\r\n\r\n" % len(body) + body
answer = subprocess.run([server["command"]] + server["args"], input=message, capture_output=True).stdout
sys.exit(b"capabilities" not in answer)
END
my $editor = 'nvim --headless -i NONE -n';
my $shown = '#vim.diagnostic.get(0) > 0'; # in Neovim: it shows a finding
my @try = (
    [qr{^\.github/workflows/} => sub {
        my ($sh, $name, $home, $user) = @_;
        return if defined $user->{uid} && $user->{uid} != $>; # who may not reach a checkout of root's
        spew("$home/steps.py", $steps);
        my $json = JSON::PP->new->allow_nonref;
        my @scripts = map { $json->decode($_) } split /\n/, $sh->("python3 ../steps.py $name", 0)->{out};
        cmp_ok @scripts, '>', 1, "$name has steps";
        for my $script (@scripts) {
            spew("$home/step", $runner . bytes($script));
            $sh->('bash -e -o pipefail ../step', 0);
        }
    }],
    [qr{^\.pre-commit-config\.yaml$} => sub {
        my ($sh, $name, $home) = @_;
        spew("$home/hooks.py", $hooks);
        spew("$home/offered.yaml", slurp("$root/.pre-commit-hooks.yaml"));
        my @entries = split /\n/, $sh->("python3 ../hooks.py $name ../offered.yaml", 0)->{out};
        is scalar(@entries), 1, "$name names a hook";
        $sh->("$_ policies/job.sbx", 0) for @entries;
    }],
    [qr{^init\.lua$} => sub {
        my ($sh, $name) = @_;
        my $old = $sh->("$editor -u NONE -c 'lua vim.cmd(vim.lsp.start and [[qa!]] or [[cq!]])'")->{status};
      SKIP: {
            skip 'this Neovim is older than the page asks for', 1 if $old;
            my $wait = "vim.wait(5000, function() return $shown end) vim.cmd($shown and [[qa!]] or [[cq!]])";
            $sh->("echo 'sbx 1; policy p { limits { memory 1Mb; } }' > p.sbx", 0);
            $sh->("$editor -u $name p.sbx -c 'lua $wait'", 0);
        }
    }],
    [qr{^languages\.toml$} => sub {
        my ($sh, $name, $home) = @_;
        spew("$home/server.py", $server);
        $sh->("python3 ../server.py $name", 0);
    }],
);
my %made; # make's targets, once: an ordinary user may not reach a checkout of root's
sub as {
    my ($user, $page) = @_;
    my $home = folder();
    my $dir = "$home/page";
    mkdir $dir;
    owned($user, $home, $dir);
    my $who = "$user->{name}, $page";
    my $sh = sub {
        my ($script, $status) = @_;
        my $run = run({ %$user, cwd => $dir, seconds => 60 }, 'env', '-i', "HOME=$home", 'LANG=C.UTF-8', 'TERM=dumb',
            "PATH=$installed/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "PKG_CONFIG_PATH=$installed/lib/pkgconfig", "LD_LIBRARY_PATH=$installed/lib",
            'sh', '-c', "exec 2>&1\n" . bytes($script));
        utf8::decode($run->{out});
        is($run->{status}, $status, "$who: " . (split /\n/, $script)[0]) or diag $run->{out} if defined $status;
        return $run;
    };
    $given{$page}->($sh, $dir) if $given{$page};
    my $text = 0;
    for my $block (blocks($page)) {
        my ($kind, @words) = split ' ', $block->{tag};
        $kind //= '';
        my ($file) = map { /^file=(?!.*\.\.)([^\/].*)/ ? $1 : () } @words;
        my $wrong = @words && $words[-1] eq 'wrong' && pop @words;
        my $label = "$user->{name}, $block->{where}";
        if ($kind eq 'text' && !@words) {
            $text++;
        } elsif ($kind eq 'sh' && "@words" eq 'checkout') {
            for (split /\n/, $block->{content}) {
                fail("$label: not make: $_"), next if !/^make\b/;
                s/\s*#.*//;
                next if $made{$_}++;
                my $run = run({ cwd => $root, env => { MAKEFLAGS => '' } }, 'sh', '-c', s/^make/make -n/r);
                is $run->{status}, 0, "$block->{where}: $_" or diag $run->{err};
            }
        } elsif ($kind eq 'sh' && !@words) {
            $sh->("set -eu\n$block->{content}", 0);
        } elsif ($kind eq 'console' && !@words) {
            my @commands = commands($block->{content});
            ok scalar(@commands), "$label: has commands";
            for (@commands) {
                my $run = $sh->($_->{command}, $_->{status});
                like $run->{out}, pattern($_->{prints}), "$label: it prints what the page shows: $_->{command}";
            }
        } elsif ($check{$kind} && @words == 1 && defined $file) {
            make_path(dirname("$dir/$file"), $user->{uid} ? { owner => $user->{uid}, group => $user->{gid} } : {});
            spew("$dir/$file", bytes($block->{content}));
            owned($user, "$dir/$file");
            $sh->($check{$kind} =~ s/FILE/$file/r, $wrong ? 1 : 0);
            $_->[1]->($sh, $file, $home, $user) for grep { $file =~ $_->[0] } @try;
        } else {
            fail("$label: `$block->{tag}` is no kind of block");
        }
    }
    is $text, $drawings{$page} // 0, "$who: drawings";
}

# A program with a sanitized library has to be built so, too, which the page does not say.
my @pages = grep { $build !~ /sanitize/ || $_ ne 'docs/embedding.md' }
    'README.md', 'CONTRIBUTING.md', map { "docs/" . basename($_) } sort glob "$root/docs/*.md";
for my $user (users()) {
    as($user, $_) for @pages;
}
done_testing;
