// A run from end to end: what it is made of, and what is said and written when it has ended.
#pragma once

#include "enforcer/actions/actions.h"

struct live;

// A plan's, in its arena. `cached`: where the plan is the cache's; else NULL.
struct run *run_new(struct plan *, struct policy *, struct cached *, const struct options *, uint64_t started);

// Claims a plan, runs it by what the driver has begun (NULL: only claims it), and tells what came of it. `live`: what
// is tried in place of a command, or NULL. Returns sbxrun's status.
int run_plan(struct plan *, struct policy *, struct cached *, const struct live *, const struct options *,
             struct native *begun, uint64_t started);

// `sbxrun POLICY -- COMMAND`, --dry-run and --live: the same for the plan that the options mean, from the cache where
// it is there. `shared` is the compilation's arena, which both sides see.
int run_policy(struct compilation *, struct arena *shared, const struct options *, uint64_t started);
