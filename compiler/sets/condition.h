// Conditions on arguments: from what was written to intervals of masked values.
#pragma once

#include "compiler/sets/graph.h"
#include "lang/module.h"
#include "lang/tables.h"

struct test { // on one call's arguments: (argument & mask) lies in one of the intervals, or a combination
    enum condition_kind kind; // CONDITION_IN, AND, OR, NOT
    unsigned argument;
    uint64_t mask; // within the argument's width
    struct test_interval {
        uint64_t first, last;
    } * intervals; // sorted, disjoint
    size_t interval_count;
    const struct test *left, *right;
};

typedef bool constant_lookup(void *context, const struct constant *, uint64_t *value); // follows `$name`

// The condition for one call and architecture. NULL when a constant does not exist there (*missing names it) or can't
// be followed.
const struct test *condition_resolve(struct arena *, const struct condition *, const struct syscall_row *, enum arch,
                                     constant_lookup *, void *context, const struct constant **missing);

graph_node test_graph(struct graph *, const struct test *); // 1 where it holds; NULL: everywhere
bool test_holds(const struct test *, const uint64_t arguments[SYSCALL_ARGUMENTS]);
