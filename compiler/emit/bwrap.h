// A plan as a command line of bubblewrap (bwrap(1)), for bash: what it can't say first, then an option a line.
#pragma once

#include "compiler/plan/plan.h"

// With the filter of that architecture. False, and *why is the sentence why there is no such line.
bool emit_bwrap(struct text *out, const struct plan *, enum arch, struct str *why);
