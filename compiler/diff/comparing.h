// A comparison under way: what each part of it (files, network, …) adds its differences to.
#pragma once

#include "compiler/diff/diff.h"

struct comparing {
    struct arena *arena;
    struct policy *before, *after;
    struct policy_diff *diff;
    struct difference **last;
};

// The next difference. `domain` as diff.h lists them; it is kept, not copied.
struct difference *diff_add(struct comparing *, const char *domain, enum difference_kind, struct str text);

// Its example: an operation, and the rule that decides about it: of the newer policy, or, where none does there any
// more, of the older one.
void diff_explain(struct comparing *, struct difference *, const struct operation_point *);

const char *diff_effect(enum difference_kind); // "allow" or "deny"
