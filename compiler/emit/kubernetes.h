// A policy for Kubernetes: a folder with pod.json (a List: the Pod, its NetworkPolicy, its files as a ConfigMap, and
// its filter as a SeccompProfile of the security profiles operator) and seccomp.json (the filter for nodes without
// that).
#pragma once

#include "compiler/emit/places.h"
#include "compiler/meaning/policy.h"

// For nodes of that architecture that look as this host does: which of the places are there, and are folders, is looked
// up here. `wider` says what is left out. False, and `wider` is the sentence why there is no such thing.
bool emit_kubernetes(struct emit_folder *, struct text *wider, struct policy *, const struct plan *,
                     const struct emit_caller *, enum arch);
