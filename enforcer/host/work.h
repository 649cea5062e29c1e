// The processor time of what sbxrun does for a command's calls, in nanoseconds: its own, and that of the processes that
// it starts to do some of it.
#pragma once

#include <stdint.h>
#include <sys/types.h>

uint64_t work_done(void);

// waitpid(2) for such a process, which ends without a signal (clone(2)); what it has used is counted.
pid_t work_wait(pid_t, int *status, int options);
