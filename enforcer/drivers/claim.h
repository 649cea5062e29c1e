// Claims: which layer enforces which part of a plan on this host. What none does stops the run before anything is set
// up.
//
// This is what --dry-run and the report print, and where a driver that can do less would say so.
#pragma once

#include "compiler/meaning/policy.h"
#include "enforcer/limits/limits.h"
#include "enforcer/network/network.h"

struct degradation { // something the policy asked for, went without, and said why it may
    enum feature feature;
    struct str lost; // "the limit memory"
    struct str because;
    uint32_t rule;
};

struct claims {
    struct bounds bounds;
    struct network network;
    bool landlock; // there is one, as a second layer or as the only one
    struct degradation *degraded;
    size_t degraded_count;
};

// `strict` refuses every degradation. Returns 0, or -1 and the failure: the first thing that can't be enforced, with
// its rule.
int claim_plan(const struct plan *, bool strict, struct claims *, struct failure *);

// Which layers enforce a place of the view, for people: "mount, Landlock".
struct str claim_place(const struct plan *, const struct claims *, const struct plan_view *);

// The same of one operation, allowed or denied.
struct str claim_operation(const struct plan *, const struct claims *, const struct operation_point *);
