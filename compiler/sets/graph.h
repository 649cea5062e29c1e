// Decision graphs: functions over a few fixed 32-bit words, ordered and shared.
//
// A node asks in which interval (word & mask) lies; a leaf is a number. Along every path the questions come in
// ascending order (word, then wider masks first), equal nodes exist once, and a node whose answers all agree does not
// exist at all. Two functions built in any way are the same node when no two masks of one word are entangled; where
// they are, graph_find still answers exactly, because it looks for a word that takes the whole path. Both BPF back ends
// walk these graphs; so do the questions about sets of system calls.
#pragma once

#include "lang/arena.h"

typedef uint32_t graph_node;

struct graph_interval {
    uint32_t first, last; // inclusive
};

struct graph_run { // values from `start` up to the next run's start
    uint32_t start;
    graph_node node;
};

struct graph_vertex {
    uint32_t word, mask;
    uint32_t run_count; // 0: a leaf
    union {
        struct graph_run *runs; // the first starts at 0
        uint32_t value;
    };
};

struct graph;

struct graph *graph_new(struct arena *);
const struct graph_vertex *graph_at(const struct graph *, graph_node);
graph_node graph_leaf(struct graph *, uint32_t value);

// `inside` where (word & mask) lies in one of the intervals (sorted, disjoint), else `outside`. Both may only ask about
// later (word, mask) pairs.
graph_node graph_test(struct graph *, uint32_t word, uint32_t mask, const struct graph_interval *, size_t count,
                      graph_node inside, graph_node outside);

// Runs given directly: sorted, the first starting at 0; equal neighbours are joined.
graph_node graph_runs(struct graph *, uint32_t word, uint32_t mask, const struct graph_run *, size_t count);

// The graph of operation(a's leaf, b's leaf).
typedef uint32_t graph_operation(uint32_t a, uint32_t b);
graph_node graph_apply(struct graph *, graph_operation *, graph_node a, graph_node b);

// `then` where the condition's leaf is not 0, else `otherwise`.
graph_node graph_select(struct graph *, graph_node condition, graph_node then, graph_node otherwise);

// True once a graph would have become larger than any real policy's. From then on combinations are meaningless,
// graph_find gives up, and whoever made the graph says that it can't be decided.
bool graph_is_exhausted(const struct graph *);

uint32_t graph_evaluate(const struct graph *, graph_node, const uint32_t *words);

// Looks for words on which the graph's leaf is `value`; fills words[0..word_count) and returns 1, or returns 0 when
// there are none, or -1 when the search was given up (entangled masks beyond any real policy) or the graph is
// exhausted.
int graph_find(struct graph *, graph_node, uint32_t value, uint32_t *words, size_t word_count);

// Says the masked words from `first` to `last` as patterns, (word & mask) == value, as few as there are.
void graph_patterns(uint32_t mask, uint32_t first, uint32_t last, void (*visit)(uint32_t mask, uint32_t value, void *),
                    void *context);
