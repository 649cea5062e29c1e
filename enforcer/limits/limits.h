// Limits: what keeps each one.
#pragma once

#include <sched.h>
#include <sys/resource.h>

#include "enforcer/host/failure.h"

struct bounds {      // what the limits of a plan come to on this host
    unsigned kept;   // bits of enum limit: those that something keeps
    unsigned cgroup; // of them, those that control groups keep
    struct {
        int resource; // getrlimit(2)
        rlim_t value;
    } rlimits[8];
    size_t rlimit_count;
    struct rlimit caller_files;  // of open files, as sbxrun was started with
    bool cores_piped;            // the host gives core dumps to a program
    bool cores_unknown;          // nobody says where they go: then nothing is run
    uint64_t lifetime, cpu_time; // milliseconds; 0: none
    bool has_output;
    uint64_t output; // bytes
};

struct limit_use { // of each limit that the policy states
    bool peak_known, reached_known;
    uint64_t peak, reached; // in its unit; how often it stopped something
};

// What the caller and the host have set; first of all. Returns 0, or -1 and the failure.
int bounds_begin(struct bounds *, struct failure *);

// What keeps a limit, for people: "control group", "RLIMIT_FSIZE"; NULL when nothing does.
const char *limit_keeper(const struct bounds *, enum limit);

// Adds one limit. False when nothing here can keep it.
bool bounds_add(struct bounds *, const struct plan *, enum limit);

// Takes processors away until there are as many as the limit of cpu, rounded up: programs ask which they may run on to
// size themselves (sched_getaffinity(2)). Those that stay follow the one that this process is on.
void bounds_processors(const struct plan *, cpu_set_t *);

// Sets the rlimits of this process; there are no core dumps from then on, as long as RLIMIT_CORE stays what it is
// (compiler/meaning/derive.c denies to change it). Between clone and exec. Returns 0, or -1 and the failure.
int bounds_apply(const struct bounds *, struct failure *);
