// What the processes of control groups used.
#include <stdlib.h>
#include <string.h>

#include "enforcer/limits/cgroup_place.h"

static uint64_t value_in(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return strtoull(line + length, NULL, 10);
    return 0;
}

void cgroup_read(const struct cgroup *cgroup, struct cgroup_usage *usage)
{
    char text[2048];
    *usage = (struct cgroup_usage){0};
    if (cgroup->first[CONTROLLER_MEMORY] >= 0) {
        const struct cgroup_group *group = &cgroup->groups[cgroup->first[CONTROLLER_MEMORY]];
        if (cgroup_file_read(group->folder, group->v2 ? "memory.peak" : "memory.max_usage_in_bytes", text,
                             sizeof text) > 0) {
            usage->memory_known = true;
            usage->peak_bytes = strtoull(text, NULL, 10);
        }
        if (cgroup_file_read(group->folder, group->v2 ? "memory.events" : "memory.oom_control", text, sizeof text) > 0)
            usage->oom_kills = value_in(text, "oom_kill");
    }
    if (cgroup->first[CONTROLLER_MEMORY] >= 0 &&
        cgroup_file_read(cgroup->groups[cgroup->first[CONTROLLER_MEMORY]].folder, "memory.swap.peak", text,
                         sizeof text) > 0) { // v2, Linux 6.5
        usage->swap_peak_known = true;
        usage->swap_peak = strtoull(text, NULL, 10);
    }
    if (cgroup->first[CONTROLLER_MEMORY] >= 0 &&
        cgroup_file_read(cgroup->groups[cgroup->first[CONTROLLER_MEMORY]].folder, "memory.swap.events", text,
                         sizeof text) > 0) // v2
        usage->swap_refused = value_in(text, "max");
    if (cgroup->first[CONTROLLER_CPU] >= 0 &&
        cgroup_file_read(cgroup->groups[cgroup->first[CONTROLLER_CPU]].folder, "cpu.stat", text, sizeof text) > 0) {
        usage->cpu_known = true;
        usage->throttled = value_in(text, "nr_throttled");
    }
    cgroup_cpu_time(cgroup, &usage->cpu_us);
    if (cgroup->first[CONTROLLER_PIDS] >= 0 && cgroup_file_read(cgroup->groups[cgroup->first[CONTROLLER_PIDS]].folder,
                                                                "pids.peak", text, sizeof text) > 0) { // Linux 6.1
        usage->pids_peak_known = true;
        usage->pids_peak = strtoull(text, NULL, 10) ? strtoull(text, NULL, 10) - 1 : 0; // without the sandbox's init
    }
    if (cgroup->first[CONTROLLER_PIDS] >= 0 &&
        cgroup_file_read(cgroup->groups[cgroup->first[CONTROLLER_PIDS]].folder, "pids.events", text, sizeof text) > 0) {
        usage->pids_known = true;
        usage->pids_refused = value_in(text, "max");
    }
}

// io.stat has "8:0 rbytes=1 wbytes=2 …", a line for each disk.
bool cgroup_io_bytes(const struct cgroup *cgroup, uint64_t bytes[2])
{
    static const char *const names[2] = {" rbytes=", " wbytes="};
    static char text[64 * 1024];
    bytes[0] = bytes[1] = 0;
    if (cgroup->first[CONTROLLER_IO] < 0 ||
        cgroup_file_read(cgroup->groups[cgroup->first[CONTROLLER_IO]].folder, "io.stat", text, sizeof text) < 0)
        return false;
    for (int i = 0; i < 2; i++)
        for (const char *at = text; (at = strstr(at, names[i])); at++)
            bytes[i] += strtoull(at + strlen(names[i]), NULL, 10);
    return true;
}

// v2: cpu.stat, in each group; v1: cpuacct.usage, in nanoseconds.
bool cgroup_cpu_time(const struct cgroup *cgroup, uint64_t *microseconds)
{
    char text[2048];
    int first =
        cgroup->first[CONTROLLER_ACCOUNT] >= 0 ? cgroup->first[CONTROLLER_ACCOUNT] : cgroup->first[CONTROLLER_CPU];
    const struct cgroup_group *group = first < 0 ? NULL : &cgroup->groups[first];
    *microseconds = 0;
    if (!group || cgroup_file_read(group->folder, group->v2 ? "cpu.stat" : "cpuacct.usage", text, sizeof text) <= 0)
        return false;
    *microseconds = group->v2 ? value_in(text, "usage_usec") : strtoull(text, NULL, 10) / 1000;
    return true;
}

// v2: memory.swap.current; v1: the line "swap" of memory.stat, where swap is counted.
bool cgroup_swap_bytes(const struct cgroup *cgroup, uint64_t *bytes)
{
    char text[4096];
    if (cgroup->first[CONTROLLER_MEMORY] < 0)
        return false;
    const struct cgroup_group *group = &cgroup->groups[cgroup->first[CONTROLLER_MEMORY]];
    if (cgroup_file_read(group->folder, group->v2 ? "memory.swap.current" : "memory.stat", text, sizeof text) <= 0 ||
        (!group->v2 && !strstr(text, "\nswap ")))
        return false;
    *bytes = group->v2 ? strtoull(text, NULL, 10) : value_in(text, "swap");
    return true;
}
