// What a target can't say, so that what is made for it is wider than the policy there: a line for each, with its rule.
#pragma once

#include "compiler/plan/plan.h"

void emit_wider(struct text *out, const char *indent, const struct plan *, uint32_t rule, // or NO_RULE
                const char *what);
