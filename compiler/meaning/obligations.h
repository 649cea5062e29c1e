// Obligations: what a policy promises about itself. `never`, `within`, `expect`; and the lints.
//
// All are questions about sets of operations, answered exactly, with a concrete operation where the answer is no.
#pragma once

#include "compiler/meaning/policy.h"

// Checks every obligation of a policy; failures become diagnostics. False when one failed. Expectations are the
// policy's tests, and checked only when asked for.
bool policy_check(struct policy *, bool expectations);
