// What a seccomp profile answers to a call, as container engines, which use libseccomp, have it.
#pragma once

#include "compiler/import/profile.h"
#include "compiler/import/seccomp.h"
#include "compiler/sets/graph.h"
#include "lang/ast.h"

struct import {
    struct compilation *compilation;
    struct arena *arena;
    struct diagnostics *diagnostics;
    const struct profile *profile;
    const struct import_options *options;
    struct graph *graph;
    graph_node *calls[ARCH_COUNT]; // per row of the table: what the profile answers
    bool narrow;                   // some condition is on an argument of which the kernel does not look at all bits
    bool *repeated;                // per rule: said to be a repetition
    uint32_t fallback;             // what the policy answers where no rule of its own speaks
    const struct group_decl *unseen;
};

// Whether a rule holds on that architecture, under the options' capabilities and kernel.
bool import_is_active(const struct import *, const struct profile_rule *, enum arch);

// The answers of all rules about a call (its row), as a graph over its arguments; contradictions and repetitions become
// diagnostics.
graph_node import_answers(struct import *, enum arch, size_t call);
