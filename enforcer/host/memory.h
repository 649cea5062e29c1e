// What the limits of a plan leave of the host's memory.
#pragma once

#include "compiler/plan/plan.h"

struct memory {           // bytes
    uint64_t total, free; // free: what the host has available, in steps, and no more than the limit
    uint64_t swap;
};

// 0, or -1 and errno.
int memory_within(const struct plan *, struct memory *);
