// What sbxc leaves to sbxrun, because only that knows this host: trying a policy, and which layers there are. The
// compiler knows nothing of hosts, so it runs the program; without one it goes without the answer.
#pragma once

#include "compiler/actions/actions.h"
#include "compiler/meaning/why.h"

// Runs `sbxrun --live` for one policy of a file and passes its TAP lines on, numbered from *number on. A sandbox that
// can't be set up here is one skipped test with the reason. Returns STATUS_CLEAN, STATUS_ERRORS when something
// disagreed, or STATUS_USAGE.
int enforcer_live(const struct options *, const char *file, struct str policy, unsigned *number);

// Which layers enforce the parts of a question here, or why the policy would not run; empty where nobody says. Lives in
// the arena.
void enforcer_layers(struct arena *, const struct options *, const char *file, struct str policy,
                     struct str layers[WHY_PARTS]);

// What `sbxrun --dry-run` prints of a policy, in *said, or why it would not run, in *refuses; both empty where there is
// no sbxrun.
void enforcer_dry_run(struct arena *, const struct options *, const char *file, struct str policy, struct str *said,
                      struct str *refuses);
