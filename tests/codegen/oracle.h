// One policy, two compilers: as .sbx text, and as libseccomp rules. In the part of the language that libseccomp can
// say: calls allowed whatever their arguments, or where arguments equal, or equal under a mask.
#pragma once

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "tests/policies.h"

struct oracle_test {
    uint8_t argument;
    uint64_t mask, value; // (argument & mask) == value
};

struct oracle_rule { // one way to be allowed: all of the tests hold
    uint16_t call;   // index into the table of system calls
    uint8_t test_count;
    struct oracle_test tests[SYSCALL_ARGUMENTS];
};

struct oracle {
    struct oracle_rule rules[8192];
    size_t count;
};

static inline uint64_t oracle_width(const struct oracle_rule *rule, int test)
{
    unsigned bits =
        argument_bits((enum argument_type)syscall_row(rule->call)->arguments[rule->tests[test].argument].type);
    return bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
}

static inline struct policy *oracle_policy(struct compilation **compilation, const struct oracle *oracle)
{
    static char text[1 << 20];
    char *at = text + sprintf(text,
                              "sbx 1; policy p { net { allow connect, bind, listen tcp loopback; "
                              "allow connect, bind udp loopback; } syscalls {\n");
    for (size_t i = 0; i < oracle->count; i++) {
        const struct oracle_rule *rule = &oracle->rules[i];
        at += sprintf(at, "allow %s", syscall_row(rule->call)->name);
        for (int t = 0; t < rule->test_count; t++)
            at +=
                sprintf(at, rule->tests[t].mask == oracle_width(rule, t) ? "%s%s == 0x%llx" : "%s%s & 0x%llx == 0x%llx",
                        t ? " and " : " where ", syscall_row(rule->call)->arguments[rule->tests[t].argument].name,
                        (unsigned long long)(rule->tests[t].mask == oracle_width(rule, t) ? rule->tests[t].value
                                                                                          : rule->tests[t].mask),
                        (unsigned long long)rule->tests[t].value);
        at += sprintf(at, ";\n");
    }
    strcpy(at, "} }");
    return policy_from_text(compilation, text);
}

static inline uint32_t plain_denial(uint32_t action, uint32_t unused)
{
    (void)unused;
    return (action & ~0xFFFFu) == SECCOMP_ERRNO ? SECCOMP_ERRNO | EPERM : action;
}

// ---- any policy, as far as libseccomp can say it ------------------------------------------------------------------

struct oracle_walk {
    struct oracle *oracle;
    const struct graph *graph;
    struct oracle_rule rule; // so far
    graph_node next;
    uint32_t word;
    bool too_many;
};

static void oracle_walk_node(struct oracle_walk *walk, graph_node node);

static void oracle_walk_pattern(uint32_t mask, uint32_t value, void *context)
{
    struct oracle_walk walk = *(struct oracle_walk *)context;
    unsigned argument = (walk.word - WORD_ARGUMENTS) / 2, shift = walk.word == WORD_HIGH(argument) ? 32 : 0;
    uint64_t wide_mask = (uint64_t)mask << shift, wide = (uint64_t)value << shift;
    struct oracle_test *test = NULL;
    for (int t = 0; t < walk.rule.test_count; t++)
        if (walk.rule.tests[t].argument == argument)
            test = &walk.rule.tests[t];
    if (test && (test->value ^ wide) & test->mask & wide_mask)
        return; // the two can't hold together
    if (!test) {
        test = &walk.rule.tests[walk.rule.test_count++];
        *test = (struct oracle_test){(uint8_t)argument, 0, 0};
    }
    test->mask |= wide_mask;
    test->value |= wide;
    oracle_walk_node(&walk, walk.next);
    ((struct oracle_walk *)context)->too_many |= walk.too_many;
}

static void oracle_walk_node(struct oracle_walk *walk, graph_node node)
{
    const struct graph_vertex *v = graph_at(walk->graph, node);
    if (v->run_count == 0) {
        if (v->value != SECCOMP_ALLOW)
            return;
        walk->too_many |= walk->oracle->count == sizeof walk->oracle->rules / sizeof *walk->oracle->rules;
        if (!walk->too_many)
            walk->oracle->rules[walk->oracle->count++] = walk->rule;
        return;
    }
    for (uint32_t i = 0; i < v->run_count; i++) {
        walk->next = v->runs[i].node;
        walk->word = v->word;
        const struct graph_vertex *next = graph_at(walk->graph, walk->next);
        if (next->run_count || next->value == SECCOMP_ALLOW)
            graph_patterns(v->mask, v->runs[i].start, i + 1 < v->run_count ? v->runs[i + 1].start - 1 : v->mask,
                           oracle_walk_pattern, walk);
    }
}

static inline bool oracle_knows(size_t call, enum arch arch) // libseccomp before 2.6 gives the newest calls no number
{
    return syscall_row(call)->number[arch] >= 0 &&
           seccomp_syscall_resolve_name(syscall_row(call)->name) == syscall_row(call)->number[arch];
}

// What a policy allows, as rules that libseccomp takes. False when they are too many.
static inline bool oracle_of(struct policy *policy, enum arch arch, struct oracle *oracle)
{
    struct oracle_walk walk = {.oracle = oracle, .graph = policy->graph};
    oracle->count = 0;
    for (size_t call = 0; call < syscall_count(); call++) {
        walk.rule = (struct oracle_rule){.call = (uint16_t)call};
        if (oracle_knows(call, arch))
            oracle_walk_node(&walk, policy_call(policy, arch, call));
    }
    return !walk.too_many;
}

// ---- random policies ----------------------------------------------------------------------------------------------

static inline void random_test(struct oracle_test *test, uint8_t argument)
{
    bool masked = random_below(2);
    test->argument = argument;
    test->mask = masked ? (uint64_t)(1 + random_below(255)) << random_below(56) : UINT64_MAX;
    test->value = (masked ? random_bits() : random_below(2) ? random_below(1000) : random_bits() >> 1) & test->mask;
}

// A policy that both can say. libseccomp compares all 64 bits, so conditions are on arguments of that width; it allows
// a call for good once a rule does; newer calls it does not know by number; and some get rules of ours besides.
static inline bool has_rules_of_ours(const char *name)
{
    static const char *const calls[] = {"socket", "socketpair", "setsockopt",  "getsockopt", "fcntl",
                                        "keyctl", "add_key",    "request_key", "setrlimit",  "prlimit64",
                                        "sendto", "sendmsg",    "sendmmsg",    "open",       "openat",
                                        "creat",  "mkdir",      "mkdirat",     "mknod",      "mknodat",
                                        "chmod",  "fchmod",     "fchmodat",    "fchmodat2"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(name, calls[i]) == 0)
            return true;
    return false;
}

static inline void random_oracle(struct oracle *oracle)
{
    oracle->count = 0;
    size_t calls = 5 + random_below(150);
    for (size_t i = 0; i < calls; i++) {
        struct oracle_rule rule = {.call = (uint16_t)random_below((unsigned)syscall_count())};
        const struct syscall_row *row = syscall_row(rule.call);
        if (row->number[ARCH_X86_64] < 0 || row->number[ARCH_X86_64] > 440 || has_rules_of_ours(row->name))
            continue;
        bool again = false;
        for (size_t k = 0; k < oracle->count; k++)
            again |= oracle->rules[k].call == rule.call;
        if (again)
            continue;
        uint8_t wide[6];
        unsigned count = 0;
        for (int a = 0; a < row->argument_count; a++)
            if (argument_bits((enum argument_type)row->arguments[a].type) == 64 &&
                !argument_is_pointer((enum argument_type)row->arguments[a].type))
                wide[count++] = (uint8_t)a;
        unsigned ways = count && random_below(2) ? 1 + random_below(4) : 0;
        for (unsigned w = 0; w < ways; w++) {
            rule.test_count = 0;
            for (unsigned a = 0; a < count && rule.test_count < 3; a++)
                if (a + 1 == count ? rule.test_count == 0 || random_below(2) : random_below(2))
                    random_test(&rule.tests[rule.test_count++], wide[a]);
            oracle->rules[oracle->count++] = rule;
        }
        if (!ways)
            oracle->rules[oracle->count++] = rule;
    }
}

// Our filter of it, with one answer for all that is denied: libseccomp has no other for the calls that no rule names.
static inline struct bpf_program oracle_filter(struct policy *policy)
{
    size_t spare;
    graph_node filter = policy_code(policy, ARCH_X86_64, &spare);
    return cbpf_emit(policy->arena, policy->graph,
                     graph_apply(policy->graph, plain_denial, filter, graph_leaf(policy->graph, 0)), spare);
}

// What a libseccomp filter would load; empty when it can't be had. Releases the filter.
static inline struct bpf_program oracle_export(struct arena *arena, scmp_filter_ctx context)
{
    struct bpf_program program = {0};
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (seccomp_export_bpf(context, fd) == 0) {
        off_t size = lseek(fd, 0, SEEK_END);
        program.length = (size_t)size / sizeof *program.code;
        program.code = NEW_ARRAY(arena, struct bpf_instruction, program.length);
        if (pread(fd, program.code, (size_t)size, 0) != size)
            program.length = 0;
    }
    close(fd);
    seccomp_release(context);
    return program;
}

// The filter that libseccomp makes, at its optimisation level. An empty program when it refuses.
static inline struct bpf_program oracle_libseccomp(struct arena *arena, const struct oracle *oracle, int level)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, (uint32_t)level);
    for (size_t i = 0; i < oracle->count; i++) {
        const struct oracle_rule *rule = &oracle->rules[i];
        struct scmp_arg_cmp tests[SYSCALL_ARGUMENTS];
        for (int t = 0; t < rule->test_count; t++)
            tests[t] = (struct scmp_arg_cmp){rule->tests[t].argument, SCMP_CMP_MASKED_EQ, rule->tests[t].mask,
                                             rule->tests[t].value};
        if (syscall_row(rule->call)->number[ARCH_X86_64] < 0)
            continue;
        int error = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, syscall_row(rule->call)->number[ARCH_X86_64],
                                           rule->test_count, tests);
        if (error && error != -EEXIST) {
            fprintf(stderr, "libseccomp refuses %s: %s\n", syscall_row(rule->call)->name, strerror(-error));
            seccomp_release(context);
            return (struct bpf_program){0};
        }
    }
    return oracle_export(arena, context);
}
