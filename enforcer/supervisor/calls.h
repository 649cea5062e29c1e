// Calls that the command's filter hands to the supervisor: a source in its loop, and who answers them.
//
// Some are the broker's (compiler/meaning/broker.h). The others are those that the filter denies: so that they can be
// told, it is loaded with "ask the supervisor" in the place of each errno, and the supervisor runs the plan's own
// filter on what the kernel says of the call (its number and arguments, which nobody can change any more), answers as
// that does, and notes it; or makes it with less (lesser.h). What the filter allows never comes here, but for sysinfo
// and sockets of netlink under a limit of memory (sized.h, routes.h). What it denies stays denied whatever becomes of
// the supervisor. Denials with ENOSYS are not asked about: a C library then uses another call, and does so often.
//
// With `explain_files` calls that name files come here too, are compared with what the plan shows, and go on: mounts
// and Landlock keep the files, and the filter allowed the call, by what it sees of it. No other call is let through.
#pragma once

#include "compiler/meaning/policy.h"
#include "enforcer/host/identity.h"
#include "enforcer/supervisor/events.h"
#include "enforcer/supervisor/notified.h"
#include "enforcer/supervisor/supervise.h"

struct call_settings {
    const struct plan *plan;
    const struct identity *identity;
    struct policy *policy;                      // that the plan was made of, and says which rule denied a call; or NULL
    struct policy *(*recompile)(void *context); // makes it when there is something to tell; NULL, also of what it
    void *recompile_context;                    // returns: there is none
    struct events *events;
    bool counts_routes; // sockets of netlink are few (routes.h)
    bool explain_files; // also which files: each call that names some is then looked at
    char *const *argv;  // of the command's own exec
};

struct call_maker {                                     // who makes calls that the policy allows in the command's place
    void *self;                                         // NULL: nobody
    int (*add)(struct supervisor *, void *self);        // its sources, paced (loop.h); 0, or -1 and errno
    void (*take_root)(void *self, int *fds, int count); // what was handed over: its own from here on
    void (*make)(void *self, struct notified *);        // one call; it may be answered later
    void (*free)(void *self);
};

// The filter to load so that denials are told. Its code is the plan's arena's. NULL: they can't be: it denies what
// starting a command takes, or is too long with the question about files.
const struct bpf_program *calls_asking(const struct call_settings *);

struct calls;

// `handover`: a socket (handover.h). The settings outlive it; the maker is its own. NULL and the failure.
struct calls *calls_new(const struct call_settings *, const struct call_maker *, int handover, struct failure *);
int calls_add(struct supervisor *, struct calls *); // with the maker's sources; 0, or -1 and errno
void calls_free(struct calls *);
