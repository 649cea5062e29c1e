// The monotonic clock, in nanoseconds (clock_gettime(2)); asks no kernel where it need not.
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
