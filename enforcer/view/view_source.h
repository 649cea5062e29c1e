// Opening what a view takes from the host.
#pragma once

#include "enforcer/view/view.h"

// Opens a host path without following a symbolic link that lies where the sandbox could write. Returns an O_PATH
// descriptor that the caller owns, or -1 and errno (ELOOP for such a link).
int host_open(const struct view *, const char *path);

// A copy of the mounts at `source` with more restrictions, not attached: the caller owns it. -1 and errno. With
// `identities` >= 0 it is an idmapped mount where the file system has those; *mapped says so.
int tree_clone(int source, uint64_t attributes, int identities, bool *mapped);

// When a host path shown at its own place is a symbolic link and leads to what the view shows with the same rights, the
// view can have the same link instead of a mount. True then, with its text in place->link, which has room for LINK_MOST
// bytes.
enum { LINK_MOST = 128 };
bool link_instead(const struct view *, size_t place);
