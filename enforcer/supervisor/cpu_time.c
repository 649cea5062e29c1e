// The limit of processor time.
#include "enforcer/supervisor/cpu_time.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include "enforcer/host/clock.h"
#include "enforcer/host/outside.h"
#include "enforcer/host/processes.h"
#include "enforcer/host/scoped.h"

enum { SOONEST_OF_GROUP = 1000, SOONEST_OF_PROCESSES = 20000, LATEST = 100000 }; // microseconds until the next look

// Of those that live, and of their children that were waited for. A sum that falls has lost who ended and was not.
static void look_at_processes(struct cpu_time *time)
{
    unsigned threads = 4 * PROCESSES_MOST;
    const int *list;
    uint64_t now = clock_now(), sum = process_children_time(time->init);
    size_t count = processes_of(time->init, PROCESSES_MOST, &threads, &list);
    for (size_t i = 0; i < count; i++)
        sum += process_time(list[i]);
    if (sum < time->sum)
        time->lost += time->sum - sum;
    if (count == PROCESSES_MOST || !threads) // there are more: they may have used all there was
        time->lost += (now - time->at) / 1000 * time->processors;
    time->sum = sum;
    time->at = now;
    time->used = sum + time->lost;
}

static int look_again(struct cpu_time *time, bool group)
{
    uint64_t left = time->used < time->limit ? (time->limit - time->used) / time->processors : 0;
    uint64_t soonest = group ? SOONEST_OF_GROUP : SOONEST_OF_PROCESSES;
    uint64_t wait = left < soonest ? soonest : left > LATEST ? LATEST : left;
    struct itimerspec when = {.it_value = {.tv_nsec = (long)wait * 1000}};
    return timerfd_settime(time->timer.fd, 0, &when, NULL);
}

static void look(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)events;
    struct cpu_time *time = (struct cpu_time *)watch;
    uint64_t times, all;
    if (read(watch->fd, &times, sizeof times) != sizeof times)
        return;
    as_itself_begin();
    bool group = cgroup_cpu_time(time->cgroup, &all);
    if (group)
        time->used = all - time->before;
    else
        look_at_processes(time);
    as_itself_end();
    if (time->used >= time->limit || look_again(time, group) != 0)
        supervisor_kill(supervisor, ENDED_CPU_TIME);
}

int cpu_time_begin(struct cpu_time *time, uint64_t limit, const struct cgroup *cgroup, int init)
{
    *time = (struct cpu_time){.timer = {-1, look, NULL},
                              .cgroup = cgroup,
                              .init = init,
                              .limit = limit < UINT64_MAX / 1000 ? limit * 1000 : UINT64_MAX,
                              .at = clock_now()};
    if (!limit)
        return 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    time->processors = processors > 0 ? (unsigned)processors : 1;
    bool group = cgroup_cpu_time(cgroup, &time->before);
    time->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return time->timer.fd < 0 || look_again(time, group) != 0 ? -1 : 0;
}

void cpu_time_end(struct cpu_time *time)
{
    close_scoped(&time->timer.fd);
    time->timer.fd = -1;
}
