// A container engine's seccomp profile by libseccomp, as engines use it.
#pragma once

#include "compiler/import/profile.h"
#include "compiler/import/seccomp.h"
#include "tests/codegen/oracle.h"

// The end of a policy that has no rules on sockets but a profile's.
#define ALL_NET "net { allow connect, bind, listen [::]/0; allow connect, bind, listen unix \"/\"; } }"

static inline uint32_t scmp_action(uint32_t answer)
{
    return answer == SECCOMP_ALLOW  ? SCMP_ACT_ALLOW
           : answer == SECCOMP_KILL ? SCMP_ACT_KILL_PROCESS
                                    : SCMP_ACT_ERRNO(answer & 0xFFFF);
}

static inline bool holds(const struct profile_filter *includes, const struct profile_filter *excludes, enum arch arch,
                         uint64_t capabilities)
{
    if (excludes->has_architectures && excludes->architectures[arch])
        return false;
    if (excludes->capabilities & capabilities || (excludes->kernel && excludes->kernel <= IMPORT_KERNEL))
        return false;
    if (includes->has_architectures && !includes->architectures[arch])
        return false;
    return (includes->capabilities & capabilities) == includes->capabilities && includes->kernel <= IMPORT_KERNEL;
}

static inline struct scmp_arg_cmp comparison_of(const struct profile_argument *argument)
{
    static const enum scmp_compare compares[] = {SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE,       SCMP_CMP_EQ,
                                                 SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ};
    return (struct scmp_arg_cmp){argument->index, compares[argument->comparison], argument->value, argument->value_two};
}

static inline bool add_rule(scmp_filter_ctx context, const struct profile_rule *rule, int number)
{
    struct scmp_arg_cmp all[6];
    bool repeated = false;
    for (size_t i = 0; i < rule->argument_count; i++) {
        const struct profile_argument *a = &rule->arguments[i];
        all[i % 6] = comparison_of(a);
        for (size_t k = 0; k < i; k++)
            repeated |= rule->arguments[k].index == a->index;
    }
    if (!repeated) {
        int error =
            seccomp_rule_add_array(context, scmp_action(rule->answer), number, (unsigned)rule->argument_count, all);
        return error == 0 || error == -EEXIST;
    }
    for (size_t i = 0; i < rule->argument_count; i++)
        if (seccomp_rule_add_array(context, scmp_action(rule->answer), number, 1, &all[i]) != 0)
            return false;
    return true;
}

// Empty when libseccomp refuses. known: the calls that it has by name.
static inline struct bpf_program oracle_profile(struct arena *arena, const struct profile *profile, enum arch arch,
                                                uint64_t capabilities, int level, bool *known)
{
    scmp_filter_ctx context = seccomp_init(scmp_action(profile->answer));
    if (!context)
        return (struct bpf_program){0};
    seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, (uint32_t)level);
    seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    uint32_t token = arch == ARCH_X86_64 ? SCMP_ARCH_X86_64 : SCMP_ARCH_AARCH64;
    if (seccomp_arch_native() != token &&
        (seccomp_arch_add(context, token) != 0 || seccomp_arch_remove(context, SCMP_ARCH_NATIVE) != 0))
        return (struct bpf_program){0};
    for (size_t call = 0; call < syscall_count(); call++)
        known[call] =
            seccomp_syscall_resolve_name_arch(token, syscall_row(call)->name) == syscall_row(call)->number[arch];
    for (size_t i = 0; i < profile->rule_count; i++) {
        const struct profile_rule *rule = &profile->rules[i];
        for (size_t k = 0; k < rule->call_count && holds(&rule->includes, &rule->excludes, arch, capabilities) &&
                           rule->answer != profile->answer;
             k++) {
            int call = rule->calls[k].call;
            if (call >= 0 && syscall_row((size_t)call)->number[arch] >= 0 && known[call] &&
                !add_rule(context, rule,
                          seccomp_syscall_resolve_name(syscall_row((size_t)call)->name))) // of this machine
                return (struct bpf_program){0};
        }
    }
    return oracle_export(arena, context);
}
