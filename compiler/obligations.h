// Obligations: what a policy promises about itself. `never`, `within`, `expect`, and allows that change nothing.
//
// All are questions about sets of operations, answered exactly, with a concrete operation where the answer is no.
#pragma once

#include "compiler/policy.h"

// Checks every obligation of a policy; failures become diagnostics. False when one failed. Expectations are the policy's tests, and
// checked only when asked for.
bool policy_check(struct policy *, bool expectations);

// Looks in the set that `rule` stands for (its exceptions taken out) for an operation that the policy allows, or one that it denies.
// 1: found, in *point; 0: there is none; -1: undecided (entangled conditions).
int operation_find(struct policy *, const struct rule *set, bool allowed, struct operation_point *point);

// The operation in the language's own words.
struct str operation_text(struct policy *, const struct operation_point *);
