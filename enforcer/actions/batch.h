// `sbxrun --batch`: many commands under one policy, each in a sandbox of its own, several at a time.
//
// The policy is compiled once; a process for each command then does what a run of sbxrun does. Commands come on
// standard input: each word ends in a NUL, and a command in one more. To the report goes a line of JSON for each that
// has ended.
#pragma once

#include "enforcer/actions/actions.h"

// Returns 0 when all ended with 0, 123 when one did not, 125 when the input is broken or a process could not be made.
int run_batch(const struct options *);
