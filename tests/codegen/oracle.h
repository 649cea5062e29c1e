// One policy, two compilers: as .sbx text, and as libseccomp rules. In the part of the language that libseccomp can say: calls allowed
// whatever their arguments, or where arguments equal, or equal under a mask.
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
    struct oracle_test tests[3];
};

struct oracle {
    struct oracle_rule rules[2048];
    size_t count;
};

static inline uint64_t oracle_width(const struct oracle_rule *rule, int test)
{
    unsigned bits = argument_bits((enum argument_type)syscall_row(rule->call)->arguments[rule->tests[test].argument].type);
    return bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
}

static inline struct policy *oracle_policy(struct compilation **compilation, const struct oracle *oracle)
{
    static char text[1 << 20];
    char *at =
        text +
        sprintf(text, "sbx 1; policy p { net { allow connect, bind, listen tcp loopback; allow connect udp loopback; allow connect unix \"/\"; } syscalls {\n");
    for (size_t i = 0; i < oracle->count; i++) {
        const struct oracle_rule *rule = &oracle->rules[i];
        at += sprintf(at, "allow %s", syscall_row(rule->call)->name);
        for (int t = 0; t < rule->test_count; t++)
            at += sprintf(at, rule->tests[t].mask == oracle_width(rule, t) ? "%s%s == 0x%llx" : "%s%s & 0x%llx == 0x%llx", t ? " and " : " where ",
                          syscall_row(rule->call)->arguments[rule->tests[t].argument].name,
                          (unsigned long long)(rule->tests[t].mask == oracle_width(rule, t) ? rule->tests[t].value : rule->tests[t].mask),
                          (unsigned long long)rule->tests[t].value);
        at += sprintf(at, ";\n");
    }
    strcpy(at, "} }");
    return policy_from_text(compilation, text);
}

static inline uint32_t without_enosys(uint32_t action, uint32_t unused)
{
    (void)unused;
    return action == (SECCOMP_ERRNO | ENOSYS) ? SECCOMP_ERRNO | EPERM : action;
}

// Our filter of it, with the answer to calls that are unknown or unseen made the default's, which is all that libseccomp can say.
static inline struct bpf_program oracle_filter(struct policy *policy)
{
    return cbpf_emit(policy->arena, policy->graph,
                     graph_apply(policy->graph, without_enosys, policy_filter(policy, ARCH_X86_64), graph_leaf(policy->graph, 0)));
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
        struct scmp_arg_cmp tests[3];
        for (int t = 0; t < rule->test_count; t++)
            tests[t] = (struct scmp_arg_cmp){rule->tests[t].argument, SCMP_CMP_MASKED_EQ, rule->tests[t].mask, rule->tests[t].value};
        if (syscall_row(rule->call)->number[ARCH_X86_64] < 0)
            continue;
        int error = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, syscall_row(rule->call)->number[ARCH_X86_64], rule->test_count, tests);
        if (error && error != -EEXIST) {
            fprintf(stderr, "libseccomp refuses %s: %s\n", syscall_row(rule->call)->name, strerror(-error));
            seccomp_release(context);
            return (struct bpf_program){0};
        }
    }
    return oracle_export(arena, context);
}
