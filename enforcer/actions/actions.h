// What sbxrun is asked to do, and what its actions share.
#pragma once

#include "compiler/front/driver.h"
#include "enforcer/actions/plan_cache.h"
#include "enforcer/drivers/run.h"

// Where the command's own status does not say it.
enum { STATUS_LIFETIME = 124, STATUS_NOT_SET_UP = 125, STATUS_NOT_EXECUTED = 126, STATUS_NOT_FOUND = 127 };

struct driver { // what run.h says of native
    const char *name;
    struct native *(*begin)(struct arena *, bool early, bool changes, enum terminal_wish);
    void (*run)(struct native *, const struct run *, struct outcome *, struct failure *);
    void (*end)(struct native *);
};

struct options {
    struct driver_options compile;
    const struct driver *driver;
    const char *policy, *report, *changes, *keep, *events, *layers, *learn, *beside;
    const char *below[LAYERS_MOST]; // layers
    size_t below_count;
    bool strict, explain_files, dry_run, live, doctor, tighten, batch, no_cache;
    unsigned jobs;
    enum terminal_wish terminal;
    struct wished wished;
    struct handed handed; // what became of it
    char **command;       // NULL: the policy's own
};

extern const char too_little_space[]; // for cannot_start

int cannot_start(const char *why);    // says it; STATUS_NOT_SET_UP
int usage_error(const char *message); // the same, of the command line

// The plan that the options mean, of a policy or from a plan's file. `whole`: with the filters of all architectures, as
// a plan is written, and named by its hash. *made: the policy, which a file has none of. NULL, and it has said why.
struct plan *load_plan(struct compilation *, const struct options *, bool whole, struct policy **made);

struct cached { // what a plan from the cache was made of
    const struct options *options;
    struct plan_cache *cache;
    struct str text; // of the plan
    struct compilation *compilation;
};

// The policy, made anew. NULL when its files are others by now, which the command may have written: nothing is made of
// those.
struct policy *recompile(void *cached);
