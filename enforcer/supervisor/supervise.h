// The supervisor: one process, one epoll loop, until the sandbox has ended. Nothing polls.
//
// Whatever has to be watched for is a source in that loop: a descriptor, the events it waits for, and a function. One
// of them may be prompt: the loop waits for it beside the others, not through epoll, for a caller that the kernel wants
// answered on its own processor (seccomp_unotify(2), SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP). Epoll forgets that on the
// way, and a call then costs two wake-ups of another processor.
#pragma once

#include <signal.h>
#include <sys/epoll.h>

#include "enforcer/limits/limits.h"

enum ended {
    ENDED_NOT_SET_UP,   // the command never ran; the failure says why
    ENDED_NOT_EXECUTED, // `value` is the errno of execve
    ENDED_EXITED,       // `value` is its status
    ENDED_SIGNALED,     // `value` is the signal
    ENDED_LIFETIME,
    ENDED_MEMORY,
    ENDED_OUTPUT, // the supervisor ended it for that limit
};

struct supervisor {
    int (*pass_on)(int init, int signal, bool group); // as in `watched`
    int loop, init;                                   // epoll; a pidfd of the sandbox's first process
    bool over;                                        // the sandbox's processes are dead
    enum ended reason;                                // why the supervisor killed it; ENDED_EXITED while it did not
    size_t streams_open;                              // outputs not yet drained
    struct watch *prompt;                             // waited for directly; NULL: none
};

struct watch {
    int fd; // owned by whoever adds it
    void (*ready)(struct supervisor *, struct watch *, uint32_t events);
    void *context; // of `ready`
};

int supervisor_add(struct supervisor *, struct watch *, uint32_t events);
void supervisor_kill(struct supervisor *, enum ended reason);

struct watched {
    int init; // pidfd
    const struct bounds *bounds;
    int memory_events;                                // cgroup.h; -1
    bool memory_is_file;                              // memory.events of cgroup v2, else an eventfd
    uint64_t *output_left;                            // how much the command may still write
    int streams[2];                                   // read ends of the command's output, or -1; supervise closes them
    const sigset_t *signals;                          // blocked; passed on to the command
    int (*pass_on)(int init, int signal, bool group); // a signal: to the command, or its group
    int (*begin)(struct supervisor *, void *context); // adds more sources: 0, or -1 and errno
    void *context;
};

// Runs the loop. Returns why it ended, as far as the supervisor had to do with it (else ENDED_EXITED), or -1 and the
// failure.
int supervise(const struct watched *, enum ended *reason, struct failure *);
