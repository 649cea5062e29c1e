// `sbxrun --batch`: many commands under one policy, each in a sandbox of its own, several at a time.
//
// The policy is compiled once; a process for each command then does what a run of sbxrun does. Commands come on
// standard input: each word ends in a NUL, and a command in one more.
#pragma once

#include <stdio.h>

// Runs `one` in a new process for each command, with a NULL-ended argv and /dev/null as standard input, `jobs` at a
// time; what it returns is the command's status. To `report`, if not NULL, goes a line of JSON for each that has ended.
// Returns 0 when all ended with 0, 123 when one did not, 125 when the input is broken or a process could not be made.
int batch_run(unsigned jobs, FILE *report, int (*one)(void *context, char **argv), void *context);
