// What the kernel keeps no peak of, looked at ten times a second while the command runs, where the policy limits it: so
// the most that was seen.
#pragma once

#include "compiler/plan/plan.h"
#include "enforcer/limits/cgroup.h"
#include "enforcer/supervisor/supervise.h"

enum sample {
    SAMPLE_OPEN_FILES, // of one process; like the next, of the first 256 processes
    SAMPLE_FILE_SIZE,  // bytes: how far into a file somebody has written
    SAMPLE_IO,         // bytes a second from and to disks, whichever is more
    SAMPLE_SWAP,       // bytes
    SAMPLE_PIDS,       // of the first 256 processes, with their threads
    SAMPLES,
};

struct samples {
    struct watch timer; // fd -1: nothing is to be looked at
    const struct cgroup *cgroup;
    int init;            // the number of the sandbox's first process
    bool looks[SAMPLES]; // what is looked at
    bool known[SAMPLES]; // it could be
    uint64_t peaks[SAMPLES];
    uint64_t file_size;    // the limit
    uint64_t bytes[2], at; // of the last look at disks: read, written; monotonic nanoseconds
};

#define SAMPLES_NONE                                                                                                   \
    {                                                                                                                  \
        .timer = {.fd = -1 }                                                                                           \
    }

// `bounds`: what keeps the plan's limits. Without a timer nothing is looked at, and nothing known.
void samples_begin(struct samples *, const struct plan *, const struct bounds *, const struct cgroup *, int init);
void samples_end(struct samples *); // looks once more, at what its control group has counted
void samples_tell(const struct samples *, const struct plan *, struct limit_use uses[LIMIT_COUNT]);
