// What the kernel keeps no peak of.
#include "enforcer/supervisor/samples.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "enforcer/host/clock.h"
#include "enforcer/host/processes.h"
#include "enforcer/host/outside.h"
#include "enforcer/host/scoped.h"

enum { TENTH = 100000000 }; // nanoseconds
// In one look, or the command could make it take the supervisor's time. Opened: threads and descriptors.
enum { LOOKED_AT = 256, OPENED_MOST = 2048 };

static const struct {
    enum limit limit;
    bool stops; // nothing gets past it: seen there, it was reached; that it never was nobody knows
} sampled[SAMPLES] = {
    [SAMPLE_OPEN_FILES] = {LIMIT_open_files, true},
    [SAMPLE_FILE_SIZE] = {LIMIT_file_size, true},
    [SAMPLE_IO] = {LIMIT_io, false},
    [SAMPLE_SWAP] = {LIMIT_swap, false},
    [SAMPLE_PIDS] = {LIMIT_pids, true},
};

static void note(struct samples *samples, enum sample sample, uint64_t value)
{
    samples->known[sample] = true;
    samples->peaks[sample] = value > samples->peaks[sample] ? value : samples->peaks[sample];
}

// How many descriptors a process has: the size of its folder since Linux 6.2, before that how many entries are in it
// (proc(5)).
static uint64_t files_of(int process)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/fd", process);
    if (stat(path, &status) == 0 && status.st_size > 0)
        return (uint64_t)status.st_size;
    DIR *list = opendir(path);
    uint64_t count = 0;
    for (struct dirent *entry; list && (entry = readdir(list));)
        count += entry->d_name[0] != '.';
    if (list)
        closedir(list);
    return count;
}

// How far into the files that it may write a process has come, by each descriptor's offset. That is asked of the kernel
// alone: to ask a file for its size might wait for whoever serves it. What is written elsewhere than at the offset is
// not seen; an offset past the limit was sought, as nobody writes there (proc(5), fdinfo).
static void look_at_offsets(struct samples *samples, int process, unsigned *left)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/fdinfo", process);
    DIR *list = opendir(path);
    for (struct dirent *entry; list && *left && (entry = readdir(list));) {
        if (entry->d_name[0] == '.')
            continue;
        --*left;
        int fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        uint64_t offset;
        unsigned flags;
        text[length > 0 ? length : 0] = '\0';
        if (sscanf(text, "pos: %" SCNu64 " flags: %o", &offset, &flags) == 2 && (flags & O_ACCMODE) != O_RDONLY &&
            offset <= samples->file_size)
            note(samples, SAMPLE_FILE_SIZE, offset);
        if (fd >= 0)
            close(fd);
    }
    if (list)
        closedir(list);
}

// False of a process that is still a copy of sbxrun, and has its descriptors.
static bool has_executed(int process)
{
    char path[32];
    struct stat own, its;
    snprintf(path, sizeof path, "/proc/%d/exe", process);
    return stat("/proc/self/exe", &own) != 0 || stat(path, &its) != 0 || own.st_dev != its.st_dev ||
           own.st_ino != its.st_ino;
}

static void look_at_processes(struct samples *samples)
{
    const int *list;
    unsigned threads = OPENED_MOST, left = OPENED_MOST;
    size_t count = processes_of(samples->init, LOOKED_AT, &threads, &list);
    for (size_t i = 0; i < count; i++) {
        if (!has_executed(list[i]))
            continue;
        uint64_t files = samples->looks[SAMPLE_OPEN_FILES] ? files_of(list[i]) : 0;
        if (files)
            note(samples, SAMPLE_OPEN_FILES, files);
        if (samples->looks[SAMPLE_FILE_SIZE])
            look_at_offsets(samples, list[i], &left);
    }
    if (samples->looks[SAMPLE_PIDS])
        note(samples, SAMPLE_PIDS, OPENED_MOST - threads - 1); // without the sandbox's first process
}

// Over a tenth of a second at least: less would make a second's worth of one block.
static void look_at_disks(struct samples *samples)
{
    uint64_t bytes[2], now = clock_now(), past = now - samples->at;
    if (!cgroup_io_bytes(samples->cgroup, bytes))
        return;
    for (int i = 0; i < 2; i++) {
        note(samples, SAMPLE_IO,
             (uint64_t)((double)(bytes[i] - samples->bytes[i]) * 1e9 / (double)(past > TENTH ? past : TENTH)));
        samples->bytes[i] = bytes[i];
    }
    samples->at = now;
}

static void look_at_group(struct samples *samples)
{
    uint64_t bytes;
    if (samples->looks[SAMPLE_IO])
        look_at_disks(samples);
    if (samples->looks[SAMPLE_SWAP] && cgroup_swap_bytes(samples->cgroup, &bytes))
        note(samples, SAMPLE_SWAP, bytes);
}

static void look(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)supervisor, (void)events;
    struct samples *samples = (struct samples *)watch;
    uint64_t times;
    if (read(watch->fd, &times, sizeof times) != sizeof times)
        return;
    as_itself_begin();
    if (samples->looks[SAMPLE_OPEN_FILES] || samples->looks[SAMPLE_FILE_SIZE] || samples->looks[SAMPLE_PIDS])
        look_at_processes(samples);
    look_at_group(samples);
    as_itself_end();
}

void samples_begin(struct samples *samples, const struct plan *plan, const struct bounds *bounds,
                   const struct cgroup *cgroup, int init)
{
    struct itimerspec tenths = {{0, TENTH}, {0, TENTH}};
    *samples = (struct samples){
        .timer = {-1, look, NULL},
        .cgroup = cgroup,
        .init = init,
        .file_size = plan->limits[LIMIT_file_size].value,
        .at = clock_now(),
    };
    bool any = false;
    unsigned kept = bounds->kept & ~(bounds->cgroup & 1u << LIMIT_pids); // a group counts those
    for (int i = 0; i < SAMPLES; i++)
        any |= samples->looks[i] = kept >> sampled[i].limit & 1;
    if (!any)
        return;
    samples->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (samples->timer.fd >= 0 && timerfd_settime(samples->timer.fd, 0, &tenths, NULL) != 0) {
        close(samples->timer.fd);
        samples->timer.fd = -1;
    }
}

void samples_end(struct samples *samples)
{
    look_at_group(samples);
    close_scoped(&samples->timer.fd);
    samples->timer.fd = -1;
}

void samples_tell(const struct samples *samples, const struct plan *plan, struct limit_use uses[LIMIT_COUNT])
{
    for (int i = 0; i < SAMPLES; i++) {
        bool reached =
            sampled[i].stops && samples->peaks[i] && samples->peaks[i] >= plan->limits[sampled[i].limit].value;
        uses[sampled[i].limit] = (struct limit_use){samples->known[i], reached, samples->peaks[i], reached};
    }
}
