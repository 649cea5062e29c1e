// Files that a person has named to be written.
//
// They may lie where a sandbox has written before, so nothing is ever written through what stands at the name: a new
// file is made beside it and takes its place, be that a file, a link of any kind or nothing. A terminal, a pipe or a
// device that stands there itself is opened; /dev/stdout, /dev/stderr, /dev/fd/N and /proc/self/fd/N are this process's
// descriptors, by their spelling. Folders on the way are the caller's to name.
#pragma once

#include <stdio.h>

#include "lang/arena.h"

// Opens a file for writing that is empty, and has its name from now on. Its mode is what the umask leaves of 0666, and
// no more than a file's had whose place it takes. Where a folder takes no new file, or the name is a mount, the regular
// file that is there is emptied instead. NULL and errno.
FILE *output_open(const char *path);

// All of it or nothing: the file has its name when it is whole. 0, or an errno.
int output_write(const char *path, struct str text);
