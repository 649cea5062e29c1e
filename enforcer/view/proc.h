// What is made in a /proc of the sandbox's own.
//
// One that shows processes alone (proc(5), subset=pid) has no name that anything could be mounted on. So where a policy
// makes files there (`from sandbox`, `from text`) it is whole at first; they are mounted, and then it is narrowed to
// processes, before anybody else sees it. Names that something is mounted on are found from then on, and no other,
// whatever the kernel adds later.
#pragma once

#include "enforcer/view/view.h"

// Place i of the view is a file that is made in a /proc.
bool proc_has(const struct view *, size_t i);

// Place i is denied in a /proc, and neither of a process nor made: so it is not there.
bool proc_lacks(const struct view *, size_t i);

// Place i is a /proc in which files are made.
bool proc_is_filled(const struct view *, size_t i);

// Makes them in the /proc that is attached as place i, and narrows it. They lie in `memory`, a tmpfs that is attached
// out of the view. `from sandbox` is skipped where this kernel has no such name, or narrows no /proc (7.2). Returns 0,
// or -1 and the failure.
int proc_fill(struct view *, size_t i, int memory, struct failure *);
