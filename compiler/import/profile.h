// Seccomp profiles as container engines take them: the runtime specification's "seccomp" object (linux.seccomp), with
// what Docker and Podman add (names in conditions on capabilities, kernels and architectures; errnos by name).
#pragma once

#include "lang/module.h"
#include "lang/tables.h"

enum profile_comparison {
    COMPARISON_NE,
    COMPARISON_LT,
    COMPARISON_LE,
    COMPARISON_EQ,
    COMPARISON_GE,
    COMPARISON_GT,
    COMPARISON_MASKED_EQ, // (argument & value) == value_two
    COMPARISON_COUNT
};

struct profile_argument {
    unsigned index; // of the call's arguments, from 0
    uint64_t value, value_two;
    enum profile_comparison comparison;
    struct str pointer; // RFC 6901: where it stands
    struct span span;
};

struct profile_filter { // includes, excludes
    bool architectures[ARCH_COUNT], has_architectures;
    uint64_t capabilities;
    unsigned kernel; // major << 8 | minor; 0: none is named
};

struct profile_call {
    int call; // row of the table, or -1: not on our architectures
    struct str name, pointer;
    struct span span;
};

struct profile_rule {
    struct profile_call *calls;
    size_t call_count;
    uint32_t answer; // as seccomp returns it: SECCOMP_ALLOW, SECCOMP_ERRNO | errno, SECCOMP_KILL
    struct profile_argument *arguments;
    size_t argument_count;
    struct profile_filter includes, excludes;
    struct str comment, pointer;
    struct span span;
};

struct profile {
    uint32_t answer;    // where no rule speaks
    struct str *others; // architectures that it speaks of and this edition does not
    size_t other_count;
    struct profile_rule *rules;
    size_t rule_count;
    struct str *losses; // what has no counterpart, each a sentence
    size_t loss_count;
};

// Reads a profile. NULL when it is not one; diagnostics say where and why, each with a JSON pointer.
struct profile *profile_read(struct compilation *, const struct source *);
