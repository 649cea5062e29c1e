// What makes other rules worth less than they look.
#include <string.h>

#include "compiler/code/cbpf.h"
#include "compiler/lint/lint.h"
#include "compiler/meaning/search.h"

// ---- places that can be written and executed ----------------------------------------------------------------------

enum { REPORTS_MOST = 20, LOOKED_AT_MOST = 1000 }; // each costs a look at every rule

static void lint_written_code(struct policy *policy)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    const struct path_set *paths = policy_paths(policy);
    const struct rule *last = NULL;
    int reports = 0, looked_at = 0;
    for (size_t i = 0; i < paths->count && reports < REPORTS_MOST; i++) {
        const struct path_region *region = &paths->regions[i];
        if (!(region->verbs & VERB_EXEC) || !(region->verbs & (VERB_MODIFY | VERB_CREATE)))
            continue;
        if (++looked_at > LOOKED_AT_MOST)
            break;
        unsigned write = region->verbs & VERB_MODIFY ? VERB_MODIFY : VERB_CREATE;
        const struct rule *writes =
            policy_verdict(policy,
                           &(struct operation_point){.domain = DOMAIN_FILES, .verb = write, .path = region->path})
                .rule;
        const struct rule *executes =
            policy_verdict(policy,
                           &(struct operation_point){.domain = DOMAIN_FILES, .verb = VERB_EXEC, .path = region->path})
                .rule;
        const struct rule *own = !writes->chain ? writes : executes;
        if (writes == last || (own->chain && writes->chain == executes->chain))
            continue; // said, or for the author of what is used
        last = writes;
        reports++;
        struct span span = own->chain ? policy->decl->name.span : own->span;
        struct diagnostic *d = own != executes && lint_is_allowed(policy, SBX0715, executes->span)
                                   ? NULL
                                   : lint_finding(policy, SBX0715, span, STR_ARGS(region->path));
        if (!d)
            continue;
        diagnostic_label(diagnostics, d, span, own->chain ? "by two policies that this one uses" : "here");
        if (writes->span.start != span.start || writes->span.source != span.source)
            diagnostic_label(diagnostics, d, writes->span, "written by this");
        if (executes != writes && (executes->span.start != span.start || executes->span.source != span.source))
            diagnostic_label(diagnostics, d, executes->span, "executed by this");
        diagnostic_help(diagnostics, d,
                        "what is downloaded or built there runs; `deny exec` it, or say why: `# allow SBX0715: it runs "
                        "its own tests`");
    }
}

// ---- calls that do what other calls are kept from -----------------------------------------------------------------

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct {
    const char *call, *argument, *value; // what of it is meant; NULL: all
    bool needs_admin;                    // without CAP_SYS_ADMIN, in some user namespace, the kernel refuses it anyhow
    const char *const *calls;            // it does their work, unseen by a filter
    enum { POINTLESS_CALLS, POINTLESS_FILES, POINTLESS_ALL } what;
    const char *why;
} dangers[] = {
    {"io_uring_setup", NULL, NULL, false,
     NAMES("openat", "openat2", "socket", "connect", "bind", "listen", "accept4", "sendto", "sendmsg", "recvmsg",
           "unlinkat", "mkdirat", "symlinkat", "linkat", "renameat2", "fallocate", "madvise", "splice", "setxattr",
           "waitid", "pipe2"),
     POINTLESS_CALLS, "a ring does it, and no filter sees what a ring is asked for"},
    {"ptrace", "request", "PTRACE_POKEDATA", false,
     NAMES("process_vm_writev", "process_vm_readv", "pidfd_getfd", "kcmp"), POINTLESS_CALLS,
     "whoever traces a process reads and writes it anyway"},
    {"bpf", "cmd", "BPF_PROG_LOAD", false, NAMES("perf_event_open", "ptrace", "process_vm_readv", "process_vm_writev"),
     POINTLESS_CALLS, "a program in the kernel sees and changes what processes do"},
    {"userfaultfd", NULL, NULL, false, NULL, POINTLESS_ALL,
     "it holds the kernel still in the middle of a call, which is how its races are won; no rule holds against that"},
    {"mount", NULL, NULL, true, NULL, POINTLESS_FILES, "a mount puts anything anywhere in the view"},
    {"move_mount", NULL, NULL, true, NULL, POINTLESS_FILES, "a mount puts anything anywhere in the view"},
    {"mount_setattr", NULL, NULL, true, NULL, POINTLESS_FILES, "it makes a read-only mount writable"},
    {"pivot_root", NULL, NULL, true, NULL, POINTLESS_FILES, "another root has another view"},
};

// An operation of a call that the policy allows, or one that it denies; of those that have all bits of `value` in an
// argument. 1: found.
static int find_in_call(struct policy *policy, enum arch arch, const char *name, const char *argument,
                        const char *value, bool allowed, struct operation_point *point)
{
    size_t call = (size_t)syscall_find(str_from(name));
    const struct syscall_row *row = syscall_row(call);
    const struct constant_row *constant = value ? constant_find(str_from(value)) : NULL;
    if (row->number[arch] < 0)
        return 0;
    struct call_match match = {.call = (uint16_t)call, .architectures = (uint8_t)(1u << arch)};
    struct test_interval one;
    struct test test = {.kind = CONDITION_IN, .intervals = &one, .interval_count = 1};
    if (constant) {
        unsigned index = (unsigned)syscall_argument(row, str_from(argument));
        uint64_t bits = (uint64_t)constant->value[arch],
                 width = argument_bits(row->arguments[index].type) == 64 ? UINT64_MAX : UINT32_MAX;
        bool flags = row->arguments[index].type == ARGUMENT_MASK32 || row->arguments[index].type == ARGUMENT_MASK64;
        test.argument = index;
        test.mask = flags ? bits : width;
        one = (struct test_interval){bits, bits};
        match.tests[arch] = &test;
    }
    struct rule set = {.effect = EFFECT_ASK, .domain = DOMAIN_CALLS, .calls = {&match, 1}};
    return operation_find(policy, &set, allowed, point);
}

// Whether some process can come to have CAP_SYS_ADMIN: given, or by a user namespace of its own.
static bool may_administrate(struct policy *policy, enum arch arch)
{
    if (policy_capabilities(policy) >> capability_find(STR("CAP_SYS_ADMIN")) & 1)
        return true;
    struct operation_point ignored;
    return find_in_call(policy, arch, "unshare", "flags", "CLONE_NEWUSER", true, &ignored) != 0 ||
           find_in_call(policy, arch, "clone", "flags", "CLONE_NEWUSER", true, &ignored) != 0 ||
           find_in_call(policy, arch, "clone3", NULL, NULL, true, &ignored) != 0;
}

static const struct rule *first_deny_of_files(const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].domain == DOMAIN_FILES && policy->rules[i].effect == EFFECT_DENY)
            return &policy->rules[i];
    return NULL;
}

static void lint_pointless(struct policy *policy, enum arch arch)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    for (size_t i = 0; i < sizeof dangers / sizeof *dangers; i++) {
        struct operation_point allowed, denied = {0};
        if (find_in_call(policy, arch, dangers[i].call, dangers[i].argument, dangers[i].value, true, &allowed) <= 0 ||
            (dangers[i].needs_admin && !may_administrate(policy, arch)))
            continue;
        const struct rule *allow = policy_verdict(policy, &allowed).rule, *pointless = NULL;
        if (allow->chain)
            continue; // for the author of what is used
        bool found = dangers[i].what != POINTLESS_CALLS;
        for (size_t k = 0; !found && dangers[i].calls[k];
             k++) { // the example is one that a rule denies, if there is one
            struct operation_point point;
            if (find_in_call(policy, arch, dangers[i].calls[k], NULL, NULL, false, &point) <= 0)
                continue;
            const struct rule *rule = policy_verdict(policy, &point).rule;
            if (rule && rule->derived)
                rule = NULL;
            if (!denied.domain || (rule && !pointless)) {
                denied = point;
                pointless = rule;
            }
            if (rule)
                break;
        }
        found |= denied.domain == DOMAIN_CALLS;
        if (dangers[i].what == POINTLESS_FILES)
            pointless = first_deny_of_files(policy);
        struct diagnostic *d = found ? lint_finding(policy, SBX0716, allow->span, dangers[i].call) : NULL;
        if (!d)
            continue;
        diagnostic_label(diagnostics, d, allow->span, "%s", dangers[i].why);
        if (pointless)
            diagnostic_label(diagnostics, d, pointless->span, "pointless, for one");
        else if (denied.domain == DOMAIN_CALLS)
            diagnostic_help(diagnostics, d, "no rule allows `%.*s`, for one",
                            STR_ARGS(operation_text(policy, &denied)));
    }
}

void lint_dangers(struct policy *policy)
{
    lint_written_code(policy);
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        lint_pointless(policy, (enum arch)arch);
}
