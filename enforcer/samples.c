// What the kernel keeps no peak of.
#include "enforcer/samples.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "enforcer/clock.h"
#include "enforcer/scoped.h"

enum { TENTH = 100000000, PROCESSES_MOST = 256 }; // nanoseconds

// How many descriptors a process has: the size of its folder since Linux 6.2, before that how many entries are in it (proc(5)).
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

// Adds the children of a process, of all its threads.
static size_t add_children(int process, int list[PROCESSES_MOST], size_t count)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *threads = opendir(path);
    for (struct dirent *entry; threads && (entry = readdir(threads));) {
        char name[300];
        snprintf(name, sizeof name, "%.200s/children", entry->d_name);
        int fd = entry->d_name[0] == '.' ? -1 : openat(dirfd(threads), name, O_RDONLY | O_CLOEXEC);
        FILE *children = fd < 0 ? NULL : fdopen(fd, "r");
        for (int child; children && count < PROCESSES_MOST && fscanf(children, "%d", &child) == 1;)
            list[count++] = child;
        if (children)
            fclose(children);
        else if (fd >= 0)
            close(fd);
    }
    if (threads)
        closedir(threads);
    return count;
}

static void look_at_files(struct samples *samples)
{
    static int list[PROCESSES_MOST];
    size_t count = add_children(samples->init, list, 0);
    for (size_t i = 0; i < count; i++) {
        uint64_t files = files_of(list[i]);
        samples->files_known |= files > 0;
        samples->files_peak = files > samples->files_peak ? files : samples->files_peak;
        count = add_children(list[i], list, count);
    }
}

// Over a tenth of a second at least: less would make a second's worth of one block.
static void look_at_disks(struct samples *samples)
{
    uint64_t bytes[2], now = clock_now(), past = now - samples->at;
    if (!cgroup_io_bytes(samples->cgroup, bytes))
        return;
    for (int i = 0; i < 2; i++) {
        uint64_t rate = (uint64_t)((double)(bytes[i] - samples->bytes[i]) * 1e9 / (double)(past > TENTH ? past : TENTH));
        samples->io_peak = rate > samples->io_peak ? rate : samples->io_peak;
        samples->bytes[i] = bytes[i];
    }
    samples->io_known = true;
    samples->at = now;
}

static void look(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)supervisor, (void)events;
    struct samples *samples = (struct samples *)watch;
    uint64_t times;
    if (read(watch->fd, &times, sizeof times) != sizeof times)
        return;
    if (samples->files)
        look_at_files(samples);
    if (samples->io)
        look_at_disks(samples);
}

void samples_begin(struct samples *samples, unsigned kept, const struct cgroup *cgroup, int init)
{
    struct itimerspec tenths = {{0, TENTH}, {0, TENTH}};
    *samples = (struct samples){.timer = {-1, look, NULL}, .cgroup = cgroup, .init = init, .files = kept >> LIMIT_open_files & 1, .io = kept >> LIMIT_io & 1, .at = clock_now()};
    if (!samples->files && !samples->io)
        return;
    samples->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (samples->timer.fd >= 0 && timerfd_settime(samples->timer.fd, 0, &tenths, NULL) != 0) {
        close(samples->timer.fd);
        samples->timer.fd = -1;
    }
}

void samples_end(struct samples *samples)
{
    if (samples->io)
        look_at_disks(samples);
    close_scoped(&samples->timer.fd);
    samples->timer.fd = -1;
}
