// A policy as a unit of systemd (systemd.unit(5), systemd.exec(5), systemd.resource-control(5)): what it can't say
// first, then a service; or a drop-in for one, where the policy names no command.
#pragma once

#include "compiler/emit/places.h"
#include "compiler/meaning/policy.h"

// For that architecture. False, and *why is the sentence why there is no such unit.
bool emit_systemd(struct text *out, struct policy *, const struct plan *, const struct emit_caller *, enum arch,
                  struct str *why);
