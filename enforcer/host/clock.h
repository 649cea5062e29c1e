// Clocks, in nanoseconds (clock_gettime(2)).
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_of(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline uint64_t clock_now(void) // monotonic; asks no kernel where it need not
{
    return clock_of(CLOCK_MONOTONIC);
}

static inline uint64_t clock_worked(void) // the processor time that this thread has used
{
    return clock_of(CLOCK_THREAD_CPUTIME_ID);
}
