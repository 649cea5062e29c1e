// Landlock: the rights on each path of the view once more, by the kernel's own path rules, and tcp ports (landlock(7),
// Documentation/userspace-api/landlock.rst).
//
// Where mounts know only read-only and noexec, Landlock tells modify, create and delete apart.
#pragma once

#include "enforcer/host/standard.h"
#include "enforcer/inside/loopback.h"
#include "enforcer/view/view.h"

// A ruleset for a view that this process has entered. With `standard`, what is open as standard input, output and error
// may be opened again; with `marks`, character devices may be made where something may be created. Returns a descriptor
// that the caller owns, or -1 and the failure.
int landlock_make(const struct view *, const struct loopback *, bool standard, bool marks, const struct handed *,
                  struct failure *);

// Puts this process under it; no_new_privs must be set. Returns 0, or -1 and the failure.
int landlock_enter(int ruleset, struct failure *);
