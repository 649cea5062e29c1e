// What a person could add to a policy so that something that no rule allows is allowed.
#pragma once

#include "compiler/plan/plan.h"

struct remedy {
    struct str
        rule; // "fs { allow read "/x"; }", with the capability that the kernel asks for, if any; empty: none would
    struct str host;  // of the loopback, which is the sandbox's own: the rule for the host's; empty: it is about others
    struct str needs; // what the kernel asks for that a sandbox never has: "CAP_SYS_TIME of the host"; empty: nothing
};

// Of a denied operation, as events tell it.
struct remedy remedy_of(struct arena *, const struct plan *, struct str operation);

// Of a denial that follows from the net rules, by its rule's text ("no net rule allows tcp"): a rule that would change
// it, as an example; NULL: of others.
const char *remedy_example(struct str rule);
