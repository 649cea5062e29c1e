// A policy as one page for a review: what it may touch, why, what is promised and shown, and where each rule comes
// from.
#pragma once

#include "compiler/describe/page.h"
#include "compiler/plan/plan.h"
#include "compiler/meaning/policy.h"

struct page_facts {            // besides the policy itself
    const struct plan *plan;   // of it
    struct str hash;           // of the plan
    const char *const *values; // that parameters were given, as "name=value"
    size_t value_count;
    bool proved;             // its filters mean what it says
    struct str host;         // what sbxrun says would be done on this host; empty where nobody was asked
    struct str host_refuses; // or why it would not run here
};

// Writes the page between page_begin and page_end. All obligations and expectations of the policy hold.
void policy_page(struct page *, struct policy *, const struct page_facts *);
