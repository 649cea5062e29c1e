// `sbxc --import=docker-seccomp`: a seccomp profile as a policy that a person can read, proved to mean the same.
#pragma once

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
