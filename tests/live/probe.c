// Tries things from inside a sandbox: one a run, so that a kill is seen.    probe WHAT    prints "ok", or the name of
// the errno.
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static long clone3_plain(void)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    return syscall(SYS_clone3, &args, sizeof args);
}

static long memfd_exec(void)
{
    int fd = (int)syscall(SYS_memfd_create, "x", 0);
    if (fd < 0)
        return -1;
    char *const argv[] = {"x", NULL};
    dprintf(fd, "#!/bin/true\n");
    return syscall(SYS_execveat, fd, "", argv, argv, AT_EMPTY_PATH);
}

#ifndef MFD_NOEXEC_SEAL // <linux/memfd.h> of Linux 6.3
#define MFD_NOEXEC_SEAL 8U
#endif

// Memory as std.base allows it: 0 where the call that is asked for, on a whole program in it, is possible.
static long memfd_sealed(const char *call)
{
    int fd = (int)syscall(SYS_memfd_create, "x", MFD_NOEXEC_SEAL);
    int program = open("/proc/self/exe", O_RDONLY);
    if (fd < 0 || program < 0 || sendfile(fd, program, NULL, 1 << 24) <= 0)
        return -1;
    if (strcmp(call, "chmod") == 0)
        return fchmod(fd, 0700);
    if (strcmp(call, "map") == 0)
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
    char *const argv[] = {"x", NULL};
    if (strcmp(call, "exec") == 0)
        return syscall(SYS_execveat, fd, "", argv, argv, AT_EMPTY_PATH);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return execve(path, argv, argv);
}

// Keys (keyrings(7)): whether the session's keyring is empty; whether the user's can be reached; a key that was added,
// found, and read by its number.
static long keys(const char *what)
{
    if (strcmp(what, "none") == 0) {
        long bytes = syscall(SYS_keyctl, KEYCTL_READ, KEY_SPEC_SESSION_KEYRING, NULL, 0);
        errno = bytes > 0 ? EEXIST : errno;
        return bytes == 0 ? 0 : -1;
    }
    if (strcmp(what, "of-user") == 0)
        return syscall(SYS_keyctl, KEYCTL_READ, KEY_SPEC_USER_KEYRING, NULL, 0);
    long key = syscall(SYS_add_key, "user", "probe", "secret", 6L, KEY_SPEC_SESSION_KEYRING);
    if (strcmp(what, "find") == 0) {
        long found = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "probe", 0);
        return key > 0 && found == key ? 0 : -1;
    }
    return key > 0 ? syscall(SYS_keyctl, KEYCTL_READ, key, (char[6]){0}, 6) : -1;
}

#if defined __x86_64__
static long int80(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"); // i386's getpid
    return result;
}
#endif

static const char *argument;

static long map_executable(void)
{
    int fd = open(argument, O_RDONLY);
    return fd < 0 ? -1 : mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}

#define TRY(name, call)                                                                                                \
    if (strcmp(what, name) == 0) {                                                                                     \
        errno = 0;                                                                                                     \
        result = (long)(call);                                                                                         \
        known = 1;                                                                                                     \
    }

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    argument = argc > 2 ? argv[2] : "";
    long result = -1;
    int known = 0;
    TRY("getpid", syscall(SYS_getpid))
    TRY("clone3", clone3_plain())
    TRY("unshare-user", unshare(CLONE_NEWUSER))
    TRY("unshare-mount", unshare(CLONE_NEWNS))
    TRY("clone-user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0))
    TRY("setns", setns(0, 0))
    TRY("mount", mount("none", "/tmp", "tmpfs", 0, NULL))
    TRY("umount", umount2("/proc", MNT_DETACH))
    TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0))
    TRY("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1))
    TRY("move_mount", syscall(SYS_move_mount, 0, "", 0, "", 0))
    TRY("pivot_root", syscall(SYS_pivot_root, ".", "."))
    TRY("chroot", chroot("/tmp"))
    TRY("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0))
    TRY("bpf", syscall(SYS_bpf, 0, 0, 0))
    TRY("io_uring", syscall(SYS_io_uring_setup, 1, 0))
    TRY("userfaultfd", syscall(SYS_userfaultfd, 0))
    TRY("keyctl", syscall(SYS_keyctl, 0, 0, 0))
    TRY("keys-none", keys("none"))
    TRY("keys-of-user", keys("of-user"))
    TRY("keys-find", keys("find"))
    TRY("keys-read", keys("read"))
    TRY("perf", syscall(SYS_perf_event_open, 0, 0, 0, 0, 0))
    TRY("tiocsti", ioctl(0, TIOCSTI, "x"))
    TRY("tiocsti-high", syscall(SYS_ioctl, 0, TIOCSTI | 1L << 32, "x"))
    TRY("tiocgwinsz-high", syscall(SYS_ioctl, 0, TIOCGWINSZ | 1L << 32, (char[64]){0}))
    TRY("chmod-suid", chmod(argument, 04755))
    TRY("chmod", chmod(argument, 0700))
    TRY("open-suid", open(argument, O_CREAT | O_WRONLY, 02755))
    TRY("open-new", open(argument, O_CREAT | O_WRONLY, 0644))
    TRY("open-read", open(argument, O_RDONLY))
    TRY("open-write", open(argument, O_WRONLY))
    TRY("openat2", syscall(SYS_openat2, AT_FDCWD, "/", (char[24]){0}, 24))
    TRY("mknod-device", mknod(argument, S_IFBLK | 0600, 0x800))
    TRY("mknod-fifo", mknod(argument, S_IFIFO | 0600, 0))
    TRY("memfd-exec", memfd_exec())
    TRY("memfd-plain", syscall(SYS_memfd_create, "x", 0))
    TRY("memfd-sealed-chmod", memfd_sealed("chmod"))
    TRY("memfd-sealed-exec", memfd_sealed("exec"))
    TRY("memfd-sealed-path", memfd_sealed("path"))
    TRY("memfd-sealed-map", memfd_sealed("map"))
    TRY("map-exec", map_executable())
    TRY("packet-socket", socket(AF_PACKET, SOCK_RAW, 0))
    TRY("netlink-socket", socket(AF_NETLINK, SOCK_RAW, 0))
    TRY("raw-socket", socket(AF_INET, SOCK_RAW, 1))
    TRY("tcp-socket", socket(AF_INET, SOCK_STREAM, 0))
    TRY("udp-socket", socket(AF_INET, SOCK_DGRAM, 0))
    TRY("unix-socket", socket(AF_UNIX, SOCK_STREAM, 0))
    TRY("mptcp-socket", socket(AF_INET, SOCK_STREAM, 262))
    TRY("vsock-socket", socket(AF_VSOCK, SOCK_STREAM, 0))
    TRY("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}))
    TRY("new-call", syscall(500))
    TRY("rmdir", rmdir(argument))
    TRY("mkdir", mkdir(argument, 0755))
    TRY("unlink", unlink(argument))
    TRY("kill-init", kill(1, SIGKILL))
    TRY("setuid", setuid(0))
#if defined __x86_64__
    TRY("x32", syscall(0x40000000 | SYS_getpid))
    TRY("int80", int80())
#endif
    if (!known)
        return 64;
    puts(result >= 0 ? "ok" : strerrorname_np(errno));
    return 0;
}
