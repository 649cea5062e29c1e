// `sbxc --import=docker-seccomp`: a seccomp profile as a policy that a person can read, proved to mean the same.
#pragma once

#include "compiler/meaning/policy.h"
#include "lang/module.h"

struct import_options { // what the profile's conditions are decided for
    uint64_t capabilities;
    unsigned kernel; // major << 8 | minor
    bool no_proof;
};

enum { IMPORT_KERNEL = 6 << 8 | 18 }; // the edition's

// Writes the policy to `out`. False, with diagnostics, when the profile is not one, contradicts itself, says what the
// language can't, or the result is not proved to be equivalent on every architecture.
bool import_seccomp(struct compilation *, const struct source *, const struct import_options *, struct text *out);

// Does a profile, read as engines read it, answer to each call on each architecture what a policy's filter does, calls
// that are handed over (broker.h) being allowed? NULL when Z3 finds no other; else what keeps it from being shown.
const char *import_differs(struct compilation *, const struct source *profile, struct policy *);
