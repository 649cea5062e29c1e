// One system call that waits for the supervisor's answer.
#include "enforcer/supervisor/notified.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

long notified_status(int thread, const char *field, int base)
{
    char path[64], text[4096] = "", key[32];
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    snprintf(key, sizeof key, "\n%s:", field);
    closing_fd int status = open(path, O_RDONLY | O_CLOEXEC);
    const char *line = status >= 0 && read(status, text, sizeof text - 1) > 0 ? strstr(text, key) : NULL;
    return line ? strtol(line + strlen(key), NULL, base) : -1;
}

// The process of a thread. Linux before 6.9 has pidfds of whole processes only, and then it may not stand for the
// number.
static int open_process(int thread, bool *stands_for_number)
{
    int fd = (int)syscall(SYS_pidfd_open, thread, PIDFD_OF_THREAD);
    if (fd < 0 && errno != ESRCH)
        fd = (int)syscall(SYS_pidfd_open, thread, 0);
    *stands_for_number = fd >= 0;
    if (fd >= 0 || errno == ESRCH)
        return fd;
    long leader = notified_status(thread, "Tgid", 10);
    return leader > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)leader, 0) : -1;
}

static void caller_close(struct notified_caller *caller)
{
    close_scoped(&caller->process);
    close_scoped(&caller->table);
    for (int fd = 0; fd < NOTIFIED_KEPT; fd++)
        if (caller->about[fd])
            close(caller->about[fd] - 1);
    *caller = (struct notified_caller)NOTIFIED_NOBODY;
}

static struct notified_caller caller_move(struct notified_caller *from)
{
    struct notified_caller moved = *from;
    *from = (struct notified_caller)NOTIFIED_NOBODY;
    return moved;
}

int notified_next(struct notified_source *source, struct notified *call)
{
    struct seccomp_notif received = {0};
    if (ioctl(source->listener, SECCOMP_IOCTL_NOTIF_RECV, &received) != 0)
        return errno == ENOENT || errno == EINTR ? 0 : -1;
    *call = (struct notified){.id = received.id,
                              .source = source,
                              .caller = NOTIFIED_NOBODY,
                              .number = received.data.nr,
                              .architecture = received.data.arch};
    call->caller.thread = (int)received.pid;
    memcpy(call->arguments, received.data.args, sizeof call->arguments);
    if (source->last.thread ==
        call->caller.thread) { // or another's that has its number by now: notified_take finds out
        call->caller = caller_move(&source->last);
        call->caller.again = true;
        call->stands_for_number = true;
        return 1;
    }
    call->caller.process = open_process(call->caller.thread, &call->stands_for_number);
    if (call->caller.process >= 0 && notified_waits(call)) // else the number may be another's already
        return 1;
    notified_answer(call, EINTR, 0);
    caller_close(&call->caller);
    return 0;
}

void notified_release(struct notified *call)
{
    if (call->stands_for_number && call->caller.process >= 0) {
        caller_close(&call->source->last);
        call->source->last = caller_move(&call->caller);
    } else {
        caller_close(&call->caller);
    }
}

void notified_park(struct notified *call)
{
    struct notified_caller *caller = &call->caller;
    close_scoped(&caller->table);
    caller->table = -1;
    for (int fd = 0; fd < NOTIFIED_KEPT; fd++)
        if (caller->about[fd]) {
            close(caller->about[fd] - 1);
            caller->about[fd] = 0;
        }
}

struct notified notified_move(struct notified *from)
{
    struct notified moved = *from;
    from->caller = (struct notified_caller)NOTIFIED_NOBODY;
    return moved;
}

void notified_end(struct notified_source *source)
{
    caller_close(&source->last);
    close_scoped(&source->listener);
    source->listener = -1;
}

bool notified_waits(const struct notified *call)
{
    return ioctl(call->source->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
}

long notified_read(const struct notified *call, uint64_t address, void *to, size_t length)
{
    return notified_gather(call, &(struct iovec){(void *)(uintptr_t)address, length}, 1, to, length);
}

long notified_gather(const struct notified *call, const struct iovec *theirs, int count, void *to, size_t length)
{
    struct iovec ours = {to, length};
    ssize_t n = process_vm_readv(call->caller.thread, &ours, 1, theirs, (unsigned long)count, 0);
    if (n < 0)
        return errno == EPERM ? -EPERM : -EFAULT;
    return notified_waits(call) ? n : -ESRCH; // it was that thread's memory
}

long notified_write(const struct notified *call, uint64_t address, const void *from, size_t length)
{
    struct iovec ours = {(void *)from, length}, theirs = {(void *)(uintptr_t)address, length};
    if (!notified_waits(call))
        return -ESRCH;
    ssize_t n = process_vm_writev(call->caller.thread, &ours, 1, &theirs, 1, 0);
    return n < 0 ? -EFAULT : n;
}

int notified_take(struct notified *call, int fd)
{
    struct notified_caller *caller = &call->caller;
    int taken = (int)syscall(SYS_pidfd_getfd, caller->process, fd, 0);
    if (taken < 0 && errno == ESRCH &&
        caller->again) { // the last caller is dead: what is known of it is nothing of this one's
        int thread = caller->thread;
        caller_close(caller);
        caller->thread = thread;
        caller->process = open_process(thread, &call->stands_for_number);
        taken =
            caller->process < 0 || !notified_waits(call) ? -1 : (int)syscall(SYS_pidfd_getfd, caller->process, fd, 0);
    }
    return taken < 0 ? -errno : taken;
}

int notified_table(struct notified *call)
{
    char path[64];
    if (call->caller.table >= 0)
        return lseek(call->caller.table, 0, SEEK_SET) == 0 ? call->caller.table : -1;
    snprintf(path, sizeof path, "/proc/%d/fd", call->caller.thread);
    call->caller.table = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (call->caller.table < 0 &&
        errno == EACCES) { // of a process that is not dumpable; the other has the same numbers
        strcat(path, "info");
        call->caller.table = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return call->caller.table;
}

long notified_about(struct notified *call, int fd, char *text, size_t size)
{
    char path[32];
    int *kept = call->caller.again && fd < NOTIFIED_KEPT ? &call->caller.about[fd] : NULL, table = call->caller.table;
    closing_fd int opened = -1;
    if (table < 0 && (table = notified_table(call)) < 0)
        return -1;
    if (!kept || !*kept) {
        snprintf(path, sizeof path, "../fdinfo/%d", fd);
        opened = openat(table, path, O_RDONLY | O_CLOEXEC);
        if (opened < 0)
            return -1;
    }
    ssize_t n = pread(kept && *kept ? *kept - 1 : opened, text, size - 1, 0);
    if (kept && !*kept)
        *kept = take_fd(opened) + 1;
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? n : -1;
}

int notified_place(const struct notified *call, int ours, int at, bool close_on_exec)
{
    struct seccomp_notif_addfd add = {.id = call->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                      .srcfd = (uint32_t)ours,
                                      .newfd = (uint32_t)at,
                                      .newfd_flags = close_on_exec ? O_CLOEXEC : 0};
    return ioctl(call->source->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

int notified_give(const struct notified *call, int ours, bool close_on_exec)
{
    struct seccomp_notif_addfd add = {.id = call->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SEND,
                                      .srcfd = (uint32_t)ours,
                                      .newfd_flags = close_on_exec ? O_CLOEXEC : 0};
    return ioctl(call->source->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

void notified_continue(const struct notified *call)
{
    struct seccomp_notif_resp response = {.id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(call->source->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

bool notified_answer(const struct notified *call, int error, int64_t value)
{
    struct seccomp_notif_resp response = {.id = call->id, .val = error ? 0 : value, .error = -error};
    return ioctl(call->source->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0;
}
