#!/usr/bin/perl
# Colours for editors: every word of the scanner is in both forms; Vim really colours with its own.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my @words = slurp("$root/grammar/sbx.l") =~ /^"([a-z][a-z-]*)" +TOKEN/mg;
cmp_ok @words, '>', 60, 'the words of the language';
my $vim = slurp("$build/editors/vim/syntax/sbx.vim");
my %known = map { $_ => 1 } map { split ' ' } $vim =~ /^syntax keyword sbx\w+ (.*)$/mg;
is_deeply [ grep { !$known{$_} } @words ], [], 'are in the Vim syntax';
my $textmate = eval { decode_json(slurp("$build/editors/sbx.tmLanguage.json")) } // {};
is $textmate->{scopeName}, 'source.sbx', 'the TextMate grammar is JSON';
my $matches = join ' ', map { $_->{match} // '' } @{ $textmate->{patterns} };
is_deeply [ grep { $matches !~ /[|:(]\Q$_\E[|)]/ } @words ], [], 'and has them';
is scalar(grep { $_->{match} && !eval { qr/$_->{match}/ } } @{ $textmate->{patterns} }), 0, 'its patterns are patterns';

# The VS Code extension: its parts are there and read; it starts the server and stops it.
my $extension = eval { decode_json(slurp("$build/editors/vscode/package.json")) } // {};
ok -e "$build/editors/vscode/$_", "VS Code: $_" for $extension->{main},
    $extension->{contributes}{languages}[0]{configuration}, $extension->{contributes}{grammars}[0]{path};
ok eval { decode_json(slurp("$build/editors/vscode/language-configuration.json")) },
    'VS Code: how words and brackets are';
is $extension->{license}, 'Apache-2.0', 'VS Code: the license';
SKIP: {
    my ($node) = grep { -x } map { "$_/node" } split /:/, $ENV{PATH};
    skip 'node is not installed', 2 unless $node;
    my $dir = folder();
    system 'cp', '-r', "$build/editors/vscode", "$dir/extension";
    mkdir "$dir/$_" for 'node_modules', 'node_modules/vscode', 'node_modules/vscode-languageclient';
    spew("$dir/node_modules/vscode/index.js", "exports.workspace "
        . "= { getConfiguration: () => ({ get: (name) => ({ command: 'sbxc', roots: ['/org'] })[name] }) };");
    spew("$dir/node_modules/vscode-languageclient/node.js", "exports.LanguageClient "
        . "= class { constructor(id, name, server, options) { console.log(JSON.stringify([server, options])); } "
        . "start() { console.log('started'); } stop() { console.log('stopped'); } };");
    my $run = run({ cwd => $dir }, $node, '-e',
        "const e = require('./extension/extension.js'); e.activate(); e.deactivate();");
    is $run->{out},
        qq([{"command":"sbxc","args":["-I","/org","--lsp"]},{"documentSelector":[{"language":"sbx"}]}]\n)
            . "started\nstopped\n",
        'VS Code: what it starts' or diag $run->{err};
    is $run->{status}, 0, 'VS Code: and that is all';
}

SKIP: {
    my ($program) = grep { -x } map { "$_/vim" } split /:/, $ENV{PATH};
    skip 'vim is not installed', 7 unless $program;
    my $dir = folder();
    spew("$dir/p.sbx",
        qq(sbx 1; # a comment with allow in it\npolicy p(n: int = 5) {\n)
            . qq(    fs { allow read "/a # b\\n" from tmpfs size 64MiB; }\n)
            . qq(    syscalls { deny \@kexec; allow ioctl where request == TCSET_A; limits { pids \$n; } }\n}\n));
    my $group = sub {
        my ($line, $text) = @_;
        my $column = 1 + index((split /\n/, slurp("$dir/p.sbx"))[$line - 1], $text);
        run({ cwd => $dir }, $program, '-es', '-u', 'NONE', '-i', 'NONE', '--not-a-term', '-c',
            "set rtp+=$build/editors/vim", '-c', 'filetype on', '-c', 'syntax on', '-c', 'edit p.sbx',
            '-c', "call writefile([synIDattr(synID($line, $column, 1), 'name')], 'name')", '-c', 'qa!');
        return -e "$dir/name" ? slurp("$dir/name") =~ s/\n//r : '(none)';
    };
    is $group->(1, 'allow'), 'sbxComment', 'Vim: a word in a comment';
    is $group->(3, 'allow'), 'sbxeffect', 'Vim: a rule';
    is $group->(3, '# b'), 'sbxString', 'Vim: a `#` in a string';
    is $group->(3, '64MiB'), 'sbxNumber', 'Vim: a size';
    is $group->(4, '@kexec'), 'sbxGroup', 'Vim: a group';
    is $group->(4, 'TCSET_A'), 'sbxConstant', 'Vim: a constant';
    is $group->(4, '$n'), 'sbxParameter', 'Vim: a parameter';
}
done_testing;
