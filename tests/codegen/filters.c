// Filters: each is what seccomp takes, and says for every input what the policy function says. Inputs are all numbers
// near each border, with arguments at each constant of the policy, one off, with high bits set; and random ones.
#include "compiler/prove/prove.h"
#include "tests/codegen/oracle.h"
#include "tests/tap.h"

static struct {
    uint64_t values[4096];
    size_t count;
} interesting[SYSCALL_ARGUMENTS];

static void note(unsigned argument, uint64_t value)
{
    const uint64_t near[] = {value, value - 1, value + 1, value | 1ull << 32, value | 1ull << 63, value << 32};
    for (size_t i = 0; i < sizeof near / sizeof *near && interesting[argument].count < 4096; i++)
        interesting[argument].values[interesting[argument].count++] = near[i];
}

static uint64_t some_value(unsigned argument)
{
    return random_below(4) ? interesting[argument].values[random_below((unsigned)interesting[argument].count)]
                           : random_bits();
}

static void note_test(const struct test *test)
{
    if (!test)
        return;
    note_test(test->left);
    note_test(test->right);
    for (size_t i = 0; i < test->interval_count; i++) {
        note(test->argument, test->intervals[i].first);
        note(test->argument, test->intervals[i].last);
        note(test->argument, ~test->mask | test->intervals[i].first);
    }
}

// The values at which the rules on one call change their mind. True if there are such rules.
static bool note_call(const struct policy *policy, int call, enum arch arch)
{
    bool conditional = false;
    for (unsigned argument = 0; argument < SYSCALL_ARGUMENTS; argument++) {
        interesting[argument].count = 0;
        note(argument, 0);
        note(argument, 0xFFFFFFFF);
    }
    for (const struct call_rule *entry = call < 0 ? NULL : policy->calls[call]; entry; entry = entry->next) {
        conditional |= entry->match->tests[arch] != NULL || entry->except;
        note_test(entry->match->tests[arch]);
        note_test(entry->except ? entry->except->tests[arch] : NULL);
    }
    return conditional;
}

struct tally {
    unsigned long inputs, wrong;
    unsigned longest; // instructions executed
    bool quiet;
};

static void compare(const struct policy *policy, const struct bpf_program *program, enum arch arch, uint32_t audit,
                    uint32_t number, const uint64_t arguments[6], struct tally *tally)
{
    struct operation_point point = {.domain = DOMAIN_CALLS, .arch = arch, .number = number};
    memcpy(point.arguments, arguments, sizeof point.arguments);
    uint32_t want = audit == arch_audit[arch] ? wanted_of(policy, &point) : SECCOMP_KILL, words[SECCOMP_WORDS];
    words_of(words, audit, number, arguments);
    unsigned steps = 0;
    uint32_t got = cbpf_run(program, words, &steps);
    tally->inputs++;
    tally->longest = steps > tally->longest ? steps : tally->longest;
    if (got != want && tally->wrong++ < 3 && !tally->quiet)
        printf("# %s call %u (%llx, %llx, %llx): filter 0x%x, policy 0x%x\n", arch_names[arch], number,
               (unsigned long long)arguments[0], (unsigned long long)arguments[1], (unsigned long long)arguments[2],
               got, want);
}

static void compare_all(struct policy *policy, const struct bpf_program *program, enum arch arch, int rounds,
                        struct tally *tally)
{
    uint64_t none[6] = {0};
    for (uint32_t number = 0; number <= syscall_numbers_end(arch) + 2; number++) {
        compare(policy, program, arch, arch_audit[arch], number, none, tally);
        compare(policy, program, arch, arch_audit[arch], number | 0x40000000u, none, tally); // x32
        compare(policy, program, arch, arch_audit[arch], number | 0x80000000u, none, tally);
        compare(policy, program, arch, 0x40000003u, number, none, tally); // i386
        compare(policy, program, arch, arch_audit[!arch], number, none, tally);
        int call = syscall_by_number(arch, number);
        bool conditional = note_call(policy, call, arch);
        for (int i = 0; i < (conditional ? rounds : 5); i++) {
            uint64_t arguments[6];
            for (int k = 0; k < 6; k++)
                arguments[k] = some_value((unsigned)k);
            compare(policy, program, arch, arch_audit[arch], number, arguments, tally);
        }
    }
    for (uint32_t number = UINT32_MAX - 3; number != 2; number++)
        compare(policy, program, arch, arch_audit[arch], number, none, tally);
    for (uint32_t number = 0x3FFFFFFE; number < 0x40000002; number++)
        compare(policy, program, arch, arch_audit[arch], number, none, tally);
}

static struct tally check_filter(struct policy *policy, enum arch arch, struct bpf_program *program, bool *acceptable)
{
    struct tally tally = {0};
    const char *why;
    size_t where;
    *program = filter_of(policy, arch);
    *acceptable = cbpf_check(program, &why, &where);
    if (*acceptable)
        compare_all(policy, program, arch, 3000, &tally);
    return tally;
}

static void check_policy(struct policy *policy, const char *name)
{
    for (int arch = 0; policy && arch < ARCH_COUNT; arch++) {
        struct bpf_program program;
        bool acceptable;
        struct tally tally = check_filter(policy, (enum arch)arch, &program, &acceptable);
        ok(acceptable && tally.wrong == 0, "%s, %s: %zu instructions, at most %u executed; %lu inputs, %lu differ",
           name, arch_names[arch], program.length, tally.longest, tally.inputs, tally.wrong);
    }
    if (!policy)
        ok(false, "%s can be compiled", name);
}

static void check_text(const char *text, const char *name)
{
    struct compilation *compilation;
    check_policy(policy_from_text(&compilation, text), name);
    compilation_free(compilation);
}

// The one difference by design: libseccomp answers the number -1, which a tracer may leave, as any other unknown one;
// for us it is one of x32's.
static struct bpf_program with_minus_one(struct policy *policy,
                                         const bool *known) // known: calls of which libseccomp is told; NULL: all
{
    struct graph *graph = policy->graph;
    struct graph_interval own = {arch_audit[ARCH_X86_64], arch_audit[ARCH_X86_64]},
                          minus_one = {UINT32_MAX, UINT32_MAX};
    graph_node no = graph_leaf(graph, 0), denied = graph_leaf(graph, SECCOMP_ERRNO | EPERM);
    graph_node is_minus_one = graph_test(graph, WORD_NUMBER, UINT32_MAX, &minus_one, 1, graph_leaf(graph, 1), no);
    graph_node *calls = NEW_ARRAY(policy->arena, graph_node, syscall_count());
    for (size_t call = 0; call < syscall_count(); call++) {
        size_t spared;
        if (syscall_row(call)->number[ARCH_X86_64] >= 0)
            calls[call] = !known || known[call] ? call_code(policy, ARCH_X86_64, call, &spared) : denied;
    }
    graph_node filter = graph_apply(graph, plain_denial, calls_filter(graph, policy->arena, ARCH_X86_64, calls), no);
    graph_node special = graph_test(graph, WORD_ARCH, UINT32_MAX, &own, 1, is_minus_one, no);
    return cbpf_emit(policy->arena, graph, graph_select(graph, special, denied, filter), 0);
}

static bool proved_same(struct policy *policy, const bool *known, const struct bpf_program *theirs)
{
    struct counterexample example = {0};
    struct bpf_program ours = with_minus_one(policy, known);
    struct z3 z3 = {0};
    enum proof proof = filter_prove(&z3, policy, ARCH_X86_64, &ours, theirs, 30, &example);
    if (proof == NOT_PROVED)
        printf("# not proved: %s\n", example.why);
    else if (proof == REFUTED)
        printf("# architecture 0x%x, call %u (%llx, %llx, %llx): 0x%x, libseccomp 0x%x\n", example.audit,
               example.point.number, (unsigned long long)example.point.arguments[0],
               (unsigned long long)example.point.arguments[1], (unsigned long long)example.point.arguments[2],
               example.filter, example.other);
    z3_close(&z3);
    return proof == PROVED;
}

// Both compilers' filters on the same inputs, x32 numbers among them; and for every input, by proof.
static void compare_with_libseccomp(void)
{
    unsigned policies = 0, proved = 0;
    unsigned long inputs = 0, differ = 0;
    for (int i = 0; i < 200; i++) {
        random_state = (uint64_t)i * 104729 + 17;
        static struct oracle oracle;
        random_oracle(&oracle);
        struct compilation *compilation;
        struct policy *policy = oracle_policy(&compilation, &oracle);
        if (!policy) {
            ok(false, "random policy %d can be compiled", i);
            continue;
        }
        struct bpf_program mine = oracle_filter(policy), other = oracle_libseccomp(policy->arena, &oracle, 1);
        for (uint32_t n = 0; n <= 520 && other.length; n++) {
            uint32_t number = n <= 500 ? n : 0x40000000u + n - 501;
            note_call(policy, syscall_by_number(ARCH_X86_64, number), ARCH_X86_64);
            for (int k = 0; k < 40; k++) {
                uint64_t arguments[6];
                uint32_t words[SECCOMP_WORDS];
                for (int a = 0; a < 6; a++)
                    arguments[a] = some_value((unsigned)a);
                words_of(words, arch_audit[ARCH_X86_64], number, arguments);
                bool same = cbpf_run(&mine, words, NULL) == cbpf_run(&other, words, NULL);
                if (!same && differ++ < 3)
                    printf("# policy %d: call %u (%llx, %llx, %llx)\n", i, number, (unsigned long long)arguments[0],
                           (unsigned long long)arguments[1], (unsigned long long)arguments[2]);
                inputs++;
            }
        }
        policies++;
        proved += proved_same(policy, NULL, &other);
        compilation_free(compilation);
    }
    ok(differ == 0 && inputs > 100000,
       "%u random policies say the same as libseccomp's filters: %lu inputs, %lu differ", policies, inputs, differ);
    ok(proved == policies, "%u of them proved to say the same for every input", proved);
}

// Never more instructions than libseccomp's, at either of its levels.
static void compare_sizes(void)
{
    unsigned larger = 0, made = 0;
    unsigned long ours = 0, theirs = 0;
    for (int i = 0; i < 1000; i++) {
        static struct oracle oracle;
        struct compilation *compilation;
        random_state = (uint64_t)i * 104729 + 17;
        random_oracle(&oracle);
        struct policy *policy = oracle_policy(&compilation, &oracle);
        for (int level = 1; policy && level <= 2; level++) {
            struct bpf_program mine = oracle_filter(policy), other = oracle_libseccomp(policy->arena, &oracle, level);
            made += other.length > 0;
            ours += mine.length;
            theirs += other.length;
            if (mine.length > other.length && ++larger < 5)
                printf("# policy %d: %zu instructions, libseccomp %zu at level %d\n", i, mine.length, other.length,
                       level);
        }
        compilation_free(compilation);
    }
    ok(made == 2000 && larger == 0,
       "of 1,000 random policies none is larger than libseccomp's filter at either level: %.2f of its size on average",
       theirs ? (double)ours / (double)theirs : 0);
}

// The library and the examples, as rules that libseccomp takes.
static void compare_file(struct policy *policy, const char *name)
{
    static struct oracle oracle;
    bool known[1024] = {false};
    for (size_t call = 0; call < syscall_count(); call++)
        known[call] = oracle_knows(call, ARCH_X86_64);
    bool said = policy && syscall_count() <= 1024 && oracle_of(policy, ARCH_X86_64, &oracle);
    struct bpf_program theirs = said ? oracle_libseccomp(policy->arena, &oracle, 1) : (struct bpf_program){0};
    ok(theirs.length && proved_same(policy, known, &theirs),
       "%s: proved to say what libseccomp's filter says, in %.2f of its size", name,
       theirs.length ? (double)oracle_filter(policy).length / (double)theirs.length : 0);
}

// A mistake in a filter must be seen by these tests: flip instructions of a real one.
static void check_that_mistakes_show(void)
{
    struct compilation *compilation;
    struct policy *policy = policy_from_text(&compilation, "sbx 1; import std.base; policy p { use std.base; }");
    struct bpf_program program;
    bool acceptable;
    check_filter(policy, ARCH_X86_64, &program, &acceptable);
    unsigned changed = 0, seen = 0;
    for (size_t i = 0; i < program.length; i++) {
        struct bpf_instruction kept = program.code[i];
        const char *why;
        size_t where;
        if (kept.code == 0x06)
            program.code[i].k = kept.k == SECCOMP_ALLOW ? SECCOMP_ERRNO | 1 : SECCOMP_ALLOW;
        else if (kept.code == 0x15 || kept.code == 0x35 || kept.code == 0x45)
            program.code[i] = (struct bpf_instruction){kept.code, kept.jf, kept.jt, kept.k};
        else
            continue;
        if (cbpf_check(&program, &why, &where)) {
            struct tally tally = {.quiet = true};
            compare_all(policy, &program, ARCH_X86_64, 400, &tally);
            changed++;
            if (!tally.wrong)
                printf("# not noticed: instruction %zu\n", i);
            seen += tally.wrong > 0;
        }
        program.code[i] = kept;
    }
    ok(changed > 50 && seen == changed, "of %u instructions made wrong %u are noticed", changed, seen);
    compilation_free(compilation);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct compilation *compilation;
        struct policy *policy = policy_from_file(&compilation, argv[i], NULL);
        check_policy(policy, argv[i]);
        compare_file(policy, argv[i]);
        compilation_free(compilation);
    }
    check_text("sbx 1; policy p { summary \"nothing\"; }", "a policy without rules");
    check_text("sbx 1; policy p { syscalls { default deny with kill; allow @default; } }", "kill by default");
    check_text(
        "sbx 1; policy p { syscalls { allow ioctl where request in { TCGETS, FIONREAD } and not fd == 3; deny ioctl "
        "where argp == 0 with EFAULT; allow "
        "mmap where prot & 7 == 3 or flags & 0xf00000000 == 0x300000000;"
        " allow lseek where offset in -5..5; allow kill where pid < 0; allow fchmod where mode & 0o6000 == 0; allow "
        "prctl where option == 5 and arg2 > "
        "0xfffffffff; } }",
        "conditions of every width");
    check_text(long_policy(6, 100),
               "a very long filter"); // with jumps over more than 255 instructions, in every direction
    compare_with_libseccomp();
    compare_sizes();
    check_that_mistakes_show();
    return tap_done();
}
