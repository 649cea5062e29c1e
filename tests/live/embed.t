#!/usr/bin/perl
# libsbx: installed with its header and pkg-config file, used from C, C++ and Python; what it says and does is what the
# programs say and do.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
is run({ seconds => patience(120) }, 'make', '-s', '-C', $root, "BUILD=$build", "PREFIX=$dir/usr", 'install')->{status},
    0, 'installs';
my $pc = -e "$dir/usr/lib/pkgconfig/sbx.pc" ? slurp("$dir/usr/lib/pkgconfig/sbx.pc") : '';
like $pc, qr/^prefix=\Q$dir\E\/usr$/m, 'a pkg-config file';
my %env = (PKG_CONFIG_PATH => "$dir/usr/lib/pkgconfig", LD_LIBRARY_PATH => "$dir/usr/lib",
    PATH => "$dir/usr/bin:$ENV{PATH}");
my @flags = ("-I$dir/usr/include", "-L$dir/usr/lib", '-lsbx');
@flags = split ' ', run({ env => \%env }, 'pkg-config', '--cflags', '--libs', 'sbx')->{out}
    if system('pkg-config --version > /dev/null 2>&1') == 0;
my $sane = $build =~ /sanitize/ ? ['-fsanitize=address,undefined'] : [];
my $built = run({ cwd => $dir, seconds => patience(60) }, 'gcc', '-Wall', '-Wextra', '-Werror', @$sane,
    "$root/examples/embedding/run.c", @flags, '-o', "$dir/run");
is $built->{status}, 0, 'the example builds' or diag $built->{err};
is run({ cwd => $dir }, 'sh', '-c',
    "echo '#include <sbx.h>' | g++ -x c++ -Wall -Werror -fsyntax-only -I$dir/usr/include -")->{status}, 0,
    'its header is one of C++ too' if -x '/usr/bin/g++';

spew("$dir/p.sbx", "sbx 1;\nimport std.shell;\npolicy p(place: path = \"./data\") "
    . "{\n    use std.shell;\n"
    . "    fs { allow read \"/data\" from \$place; deny read \"/data/secret\" because \"ours\"; }\n"
    . "    tests { expect deny write \"/data\"; }\n}\n");
mkdir "$dir/data";
spew("$dir/data/$_", "$_\n") for 'open', 'secret';
spew("$dir/t.c", <<'C');
#include <pthread.h>
#include <sbx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t got;
static void count(void *context, int stream, const char *data, size_t length)
{
    (void)data;
    if (stream == 1)
        *(size_t *)context += length;
    got = *(size_t *)context;
}
static void *work(void *file)
{
    for (int i = 0; i < 20; i++) {
        sbx_policy *policy = sbx_compile_file(file, NULL, NULL, NULL);
        struct sbx_verdict verdict = sbx_verdict(policy, "read \"/data/secret\"");
        if (!verdict.denied || verdict.allowed || !strstr(verdict.rule, "ours")) exit(9);
        sbx_free(verdict.rule);
        sbx_policy_free(policy);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    char *findings = NULL;
    size_t length;
    const char *values[] = {argc > 2 ? argv[2] : NULL, NULL};
    sbx_policy *policy = sbx_compile_file(argv[1], "p", argc > 2 ? values : NULL, &findings);
    if (!policy) { printf("findings: %s", findings); sbx_free(findings); return 1; }
    printf("check %d\n", sbx_check(policy, 1, &findings));
    printf("%s", findings ? findings : "");
    sbx_free(findings);
    struct sbx_verdict part = sbx_verdict(policy, "read \"/data\""), nonsense = sbx_verdict(policy, "fly");
    printf("part %d %d %d, nonsense %d %d\n", part.decided, part.allowed, part.denied,
        nonsense.decided, nonsense.rule != NULL);
    sbx_free(part.rule);
    sbx_free(nonsense.rule);
    char *filter = sbx_emit(policy, "seccomp:x86_64", &length);
    printf("filter %d, ", filter && length % 8 == 0);
    sbx_free(filter);
    filter = sbx_emit(policy, "seccomp:vax", &length);
    printf("%d\n", filter == NULL && length == 0);
    char *plan = sbx_emit(policy, "plan", &length);
    FILE *file = fopen("plan.json", "w");
    fwrite(plan, 1, length, file);
    fclose(file);
    sbx_free(plan);
    size_t bytes = 0;
    static char large[3000000];
    memset(large, 'x', sizeof large);
    const char *cat[] = {"cat", NULL}, *files[] = {"sh", "-c", "cat /data/*; kill -9 $$", NULL},
        *quiet[] = {"true", NULL};
    struct sbx_run run = {.command = cat, .input = -1, .output = -1, .error = -1,
        .data = large, .length = sizeof large, .said = count, .context = &bytes};
    struct sbx_result result = sbx_run(policy, &run);
    printf("much %d %d %d\n", result.status, bytes == sizeof large, result.report != NULL);
    sbx_free(result.report);
    bytes = 0;
    run.command = files;
    result = sbx_run(policy, &run); // who reads nothing of its input
    printf("files %d %zu\n", result.status, bytes);
    sbx_free(result.report);
    run = (struct sbx_run){.command = quiet, .input = -1, .output = -1, .error = -1};
    result = sbx_run(policy, &run);
    printf("quiet %d\n", result.status);
    sbx_free(result.report);
    run.sbxrun = "/nonexistent/sbxrun";
    result = sbx_run(policy, &run);
    printf("missing %d %d\n", result.status, result.report != NULL);
    sbx_free(result.report);
    sbx_policy_free(policy);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, argv[1]);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    puts("threads");
    return 0;
}
C
$built = run({ cwd => $dir, seconds => patience(60) }, 'gcc', @$sane, 't.c', @flags, '-pthread', '-o', 't');
is $built->{status}, 0, 'a program of its own builds' or diag $built->{err};

for my $user (users()) {
    my $name = $user->{name};
    my $own = folder();
    system("cp -r $dir/p.sbx $dir/data $dir/t $dir/run $own");
    system('chown', '-R', "$user->{uid}:$user->{gid}", $own) if defined $user->{uid} && $> == 0;
    my %o = (%$user, cwd => $own, env => \%env, seconds => patience(90));
    my $run = run(\%o, './run');
    is $run->{status}, 0, "$name: the example runs" or diag $run->{err};
    like $run->{out},
        qr/^may\ read\ \/etc\/shadow:\ no\n(?=.*\[out\]\ HELLO\n)(?=.*refused\n
            )(?=.*\[event\]\ \{"event":"denied","operation":"syscall\ chroot",).*^status\ 0,\ exited$/msx,
        "$name: and says what it is to say" or diag $run->{out};
    $run = run(\%o, './t', 'p.sbx');
    is $run->{out}, "check 0\npart 1 0 0, nonsense 0 1\nfilter 1, 1\nmuch 0 1 1\nfiles 137 5\nquiet 0\nmissing -1 1\n"
        . "threads\n", "$name: compiled, checked, asked, emitted and run" or diag $run->{err};
    is slurp("$own/plan.json"), run({ %$user, cwd => $own }, $sbxc, '--emit=plan', 'p.sbx')->{out},
        "$name: its plan is sbxc's, byte for byte";
    $run = run(\%o, './t', 'p.sbx', 'nothing=1');
    like $run->{out}, qr/^findings: .*no such parameter/, "$name: a value for nothing" or diag $run->{out};
    spew("$own/bad.sbx", "sbx 1;\npolicy p { fs { allow red \"/x\"; } }\n");
    like run(\%o, './t', 'bad.sbx')->{out}, qr/^findings: error\[SBX\d+\].*did you mean `read`/s,
        "$name: what is wrong, as sbxc prints it";
    SKIP: {
        skip "$name: Python has no ctypes here",
            1 if system('/usr/bin/python3 -c "import ctypes" 2>/dev/null') != 0 || @$sane;
        system("cp $root/examples/embedding/run.py $own/run.py && chmod 644 $own/run.py");
        $run = run(\%o, '/usr/bin/python3', 'run.py', "$dir/usr/lib/libsbx.so.0");
        my %deaf = (setup => sub { $SIG{CHLD} = 'IGNORE' });
        my $ignores = run({ %o, %deaf }, '/usr/bin/python3', 'run.py', "$dir/usr/lib/libsbx.so.0");
        like $ignores->{out} . $ignores->{err}, qr/^this program ignores SIGCHLD/m,
            "$name: a program that ignores SIGCHLD is told so, instead of a status";
        is $run->{out}, "may connect: no\nhello\nfrom outside\nstatus 0 {'how': 'exited', 'status': 0}\n",
            "$name: from Python" or diag $run->{err};
    }
}
is run({ seconds => patience(60) }, 'make', '-s', '-C', $root, "BUILD=$build", "PREFIX=$dir/usr",
    'uninstall')->{status}, 0, 'uninstalls';
is join(' ', grep { -f } glob("$dir/usr/lib/* $dir/usr/lib/pkgconfig/* $dir/usr/include/*")), '', 'and leaves nothing';
done_testing;
