// The supervisor's loop, for what is watched in it.
//
// Whatever has to be watched for is a source: a descriptor, the events it waits for, and a function. One of them may be
// prompt: the loop waits for it beside the others, not through epoll, for a caller that the kernel wants answered on
// its own processor (seccomp_unotify(2), SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP). Epoll forgets that on the way, and a call
// then costs two wake-ups of another processor.
//
// What the command can make sbxrun do is paced: a source of another epoll, which waits in the loop while there is time
// left for the command's calls (calls.c), and not where there is none.
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

enum ended {
    ENDED_NOT_SET_UP,   // the command never ran; the failure says why
    ENDED_NOT_EXECUTED, // `value` is the errno of execve
    ENDED_EXITED,       // `value` is its status
    ENDED_SIGNALED,     // `value` is the signal
    ENDED_LIFETIME,
    ENDED_MEMORY,
    ENDED_OUTPUT,
    ENDED_CPU_TIME, // the supervisor ended it for that limit
};

struct supervisor {
    int (*pass_on)(int init, int signal, bool group); // a signal: to the command, or its group
    int loop, init;                                   // epoll; a pidfd of the sandbox's first process
    int paced;                                        // epoll; the loop, where nothing bounds what calls cost
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

int supervisor_add(struct supervisor *, struct watch *, uint32_t events);  // 0, or -1 and errno
int supervisor_pace(struct supervisor *, struct watch *, uint32_t events); // a paced one
void supervisor_kill(struct supervisor *, enum ended reason);
