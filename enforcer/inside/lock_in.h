// The lock-in: what every process of the command's is put under, for good.
#pragma once

#include "enforcer/inside/sandbox.h"

// Puts this process where the command will be: limits, identity, no new privileges, Landlock, and last, if asked for,
// the filter of system calls. `ruleset`: landlock.h, or -1. Returns 0, or -1 and the failure.
int sandbox_lock_in(struct sandbox *, int ruleset, bool filter, struct failure *);
