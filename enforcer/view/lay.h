// Files and folders of ours, laid into memory while the view is built.
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "enforcer/view/view.h"

enum { LAID_FOLDER = 0755 }; // the mode of folders of ours

// What was made in a folder is not to be seen in its time: it has that of before again, and so has what was made.
void lay_unseen(int folder, const char *name, const struct stat *before);

// A new file of memory with that in it. 0, or -1 and errno. It is closed: nobody may be writing when all is sealed.
int lay_file(int folder, const char *name, mode_t mode, const char *data, size_t length);

// A new file or folder of memory: what is made at that place, which is opened then (`tree`). 0, or -1 and errno.
int lay_made(int folder, const char *name, struct view_place *);

// Makes the folders above the last component of `path` (relative to `root`), `unseen` or not, and opens the lowest.
// O_PATH, the caller's; -1 and errno. `*name` is the last component.
int lay_parents(int root, const char *path, bool unseen, const char **name);
