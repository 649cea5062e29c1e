// Findings that a comment of the policy allows: `# allow SBX0715: it compiles and tests there`.
#pragma once

#include "compiler/meaning/policy.h"

// Raises a warning about a rule, with a place for labels; NULL when a comment allows it. The arguments are the title's.
#define lint_finding(policy, code, span, ...)                                                                          \
    (lint_is_allowed(policy, code, span) ? NULL                                                                        \
                                         : diagnose(&(policy)->compilation->diagnostics, code, span, ##__VA_ARGS__))
bool lint_is_allowed(struct policy *, enum code, struct span);
void lint_comments(struct policy *); // comments that allow nothing, since they lack a reason or name no finding

struct allowed_finding { // what a comment of the policy's file allows, and its reason
    const char *code;
    struct str reason;
    struct span span;
    struct allowed_finding *next;
};
struct allowed_finding *lint_allowed(struct policy *); // in their order; NULL when there is none
