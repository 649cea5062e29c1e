// What libseccomp makes of the rules about one call: a tree of comparisons of 32-bit words, sorted, in which the first
// that holds decides. Where rules contradict one another, which one holds follows from that order alone, and engines
// take what it says.
#pragma once

#include "compiler/import/profile.h"
#include "compiler/sets/graph.h"

struct chains;

// `fallback`: the answer where no rule holds.
struct chains *chains_new(struct arena *, struct graph *, const struct syscall_row *, uint32_t fallback);

// In libseccomp's tree a level may lie beneath several nodes, and what is joined to it under one then depends on the
// others: so it is with a rule that has, before its last argument, a condition that is no equality. And a rule takes
// others out of the tree that have its conditions and more. True when there are such rules: then it is not known here
// which of two rules holds that contradict one another.
bool chains_are_entangled(const struct chains *);

// Adds a rule whose conditions, each on another argument, all have to hold. False when libseccomp refuses it: one with
// the same conditions answers otherwise.
bool chains_add(struct chains *, const struct profile_argument *, size_t count, uint32_t answer);

// The answers, over as much of each argument as the kernel looks at: of narrower ones than 64 bits the rest counts as
// zeros, or as the sign where a profile's number is negative.
graph_node chains_graph(struct chains *);
