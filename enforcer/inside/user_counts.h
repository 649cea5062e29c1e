// What the kernel counts for each user, in all namespaces together: watches of files, and namespaces (namespaces(7),
// inotify(7), fanotify(7)). A sandbox is counted to the user who runs it, so it could leave him none. Its own user
// namespace has limits of its own (user_namespaces(7): /proc/sys/user): half of what the caller may have.
#pragma once

#include "enforcer/host/failure.h"

enum { USER_COUNTS = 12 };

struct user_counts {
    uint64_t most[USER_COUNTS]; // UINT64_MAX: it stays as it is
};

// The supervisor's part: what the caller may have of those that the plan's filter lets be used.
void user_counts_read(struct user_counts *, const struct plan *);

// In the sandbox's user namespace, where the host's /proc is still seen. What can't be set stays as it is.
void user_counts_apply(const struct user_counts *);
