// Which files are the sandbox's own: those in file systems that are made for the run, which nothing of the host is in.
#pragma once

#include <stdbool.h>

#include "compiler/plan/plan.h"

struct own_files;

// Inside, when the view is made and nothing else runs there: looks at the places of the plan's memory and overlays by
// the mounts that were made for them, which `made` opens (-1: none was). Allocates nothing. The end of a pipe to hand
// over; -1 and errno.
int own_files_tell(const struct plan *, int (*made)(const void *context, size_t place), const void *context);

// What was told at that end. The caller frees it. NULL: there is no memory.
struct own_files *own_files_hear(int pipe);

// Does what this descriptor leads to lie in one of them? Also false where the kernel does not say.
bool own_files_hold(const struct own_files *, int fd);
