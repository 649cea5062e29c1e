// What a run changed in its overlays (`--changes FILE`): created, modified, deleted, with type and size. None of it
// reached the host.
#pragma once

#include <stdio.h>

#include "enforcer/view/differs.h"

// Writes what differs as JSON (docs/report.md). *unlisted: how much of it could not be listed. False, and errno, when
// it can't be written.
bool changes_write(FILE *, const struct view *, const struct uppers *, uint64_t *unlisted);
