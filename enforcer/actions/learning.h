// `sbxrun --learn OUT.sbx [POLICY] -- COMMAND` and `sbxrun --tighten POLICY -- COMMAND`: observing a command, and what
// comes of it.
#pragma once

#include "compiler/front/driver.h"

// Runs the command under observation and writes the policy that lets it do the same. What was seen lies beside it
// (OUT.seen.json), so that further runs add to it. `given`: a policy to go on from, or NULL. Returns sbxrun's status:
// the command's.
int learning_run(struct arena *, const char *out, const char *given, const struct driver_options *, char *const *argv);

// Runs the command under observation and prints, as a diff, the allows of the policy's own file that it had no use for.
int tightening_run(struct arena *, const char *policy, const struct driver_options *, char *const *argv);
