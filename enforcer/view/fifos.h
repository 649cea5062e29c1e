// FIFOs of the host in what may only be read: neither a read-only mount nor a filter keeps them from being written to
// (mount(8) means files). Landlock does, but takes nothing away beneath a folder that may be written.
#pragma once

#include "enforcer/host/identity.h"
#include "enforcer/view/view.h"

// Looks through the host folders of a laid-out view, once it is known what of them is hidden, for one that the command
// could write to and no rule lets it; with Landlock through what lies in a place that may be written alone. 0; or -1
// and the failure, which names it, or says that there is more than can be looked at.
int fifos_refuse(const struct view *, const struct identity *, bool landlock, struct failure *);
