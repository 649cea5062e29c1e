// Translation validation of the guard: each decision in its finished programs, the very instructions, allows what the
// policy's network rules allow at the host's network, for every protocol, address, port and set of names that an
// address is pinned for.
//
// The policy's formula comes from its rules as policy_net_allows reads them, and shares nothing with the graphs and the
// code that they became.
#pragma once

#include "compiler/network/guard_code.h"
#include "compiler/meaning/policy.h"
#include "compiler/prove/prove.h"

struct guard_counterexample {
    const char *why;           // NOT_PROVED: what kept it from being proved
    bool listen, allows;       // REFUTED: which question, and what the program says; the policy says otherwise
    uint32_t words[NET_WORDS]; // the operation
};

// One decision of one program. At most `seconds`. A counterexample has been run.
enum proof guard_prove_decision(struct z3 *, const struct policy *, const struct net_graphs *,
                                const struct ebpf_program *decision, bool listen, unsigned seconds,
                                struct guard_counterexample *);

// Proves the programs of a policy's plan, where it needs any, and says so among the diagnostics where it can't. True:
// all are proved, or there are none.
bool prove_guard(struct z3 *, struct policy *, const struct plan *);

// Both: all that a plan would load.
bool prove_plan(struct z3 *, struct policy *, const struct plan *);
