// Where relative host paths of a plan start.
#pragma once

#include "compiler/plan/plan.h"

struct view_bases { // absolute paths on the host
    const char *policy, *cwd, *home;
};

// Where a host path of a plan is; in the arena. NULL where its base is not known.
const char *view_host_path(struct arena *, enum plan_base, struct str path, const struct view_bases *);

const char *view_base_lacks(enum plan_base); // why there is none, for people
