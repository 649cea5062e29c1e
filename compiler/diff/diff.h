// `sbxc --diff`: what one policy allows and another does not, as sets of operations and not as lines.
#pragma once

#include "compiler/meaning/policy.h"

enum difference_kind {
    BECOMES_ALLOWED,
    BECOMES_DENIED,
    OTHERWISE
}; // OTHERWISE: neither allows more; it answers or is arranged differently

struct difference {
    const char *domain; // "files", "network", "system calls", "capabilities", "limits", "process"
    enum difference_kind kind;
    struct str text;    // as a rule would say it
    struct str example; // one operation; empty where the text says all
    struct str reason;  // the rule that decides about it, with its place; empty when no rule does
    struct difference *next;
};

struct policy_diff {
    bool wider;       // something is allowed that was not, or can't be shown not to be
    size_t counts[3]; // per enum difference_kind
    struct difference *first;
};

// The two policies must share one graph: see policy_build_beside. NULL, and diagnostics, when one of them has no plan.
struct policy_diff *policy_diff(struct policy *before, struct policy *after);

void diff_text(struct text *, const struct policy_diff *);
void diff_json(struct text *, const struct policy_diff *); // docs/diff.md has the form
