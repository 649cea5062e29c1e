// `sbxrun --doctor`: what this machine offers, what that means, and what fixes each gap.
//
// Each line is found by trying, in a process of its own that leaves nothing: namespaces are made, a filter with a
// listener is loaded, /proc is mounted. Where something is missing, a setting that is known to forbid it is named with
// the command that changes it.
#pragma once

#include "enforcer/actions/actions.h"

// What the machine offers, and what comes of a policy here: claimed, then set up for real around a look at its root and
// one call. Without a policy in the options, of some policy.
int examine(struct compilation *, struct arena *shared, struct options *, uint64_t started);
