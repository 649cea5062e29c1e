// What is written into the files that tell a program about its sandbox: a function for each row of
// lang/data/sandbox.def, make_NAME.
#pragma once

#include <sched.h>

#include "compiler/plan/plan.h"
#include "enforcer/host/identity.h"

struct making {
    const struct plan *plan;
    const struct identity *identity;
    const cpu_set_t *processors; // that the command may run on
};

enum { MADE = 0, MADE_FAILED = -1, MADE_NOTHING = 1 }; // the second with errno; the third: this host has no such thing

#define SANDBOX_FILE(name, says) int make_##name(struct text *, const struct making *);
#include "lang/data/sandbox.def"
#undef SANDBOX_FILE
