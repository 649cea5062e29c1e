// Files of an ordinary user's other groups beneath an overlay: a sandbox has his own group alone, and the kernel copies
// nothing up whose group it can't name (EOVERFLOW).
#pragma once

#include "enforcer/host/identity.h"
#include "enforcer/view/view.h"

// Looks at the first FOREIGN_LOOKED_AT names beneath each folder that an overlay shows, where the user has other
// groups: one of his own files with another group is refused, before a command fails over it. 0, or -1 and the failure.
enum { FOREIGN_LOOKED_AT = 1000 };
int foreign_groups_refuse(const struct view *, const struct identity *, struct failure *);
