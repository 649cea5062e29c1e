// One system call that waits for the supervisor's answer.
#include "enforcer/notified.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/kernel.h"
#include "enforcer/scoped.h"

// The process of a thread. Linux before 6.9 has pidfds of whole processes only.
static int open_process(int thread)
{
    int fd = (int)syscall(SYS_pidfd_open, thread, PIDFD_OF_THREAD);
    if (fd >= 0 || errno == ESRCH)
        return fd;
    if ((fd = (int)syscall(SYS_pidfd_open, thread, 0)) >= 0)
        return fd;
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/status", thread);
    closing_fd int status = open(path, O_RDONLY | O_CLOEXEC);
    if (status < 0 || read(status, text, sizeof text - 1) <= 0)
        return -1;
    const char *leader = strstr(text, "\nTgid:");
    return leader ? (int)syscall(SYS_pidfd_open, atoi(leader + 6), 0) : -1;
}

int notified_next(int listener, struct notified *call)
{
    struct seccomp_notif received = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &received) != 0)
        return errno == ENOENT || errno == EINTR ? 0 : -1;
    *call = (struct notified){.id = received.id, .listener = listener, .thread = (int)received.pid, .number = received.data.nr};
    memcpy(call->arguments, received.data.args, sizeof call->arguments);
    call->process = open_process(call->thread);
    if (call->process >= 0 && notified_waits(call)) // else the number may be another's already
        return 1;
    notified_answer(call, EINTR, 0);
    notified_release(call);
    return 0;
}

void notified_release(struct notified *call)
{
    close_scoped(&call->process);
    call->process = -1;
}

bool notified_waits(const struct notified *call)
{
    return ioctl(call->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
}

long notified_read(const struct notified *call, uint64_t address, void *to, size_t length)
{
    return notified_gather(call, &(struct iovec){(void *)(uintptr_t)address, length}, 1, to, length);
}

long notified_gather(const struct notified *call, const struct iovec *theirs, int count, void *to, size_t length)
{
    struct iovec ours = {to, length};
    ssize_t n = process_vm_readv(call->thread, &ours, 1, theirs, (unsigned long)count, 0);
    if (n < 0)
        return errno == EPERM ? -EPERM : -EFAULT;
    return notified_waits(call) ? n : -ESRCH; // it was that thread's memory
}

long notified_write(const struct notified *call, uint64_t address, const void *from, size_t length)
{
    struct iovec ours = {(void *)from, length}, theirs = {(void *)(uintptr_t)address, length};
    if (!notified_waits(call))
        return -ESRCH;
    ssize_t n = process_vm_writev(call->thread, &ours, 1, &theirs, 1, 0);
    return n < 0 ? -EFAULT : n;
}

int notified_take(const struct notified *call, int fd)
{
    int taken = (int)syscall(SYS_pidfd_getfd, call->process, fd, 0);
    return taken < 0 ? -errno : taken;
}

int notified_place(const struct notified *call, int ours, int at, bool close_on_exec)
{
    struct seccomp_notif_addfd add = {
        .id = call->id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = (uint32_t)ours, .newfd = (uint32_t)at, .newfd_flags = close_on_exec ? O_CLOEXEC : 0};
    return ioctl(call->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

bool notified_answer(const struct notified *call, int error, int64_t value)
{
    struct seccomp_notif_resp response = {.id = call->id, .val = error ? 0 : value, .error = -error};
    return ioctl(call->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0;
}
