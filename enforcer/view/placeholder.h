// Placeholders: what stands on the host where a denied path does not exist, so that a mount can lie over it and nobody
// can make it.
//
// A placeholder is a small file that says what it is, with the folders that had to be made above it. It goes when the
// last sandbox that needs it has ended, also when sbxrun was killed: a process of its own waits for that. Where even
// that was killed, the next run finds the placeholder by what is in it, and removes it in its turn. Several runs share
// one: each holds a shared lock on it (flock(2)).
#pragma once

#include <sys/types.h>

#include "enforcer/view/view.h"

struct placeholders {
    pid_t keeper; // makes and removes them; 0: there are none
    int socket;   // to it: it removes them when this has ended
};

#define PLACEHOLDERS_NONE ((struct placeholders){.socket = -1})

// Has placeholders made for the places of a view that are kept apart from a host folder and don't exist there, and
// marks them (place->held). A process of its own does both, so that nothing is left when this one dies in between.
// Where the caller may make nothing, the place is left for view_open to refuse. Returns 0, or -1 and the failure.
int placeholders_make(struct placeholders *, struct view *, struct failure *);

// Says which process the sandbox dies with (a pidfd): they stay until it is dead. Returns 0, or -1 and the failure.
int placeholders_keep(const struct placeholders *, int sandbox, struct failure *);

void placeholders_remove(struct placeholders *); // lets go, and waits until they are gone
