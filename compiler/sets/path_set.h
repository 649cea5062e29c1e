// Path sets: which paths a set of rules talks about, per verb.
//
// A path stands for itself and everything beneath it. A set is a union of such subtrees minus a union of such subtrees,
// kept as a sorted list of the places where the verbs change; so every question below has an exact answer. Paths are
// absolute and normal
// ("/a/b", no "." or "..", no trailing slash).
#pragma once

#include "lang/ast.h"

struct path_region { // from this path downwards, until a deeper region says otherwise
    struct str path;
    unsigned verbs;
};

struct path_set { // regions sorted by path_compare; nothing is in the set above the first
    struct arena *arena;
    struct path_region *regions;
    size_t count;
};

enum path_part {
    PATH_ADDS,
    PATH_REMOVES,
    PATH_SPARES
}; // SPARES: the exception of the PATH_REMOVES parts with the same rule

struct path_entry {
    struct str path;
    unsigned verbs;
    enum path_part part;
    uint32_t rule;
};

// The paths that some entry adds and none removes; what an entry removes it does not remove beneath paths that its rule
// spares.
struct path_set *path_set_build(struct arena *, const struct path_entry *, size_t count);

unsigned path_set_verbs(const struct path_set *, struct str path); // at one path
struct path_set *path_set_minus(struct arena *, const struct path_set *, const struct path_set *);

struct path_witness {
    struct str path;
    unsigned verbs; // the ones it fails for
};
// True if every (verb, path) of `a` is in `b`. If not, *witness is the shortest path of the difference.
bool path_set_subset(const struct path_set *a, const struct path_set *b, struct path_witness *witness);
bool path_set_first(const struct path_set *, struct path_witness *); // the shortest path in it; false when it is empty

bool path_covers(struct str ancestor, struct str path); // ancestor == path, or path lies beneath it
int path_compare(struct str, struct str);               // parents before children, and a subtree is contiguous

void path_verbs_print(struct text *, unsigned verbs); // "read, exec"; net verbs too
