// Starting the inside: its first process, in a user and a pid namespace of its own.
#pragma once

#include "enforcer/inside/sandbox.h"

// Starts it, and for root (whose files are opened on this side, so that they can be presented by idmapped mounts) with
// the view; an ordinary user's may start before there is a plan. It waits for a byte at `lifeline[1]`. Returns its pid,
// with *init its pidfd, which the caller owns; or -1 and the failure, where *pid may still be one to be killed.
int sandbox_start(struct sandbox *, const int lifeline[2], pid_t *pid, int *init, struct failure *);
