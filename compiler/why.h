// `sbxc --why`: what a policy says about one operation or a set of them, and which rules say it.
#pragma once

#include "compiler/policy.h"

// Writes the answer to `out`. False when the question could not be understood; diagnostics say why.
bool policy_why(struct policy *, const char *question, struct text *out);
