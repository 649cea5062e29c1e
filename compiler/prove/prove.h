// Translation validation: a finished filter, the very instructions that will be loaded, means what the policy function
// says.
//
// Both become formulas over bit vectors of every input that seccomp can give (struct seccomp_data: architecture,
// number, instruction pointer, six 64-bit arguments), and Z3 looks for one on which they differ. The policy's formula
// comes from its rules as policy_verdict reads them and shares nothing with the decision graphs and the code generator
// that made the filter.
#pragma once

#include "compiler/code/cbpf.h"
#include "compiler/meaning/policy.h"

enum { PROVE_SECONDS = 10 }; // for users

enum proof { PROVED, REFUTED, NOT_PROVED };

struct counterexample {
    const char *why;              // NOT_PROVED: what kept it from being proved
    uint32_t audit;               // REFUTED: the architecture as seccomp names it; the operation's own unless `foreign`
    bool foreign;                 // it is not the architecture that the filter is for
    struct operation_point point; // the call
    uint32_t filter, other; // what the filter answers, and the policy (or the other filter), as seccomp return values
};

struct prover; // one policy on one architecture, for any number of filters

// Loads Z3 at its first use. NULL when it can't, and *why says so. The policy must live as long.
struct prover *prover_new(const struct policy *, enum arch, const char **why);
void prover_free(struct prover *);

// Does the filter say what the policy says, or what another filter says when one is given? At most `seconds`. A program
// that seccomp would not take is not proved. A counterexample has been run, through cbpf_run and policy_verdict.
enum proof prover_check(struct prover *, const struct bpf_program *, const struct bpf_program *other, unsigned seconds,
                        struct counterexample *);

// Proves the filters of a plan (length 0: there is none), all at once, and says so among the diagnostics where it
// can't. True: all proved.
bool prove_filters(struct policy *, const struct bpf_program filters[ARCH_COUNT]);
