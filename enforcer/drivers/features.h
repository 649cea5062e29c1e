// What `require` can name (lang/data/features.def), and whether this host has it.
#pragma once

#include "enforcer/host/failure.h"

// True if the host has a feature in at least that version (0: any). *found says what it has, for the report.
bool host_has(enum feature, uint64_t version, const char **found);
