// What differs in files: which verbs are allowed where, and where the content comes from.
#pragma once

#include "compiler/diff/comparing.h"
#include "compiler/plan/plan.h"

// The plans are those of the two policies.
void compare_files(struct comparing *, const struct plan *before, const struct plan *after);
