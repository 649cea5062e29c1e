// The least that a broker of connections does, to compare sbxrun's with.   naive PROGRAM [ARGUMENT…]
//
// PROGRAM runs in a network namespace of its own, and each IPv4 connect of it is made outside: wait, receive, read the
// address, take the socket, make another one, connect, put it in the first one's place, answer. There is no policy,
// nothing is decided, a caller that does not wait is made to, and of the socket's options, copies and flags nothing is
// kept.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1
#endif

static int run(char **argv, int told)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (unshare(CLONE_NEWNET) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 125;
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    listener = fcntl(listener, F_DUPFD, 100); // one that outlives execve
    if (listener < 0 || write(told, &listener, sizeof listener) != sizeof listener)
        return 125;
    execvp(argv[0], argv);
    return 127;
}

static void serve(int listener)
{
    struct seccomp_notif call = {0};
    struct seccomp_notif_resp answer = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
        return;
    struct sockaddr_in to = {0};
    struct iovec ours = {&to, sizeof to}, theirs = {(void *)(uintptr_t)call.data.args[1], sizeof to};
    int process = (int)syscall(SYS_pidfd_open, call.pid, 0);
    int held = (int)syscall(SYS_pidfd_getfd, process, (int)call.data.args[0], 0);
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    answer.id = call.id;
    if (process < 0 || held < 0 || made < 0 || process_vm_readv((pid_t)call.pid, &ours, 1, &theirs, 1, 0) <= 0 ||
        connect(made, (struct sockaddr *)&to, sizeof to) != 0) {
        answer.error = -errno;
    } else {
        struct seccomp_notif_addfd add = {.id = call.id,
                                          .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                          .srcfd = (uint32_t)made,
                                          .newfd = (uint32_t)call.data.args[0]};
        answer.error = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    close(made);
    close(held);
    close(process);
}

int main(int argc, char **argv)
{
    int shared[2], number = -1, status;
    if (argc < 2 || pipe2(shared, O_CLOEXEC) != 0)
        return 2;
    pid_t child = fork();
    if (child == 0)
        _exit(run(argv + 1, shared[1]));
    close(shared[1]);
    if (read(shared[0], &number, sizeof number) != sizeof number)
        return 125;
    int process = (int)syscall(SYS_pidfd_open, child, 0), listener = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    if (listener < 0)
        return 125;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    for (struct pollfd wait = {.fd = listener, .events = POLLIN}; poll(&wait, 1, -1) == 1 && wait.revents & POLLIN;)
        serve(listener);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
