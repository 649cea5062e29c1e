// Calls that the command's filter hands to the supervisor: a source in its loop, and who answers them.
//
// Some are the broker's (compiler/code/broker.h). The others are those that the filter denies: so that they can be
// told, it is loaded with "ask the supervisor" in the place of each errno, and the supervisor runs the plan's own
// filter on what the kernel says of the call (its number and arguments, which nobody can change any more), answers as
// that does, and notes it. What the filter allows never comes here. What it denies stays denied whatever becomes of the
// supervisor. Denials with ENOSYS are not asked about: a C library then uses another call, and does so often.
//
// With `explain_files` calls that name files come here too, are compared with what the plan shows, and go on: mounts
// and Landlock keep the files, and the filter allowed the call, by what it sees of it. No other call is let through.
#pragma once

#include "enforcer/network/broker.h"
#include "enforcer/drivers/run.h"

enum { HANDED_LISTENER, HANDED_ROOT }; // over the handover: the filter's listener; what broker_take_root takes

// The filter to load so that denials are told. Its code is the plan's arena's. NULL: they can't be: it denies what
// starting a command takes, or is too long with the question about files.
const struct bpf_program *calls_asking(const struct run *);

struct calls;

// `handover`: a socket (handover.h). `broker`: NULL: no call is one's. NULL and the failure.
struct calls *calls_new(const struct run *, struct broker *, int handover, struct failure *);
int calls_add(struct supervisor *, void *calls); // with the broker's sources; 0, or -1 and errno
void calls_free(struct calls *);
