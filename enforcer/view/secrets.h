// Secrets: values of the caller's that only the command gets to see, each as a file of memory that nobody but it can
// read.
//
// A value is read once, goes into its file, and is wiped from wherever it passed: neither plan nor report, no argument
// and no environment has it.
#pragma once

#include "enforcer/view/view.h"

struct secret {
    char *value; // in memory that both sides see
    size_t length;
    char *in_environment; // where this process's own environment has it, and init's copy too; NULL for a file
};

struct secrets { // in the order of the plan's
    struct secret *list;
    size_t count;
};

enum { SECRET_LARGEST = 1024 * 1024 }; // bytes

// Reads them and wipes them from this process's environment. Only those that a place of the view shows. Returns 0, or
// -1 and the failure, which never holds a value.
int secrets_read(struct secrets *, const struct view *, const struct view_bases *, struct failure *);

// Wipes the values, and what this process's environment has of them: each side does, when the files are made.
void secrets_wipe(const struct secrets *);
