// Lints: a command that can't be executed, and the order of them all.
#include "compiler/lint/lint.h"

#include "compiler/code/cbpf.h"

// It can't execute its own command.
static void lint_command(struct policy *policy)
{
    if (!policy->command.set || !policy->command.count)
        return;
    struct str path = policy->command.list[0];
    struct operation_point exec = {.domain = DOMAIN_FILES, .verb = VERB_EXEC, .path = path};
    const char *problem = NULL;
    if (!path.length || path.text[0] != '/')
        return; // found in PATH when it is run
    if (!policy_verdict(policy, &exec).allowed)
        problem = "no rule allows to exec it";
    int execve = syscall_find(STR("execve"));
    for (int arch = 0; arch < ARCH_COUNT && !problem; arch++) {
        struct operation_point call = {.domain = DOMAIN_CALLS,
                                       .arch = (enum arch)arch,
                                       .number = (uint32_t)syscall_row((size_t)execve)->number[arch]};
        if (!policy_verdict(policy, &call).allowed)
            problem = "no rule allows the system call execve";
    }
    if (!problem)
        return;
    struct diagnostic *d = lint_finding(policy, SBX0705, policy->command.span);
    if (!d)
        return;
    diagnostic_label(&policy->compilation->diagnostics, d, policy->command.span, "%s", problem);
    diagnostic_help(&policy->compilation->diagnostics, d,
                    "`use std.base;` has the calls and the view that any program needs");
}

void lint_policy(struct policy *policy)
{
    lint_comments(policy);
    lint_command(policy);
    lint_settings(policy);
    lint_allows(policy);
    lint_denies(policy);
    lint_pairs(policy);
    lint_places(policy);
    lint_git(policy);
    lint_loopback(policy);
    lint_dangers(policy);
    lint_ranges(policy);
}
