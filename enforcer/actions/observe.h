// Observing: runs a command without a sandbox and records what it does, for learning (compiler/learn/learn.h).
//
// A filter hands the supervisor each call that names a file or a destination, and each that not every program may make;
// it looks at the arguments and lets the kernel go on. So nothing is kept from the command, and nothing here is a wall:
// what it is shown may change before the kernel looks.
#pragma once

#include "compiler/plan/plan.h"
#include "compiler/learn/seen.h"
#include "enforcer/host/failure.h"

// Runs argv and adds what it does to the record. `usual`: a plan of what every program may do, of whose calls only
// those with a condition are recorded. Returns the command's status as sbxrun gives it, or -1 and the failure: it was
// not run.
int observe(struct seen *, char *const *argv, const struct plan *usual, struct failure *);
