// Images: root file systems in archives (.tar, compressed or not), shown from the cache (unpacked.h).
#pragma once

#include "enforcer/view/view.h"

// Gives each place that is from an image the folder in the cache (place->host). Returns 0, or -1 and the failure.
int images_prepare(struct view *, const struct view_bases *, struct failure *);

// Lets go of them, and removes what is this run's alone. Once nothing of the sandbox lives.
void images_release(const struct view *);
