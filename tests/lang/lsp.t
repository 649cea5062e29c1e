#!/usr/bin/perl
# The language server over its pipes: what each question answers, over several files, in UTF-16; edits at random;
# messages that are none.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Lsp;
use POSIX ();
use Sbx;
use Test::More;

binmode Test::More->builder->$_, ':utf8' for 'output', 'failure_output', 'todo_output';
my $dir = folder();
$ENV{XDG_CACHE_HOME} = "$dir/cache";
mkdir "$dir/cache";
mkdir "$dir/w";
mkdir "$dir/w/org";
my $bytes = sub { my ($text) = @_; utf8::encode($text); $text };

# ---- its life -------------------------------------------------------------------------------------------------------
{
    my $server = Lsp->new($sbxc);
    is $server->answer('textDocument/hover', {})->{error}{code}, -32002, 'nothing is answered before `initialize`';
    my $answer = $server->answer('initialize', { processId => undef, rootUri => undef, capabilities => {} });
    is $answer->{result}{capabilities}{positionEncoding}, 'utf-16', 'positions are in UTF-16';
    is $answer->{result}{capabilities}{textDocumentSync}{change}, 2, 'edits come as such';
    is $server->answer('initialize', {})->{error}{code}, -32600, 'a second `initialize` is refused';
    is $server->answer('textDocument/nothing', {})->{error}{code}, -32601, 'a method that is not there';
    is $server->answer('textDocument/hover', { textDocument => { uri => 'file:///none' },
            position => { line => 0, character => 0 } })->{error}{code}, -32602, 'a document that is not open';
    $server->answer('shutdown', undef);
    is $server->answer('textDocument/hover', {})->{error}{code}, -32600, 'after `shutdown`';
    $server->send_json({ method => 'exit' });
    is $server->stop(1), 0, '`exit` after `shutdown`: status 0';
    is(Lsp->new($sbxc)->stop(1), 1, 'a client that goes without a word: status 1');
    is run($sbxc, '--lsp', 'file.sbx')->{status}, 2, 'it takes no files';
}

# ---- one file -------------------------------------------------------------------------------------------------------
my $server = Lsp->new($sbxc, "$dir/w");
is $server->next_message->{method}, 'client/registerCapability', 'it asks to be told of files that change';
my $text = <<'SBX';
sbx 1;
import std.base;
let api = "api.example.com":443;
group @mine { read, write, @io-event }
policy p(src: path = "./src") {
    summary "Grüße 🎉"; use std.base; # 🎉🎉
    fs { allow read "/data" from $src; deny read "/data/y" because "no"; never exec "/data"; }
    net { allow connect tcp $api; }
    syscalls { allow @mine; allow ioctl where request == TCGETS; }
    limits { memory 1Mb; pids 12; }
    tests { expect deny write "/etc"; expect allow read "/data/z"; }
}
SBX
my $uri = Lsp::uri("$dir/w/p.sbx");
my $at = sub {
    my ($method, $piece, $more, %extra) = @_;
    $server->answer($method,
        { textDocument => { uri => $uri }, position => Lsp::position($text, $piece, $more), %extra });
};
my $hover = sub {
    my $answer = $at->('textDocument/hover', @_);
    $answer->{result} ? $answer->{result}{contents}{value} : '';
};
my $labels = sub { map { $_->{label} } @{ $at->('textDocument/completion', @_)->{result}{items} } };

$server->open($uri, $text);
my $findings = $server->findings($uri, 1);
is join(' ', map { $_->{code} } @$findings), 'SBX0107', 'findings of what was opened';
is_deeply $findings->[0]{range}{start}, Lsp::position($text, 'Mb'), 'with their place';
my $actions = $server->ask('textDocument/codeAction',
    { textDocument => { uri => $uri }, range => $findings->[0]{range}, context => { diagnostics => [] } });
is $actions->[0]{title}, 'change `Mb` to `MiB`', 'a fix as a code action';
is Lsp::apply($text, @{ $actions->[0]{edit}{changes}{$uri} }), $text =~ s/1Mb/1MiB/r, 'which mends it';
is scalar(grep { $_->{kind} eq 'quickfix' } @{ $server->ask('textDocument/codeAction',
            { textDocument => { uri => $uri }, range => { start => { line => 0, character => 0 }, end => { line => 0,
                        character => 0 } }, context => { diagnostics => [] } }) }), 0, 'none where nothing is wrong';

# An edit on a line behind characters of two units.
my $edit = { range => { start => Lsp::position($text, '🎉🎉', 1), end => Lsp::position($text, '🎉🎉', 2) }, text => 'é' };
$text =~ s/🎉🎉/🎉é/;
$server->change($uri, 2, $edit,
    { range => { start => Lsp::position($text, '1Mb', 1), end => Lsp::position($text, '1Mb', 2) }, text => 'Mi' },
    { range => { start => Lsp::position($text, '1Mb', 3), end => Lsp::position($text, '1Mb', 3) }, text => 'B' });
is $server->findings($uri, 2)->[0]{message} =~ /MiBb/, 1,
    'several changes in one message, each on what the one before left';
$text =~ s/1Mb/1MiB/;
$server->change($uri, 3, { text => $text });
is_deeply $server->findings($uri, 3), [], 'a whole text: no findings';

like $hover->('ioctl'), qr/asks a driver.*request.*number 16 on x86_64, number 29 on aarch64/s, 'hover: a system call';
like $hover->('request'), qr/request.*of `ioctl`.*TCGETS/s, 'hover: an argument';
like $hover->('TCGETS'), qr/21505 \(0x5401\)/, 'hover: a constant';
like $hover->('@mine; allow', 3), qr/epoll_wait.*read.*write/s, 'hover: members of a group';
like $hover->('memory'), qr/resident memory/, 'hover: a limit';
like $hover->('$api', 2), qr/let api = "api.example.com":443;/, 'hover: a value';
like $hover->('$src', 2), qr/src: path = "\.\/src"/, 'hover: a parameter';
like $hover->('use std.base', 6), qr/policy base.*Any dynamically linked/s, 'hover: what is used';
like $hover->('deny read'), qr/denied \(EACCES\).*also allowed by/s, 'hover: the verdict of a rule';
like $hover->('"/data/y"'), qr/denied \(EACCES\)/, 'hover: and on its path';
like $hover->('never'), qr/holds: nothing of it is allowed/, 'hover: an obligation that holds';
like $hover->('expect deny'), qr/holds/, 'hover: an expectation';
is $hover->('import'), '', 'hover: nothing to say';

ok scalar(grep { $_ eq '@io-event' } $labels->('allow @mine', 7)), 'completion: groups';
ok scalar(grep { $_ eq 'openat' } $labels->('@mine; allow', 0)), 'completion: calls';
is join(' ', grep { /^(fd|request|argp)$/ } $labels->('where request', 6)), 'fd request argp',
    'completion: arguments of the call';
ok scalar(grep { $_ eq 'TIOCGWINSZ' } $labels->('TCGETS', 2)), 'completion: constants';
ok !scalar(grep { $_ eq 'AF_INET' } $labels->('TCGETS', 2)), 'completion: of that argument only';
is join(' ', sort $labels->('memory', 2)), join(' ', sort 'memory',
    qw(swap cpu cpu_weight io pids lifetime cpu_time open_files file_size output)), 'completion: limits';
is_deeply [ grep { /^\$/ } $labels->('$src;', 1) ], ['$src', '$api'], 'completion: parameters and values';
ok scalar(grep { $_ eq 'std.python' } $labels->('import std.base', 9)), 'completion: library modules';
is join(' ', $labels->('use std.base', 5)),
    'std.base std.base.inside std.base.sizes std.base.machine std.base.adjust', 'completion: what can be used';
is join(' ', sort $labels->("    fs {", 8)), 'allow deny never', 'completion: statements of a block';
is_deeply [ $labels->('Grüße', 2) ], [], 'completion: none in text';
is_deeply [ $labels->('# 🎉', 2) ], [], 'completion: none in a comment';
mkdir "$dir/w/src";
spew("$dir/w/src/a file", '');
{
    my $typed = qq(sbx 1;\npolicy q {\n    fs { allow read "/x" from "./src/);
    my $other = Lsp::uri("$dir/w/q.sbx");
    $server->open($other, $typed);
    my $items = $server->ask('textDocument/completion',
        { textDocument => { uri => $other }, position => Lsp::position($typed, 'src/', 4) })->{items};
    is join(' ', map { $_->{label} } @$items), 'a file',
        'completion: paths beside the policy, in a file that ends there';
    is Lsp::apply($typed, $items->[0]{textEdit}), "${typed}a file", 'completion: what is written stays';
    $typed = qq(sbx 1;\npolicy q {\n    fs { allow read "/dev/nu);
    $server->change($other, 2, { text => $typed });
    $items = $server->ask('textDocument/completion',
        { textDocument => { uri => $other }, position => Lsp::position($typed, 'nu', 2) })->{items};
    ok scalar(grep { $_->{label} eq 'null' } @$items), 'completion: paths of the host';
    delete $server->{findings}{$other};
    $server->tell('textDocument/didClose', { textDocument => { uri => $other } });
    is_deeply $server->settled($other), [], 'closed: its findings go';
}

my $symbols = $server->ask('textDocument/documentSymbol', { textDocument => { uri => $uri } });
is join(' ', map { $_->{name} } @$symbols), 'api @mine p', 'symbols';
is join(' ', map { $_->{name} } @{ $symbols->[2]{children} }), 'src use std.base fs net syscalls limits tests',
    'and what is in a policy';
my $hints = $server->ask('textDocument/inlayHint', { textDocument => { uri => $uri },
        range => { start => { line => 0, character => 0 }, end => { line => 99, character => 0 } } });
like $hints->[0]{label}, qr/^\d+ rules$/, 'an inlay hint: how many rules come in';
is_deeply $hints->[0]{position}, Lsp::position($text, 'std.base; #', 8), 'behind the `use`';

# Every token, read back.
my $data = $server->ask('textDocument/semanticTokens/full', { textDocument => { uri => $uri } })->{data};
my @types = @{ $server->{capabilities}{semanticTokensProvider}{legend}{tokenTypes} };
my ($line, $column, %kinds) = (0, 0);
for (my $i = 0; $i < @$data; $i += 5) {
    $column = $data->[$i] ? $data->[ $i + 1 ] : $column + $data->[ $i + 1 ];
    $line += $data->[$i];
    my $from = Lsp::offset($text, { line => $line, character => $column });
    my $to = Lsp::offset($text, { line => $line, character => $column + $data->[ $i + 2 ] });
    $kinds{ substr $text, $from, $to - $from } = $types[ $data->[ $i + 3 ] ];
}
my %want = ('allow' => 'keyword', 'ioctl' => 'function', '@mine' => 'enum', 'TCGETS' => 'enumMember',
    '"Grüße 🎉"' => 'string', '# 🎉é' => 'comment', '12' => 'number', 'p' => 'class', '$src' => 'parameter',
    '$api' => 'variable', 'request' => 'property', 'memory' => 'property');
is $kinds{$_}, $want{$_}, "semantic token: $_" for sort keys %want;

$server->change($uri, 4, { text => $text =~ s/fs \{ /fs {\n allow read   "\/more";\n/r });
my $formatted = $server->ask('textDocument/formatting',
    { textDocument => { uri => $uri }, options => { tabSize => 4, insertSpaces => JSON::PP::true } });
my $laid_out = Lsp::apply($text =~ s/fs \{ /fs {\n allow read   "\/more";\n/r, @$formatted);
spew("$dir/layout.sbx", $bytes->($laid_out));
is run($sbxc, '--fmt', "$dir/layout.sbx")->{out}, $bytes->($laid_out), 'formatting gives the canonical layout';
is scalar(@$formatted), 1, 'as one edit';
cmp_ok length $formatted->[0]{newText}, '<', length($text) / 2, 'of what differs only';
$server->change($uri, 5, { text => "sbx 1;\npolicy p {" });
is_deeply $server->ask('textDocument/formatting', { textDocument => { uri => $uri }, options => {} }), [],
    'a file with errors is left alone';

# ---- several files --------------------------------------------------------------------------------------------------
my $lib = "sbx 1;\ngroup \@shared { read }\npolicy ceiling(root: path = \"/srv\") {\n    fs { allow read \$root; }\n}\n"
    . "policy other { use ceiling; }\n";
my $user = "sbx 1;\nimport \"org/lib.sbx\" as org;\n"
    . "policy p {\n    use org.ceiling(root = \"/opt\");\n    syscalls { allow \@shared; }\n}\n";
spew("$dir/w/org/lib.sbx", $lib);
spew("$dir/w/user.sbx", $user);
my ($lib_uri, $user_uri) = map { Lsp::uri("$dir/w/$_") } 'org/lib.sbx', 'user.sbx';
$server->open($user_uri, $user);
is_deeply $server->findings($user_uri, 1), [], 'a file and what it imports';
my $there = sub {
    my ($method, $place_uri, $place_text, $piece, $more, %extra) = @_;
    $server->answer($method,
        { textDocument => { uri => $place_uri }, position => Lsp::position($place_text, $piece, $more), %extra });
};
my $definition = $there->('textDocument/definition', $user_uri, $user, 'ceiling', 2)->{result};
is $definition->{uri}, $lib_uri, 'definition: in the imported file';
is_deeply $definition->{range}{start}, Lsp::position($lib, 'ceiling'), 'definition: its place';
is_deeply $there->('textDocument/definition', $user_uri, $user, 'root', 1)->{result}{range}{start},
    Lsp::position($lib, 'root'), 'definition: a parameter by its name';
is $there->('textDocument/definition', $user_uri, $user, '@shared', 3)->{result}{range}{start}{line}, 1,
    'definition: a group of the import';
is $there->('textDocument/definition', $user_uri, $user, 'org/lib', 3)->{result}{uri}, $lib_uri,
    'definition: the file itself';
my $library = $there->('textDocument/definition', $uri, "sbx 1;\npolicy p {", 'policy', 0)->{result};
is $library, undef, 'definition: nothing';
my $references = $there->('textDocument/references', $user_uri, $user, 'ceiling', 2,
    context => { includeDeclaration => JSON::PP::true })->{result};
is_deeply [ sort map { "$_->{uri}:$_->{range}{start}{line}" } @$references ],
    [ sort "$lib_uri:2", "$lib_uri:5", "$user_uri:3" ], 'references: over files that are not open, too';
is scalar @{ $there->('textDocument/references', $user_uri, $user, 'ceiling', 2,
        context => { includeDeclaration => JSON::PP::false })->{result} }, 2, 'references: without the definition';
is scalar @{ $there->('textDocument/documentHighlight', $user_uri, $user, 'org.ceiling', 1)->{result} }, 3,
    'highlights';

my $renamed = $there->('textDocument/rename', $user_uri, $user, 'ceiling', 2, newName => 'roof')->{result}{changes};
is join(' ', sort keys %$renamed), join(' ', sort $lib_uri, $user_uri), 'rename: both files';
is Lsp::apply($lib, @{ $renamed->{$lib_uri} }), $lib =~ s/ceiling/roof/gr, 'rename: in the one';
is Lsp::apply($user, @{ $renamed->{$user_uri} }), $user =~ s/ceiling/roof/r, 'rename: in the other';
$renamed = $there->('textDocument/rename', $user_uri, $user, 'root', 2, newName => 'base')->{result}{changes};
is Lsp::apply($lib, @{ $renamed->{$lib_uri} }), $lib =~ s/root/base/gr, 'rename: a parameter, with its `$`';
is Lsp::apply($user, @{ $renamed->{$user_uri} }), $user =~ s/root/base/r,
    'rename: a parameter, where it is given by name';
$renamed = $there->('textDocument/rename', $user_uri, $user, 'org.ceil', 1, newName => 'guard')->{result}{changes};
is Lsp::apply($user, @{ $renamed->{$user_uri} }), $user =~ s/as org/as guard/r =~ s/org\.ceiling/guard.ceiling/r,
    'rename: an alias';
like $there->('textDocument/rename', $user_uri, $user, 'ceiling', 2, newName => 'other')->{error}{message}, qr/collide/,
    'rename: a name that is taken is refused';
like $there->('textDocument/rename', $user_uri, $user, 'ceiling', 2, newName => '9lives')->{error}{message},
    qr/starts with no digit/, 'rename: what is no name is refused';
like $there->('textDocument/rename', $user_uri, $user, 'ceiling', 2, newName => 'allow')->{error}{message},
    qr/can't stand here/, 'rename: so is a word of the grammar';
like $there->('textDocument/rename', $user_uri, $user, 'syscalls', 2, newName => 'x')->{error}{message},
    qr/nothing that a policy defines/, 'rename: a keyword has no other name';
my $shadow = "sbx 1;\nlet a = \"/a\";\npolicy p(b: path = \"/b\") { fs { allow read \$a; allow read \$b; } }\n";
my $shadow_uri = 'untitled:Shadow-1';
$server->open($shadow_uri, $shadow);
is_deeply $server->findings($shadow_uri, 1), [], 'a text that is no file';
like $there->('textDocument/rename', $shadow_uri, $shadow, 'a =', 0, newName => 'b')->{error}{message}, qr/collide/,
    'rename: a name that would mean another thing is refused, though it compiles';
is_deeply $there->('textDocument/prepareRename', $shadow_uri, $shadow, '$b', 1)->{result}{placeholder}, 'b',
    'rename: what will change';

# What is open counts, not what is on disk; and the other way round once it is closed.
$server->open($lib_uri, $lib);
$server->findings($lib_uri, 1);
$server->change($lib_uri, 2, { text => $lib =~ s/ceiling\(/cellar(/r });
my $broken = $server->settled($user_uri);
ok scalar(grep { $_->{code} eq 'SBX0309' && $_->{range}{start}{line} == 3 } @$broken),
    'an edit of the import is seen in the file that imports it';
$server->change($lib_uri, 3, { text => $lib =~ s/allow read \$root/allow reed \$root/r });
$broken = $server->settled($user_uri);
my ($seen) = grep { $_->{message} =~ /lib\.sbx: / } @$broken;
ok $seen, 'an error in the import is seen where it is imported' or diag explain $broken;
is $seen->{range}{start}{line}, 1, 'at the import';
is $seen->{relatedInformation}[0]{location}{uri}, $lib_uri, 'with the place itself';
$server->tell('textDocument/didClose', { textDocument => { uri => $lib_uri } });
is_deeply $server->settled($user_uri), [], 'closed: the file counts again';
spew("$dir/w/org/lib.sbx", $lib =~ s/ceiling/cellar/gr);
$server->tell('workspace/didChangeWatchedFiles', { changes => [ { uri => $lib_uri, type => 2 } ] });
is $server->settled($user_uri)->[0]{code}, 'SBX0309', 'a file that changed on disk';
{
    my $std = "sbx 1;\nimport std.base;\npolicy p { use std.base; }\n";
    my $std_uri = Lsp::uri("$dir/w/std.sbx");
    $server->open($std_uri, $std);
    my $to = $there->('textDocument/definition', $std_uri, $std, 'use std', 6)->{result};
    like $to->{uri}, qr{^file:///.*/std/base\.sbx$}, 'definition: of the library, as a file to look at';
    is slurp($to->{uri} =~ s{^file://}{}r), slurp("$root/stdlib-policies/base.sbx"), 'which is the library';
    like $there->('textDocument/rename', $std_uri, $std, 'use std', 6, newName => 'x')->{error}{message},
        qr/named like its file/, 'rename: not in the library';
}
is $server->stop, 0, 'ends well';

# ---- edits at random ------------------------------------------------------------------------------------------------
{
    my $seed = $ENV{SBX_SEED} // time & 0xFFFF;
    srand $seed;
    my $server = Lsp->new($sbxc, "$dir/w");
    my ($a, $b) = map { Lsp::uri("$dir/w/random$_.sbx") } 1, 2;
    my $text = slurp("$root/examples/python.sbx");
    utf8::decode($text);
    $server->open($a, $text);
    my @pieces = ('🎉', 'é', "\n", "\r\n", ' ', '"', '{', '}', ';', '#', 'allow read "/x";', '$', '@default', '日本', "\t",
        'policy z { use z; ', '');
    my ($version, $bad) = (1, 0);
    for my $round (1 .. 60) {
        my @changes;
        for (1 .. 1 + int rand 4) {
            my $from = int rand(1 + length $text);
            my $to = $from + int rand 12;
            $to = length $text if $to > length $text;
            my $with = join '', map { $pieces[ rand @pieces ] } 1 .. int rand 4;
            # Positions at line ends stand before the `\r`, so places between `\r` and `\n` have none.
            next if substr($text, 0, $from) =~ /\r\z/ || substr($text, 0, $to) =~ /\r\z/;
            push @changes, { range => { start => place($text, $from), end => place($text, $to) }, text => $with };
            substr($text, $from, $to - $from) = $with;
        }
        $server->change($a, ++$version, @changes);
        next if $round % 10;
        $server->open($b, $text, $version);
        my ($one, $other) = map { $server->findings($_, $version) } $a, $b;
        $_ = JSON::PP->new->canonical->encode($_) =~ s/random\d/random/gr for $one, $other;
        my ($tokens, $other_tokens) = map { JSON::PP->new->encode($server->ask('textDocument/semanticTokens/full',
                    { textDocument => { uri => $_ } })) } $a, $b;
        $bad++ if $one ne $other || $tokens ne $other_tokens;
        $server->ask('textDocument/completion',
            { textDocument => { uri => $a }, position => place($text, int rand length $text) });
        $server->ask('textDocument/hover',
            { textDocument => { uri => $a }, position => place($text, int rand length $text) });
        $server->tell('textDocument/didClose', { textDocument => { uri => $b } });
    }
    is $bad, 0, "after random edits the server's text is the client's (SBX_SEED=$seed)";
    is $server->stop, 0, 'and it ends well';
}
sub place { my ($text, $index) = @_; return Lsp::position("$text\0", substr("$text\0", 0, $index + 1), $index) }

# ---- messages that are none -----------------------------------------------------------------------------------------
{
    my $server = Lsp->new($sbxc, "$dir/w");
    $server->next_message;
    for my $case (['no JSON', '{"jsonrpc":'], ['not UTF-8', "{\"method\":\"\xff\"}"], ['an array', '[1, 2]', -32600],
        ['a string', '"x"', -32600], ['a null', 'null', -32600], ['nothing', ''],
        ['1,000 levels', '[' x 1000], ['half a character', '{"method":"\ud800"}'],
        ['a method that is a number', '{"id":1,"method":2}', -32600]) {
        my ($name, $message, $code) = @$case;
        $server->send_text($message);
        my $answer = $server->next_answer(5);
        is $answer->{error}{code}, $code // -32700, "$name: refused";
    }
    for my $params (undef, [], {}, 'x', { textDocument => 1 }, { textDocument => { uri => 1 } },
        { textDocument => { uri => $uri }, position => -1 }) {
        for my $method (qw(textDocument/hover textDocument/completion textDocument/rename textDocument/codeAction
            textDocument/inlayHint textDocument/semanticTokens/full)) {
            $server->answer($method, $params);
        }
        $server->tell($_, $params) for qw(textDocument/didOpen textDocument/didChange textDocument/didClose
            textDocument/didSave workspace/didChangeWatchedFiles);
    }
    my $text = "sbx 1;\npolicy p { }\n";
    $server->open($uri, $text);
    is_deeply $server->findings($uri, 1), [], 'after all that it still answers';
    for my $far ({ line => 4e9, character => 4e9 }, { line => 1, character => 1e9 }, { line => 1e300, character => 0 },
        { line => 1, character => 1.5 }, { line => -1, character => 0 }) {
        $server->change($uri, 2, { range => { start => $far, end => $far }, text => '' });
        $server->answer('textDocument/hover', { textDocument => { uri => $uri }, position => $far });
    }
    is_deeply $server->answer('textDocument/hover', { textDocument => { uri => $uri },
            position => { line => 7, character => 7 } })->{result}, undef, 'positions beyond the end';
    $server->write_raw("X-Other: 1\r\n\r\n");
    $server->write_raw("content-length:  " . length('{"id":"a","method":"b"}') . "\r\nContent-Type: x\r\n\r\n"
        . '{"id":"a","method":"b"}');
    is $server->next_answer(5)->{error}{code}, -32601,
        'a header without a length is passed over, one in other letters is read';
    for my $byte (split //, "Content-Length: 23\r\n\r\n" . '{"id":"c","method":"b"}') {
        $server->write_raw($byte);
    }
    is $server->next_answer(5)->{id}, 'c', 'byte by byte';
    $server->write_raw("Content-Length: 99999999999999999999\r\n\r\n");
    is $server->stop(1), 1, 'a message past all measure ends it';
    my $other = Lsp->new($sbxc, "$dir/w");
    $other->write_raw('x' x 10_000);
    is $other->stop(1), 1, 'so does what is no protocol at all';
}

# ---- time and memory ------------------------------------------------------------------------------------------------
{
    my $server = Lsp->new($sbxc, "$dir/w");
    my $text = "sbx 1;\nimport std.base;\npolicy long {\n    use std.base;\n    fs {\n"
        . join('', map { "        allow read \"/srv/data$_\" because \"rule $_\";\n" } 1 .. 1000) . "    }\n    net {\n"
        . join('', map { '        allow connect tcp 10.0.' . int($_ / 250) . '.' . $_ % 250 . ":443;\n" } 1 .. 500)
            . "    }\n    syscalls {\n" . join('',
            map { '        allow keyctl where option == ' . $_ % 30 . " and arg2 == $_;\n" } 1 .. 490) . "    }\n}\n";
    my $uri = Lsp::uri("$dir/w/long.sbx");
    $server->open($uri, $text);
    is_deeply $server->findings($uri, 1), [], '2,000 lines';
    my $size = sub { slurp("/proc/$server->{pid}/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0 };
    my $ticks = sub { my @stat = split ' ', slurp("/proc/$server->{pid}/stat") =~ s/.*\) //sr; $stat[11] + $stat[12] };
    my ($start, $before) = $ticks->();
    for my $version (2 .. 200) {
        $server->change($uri, $version, { range => { start => { line => 7, character => 25 },
                    end => { line => 7, character => 25 + ($version % 2) } }, text => $version % 2 ? '' : 'x' });
        $server->findings($uri, $version);
        $before = $size->() if $version == 50;
    }
    my $each = ($ticks->() - $start) / POSIX::sysconf(POSIX::_SC_CLK_TCK()) / 199;
    cmp_ok $each, '<', 0.06, sprintf 'an edit takes %.1f ms of processor time', 1000 * $each;
    cmp_ok $size->(), '<', 1.2 * $before, 'and memory does not grow with edits';
    is $server->stop, 0, 'ends well';
}
done_testing;
