// What differs in a run's overlays from what lies beneath them (the host's folder, layers over it): the walk through
// it, for whoever tells it (changes.h) or keeps it (enforcer/helpers/layer.h).
//
// Init sends the folder in which each overlay keeps what differs, with what it differs from, and nobody can write there
// any more when it is read: the sandbox is dead.
#pragma once

#include <sys/stat.h>

#include "enforcer/view/view.h"

enum differs {
    DIFFERS_CREATED,
    DIFFERS_MODIFIED,
    DIFFERS_DELETED,
    DIFFERS_REPLACED, // it is gone, and something of another kind is created in its place, which comes next
    DIFFERS_PASSED,   // a folder that has what differs in it, before that; itself it is as it was but for its time
    DIFFERS_UNLISTED, // what is there, or beneath it, can't be told: `why`
};

struct difference {
    enum differs what;
    size_t place;              // of the view: the overlay
    struct str path;           // in the view; bytes
    const struct stat *status; // of what is there now; of what is gone, of what was there; unlisted: its type alone;
                               // passed: that, its mode and its time
    int folder;                // where it lies now, but for what is gone and what is passed
    const char *name;          // in it
    bool opaque;               // a folder that hides one that was there
    const char *why;
};

// Returns false to end the walk.
typedef bool differs_visit(const struct difference *, void *context);

struct uppers { // what overlays kept, by the places of the view
    struct upper {
        size_t place;
        int folder, below; // what differs, and from what
    } *list;
    size_t count;
};

// Sends the sides of the overlays of a view that was built over a socket of packets. Between clone and exec. Returns 0,
// or -1 and the failure.
int differs_send(const struct view *, int socket, struct failure *);

// Receives them, into the plan's arena. When no message waits, or the view was never laid out, there are none.
void differs_take(struct uppers *, const struct view *, int socket);
void differs_release(struct uppers *);

// Tells each difference once, depth first and in the order of the names' bytes, in memory that does not grow with them.
// False: the visitor ended it.
bool differs_walk(const struct view *, const struct uppers *, differs_visit *, void *context);
