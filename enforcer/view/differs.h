// What differs in a run's overlays from what lies beneath them: the walk through it, for whoever tells it (changes.h)
// or keeps it (enforcer/helpers/layer.h).
//
// Init sends the folder in which each overlay keeps what differs, and nobody can write there any more when it is read:
// the sandbox is dead.
#pragma once

#include <sys/stat.h>

#include "enforcer/view/view.h"

enum differs {
    DIFFERS_CREATED,
    DIFFERS_MODIFIED,
    DIFFERS_DELETED,
    DIFFERS_REPLACED, // it is gone, and something of another kind is created in its place, which comes next
    DIFFERS_UNLISTED, // what is there, or beneath it, can't be told: `why`
};

struct difference {
    enum differs what;
    size_t place;              // of the view: the overlay
    struct str path;           // in the view; bytes
    const struct stat *status; // of what is there now; of what is gone, of what was there; unlisted: its type alone
    int folder;                // where it lies now, but for what is gone
    const char *name;          // in it
    bool opaque;               // a folder that hides a folder of the host
    const char *why;
};

// Returns false to end the walk.
typedef bool differs_visit(const struct difference *, void *context);

struct uppers { // what overlays kept, by the places of the view
    struct upper {
        size_t place;
        int folder;
    } *list;
    size_t count;
};

// Sends the upper folders of a view that was built over a socket of packets. Between clone and exec. Returns 0, or -1
// and the failure.
int differs_send(const struct view *, int socket, struct failure *);

// Receives them, into the plan's arena. When no message waits, or the view was never laid out, there are none.
void differs_take(struct uppers *, const struct view *, int socket);
void differs_release(struct uppers *);

// Tells each difference once, depth first and in the order of the names' bytes, in memory that does not grow with them.
// False: the visitor ended it.
bool differs_walk(const struct view *, const struct uppers *, differs_visit *, void *context);
