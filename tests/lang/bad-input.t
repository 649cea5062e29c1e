#!/usr/bin/perl
# Input made to hurt: a finding or a refusal, exit 1 or 2, in bounded time and memory, never a crash.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use POSIX ();
use Test::More;

my $dir = folder();
my $head = "sbx 1;\npolicy p {\n";

# name, text, what is said
my @files = (
    ['a MiB of (', 'sbx 1; policy p ' . '(' x (1 << 20), qr/SBX01/],
    ['a MiB of ( in a condition', "${head}syscalls { allow read where " . '(' x (1 << 20), qr/SBX0106/],
    ['100,000 nested blocks', "${head}syscalls { " . 'on x86_64 { ' x 100_000, qr/SBX0106/],
    ['100,000 nots', "${head}syscalls { allow read where " . 'not ' x 100_000 . 'fd == 1; } }', qr/SBX0106/],
    ['a line of 7 MiB', $head . 'summary "' . 'x' x (7 << 20) . "\n}", qr/SBX0102/],
    ['a file of 9 MiB', $head . '# ' . 'x' x (9 << 20) . "\n}", qr/SBX0301.*larger/],
    ['300,000 rules', $head . "fs { " . join('', map { "allow read \"/a$_\"; " } 1 .. 250_000) . '} }', undef],
    ['100,000 denies of one path',
        $head . 'fs { allow read "/a" from "./a"; ' . 'deny read "/a" except "/a/b"; ' x 100_000 . '} }', undef],
    ['a rule with 100,000 paths', $head . 'fs { allow read ' . join(', ', map { "\"/a$_\"" } 1 .. 100_000)
        . '; deny read ' . join(', ', map { "\"/a$_/b\"" } 1 .. 100_000) . '; } }', undef],
    ['50,000 rules on one call',
        $head . 'syscalls { ' . join('', map { "deny lseek where offset == $_; " } 1 .. 50_000) . '} }', undef],
    ['100,000 rules on one call, apart', $head . 'syscalls { allow lseek; ' . join('',
            map { 'deny lseek where offset == ' . 2 * $_ . ' with EINVAL; ' } 1 .. 100_000) . '} }', qr/SBX0513/],
    ['2,000 net rules', $head . 'net { ' . join('', map { "allow connect tcp 10.0.0.0/8:$_; " } 1 .. 2_000) . '} }',
        undef],
    ['10,000 errors', $head . 'fs { ' . "allow reed \"/a\";\n" x 10_000 . '} }', qr/there are more/],
    ['NUL', "${head}summary \"a\0b\"; }", qr/SBX0115.*NUL/],
    ['invalid UTF-8', "${head}summary \"a\xff\"; }", qr/SBX0115.*UTF-8/],
    ['overlong UTF-8', "${head}summary \"\xc0\xaf\"; }", qr/SBX0115.*UTF-8/],
    ['a bidirectional control', "${head}summary \"a\xe2\x80\xaeb\"; }", qr/SBX0115.*bidirectional/],
    ['an escape character', "${head}summary \"\x1b[2J\"; }", qr/SBX0115.*control/],
    ['a number past 64 bits', "${head}limits { pids 18446744073709551616; } }", qr/SBX0110/],
    ['a size that overflows', "${head}limits { memory 99999999999GiB; } }", qr/SBX0110/],
    ['nothing at all', '', qr/SBX0201/],
    ['only a comment', '# nothing', qr/SBX0201/],
    ['entangled masks', "${head}syscalls { allow read where "
        . join(' and ', map { "not fd & " . (7 << $_ % 28) . " == " . (5 << $_ % 28) } 1 .. 200) . '; } }', undef],
);
for my $file (@files) {
    my ($name, $text, $said) = @$file;
    my $path = spew("$dir/case.sbx", $text);
    my $run = run({ seconds => 30, setup => sub { limit_memory() } }, $sbxc, '--check', '--color=never', $path);
    ok(($said ? $run->{status} =~ /^[12]$/ : $run->{status} =~ /^[01]$/),
        "$name: exit $run->{status}, signal $run->{signal}") or diag substr $run->{err}, 0, 400;
    like $run->{err}, $said, "$name: what is said" if defined $said;
    cmp_ok length $run->{err}, '<', 400_000, "$name: little is said";
    cmp_ok $run->{seconds}, '<', 10, sprintf '%s: %.2f s', $name, $run->{seconds};
}

# Files as they are while someone types.
{
    my $whole = slurp("$root/examples/python.sbx")
        . "policy more {\n use python; summary \"x\"; require landlock; use python;\n}\n";
    my ($slowest, $count, @odd) = (0, 0);
    for (my $end = 0; $end < length $whole; $end += 11) {
        my $run = run({ seconds => 10 }, $sbxc, '--check', '--no-proof',
            spew("$dir/typed.sbx", substr $whole, 0, $end));
        $slowest = $run->{seconds} if $run->{seconds} > $slowest;
        push @odd, $end if $run->{status} !~ /^[01]$/;
        $count++;
    }
    is "@odd", '', "$count beginnings of a file: exit 0 or 1 each";
    cmp_ok $slowest, '<', 2, 'none takes long';
}

# A prover that is not there proves nothing.
{
    my $path = spew("$dir/small.sbx", "sbx 1; policy p { syscalls { allow read; } }");
    mkdir "$dir/lib";
    spew("$dir/lib/libz3.so.4", 'this is no library');
    my $run = run({ env => { LD_LIBRARY_PATH => "$dir/lib" } }, $sbxc, '--check', '--color=never', $path);
    is $run->{status}, 1, 'without Z3: exit 1';
    like $run->{err}, qr/SBX0516.*x86_64.*install libz3-4.*SBX0516.*aarch64/s, 'without Z3: what is said';
    is run({ env => { LD_LIBRARY_PATH => "$dir/lib" } }, $sbxc, '--check', '--no-proof', $path)->{status}, 0,
        'without Z3: --no-proof';
    is run({ env => { LD_LIBRARY_PATH => "$dir/lib" } }, $sbxc, '--emit=plan', '-o', "$dir/none.json", $path)->{status},
        1, 'without Z3: nothing is emitted';
    ok !-e "$dir/none.json", 'without Z3: no file';
}

# Not a regular file, or not there.
POSIX::mkfifo("$dir/fifo.sbx", 0644);
for my $case (['/dev/zero', qr/not a regular file/], ["$dir/fifo.sbx", qr/not a regular file/],
    ["$dir/none.sbx", qr/No such file/], ['/dev/tty', qr/SBX0301/]) {
    my $run = run({ seconds => 5 }, $sbxc, '--check', '--color=never', $case->[0]);
    is $run->{status}, 2, "$case->[0]: exit 2";
    like $run->{err}, $case->[1], "$case->[0]: what is said";
}

# Imports that climb out of their root.
mkdir "$dir/in"; mkdir "$dir/out";
spew("$dir/out/secret.sbx", "sbx 1; policy secret { summary \"x\"; }");
symlink '../out/secret.sbx', "$dir/in/link.sbx";
symlink '../out', "$dir/in/folder";
for my $import ('"../out/secret.sbx"', '"link.sbx"', '"folder/secret.sbx"', 'link', 'folder.secret') {
    my $path = spew("$dir/in/climb.sbx", "sbx 1; import $import as x; policy p { use x; }");
    my $run = run($sbxc, '--check', '--color=never', $path);
    is $run->{status}, 1, "import $import: refused";
    like $run->{err}, qr/SBX0302/, "import $import: as lying outside";
    $run = run($sbxc, '--check', '--color=never', '-I', "$dir/out", $path);
    is $run->{status}, 0, "import $import: allowed by -I" or diag $run->{err};
}

# A parameter's value is a value, whatever is in it.
my $path = spew("$dir/value.sbx",
    'sbx 1; policy p(src: path = "./x", n: int = 1) { fs { allow read "/a" from $src; } limits { pids $n; } }');
for my $value ('a"; deny read "x', "a\nb", 'a;b', '../..', "'") {
    my $run = run($sbxc, '--emit=plan', '-D', "src=$value", $path);
    is $run->{status}, 0, "-D src=$value is a path";
    (my $json = $value) =~ s/(["\\])/\\$1/g;
    $json =~ s/\n/\\u000a/;
    like $run->{out}, qr/"base":"cwd","host":"\Q$json\E"/, 'and nothing but that';
}
for my $value ('1; deny', '"1"', '-1', '1MiB', '', '0x', '99999999999999999999') {
    my $run = run($sbxc, '--check', '-D', "n=$value", $path);
    isnt $run->{status}, 0, "-D n=$value is no number";
}
isnt run($sbxc, '--check', '-D', 'other=1', $path)->{status}, 0, 'a parameter that the policy does not have';

# Which policy is meant, and a parameter without a value.
$path = spew("$dir/two.sbx", 'sbx 1; policy one { summary "1"; } policy other(n: int) { limits { pids $n; } }');
my $run = run($sbxc, '--why', 'read "/a"', '--color=never', $path);
is $run->{status}, 1, 'two policies and no name';
like $run->{err}, qr/SBX0315.*--policy/s, 'says which there are';
$run = run($sbxc, '--why', 'read "/a"', '--policy', 'other', '--color=never', $path);
like $run->{err}, qr/SBX0317.*-D n=/s, 'a parameter without a value';
is run($sbxc, '--why', 'read "/a"', '--policy', 'other', '-D', 'n=3', $path)->{status}, 4, 'with one';
$run = run($sbxc, '--why', 'read /a', '--policy', 'one', $path);
is $run->{status}, 2, 'a question that is none';

# Conditions of which no graph of bounded size can be made: many masks of several arguments at once, in one rule and in
# many.
my @masks = map { sprintf '(fd & 0x%x != 0 and offset & 0x%x != 0 and whence & 0x%x != 0)', 1 << $_,
    1 << (29 * $_) % 30, 1 << (7 * $_) % 30 } 0 .. 29;
my %entangled = (SBX0514 => 'allow lseek where ' . join(' or ', @masks) . ';',
    SBX0706 => join(' ', map {"allow lseek where $_;"} @masks));
for my $code (sort keys %entangled) {
    my $file = spew("$dir/entangled.sbx", "sbx 1;\npolicy p { syscalls { $entangled{$code} } }\n");
    for my $action (['--check'], ['--emit=plan'], ['--why', 'syscall lseek'], ['--diff', $file]) {
        my $run = run($sbxc, @$action, $file);
        like $run->{err} . $run->{out}, qr/entangled/, "$code, @$action: said";
        isnt $run->{status}, 0, 'and nothing claimed';
        cmp_ok $run->{seconds}, '<', 20, 'in bounded time';
    }
    like run($sbxc, '--check', $file)->{err}, qr/$code/, $code;
    is run("$build/sbxrun", $file, '--', '/bin/true')->{status}, 125, 'and nothing run';
}

# Wrong usage.
like run($sbxc, '--why', 'limit pids', '--policy', 'one', $path)->{err}, qr/= help: ask as `read /,
    'what is no question is told what is one';
for my $usage (['--check'], [], ['--nonsense'], ['--check', '--why', 'x', $path], ['--emit=tea', $path],
    ['--emit=plan', $path, $path], ['--check', '--format=xml', $path], ['-o', 'x', '--check', $path]) {
    is run($sbxc, @$usage)->{status}, 2, "sbxc @$usage: exit 2";
}
done_testing;

sub limit_memory {
    # Address space, since the kernel keeps no other limit for one process (getrlimit(2)).
    require BSD::Resource and BSD::Resource::setrlimit(BSD::Resource::RLIMIT_AS(), 4 << 30, 4 << 30)
        if eval { require BSD::Resource; 1 };
}
