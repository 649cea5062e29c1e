// Standard input, output and error: the only things of the caller's that a command is given as they are. What each may
// be is a list; a program could make its way out of the sandbox by anything else.
#pragma once

#include "enforcer/host/identity.h"

// 0, or -1 and the failure. `landlock`: it keeps what is open for reading from being opened again for writing.
int standard_check(const struct plan *, const struct identity *, bool landlock, struct failure *);
