// What is at a path: on the host, or in a change.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "aisbx/store/blob.h"

enum kind { KIND_NOTHING, KIND_FILE, KIND_FOLDER, KIND_LINK, KIND_OTHER }; // numbers of the store: none changes

struct state {
    enum kind kind;
    mode_t mode;              // its nine bits; of a link 0
    int64_t size;             // of a file
    int64_t mtime;            // nanoseconds since 1970
    char digest[DIGEST_SIZE]; // of a file's bytes, of a link's text; else ""
    // Of the host's: which one it is, and when it changed last, for whoever looks again.
    uint64_t inode;
    int64_t ctime;
};

// Looks at `path` beneath the folder `root`, through no link and no other mount. What is not there is KIND_NOTHING,
// also where a folder above is none. False and errno: it can't be read.
bool state_of_host(int root, const char *path, struct state *);

// What a person would call the same: kind, bytes and mode.
bool state_equal(const struct state *, const struct state *);

// Opens the folder that `path` lies in, beneath `root`, through no link and no other mount; *name is its last part.
// O_PATH. -1 and errno.
int state_parent(int root, const char *path, const char **name);

// Opens one for reading, as above. -1 and errno.
int state_open(int root, const char *path, int flags);

const char *kind_name(enum kind); // "file", "folder", …
