// Files that are made for a run: what the policy says (`from text`), and what tells a program about the sandbox that it
// is in (`from sandbox`, lang/data/sandbox.def).
#pragma once

#include <sched.h>

#include "enforcer/host/identity.h"
#include "enforcer/view/view.h"

// Gives each place of such content its text, in the arena: everything that allocates happens here. `processors` are
// those that the command may run on. Returns 0, or -1 and the failure.
int made_prepare(struct view *, const struct identity *, const cpu_set_t *processors, struct failure *);
