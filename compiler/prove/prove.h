// Translation validation: a finished filter, the very instructions that will be loaded, means what the policy function
// says.
//
// The program is followed, instruction by instruction, for each number that a call has on its architecture, and for
// what lies around those as ranges: other numbers, other architectures. That decides its tests of number and
// architecture. What is left, an answer or a choice of answers by the arguments (six of 64 bits) and the rest of what
// seccomp gives (struct seccomp_data), becomes a formula over bit vectors; so does what the policy says of those calls.
// Where the two are not one and the same formula, Z3 looks for an input on which they differ. The policy's comes from
// its rules as policy_verdict reads them and shares nothing with the decision graphs and the code generator that made
// the filter.
#pragma once

#include "compiler/code/cbpf.h"
#include "compiler/meaning/policy.h"
#include "compiler/prove/z3.h"

enum { PROVE_SECONDS = 10 }; // for users

enum proof { PROVED, REFUTED, NOT_PROVED };

struct counterexample {
    const char *why;              // NOT_PROVED: what kept it from being proved
    uint32_t audit;               // REFUTED: the architecture as seccomp names it; the operation's own unless `foreign`
    bool foreign;                 // it is not the architecture that the filter is for
    struct operation_point point; // the call
    uint32_t filter, other; // what the filter answers, and the policy (or the other filter), as seccomp return values
};

// Does the filter say what the policy says, or what another filter says when one is given? At most `seconds`. A program
// that seccomp would not take is not proved. A counterexample has been run, through cbpf_run and policy_verdict.
enum proof filter_prove(struct z3 *, const struct policy *, enum arch, const struct bpf_program *,
                        const struct bpf_program *other, unsigned seconds, struct counterexample *);

// Proves the filters of a plan (length 0: there is none), all at once, and says so among the diagnostics where it
// can't. True: all proved.
bool prove_filters(struct z3 *, struct policy *, const struct bpf_program filters[ARCH_COUNT]);
