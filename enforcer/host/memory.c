// What the limits of a plan leave of the host's memory.
#include "enforcer/host/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"

static uint64_t within(const struct plan *plan, enum limit limit, uint64_t have)
{
    return plan->limits[limit].set && plan->limits[limit].value < have ? plan->limits[limit].value : have;
}

int memory_within(const struct plan *plan, struct memory *memory)
{
    enum { STEP = 64 * 1024 * 1024 }; // others' use is not told apart more finely
    char text[2048];
    struct sysinfo info;
    if (sysinfo(&info) != 0)
        return -1;
    uint64_t free = (uint64_t)info.freeram * info.mem_unit;
    closing_fd int file = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *available = strstr(text, "MemAvailable:");
    if (available)
        free = strtoull(available + strlen("MemAvailable:"), NULL, 10) * 1024;
    *memory = (struct memory){
        .total = within(plan, LIMIT_memory, (uint64_t)info.totalram * info.mem_unit),
        .free = within(plan, LIMIT_memory, free - free % STEP),
        .swap = within(plan, LIMIT_swap, (uint64_t)info.totalswap * info.mem_unit),
    };
    return 0;
}
