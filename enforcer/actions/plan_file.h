// Plans that lie in files, and other files that are read whole.
#pragma once

#include "compiler/plan/plan.h"

bool plan_file_is(const char *path); // by its name; or on a descriptor (/dev/fd/N), as those who embed sbx give one

// Reads a plan. Its relative host paths start in `beside`; NULL: in its own folder. NULL, and it has said why.
struct plan *plan_file_load(struct arena *, const char *path, const char *beside);

// A regular file of at most 64 MiB, whole. *problem: what kept it from being read, or NULL; errno is ENOENT where there
// is none.
struct str file_read_whole(struct arena *, const char *path, const char **problem);
