// The shortest decision graph for one call, for the code generator.
#pragma once

#include "compiler/meaning/policy.h"

// A graph that answers as policy_call does. Its questions may come in any order, so it can be emitted and evaluated but
// not combined with others; graph_apply with a leaf is fine. *spared: roughly how much shorter it is than a plain list
// of comparisons of whole arguments, as other compilers write it.
graph_node call_code(struct policy *, enum arch, size_t call, size_t *spared);

// The answers to a call that the broker takes (broker.h): it is handed over where they allow it.
graph_node call_handed_over(struct graph *, graph_node answers, int unless_null);

// The whole filter of these, and *spare for cbpf_emit.
graph_node policy_code(struct policy *, enum arch, size_t *spare);
