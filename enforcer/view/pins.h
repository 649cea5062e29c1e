// Mounts that hold a path in its place: what is mounted can't be renamed or removed, so nobody can move what is denied
// aside and make it anew.
#pragma once

#include "enforcer/view/view.h"

bool is_mount(int fd); // the root of one

// Mounts each folder above `path` onto itself that is longer than `top`. 0, or -1 and the failure.
int pin(const struct view *, const char *path, size_t top, uint32_t rule, struct failure *);

// What is denied beneath a file or a link, as `.git/hooks` where `.git` names a repository elsewhere, is not there as
// long as that is one: it is mounted onto itself. Where the link leads to what the sandbox may write, or may read what
// is denied, its way is no other path: that is refused. 1; 0 where the path passes neither; -1 and the failure.
int pin_obstacle(const struct view *, size_t place, struct failure *);
