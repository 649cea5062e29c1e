// Which files a waiting system call names, and what it would do with them. For telling people, never for deciding: the
// caller may change the names before the kernel reads them.
#pragma once

#include <limits.h>

#include "compiler/sets/path_set.h"
#include "enforcer/supervisor/notified.h"

enum { NAMED_MOST = 2 };

struct named {
    char path[PATH_MAX]; // absolute and normal, as the caller's root has it; links are not followed
    unsigned verbs;      // VERB_FILES; 0: it is only looked at
};

bool named_by(uint32_t number);                                         // is it a call that names files?
int named_read(const struct notified *, struct named list[NAMED_MOST]); // how many
bool named_link(const struct notified *, const char *what,
                char path[PATH_MAX]); // where a link of the caller's leads: "cwd", "fd/3"; false: to no file
void named_make_normal(char *path);   // takes "//", "." and ".." away; what is behind a link and then ".." is elsewhere
