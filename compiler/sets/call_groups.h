// Sets of system calls in few words: by the edition's groups, and one line for those that are alike.
#pragma once

#include "compiler/sets/graph.h"
#include "lang/check.h"
#include "lang/tables.h"

// The members (one flag per row of the table) as "@file-system, @io-event, ioctl". Calls that exist on none of
// `architectures` count for no group. With `spare`, a group may also be named that has a few calls that are no members
// and have that flag: they are flagged in `excess`, and for the caller to take away again.
void calls_print(struct text *, struct compilation *, const bool *member, unsigned architectures, const bool *spare,
                 bool *excess);

struct call_line {          // calls of which the same is to be said
    unsigned architectures; // ARCH_ALL_MASK: wherever they exist
    struct str condition;   // empty: whatever their arguments
    bool *member;           // per row of the table
    size_t call;            // the first of them, and where
    enum arch arch;
    struct call_line *next;
};

struct call_lines {
    struct arena *arena;
    struct call_line *first, **last; // last: NULL before the first line
};

// Adds one call; `conditions` per architecture, without text where it is not meant. Where nothing is said of its
// arguments it joins others of which the same is said; `shared`: also with what is said.
void call_lines_add(struct call_lines *, size_t call, const struct str conditions[ARCH_COUNT], bool shared);
