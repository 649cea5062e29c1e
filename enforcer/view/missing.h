// What a plan takes from the host and the host has not, all of it: a person wants to mend it at once.
#pragma once

#include "enforcer/host/failure.h"
#include "enforcer/view/bases.h"

// Where a run was refused for want of such a thing, says each of the others, with its rule. It looks as the caller.
void missing_tell(FILE *, const struct plan *, const struct view_bases *, const struct failure *refused);
