// sysinfo(2) under a limit of memory: what the limits leave of the machine, and no load. A C library answers
// sysconf(_SC_PHYS_PAGES) by it, and virtual machines choose the size of their heap. Where nobody answers calls, it
// says what the host has.
#pragma once

#include "compiler/code/cbpf.h"
#include "compiler/plan/plan.h"
#include "enforcer/supervisor/notified.h"

// True if it is to be asked about: it is allowed, and there is a limit.
bool sized_asks(const struct plan *);

// True if the call is that one.
bool sized_is(const struct plan *, const struct notified *);

// Answers it.
void sized_answer(const struct plan *, const struct notified *);
