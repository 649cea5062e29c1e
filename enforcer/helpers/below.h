// Layers of earlier runs (`--layer FILE`, as `--keep` writes them), that overlays begin with: unpacked by sbximage into
// the cache (unpacked.h), and laid over what their places show (enforcer/view/enter.c).
//
// A layer names its files by their paths in the view. One that has something where the policy has no overlay is an
// error, and so is one that has something in a folder of which it says nothing.
#pragma once

#include "enforcer/view/view.h"

// Gives each overlay what the layers at these paths of the host have for it, the lowest first; of one that is given
// twice the upper counts. Once the view is prepared and knows its images. Returns 0, or -1 and the failure.
int below_prepare(struct view *, const char *const *paths, size_t count, const struct view_bases *, struct failure *);

// Lets go of them. Once nothing of the sandbox lives.
void below_release(const struct view *);
