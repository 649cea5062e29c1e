// The prober: does operations for real inside the sandbox, in place of a command, and says what came of each.
//
// Each is done by a process of its own that has locked itself in as the command would. Nothing is left behind: files
// are opened and not written, what is made is removed, programs are stopped before their first instruction, and system
// calls before they do anything.
#pragma once

#include "compiler/meaning/policy.h"

enum probe_result {
    PROBE_UNCLEAR, // could not be tried; the note says why
    PROBE_ALLOWED,
    PROBE_DENIED, // with `error`
    PROBE_KILLED,
};

struct probe {
    struct operation_point point; // its path ends in a NUL
    bool leaves_nothing;          // what it makes can be removed again, or is meant not to be made
    enum probe_result result;
    int error;
    const char *note;
};

struct probes { // lies where both sides see it
    struct probe *list;
    size_t count;
    const struct str *named; // paths that rules name: what is there may have another verdict than the folder
    size_t named_count;
};

struct sandbox;

// In the process that would have become the command: tries them all and exits.
_Noreturn void probe_all(struct sandbox *, int ruleset);
