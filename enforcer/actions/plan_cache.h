// Plans of policies that were compiled before, so that the next run need not: compiling takes a fifth of a short run.
//
// An entry is found by a hash of how sbxrun was called (which program this is, which policy of which file, -I). It
// holds the hash of every file that the compiler read, what it looked for and did not find, and the plan. It is used
// when all of that is so still, and when its seal is whole (enforcer/host/seal.h): without a keyring nothing is cached.
// Nor is a policy with -D, whose values are nobody's to find in a file.
#pragma once

#include "compiler/front/driver.h"
#include "compiler/plan/plan.h"

struct plan_cache { // of one call
    struct arena *arena;
    const char *policy; // the file, as it was given
    int folder;         // -1: nothing is cached
    char key[65];       // hexadecimal
};

// Begins. End it.
void plan_cache_begin(struct plan_cache *, struct arena *, const char *policy, const struct driver_options *);
void plan_cache_end(struct plan_cache *);

// The plan, and its text (JSON). NULL: it is to be compiled; where nothing can be sealed the cache ends with that.
struct plan *plan_cache_find(struct plan_cache *, struct str *text);

// Keeps a plan (with the filters of all architectures) that was compiled without errors, in place of what was known
// before. What can't be kept is compiled again: nobody is told.
void plan_cache_keep(const struct plan_cache *, const struct compilation *, const struct plan *);
