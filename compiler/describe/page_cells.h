// What the parts of a policy's page have in common: what they are made from, and how reasons, verbs and rules are
// shown.
#pragma once

#include "compiler/describe/policy_page.h"

struct writer {
    struct page *page;
    struct policy *policy;
    const struct page_facts *facts;
    const struct plan *plan;
    struct arena *arena;
};

void page_fact(struct page *, const char *name, enum page_style, struct str text); // a row of a table of two columns

// Where something is said, and why: the last two columns of most tables.
void page_reason(struct writer *, struct str because, struct str file, uint32_t line);
void page_plan_reason(struct writer *, uint32_t rule); // of the plan
void page_rule_reason(struct writer *, const struct rule *);

struct str page_verbs(struct arena *, unsigned verbs);
struct str page_span(struct writer *, struct span); // on one line
