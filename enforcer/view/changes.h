// What a run changed in its overlays (`--changes FILE`): created, modified, deleted, with type and size. None of it
// reached the host.
//
// Init sends the folder in which each overlay keeps what differs, and nobody can write there any more when it is read:
// the sandbox is dead.
#pragma once

#include <stdio.h>

#include "enforcer/view/view.h"

// Sends the upper folders of a view that was built over a socket of packets. Between clone and exec. Returns 0, or -1
// and the failure.
int changes_send(const struct view *, int socket, struct failure *);

// Receives them and writes what differs as JSON (docs/report.md). When no message waits there is none. *unlisted: how
// much of it could not be listed. False, and errno, when it can't be written.
bool changes_write(FILE *, const struct view *, int socket, uint64_t *unlisted);
