// The limit of processor time, of all processes of a sandbox together: looked at when it could be reached at the
// earliest, if all processors worked for it.
//
// A control group counts it, where there is one: then it is kept to a few milliseconds of each processor. Else it is
// the sum over the processes that live and those that somebody waited for, in ticks of a hundredth of a second, looked
// at fifty times a second at most. What is not seen then: a process that nobody waits for (its parent ignores SIGCHLD),
// after it was last looked at.
#pragma once

#include "enforcer/limits/cgroup.h"
#include "enforcer/supervisor/loop.h"

struct cpu_time {
    struct watch timer; // fd -1: there is no such limit
    const struct cgroup *cgroup;
    int init;                   // the number of the sandbox's first process
    uint64_t limit, used;       // microseconds
    uint64_t before, sum, lost; // what the group had used; the last sum of processes, and what sums have lost
    uint64_t at;                // of the last look; monotonic nanoseconds
    unsigned processors;
};

#define CPU_TIME_NONE                                                                                                  \
    {                                                                                                                  \
        .timer = {.fd = -1 }                                                                                           \
    }

// Before the sandbox is told to start. `limit`: in milliseconds; 0: none. 0, or -1 and errno.
int cpu_time_begin(struct cpu_time *, uint64_t limit, const struct cgroup *, int init);
void cpu_time_end(struct cpu_time *);
