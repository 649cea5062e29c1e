// The processor time of what sbxrun does for a command's calls.
#include "enforcer/host/work.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "enforcer/host/clock.h"

static uint64_t by_others; // one supervisor is in a process

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

uint64_t work_done(void)
{
    return clock_worked() + by_others;
}

pid_t work_wait(pid_t pid, int *status, int options)
{
    struct rusage usage;
    pid_t ended = wait4(pid, status, options | __WALL, &usage);
    if (ended == pid)
        by_others += nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    return ended;
}
