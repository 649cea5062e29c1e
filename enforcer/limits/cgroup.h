// The sandbox's own control groups: limits on all its processes together, and what they used.
//
// A group is made beneath the caller's own, in whichever hierarchy has the controller: cgroup v2
// (Documentation/admin-guide/ cgroup-v2.rst) or, where a host still has it there, v1 (cgroup-v1/). It is named after
// sbxrun's process and locked while that lives, so that a later run can tell an abandoned group and remove it.
#pragma once

#include <sys/types.h>

#include "enforcer/host/failure.h"

enum { CONTROLLER_MEMORY, CONTROLLER_CPU, CONTROLLER_PIDS, CONTROLLER_IO, CONTROLLER_ACCOUNT, CONTROLLER_COUNT };

struct cgroup_group {
    int folder; // -1 when not made
    bool v2;
    char path[512];
};

struct cgroup {
    struct cgroup_group groups[CONTROLLER_COUNT]; // of one v2 hierarchy the first stands for all
    int first[CONTROLLER_COUNT];                  // which of them has the controller; -1: none
    int events;                                   // tells when memory ran out; -1: nothing does
    bool events_is_file; // v2's memory.events, whose changes are priority data; else v1's eventfd
};

struct cgroup_usage {
    bool memory_known, swap_peak_known, pids_known, pids_peak_known, cpu_known;
    uint64_t peak_bytes, oom_kills, swap_refused, swap_peak, pids_refused, pids_peak, cpu_us,
        throttled; // throttled: how often it had to wait for its next share of `cpu`
};

#define CGROUP_NONE                                                                                                    \
    {                                                                                                                  \
        .groups = {{.folder = -1}, {.folder = -1}, {.folder = -1}, {.folder = -1}, {.folder = -1}},                    \
        .first = {-1, -1, -1, -1, -1}, .events = -1                                                                    \
    }

int cgroup_version(void); // that the caller may make memory groups in: 2, 1, or 0 for none

// True if this limit can be kept by a control group here.
bool cgroup_can(enum limit);

// Makes the groups that the limits in `wanted` (bits of enum limit) need, with their limits set. Returns 0, or -1 and
// the failure.
int cgroup_create(struct cgroup *, const struct plan *, unsigned wanted, struct failure *);

int cgroup_add(const struct cgroup *, pid_t, struct failure *);
void cgroup_read(const struct cgroup *, struct cgroup_usage *);
bool cgroup_io_bytes(const struct cgroup *,
                     uint64_t bytes[2]); // read from and written to disks, in all; false: nothing counts them
bool cgroup_cpu_time(const struct cgroup *,
                     uint64_t *microseconds); // that all its processes have used; false: nothing counts it
bool cgroup_swap_bytes(const struct cgroup *,
                       uint64_t *bytes); // swapped out at this moment; false: nothing counts them

// A group without controllers beneath the caller's own in the unified hierarchy, for programs that guard what is made
// in it (net_guard.h). *own is the caller's group, a folder that it owns from here on. 0, or -1 and the failure.
bool cgroup_has_unified(void); // and the caller may make groups there
int cgroup_make_plain(struct cgroup_group *, int *own, struct failure *);
int cgroup_join(int folder, pid_t);              // a process, 0 for this one; 0, or -errno
void cgroup_remove_group(struct cgroup_group *); // once its processes are gone; idempotent

void cgroup_remove(struct cgroup *); // once its processes are dead; idempotent
