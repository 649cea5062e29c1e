// The processes of a sandbox, as /proc shows them to sbxrun.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PROCESSES_MOST = 4096 };

// The descendants of a process, the nearest first, at most `most` of them. *threads: how many may still be looked at;
// it counts down. Both are bounds on what a command can make sbxrun do. The list is this function's own until it is
// called again.
size_t processes_of(int ancestor, size_t most, unsigned *threads, const int **list);

// Processor time in microseconds that a process has used, and its children that it has waited for; 0 when it is gone.
uint64_t process_time(int process);
// The same of those children alone.
uint64_t process_children_time(int process);
