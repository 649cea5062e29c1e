// What the kernel keeps no peak of, looked at ten times a second while the command runs, where the policy limits it: so the most that was seen.
#pragma once

#include "compiler/plan.h"
#include "enforcer/cgroup.h"
#include "enforcer/supervise.h"

struct samples {
    struct watch timer; // fd -1: nothing is to be looked at
    const struct cgroup *cgroup;
    int init;                     // the number of the sandbox's first process
    bool files, io;               // what is looked at; files of the first 256 processes, or it would take the supervisor's time
    bool files_known, io_known;   // it could be
    uint64_t files_peak, io_peak; // open files of one process; bytes a second from and to disks, whichever is more
    uint64_t bytes[2], at;        // of the last look: read, written; monotonic nanoseconds
};

#define SAMPLES_NONE {.timer = {.fd = -1}}

// `kept`: the limits that are (bits). Without a timer nothing is looked at, and nothing known.
void samples_begin(struct samples *, unsigned kept, const struct cgroup *, int init);
void samples_end(struct samples *); // looks once more, at what its control group has counted
