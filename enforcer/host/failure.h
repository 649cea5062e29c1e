// The one failure that stops a run: what was being done, what the kernel said, which rule needed it, what to try.
//
// It holds no pointers, so it can lie in memory that the supervisor shares with the sandbox's first processes, and
// recording one allocates nothing.
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "compiler/plan/plan.h"

struct failure {
    int error;        // an errno; 0 when the text says it all
    uint32_t rule;    // of the plan, or NO_RULE
    char what[640];   // "mount tmpfs on /tmp"
    char advice[400]; // a sentence; may be empty
};

// Records and returns -1. The first failure stays: what is recorded while giving up would only hide it.
int fail(struct failure *, uint32_t rule, int error, const char *format, ...) __attribute__((format(printf, 4, 5)));
int fail_with_advice(struct failure *, uint32_t rule, int error, const char *advice, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

// "sbxrun: cannot mount tmpfs on /tmp: Operation not permitted (job.sbx:12:9: allow …)", then the advice on a line of
// its own.
void failure_print(FILE *, const struct failure *, const struct plan *);

// "job.sbx:12:9: allow read …", or "" for NO_RULE. Lives in the plan's arena.
struct str rule_named(const struct plan *, uint32_t rule);
