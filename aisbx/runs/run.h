// One run: a command in a sandbox on a snapshot, and what it left.
#pragma once

#include "aisbx/runs/log.h"
#include "aisbx/store/workspace.h"

struct run_wish {
    const char *snapshot;      // that it begins with
    const char *const *words;  // ended by NULL; NULL: the policy's own command
    const char *const *values; // "name=value" for the policy's parameters, ended by NULL
    bool moves_head;           // what it leaves is what the next run begins with
};

struct run_result {
    char id[ID_SIZE], snapshot[ID_SIZE]; // of what it left: "" where it changed nothing
    int status;                          // as sbxrun ends
    uint64_t changed;                    // entries of its layer
    bool head_moved;
};

enum { NOT_RUN = 125 };

// Runs it to its end; what it writes goes to standard output and standard error, and into its log. Returns the status
// with which aisbx ends: NOT_RUN where it did not run; the command's own, or 1 in the place of 0 where what it left
// could not be kept, said.
int run_command(struct store *, const struct workspace *, const struct run_wish *, struct run_result *);
