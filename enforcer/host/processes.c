// The processes of a sandbox.
#include "enforcer/host/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"

// Adds the children of a process, of all its threads.
static size_t add_children(int process, int *list, size_t count, size_t most, unsigned *left)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *threads = opendir(path);
    for (struct dirent *entry; threads && *left && (entry = readdir(threads));) {
        if (entry->d_name[0] == '.')
            continue;
        --*left;
        char name[300];
        snprintf(name, sizeof name, "%.200s/children", entry->d_name);
        int fd = openat(dirfd(threads), name, O_RDONLY | O_CLOEXEC);
        FILE *children = fd < 0 ? NULL : fdopen(fd, "r");
        for (int child; children && count < most && fscanf(children, "%d", &child) == 1;)
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

size_t processes_of(int ancestor, size_t most, unsigned *threads, const int **found)
{
    static int list[PROCESSES_MOST];
    most = most < PROCESSES_MOST ? most : PROCESSES_MOST;
    size_t count = add_children(ancestor, list, 0, most, threads);
    for (size_t i = 0; i < count; i++)
        count = add_children(list[i], list, count, most, threads);
    *found = list;
    return count;
}

// proc_pid_stat(5): after the name, in brackets, the 12th to 15th field are utime, stime, cutime and cstime, in ticks.
static void times_of(int process, uint64_t *own, uint64_t *children)
{
    char path[64], text[1024];
    uint64_t times[4] = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", process);
    closing_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    const char *after = strrchr(text, ')');
    if (after)
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &times[0], &times[1], &times[2], &times[3]);
    uint64_t tick = 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    *own = (times[0] + times[1]) * tick;
    *children = (times[2] + times[3]) * tick;
}

uint64_t process_time(int process)
{
    uint64_t own, children;
    times_of(process, &own, &children);
    return own + children;
}

uint64_t process_children_time(int process)
{
    uint64_t own, children;
    times_of(process, &own, &children);
    return children;
}
