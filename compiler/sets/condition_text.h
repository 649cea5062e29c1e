// Conditions as the language writes them, from decision graphs: what a reader sees of a set of system calls.
#pragma once

#include "compiler/sets/graph.h"
#include "lang/module.h"
#include "lang/tables.h"

// "0x5413", or "TIOCGWINSZ" where such an argument's values have names; flags are named bit by bit.
void argument_value_print(struct text *, const struct syscall_row *, unsigned argument, uint64_t value, enum arch);

// Whether the values of an argument have names and that is one of them: 1 or 0; -1 where its values have no names that
// are known.
int argument_takes_name(const struct syscall_row *, unsigned argument, const char *constant);

// Writes a condition that holds exactly where the graph's leaf is not 0, as it stands after `where`. The graph is over
// one call's arguments and is not a leaf.
void condition_print(struct text *, const struct graph *, graph_node, const struct syscall_row *, enum arch);
