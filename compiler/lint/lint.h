// Lints: rules that mean something, but hardly what their author thinks. Each rests on a question about sets that was
// answered exactly.
#pragma once

#include "compiler/meaning/policy.h"

bool lint_effects(
    struct policy *); // allows under a condition that changes nothing, which are errors; false when there is one

// The warnings. What a policy `use`s is not its author's, so only the policy's own rules are judged, beside everything
// it uses. A comment on the rule's lines or right above allows a finding: `# allow SBX0715: it compiles and tests
// there`.
void lint_policy(struct policy *);

// The parts of lint_policy.
void lint_command(struct policy *); // can't execute its own command
void lint_allows(struct policy *);  // allows that others make needless, or that a deny takes back
void lint_denies(struct policy *);  // denies of what nothing allows
void lint_pairs(struct policy *);   // two rules that can be one
void lint_dangers(struct policy *); // writable and executable places; calls that make other rules pointless

// lint_comment.c
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
