// Archives that are unpacked once into a cache that their content names, and shown from there: images (image.h) and
// layers (below.h).
//
// The cache is $XDG_CACHE_HOME/sbx, ~/.cache/sbx, or root's /var/cache/sbx: `unpacked` has images, `layers` layers. A
// folder in it is named by the SHA-256 of the archive and the seal of that (enforcer/host/seal.h), so only sbxrun can
// have made it; it appears whole or not at all, and is never written again: what a policy lets be written goes to an
// overlay, and no view shows the cache (enforcer/view/hidden.h). Where nothing can be sealed, nothing is believed: each
// run unpacks its own, which goes with it. What is unpacked is a copy of the archive, the one that was hashed.
// sbximage, the program beside this one, unpacks, walled in with the folder (helper.h).
#pragma once

#include "enforcer/view/view.h"

enum unpacked_kind { UNPACKED_IMAGE, UNPACKED_LAYER };

// Finds the folder of the archive at a path of the host, or makes it. Once a view is prepared. Returns 0, or -1 and the
// failure; 1: there is no such archive.
int unpacked_find(const struct view *, enum unpacked_kind, const char *path, uint32_t rule, struct unpacked *,
                  struct failure *);

// Lets go of it, and removes what is this run's alone. Once nothing of the sandbox lives.
void unpacked_release(const struct unpacked *);
