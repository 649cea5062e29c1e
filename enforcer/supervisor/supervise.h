// The supervisor: one process, one epoll loop (loop.h), until the sandbox has ended. Nothing polls.
#pragma once

#include "enforcer/limits/limits.h"
#include "enforcer/supervisor/loop.h"

struct watched {
    int init; // pidfd
    const struct bounds *bounds;
    int memory_events;                                // cgroup.h; -1
    bool memory_is_file;                              // memory.events of cgroup v2, else an eventfd
    uint64_t *output_left;                            // how much the command may still write
    int streams[2];                                   // read ends of the command's output, or -1; supervise closes them
    int input;                                        // where the command reads what sbxrun does, likewise
    struct relay *terminal;                           // of the command's own; NULL: it has none
    const sigset_t *signals;                          // blocked; passed on to the command
    int (*pass_on)(int init, int signal, bool group); // a signal: to the command, or its group
    int (*begin)(struct supervisor *, void *context); // adds more sources: 0, or -1 and errno
    void *context;
};

// Runs the loop. Returns why it ended, as far as the supervisor had to do with it (else ENDED_EXITED), or -1 and the
// failure.
int supervise(const struct watched *, enum ended *reason, struct failure *);
