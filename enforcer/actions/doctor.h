// `sbxrun --doctor`: what this machine offers, what that means, and what fixes each gap.
//
// Each line is found by trying, in a process of its own that leaves nothing: namespaces are made, a filter with a
// listener is loaded, /proc is mounted. Where something is missing, a setting that is known to forbid it is named with
// the command that changes it.
#pragma once

#include <stdio.h>

#include "enforcer/drivers/run.h"

// Prints what there is. False if no policy at all can run here.
bool doctor_host(FILE *);

// What came of a policy that was claimed and set up here for a trial: what refused it (in the failure), or what it goes
// without. `plan`: NULL when it is only some policy. False if it was refused.
bool doctor_policy(FILE *, const struct plan *, const struct run *, const struct failure *);
