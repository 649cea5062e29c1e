// Placeholders: what stands on the host where a denied path does not exist, so that a mount can lie over it and nobody
// can make it.
//
// A placeholder is a small file that says what it is, with the folders that had to be made above it. It goes when the
// last sandbox that needs it has ended, whatever was done to the modes of the folders around it. Two processes can
// remove it: the keeper, which waits for sbxrun and the sandbox to end, and sbxrun, should the keeper be killed; the
// sandbox then is killed too. Where both were, the next run finds the placeholder by what is in it, and removes it in
// its turn; of the folders above it those that its seal (seal.h) is of, since anybody can write such a file.
//
// Several runs may share one. Who needs it, and who makes or removes one at the moment, is told by names of abstract
// sockets: they go with the process that has them, and no sandbox is in the network where they are.
#pragma once

#include <sys/types.h>

#include "enforcer/view/view.h"

struct kept_place;

struct placeholders {
    pid_t keeper;            // makes and removes them; 0: there are none
    int socket, ended;       // to it: it removes them when this has ended; a pidfd
    struct kept_place *list; // where both see it
    size_t count;
    const struct view *view;
};

#define PLACEHOLDERS_NONE ((struct placeholders){.socket = -1, .ended = -1})

// Has placeholders made for the places of a view that are kept apart from a host folder and don't exist there, and
// marks them (place->held). A process of its own does both, so that nothing is left when this one dies in between.
// Where the caller may make nothing, the place is left for view_open to refuse. Returns 0, or -1 and the failure.
int placeholders_make(struct placeholders *, struct view *, struct failure *);

// Says which process the sandbox dies with (a pidfd): they stay until it is dead. Returns 0, or -1 and the failure.
int placeholders_keep(const struct placeholders *, int sandbox, struct failure *);

// Lets go, and waits until they are gone. What can't be removed is told there.
void placeholders_remove(struct placeholders *, FILE *);
