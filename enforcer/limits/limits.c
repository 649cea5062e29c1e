// Limits: what keeps each one.
#include "enforcer/limits/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"
#include "enforcer/limits/cgroup.h"

enum keeper { KEEPER_CGROUP, KEEPER_RLIMIT, KEEPER_TIMER, KEEPER_PIPE, KEEPER_COUNT };

static const struct keeping {
    enum limit limit;
    enum keeper keeper;
    int resource;  // RLIMIT: the resource; CGROUP: one that does as well, or -1
    uint64_t unit; // a limit's unit in one of the resource's
    const char *name;
} keepings[] = {
    {LIMIT_memory, KEEPER_CGROUP, -1, 1, "control group"},
    {LIMIT_swap, KEEPER_CGROUP, -1, 1, "control group"},
    {LIMIT_cpu, KEEPER_CGROUP, -1, 1, "control group"},
    {LIMIT_cpu_weight, KEEPER_CGROUP, -1, 1, "control group"},
    {LIMIT_io, KEEPER_CGROUP, -1, 1, "control group"},
    // Counted per user and user namespace since Linux 5.14, and the sandbox is alone in its own: it holds for all of it
    // together.
    {LIMIT_pids, KEEPER_CGROUP, RLIMIT_NPROC, 1, "control group"},
    {LIMIT_lifetime, KEEPER_TIMER, -1, 1, "supervisor's timer"},
    {LIMIT_cpu_time, KEEPER_COUNT, RLIMIT_CPU, 1000, "supervisor's count"},
    {LIMIT_open_files, KEEPER_RLIMIT, RLIMIT_NOFILE, 1, "RLIMIT_NOFILE"},
    {LIMIT_file_size, KEEPER_RLIMIT, RLIMIT_FSIZE, 1, "RLIMIT_FSIZE"},
    {LIMIT_output, KEEPER_PIPE, -1, 1, "supervisor's pipes"},
};

static const struct keeping *keeping_of(enum limit limit)
{
    for (size_t i = 0; i < sizeof keepings / sizeof *keepings; i++)
        if (keepings[i].limit == limit)
            return &keepings[i];
    return NULL;
}

const char *limit_keeper(const struct bounds *bounds, enum limit limit)
{
    const struct keeping *keeping = keeping_of(limit);
    if (!(bounds->kept >> limit & 1))
        return NULL;
    bool group = bounds->cgroup >> limit & 1;
    if (keeping->keeper == KEEPER_COUNT && !group)
        return "supervisor's count of its processes";
    return keeping->keeper == KEEPER_CGROUP && !group ? "RLIMIT_NPROC in its own user namespace" : keeping->name;
}

static void add_rlimit(struct bounds *bounds, int resource, uint64_t value, uint64_t unit)
{
    bounds->rlimits[bounds->rlimit_count].resource = resource;
    bounds->rlimits[bounds->rlimit_count++].value = (rlim_t)(value / unit + (value % unit != 0));
}

static bool add(struct bounds *bounds, const struct plan *plan, enum limit limit)
{
    const struct keeping *keeping = keeping_of(limit);
    uint64_t value = plan->limits[limit].value;
    switch (keeping->keeper) {
    case KEEPER_CGROUP:
        if (cgroup_can(limit) && (limit != LIMIT_swap || plan->limits[LIMIT_memory].set)) {
            bounds->cgroup |= 1u << limit;
            return true;
        }
        if (keeping->resource < 0)
            return false;
        add_rlimit(bounds, keeping->resource, value < UINT32_MAX ? value + 1 : value, 1); // and the sandbox's init
        return true;
    case KEEPER_RLIMIT: add_rlimit(bounds, keeping->resource, value, keeping->unit); return true;
    case KEEPER_TIMER: bounds->lifetime = value; return true;
    case KEEPER_COUNT: // and no process alone may have much more, though sbxrun is stopped
        if (cgroup_can(limit))
            bounds->cgroup |= 1u << limit;
        bounds->cpu_time = value;
        add_rlimit(bounds, keeping->resource, value < UINT64_MAX - keeping->unit ? value + keeping->unit : value,
                   keeping->unit);
        return true;
    case KEEPER_PIPE:
        bounds->has_output = true;
        bounds->output = value;
        return true;
    }
    return false;
}

bool bounds_add(struct bounds *bounds, const struct plan *plan, enum limit limit)
{
    bool kept = add(bounds, plan, limit);
    bounds->kept |= (unsigned)kept << limit;
    return kept;
}

void bounds_processors(const struct plan *plan, cpu_set_t *processors)
{
    const uint64_t limit = plan->limits[LIMIT_cpu].value;
    uint64_t wanted = limit / 1000 + (limit % 1000 != 0), count = (uint64_t)CPU_COUNT(processors);
    if (!plan->limits[LIMIT_cpu].set || count <= wanted)
        return;
    int here = sched_getcpu();
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    for (int i = here < 0 ? 0 : here + 1; wanted; i++)
        if (CPU_ISSET(i % CPU_SETSIZE, processors)) {
            CPU_SET(i % CPU_SETSIZE, &chosen);
            wanted--;
        }
    *processors = chosen;
}

int bounds_begin(struct bounds *bounds, struct failure *failure)
{
    char pattern[2] = "";
    closing_fd int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    if (getrlimit(RLIMIT_NOFILE, &bounds->caller_files) != 0)
        return fail(failure, NO_RULE, errno, "cannot tell how many files may be open");
    bounds->cores_unknown = fd < 0 || read(fd, pattern, 1) < 0;
    if (pattern[0] == '@') // Linux 6.16: whatever RLIMIT_CORE is
        return fail_with_advice(failure, NO_RULE, 0, "let the host pipe them to a program, or write files",
                                "the host sends core dumps to a socket (/proc/sys/kernel/core_pattern), which nothing "
                                "could keep a sandbox from");
    bounds->cores_piped = pattern[0] == '|';
    return 0;
}

int bounds_apply(const struct bounds *bounds, struct failure *failure)
{
    if (bounds->cores_unknown)
        return fail_with_advice(failure, NO_RULE, 0,
                                "let sbxrun read /proc/sys/kernel/core_pattern: a container that masks parts of /proc "
                                "must not (docker: --security-opt systempaths=unconfined)",
                                "cannot tell where core dumps go, and so not keep them from going there");
    // 1 is special: less than any file is worth, and where a program of the host takes dumps it is not started, as it
    // is with 0 (core(5)).
    struct rlimit no_core = {1, 1}, nothing = {0, 0};
    if (setrlimit(RLIMIT_CORE, &no_core) != 0 && (bounds->cores_piped || setrlimit(RLIMIT_CORE, &nothing) != 0))
        return fail_with_advice(failure, NO_RULE, errno,
                                "the caller's hard limit is 0, which does not keep them from the program that the host "
                                "pipes them to: `ulimit -H -c 1` there, or another /proc/sys/kernel/core_pattern",
                                "cannot forbid core dumps");
    if (setrlimit(RLIMIT_RTPRIO, &nothing) != 0 || setrlimit(RLIMIT_NICE, &nothing) != 0)
        return fail(failure, NO_RULE, errno, "cannot keep the command from a higher priority");
    if (setrlimit(RLIMIT_NOFILE, &bounds->caller_files) != 0)
        return fail(failure, NO_RULE, errno, "cannot give the command the caller's limit of open files");
    for (size_t i = 0; i < bounds->rlimit_count; i++) {
        struct rlimit have, want = {bounds->rlimits[i].value, bounds->rlimits[i].value};
        if (getrlimit(bounds->rlimits[i].resource, &have) == 0 && have.rlim_max < want.rlim_max)
            want.rlim_cur = want.rlim_max = have.rlim_max; // the caller's own limit is tighter
        if (setrlimit(bounds->rlimits[i].resource, &want) != 0)
            return fail(failure, NO_RULE, errno, "cannot set a resource limit");
    }
    return 0;
}
