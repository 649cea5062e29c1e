// Files and folders of ours, laid into memory while the view is built.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "enforcer/view/view.h"

// A new file of memory with that in it. 0, or -1 and errno. It is closed: nobody may be writing when all is sealed.
int lay_file(int folder, const char *name, mode_t mode, const char *data, size_t length);

// A new file or folder of memory: what is made at that place, which is opened then (`tree`). 0, or -1 and errno.
int lay_made(int folder, const char *name, struct view_place *);

// Makes the folders above the last component of `path` (relative to `root`) and opens the lowest. O_PATH, the caller's;
// -1 and errno. `*name` is the last component.
int lay_parents(int root, const char *path, const char **name);
