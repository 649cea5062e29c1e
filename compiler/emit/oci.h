// A policy as a bundle of OCI's runtime specification (config.md, config-linux.md), for a runtime that root starts:
// config.json, and beside it an empty folder for the root file system and the files that the policy makes.
#pragma once

#include "compiler/emit/places.h"
#include "compiler/meaning/policy.h"

// For that architecture, and this host: which of the places are there, and are folders, is looked up. `wider` says what
// is left out. False, and `wider` is the sentence why there is no such bundle.
bool emit_oci(struct emit_folder *, struct text *wider, struct policy *, const struct plan *,
              const struct emit_caller *, enum arch);
