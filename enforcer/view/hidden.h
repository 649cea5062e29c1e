// What no sandbox sees, or none changes, whatever its policy shows: sbxrun's caches, which later runs believe; and what
// this run is made of, which its next run would be made of.
//
// They are hidden where a folder of the host that a view shows has them in it, by whatever mount: so what a sandbox may
// write in a home does not reach them, nor may it make them, since they are there before it is, or it does not run. A
// folder that lies in one of them is not shown at all, and no secret is read there.
//
// A run is made of its policy, what that imports, a plan in a file, layers, files of secrets and archives of images.
// Where one lies in a folder of the host that may be written, it can be read there and nothing else. One that the
// sandbox could put in the place of another, by a link on the way or as an import that is looked for there first, is
// refused.
#pragma once

#include <sys/stat.h>

#include "enforcer/view/view.h"

// Finds where they are on the host. Once a view is prepared, before it is opened: what allocates happens here. Returns
// 0, or -1 and the failure.
int hidden_find(struct view *, const struct view_bases *, const char *const *layers, size_t layer_count,
                struct failure *);

// Notes what is to be hidden in a place that shows a folder of the host, which its `source` is open on, or is an
// overlay of it. `where` it lies: NULL where its path does not say so. Returns 0, or -1 and the failure.
int hidden_note(struct view *, size_t place, const char *where, struct failure *);

// True if the folder that is open is one of them.
bool hidden_is(const struct view *, int folder);

// Refuses what lies in them: what is open as `source`. Returns 0, or -1 and the failure.
int hidden_refuse(const struct view *, int source, uint32_t rule, struct failure *);
