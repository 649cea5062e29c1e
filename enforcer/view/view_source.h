// Opening what a view takes from the host.
#pragma once

#include "enforcer/view/view.h"

// What the sandbox may write of the host, to be found out when the first link is met. In the arena.
struct grounds *grounds_new(struct arena *, size_t most);

// Opens a host path without following a symbolic link that lies where the sandbox could write, by whatever names the
// policy calls that folder. Returns an O_PATH descriptor that the caller owns, or -1 and errno (ELOOP for such a link).
// *straight (NULL: not asked): no link was followed at all, so that the path, which has no "." or "..", says where it
// is.
int host_open(const struct view *, const char *path, bool *straight);

// Whether the sandbox could make what is not there: it may write in the folder that a path lies in, or in the nearest
// above that there is. Also where that can't be told.
bool host_could_be_made(const struct view *, const char *path);

// Why it could not be: the failure, with a word of advice (NULL: none) that fits unless it was a link. Returns -1.
int host_refused(uint32_t rule, int error, const char *path, const char *advice, struct failure *);

// A copy of the mounts at `source` with more restrictions, not attached: the caller owns it. -1 and errno. With
// `identities` >= 0 it is an idmapped mount where the file system has those; *mapped says so.
int tree_clone(int source, uint64_t attributes, int identities, bool *mapped);

// When a host path shown at its own place is a symbolic link and leads to what the view shows with the same rights, the
// view can have the same link instead of a mount. True then, with its text in place->link, which has room for LINK_MOST
// bytes.
enum { LINK_MOST = 128 };
bool link_instead(const struct view *, size_t place);
