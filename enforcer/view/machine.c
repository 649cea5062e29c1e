// What a sandbox is told of its machine: its limits, where it has some, and of the host what any program can ask the
// kernel or the processor for.
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/host/memory.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/makers.h"

// What the file of the host begins with, as a string. The number of bytes, or -1 and errno.
static ssize_t host_text(const char *path, char *text, size_t size)
{
    closing_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t n = 0;
    while (fd >= 0 && length < size - 1 && (n = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)n;
    text[length] = '\0';
    return fd < 0 || n < 0 ? -1 : (ssize_t)length;
}

// ---- memory -------------------------------------------------------------------------------------------------------

int make_meminfo(struct text *text, const struct making *making)
{
    static const char *const nothing[] = {"Buffers", "Cached",       "SwapCached", "Active",       "Inactive",
                                          "Shmem",   "SReclaimable", "SUnreclaim", "Slab"};
    struct memory memory;
    if (memory_within(making->plan, &memory) != 0)
        return MADE_FAILED;
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {
        {"MemTotal", memory.total}, {"MemFree", memory.free},   {"MemAvailable", memory.free},
        {"SwapTotal", memory.swap}, {"SwapFree", memory.swap},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        text_addf(text, "%s:%*llu kB\n", rows[i].name, (int)(23 - strlen(rows[i].name)),
                  (unsigned long long)(rows[i].bytes / 1024));
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        text_addf(text, "%s:%*d kB\n", nothing[i], (int)(23 - strlen(nothing[i])), 0);
    return MADE;
}

// ---- processors ---------------------------------------------------------------------------------------------------

// What a processor can, of what the kernel says of one on x86 and Arm: nothing that changes, no serial number.
static bool is_ability(const char *line, size_t name)
{
    static const char *const abilities[] = {
        "vendor_id",   "cpu family",    "model",    "model name",      "stepping",         "cache size",
        "fpu",         "fpu_exception", "wp",       "flags",           "vmx flags",        "bugs",
        "cpuid level", "clflush size",  "bogomips", "cache_alignment", "address sizes",    "BogoMIPS",
        "Features",    "CPU part",      "CPU variant", "CPU revision", "CPU architecture", "CPU implementer"};
    for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++)
        if (strlen(abilities[i]) == name && memcmp(abilities[i], line, name) == 0)
            return true;
    return false;
}

// Each is told as the host's first is, and as a core of one package.
int make_cpuinfo(struct text *text, const struct making *making)
{
    char host[16384];
    if (host_text("/proc/cpuinfo", host, sizeof host) < 0)
        return MADE_NOTHING;
    char *end = strstr(host, "\n\n");
    if (end)
        end[1] = '\0';
    int count = CPU_COUNT(making->processors), core = 0;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, making->processors))
            continue;
        text_addf(text, "processor\t: %d\n", i);
        for (const char *line = host; *line;) {
            size_t length = strcspn(line, "\n"), name = strcspn(line, "\t:");
            if (name < length && is_ability(line, name))
                text_addf(text, "%.*s\n", (int)length, line);
            line += length + (line[length] == '\n');
        }
        text_addf(text, "physical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\n\n", count, core++, count);
    }
    return MADE;
}

int make_cpus_online(struct text *text, const struct making *making)
{
    const char *separator = "";
    for (int first = 0; first < CPU_SETSIZE; first++) {
        if (!CPU_ISSET(first, making->processors))
            continue;
        int last = first;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, making->processors))
            last++;
        text_addf(text, first == last ? "%s%d" : "%s%d-%d", separator, first, last);
        separator = ",";
        first = last;
    }
    text_addf(text, "\n");
    return MADE;
}

static int same_as_host(struct text *text, const char *path)
{
    char host[256];
    ssize_t length = host_text(path, host, sizeof host);
    if (length <= 0)
        return MADE_NOTHING;
    text_add(text, host, (size_t)length);
    return MADE;
}

// The host's: programs have a place for each number that sched_getcpu(3) may give.
int make_cpus_possible(struct text *text, const struct making *)
{
    return same_as_host(text, "/sys/devices/system/cpu/possible");
}

// ---- time and load ------------------------------------------------------------------------------------------------

// Both start with the host, as CLOCK_BOOTTIME does and the start of a process in /proc/PID/stat.
static int clocks(struct timespec *now, struct timespec *up)
{
    return clock_gettime(CLOCK_REALTIME, now) != 0 || clock_gettime(CLOCK_BOOTTIME, up) != 0 ? -1 : 0;
}

int make_stat(struct text *text, const struct making *making)
{
    struct timespec now, up;
    if (clocks(&now, &up) != 0)
        return MADE_FAILED;
    text_addf(text, "cpu  0 0 0 0 0 0 0 0 0 0\n");
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, making->processors))
            text_addf(text, "cpu%d 0 0 0 0 0 0 0 0 0 0\n", i);
    text_addf(text, "intr 0\nctxt 0\nbtime %lld\nprocesses 1\nprocs_running 1\nprocs_blocked 0\nsoftirq 0\n",
              (long long)(now.tv_sec - up.tv_sec - (now.tv_nsec < up.tv_nsec)));
    return MADE;
}

int make_uptime(struct text *text, const struct making *)
{
    struct timespec now, up;
    if (clocks(&now, &up) != 0)
        return MADE_FAILED;
    text_addf(text, "%lld.%02ld 0.00\n", (long long)up.tv_sec, up.tv_nsec / 10000000);
    return MADE;
}

int make_loadavg(struct text *text, const struct making *)
{
    text_addf(text, "0.00 0.00 0.00 1/1 1\n");
    return MADE;
}

// ---- the kernel ---------------------------------------------------------------------------------------------------

int make_version(struct text *text, const struct making *)
{
    struct utsname name;
    if (uname(&name) != 0)
        return MADE_FAILED;
    text_addf(text, "%s version %s (sbx@sbx) #1\n", name.sysname, name.release);
    return MADE;
}

int make_osrelease(struct text *text, const struct making *)
{
    struct utsname name;
    if (uname(&name) != 0)
        return MADE_FAILED;
    text_addf(text, "%s\n", name.release);
    return MADE;
}

int make_filesystems(struct text *text, const struct making *)
{
    text_addf(text, "nodev\tproc\nnodev\ttmpfs\nnodev\tdevpts\nnodev\toverlay\n");
    return MADE;
}

int make_pid_max(struct text *text, const struct making *)
{
    return same_as_host(text, "/proc/sys/kernel/pid_max");
}

int make_overcommit_memory(struct text *text, const struct making *)
{
    return same_as_host(text, "/proc/sys/vm/overcommit_memory");
}

int make_boot_id(struct text *text, const struct making *)
{
    uint16_t n[8];
    if (getrandom(n, sizeof n, 0) != sizeof n)
        return MADE_FAILED;
    text_addf(text, "%04x%04x-%04x-4%03x-%04x-%04x%04x%04x\n", n[0], n[1], n[2], n[3] & 0xfff,
              (n[4] & 0x3fff) | 0x8000, n[5], n[6], n[7]); // version 4 (RFC 9562, section 5.4)
    return MADE;
}

// ---- control groups -----------------------------------------------------------------------------------------------

int make_cpu_max(struct text *text, const struct making *making)
{
    enum { PERIOD = 100000 }; // microseconds
    const struct plan_limit *limit = &making->plan->limits[LIMIT_cpu];
    if (limit->set)
        text_addf(text, "%llu %d\n", (unsigned long long)(limit->value * (PERIOD / 1000)), PERIOD);
    else
        text_addf(text, "max %d\n", PERIOD);
    return MADE;
}

int make_memory_max(struct text *text, const struct making *making)
{
    const struct plan_limit *limit = &making->plan->limits[LIMIT_memory];
    if (limit->set)
        text_addf(text, "%llu\n", (unsigned long long)limit->value);
    else
        text_addf(text, "max\n");
    return MADE;
}
