// Guards: what stands on the host where a denied path does not exist, so that a mount can lie over it and nobody can make it.
//
// A guard is a small file that says what it is, with the folders that had to be made above it. It goes when the last sandbox that needs it has
// ended, also when sbxrun was killed: a process of its own waits for that. Where even that was killed, the next run finds the guard by what
// is in it, and removes it in its turn. Several runs share one: each holds a shared lock on it (flock(2)).
#pragma once

#include <sys/types.h>

#include "enforcer/view.h"

struct guard {
    int parent, file; // the folder that it lies in, O_PATH; itself, locked
    const char *name; // in that folder
    int base;         // the folder on the host that the place's content is from, O_PATH
    const char *path; // from there
    unsigned folders; // how many of the folders above it go with it, when they are empty
};

struct guards {
    struct guard *list;
    size_t count;
    pid_t keeper; // removes them; 0: not started
    int lifeline; // it waits for the end of this
};

#define GUARDS_NONE ((struct guards){.lifeline = -1})

// Makes guards for the places of a view that are kept apart from a host folder and don't exist there, and marks them (place->guarded).
// Where the caller may make nothing, the place is left for view_open to refuse. Returns 0, or -1 and the failure; what was made stays in the list.
int guards_make(struct guards *, struct view *, struct failure *);

// Starts the process that removes them when this one has ended or lets go, and not before the process behind `sandbox` (a pidfd) is dead.
int guards_keep(struct guards *, int sandbox, struct failure *);

void guards_remove(struct guards *); // lets go, and waits until they are gone
