// Images: root file systems in archives (.tar, compressed or not), unpacked once into a cache that their content names,
// and shown from there.
//
// The cache is $XDG_CACHE_HOME/sbx/unpacked, ~/.cache/sbx/unpacked, or root's /var/cache/sbx/unpacked. A folder in it
// is named by the SHA-256 of the archive and the seal of that (enforcer/host/seal.h), so only sbxrun can have made it;
// it appears whole or not at all, and is never written again: what a policy lets be written goes to an overlay, and no
// view shows the cache (enforcer/view/hidden.h). Where nothing can be sealed, nothing is believed: each run unpacks its
// own, which goes with it. What is unpacked is a copy of the archive, the one that was hashed. sbximage, the program
// beside this one, unpacks, walled in with the folder (helper.h).
#pragma once

#include "enforcer/view/view.h"

// Gives each place that is from an image the folder in the cache (place->host). Returns 0, or -1 and the failure.
int images_prepare(struct view *, const struct view_bases *, struct failure *);

// Lets go of them, and removes what is this run's alone. Once nothing of the sandbox lives.
void images_release(const struct view *);
