// Lowering: from a policy to a plan.
#pragma once

#include "compiler/plan/plan.h"
#include "compiler/meaning/policy.h"

// `architectures` are those whose filters are made; a plan to be written needs all of them. NULL when a filter would be
// too long for the kernel (a diagnostic says so).
struct plan *policy_lower(struct policy *, unsigned architectures);
