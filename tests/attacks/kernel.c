// Tries on the kernel's interface: calls that nobody in a sandbox needs, and ways to hide them from a filter.
#include "tests/attacks/attack.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static int x32(char **arguments)
{
    (void)arguments;
    return result_of(syscall(SYS_getpid | 0x40000000));
}

static int i386(char **arguments)
{
    (void)arguments;
#ifdef __x86_64__
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11"); // getpid of i386
    return result > 0 ? 0 : (int)-result;
#else
    return ENOSYS;
#endif
}

static int newer_number(char **arguments)
{
    (void)arguments;
    return result_of(syscall(2000));
}

static int tiocsti(char **arguments) // with nothing, or something, above the 32 bits that the kernel looks at
{
    unsigned long high = arguments[0] ? strtoul(arguments[0], NULL, 0) : 0;
    return result_of(syscall(SYS_ioctl, 0, (unsigned long)TIOCSTI | high << 32, "x"));
}

static int tioclinux(char **arguments)
{
    (void)arguments;
    char three = 3;
    return result_of(ioctl(0, TIOCLINUX, &three));
}

static int unshares(char **arguments)
{
    static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWNET,
                                CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP, 0x80 /* CLONE_NEWTIME */};
    (void)arguments;
    int error = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (unshare(flags[i]) == 0)
            return 0;
        error = errno;
        errno = 0;
        long pid = syscall(SYS_clone, flags[i] == 0x80 ? CLONE_NEWUSER : flags[i] | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid == 0)
            _exit(0);
        if (pid > 0) {
            waitpid((pid_t)pid, NULL, 0);
            return 0;
        }
    }
    return error;
}

static int clone3(char **arguments)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    (void)arguments;
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(0);
    return result_of(pid);
}

static int setns_own(char **arguments) // into the namespace where it is
{
    (void)arguments;
    int fd = open("/proc/self/ns/net", O_RDONLY);
    return fd < 0 ? errno : result_of(setns(fd, 0));
}

// A call with arguments that do no harm: where it gets to the kernel, that complains about them.
static int bare_call(char **arguments)
{
    static const struct {
        const char *name;
        long number;
        uintptr_t a, b, c, d, e;
    } calls[] = {
        {"mount", SYS_mount, 0, 0, 0, 0, 0},
        {"umount2", SYS_umount2, (uintptr_t) "/none", 0, 0, 0, 0},
        {"move_mount", SYS_move_mount, (uintptr_t)-1, (uintptr_t) "", (uintptr_t)-1, (uintptr_t) "", 0},
        {"open_tree", SYS_open_tree, (uintptr_t)-1, (uintptr_t) "none", 1, 0, 0},
        {"fsopen", SYS_fsopen, (uintptr_t) "none", 0, 0, 0, 0},
        {"fsmount", SYS_fsmount, (uintptr_t)-1, 0, 0, 0, 0},
        {"fsconfig", SYS_fsconfig, (uintptr_t)-1, 0, 0, 0, 0},
        {"fspick", SYS_fspick, (uintptr_t)-1, (uintptr_t) "none", 0, 0, 0},
        {"mount_setattr", 442, (uintptr_t)-1, (uintptr_t) "none", 0, 0, 0},
        {"pivot_root", SYS_pivot_root, (uintptr_t) "/none", (uintptr_t) "/none", 0, 0, 0},
        {"chroot", SYS_chroot, (uintptr_t) "/none", 0, 0, 0, 0},
        {"io_uring_setup", SYS_io_uring_setup, 1, 0, 0, 0, 0},
        {"io_uring_enter", SYS_io_uring_enter, (uintptr_t)-1, 0, 0, 0, 0},
        {"io_uring_register", SYS_io_uring_register, (uintptr_t)-1, 0, 0, 0, 0},
        {"bpf", SYS_bpf, 0, 0, 0, 0, 0},
        {"perf_event_open", SYS_perf_event_open, 0, 0, (uintptr_t)-1, (uintptr_t)-1, 0},
        {"userfaultfd", SYS_userfaultfd, 1, 0, 0, 0, 0},   // UFFD_USER_MODE_ONLY
        {"keyctl", SYS_keyctl, 0, (uintptr_t)-4, 0, 0, 0}, // the user keyring's number
        {"add_key", SYS_add_key, 0, 0, 0, 0, 0},
        {"request_key", SYS_request_key, 0, 0, 0, 0, 0},
        {"name_to_handle_at", SYS_name_to_handle_at, (uintptr_t)-1, (uintptr_t) "none", 0, 0, 0},
        {"open_by_handle_at", SYS_open_by_handle_at, (uintptr_t)-1, 0, 0, 0, 0},
        {"kexec_load", SYS_kexec_load, 0, (uintptr_t)-1, 0, 0, 0},
        {"kexec_file_load", SYS_kexec_file_load, (uintptr_t)-1, (uintptr_t)-1, 0, 0, 0},
        {"init_module", SYS_init_module, 0, 0, 0, 0, 0},
        {"finit_module", SYS_finit_module, (uintptr_t)-1, 0, 0, 0, 0},
        {"delete_module", SYS_delete_module, 0, 0, 0, 0, 0},
        {"process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0, 0},
        {"process_vm_writev", SYS_process_vm_writev, 1, 0, 0, 0, 0},
        {"pidfd_getfd", 438, (uintptr_t)-1, 0, 0, 0, 0},
        {"quotactl", SYS_quotactl, (uintptr_t)-1, 0, 0, 0, 0},
        {"acct", SYS_acct, (uintptr_t) "/none/none", 0, 0, 0, 0},
        {"swapon", SYS_swapon, (uintptr_t) "/none/none", 0, 0, 0, 0},
        {"swapoff", SYS_swapoff, (uintptr_t) "/none/none", 0, 0, 0, 0},
        {"reboot", SYS_reboot, 0, 0, 0, 0, 0}, // without the magic numbers
        {"fanotify_init", SYS_fanotify_init, 0xFFFFF, 0, 0, 0, 0},
        {"settimeofday", SYS_settimeofday, 1, 0, 0, 0, 0},
        {"clock_settime", SYS_clock_settime, 99, 0, 0, 0, 0},
        {"syslog", SYS_syslog, 99, 0, 0, 0, 0},
        {"sethostname", SYS_sethostname, 0, (uintptr_t)-1, 0, 0, 0},
        {"setdomainname", SYS_setdomainname, 0, (uintptr_t)-1, 0, 0, 0},
        {"move_pages", SYS_move_pages, 1, 0, 0, 0, 0},
        {"migrate_pages", SYS_migrate_pages, 1, 0, 0, 0, 0},
#ifdef __x86_64__
        {"iopl", SYS_iopl, 9, 0, 0, 0, 0},
        {"ioperm", SYS_ioperm, 0x10000, 1, 1, 0, 0},
        {"modify_ldt", SYS_modify_ldt, 99, 0, 0, 0, 0},
        {"lookup_dcookie", SYS_lookup_dcookie, 0, 0, 0, 0, 0},
#endif
    };
    for (size_t i = 0; arguments[0] && i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i].name, arguments[0]) == 0)
            return result_of(syscall(calls[i].number, calls[i].a, calls[i].b, calls[i].c, calls[i].d, calls[i].e));
    return ENOSYS;
}

static int trace_child(char **arguments)
{
    (void)arguments;
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    int error = result_of(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return error;
}

// Who started it: the sandbox's first process.
static int trace_parent(char **arguments)
{
    (void)arguments;
    return result_of(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
}

static int own_listener_fd;

static int write_parent(char **arguments)
{
    (void)arguments;
    char byte = 0;
    struct iovec ours = {&byte, 1}, theirs = {(void *)&own_listener_fd, 1};
    return result_of(syscall(SYS_process_vm_writev, getppid(), &ours, 1, &theirs, 1, 0));
}

// At the beginning of a call of that number: makes it another. 1, 0 where it is no such call, or -1.
static int change_call(pid_t pid, long from, long to)
{
    struct user_regs_struct registers;
    struct iovec place = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &place) != 0)
        return -1;
#ifdef __x86_64__
    if ((long)registers.orig_rax != from)
        return 0;
    registers.orig_rax = (unsigned long)to;
    return ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &place) == 0 ? 1 : -1;
#else
    if ((long)registers.regs[8] != from)
        return 0;
    place = (struct iovec){&(int){(int)to}, sizeof(int)};
    return ptrace(PTRACE_SETREGSET, pid, (void *)NT_ARM_SYSTEM_CALL, &place) == 0 ? 1 : -1;
#endif
}

// A call that is allowed is made another by who traces it, after the call has begun: a key is asked for.
static int traced_call(char **arguments)
{
    (void)arguments;
    int status, changed = 0;
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        errno = 0;
        _exit(syscall(SYS_getppid, 0, -4, 0) < 0 ? errno : 0);
    }
    waitpid(pid, &status, 0);
    while (WIFSTOPPED(status)) {
        if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) != 0)
            return errno;
        waitpid(pid, &status, 0);
        if (WIFSTOPPED(status) && !changed && (changed = change_call(pid, SYS_getppid, SYS_keyctl)) < 0)
            return errno;
    }
    return WIFEXITED(status) && changed ? WEXITSTATUS(status) : EINVAL;
}

static int real_time(char **arguments)
{
    (void)arguments;
    return result_of(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}));
}

static int higher_priority(char **arguments)
{
    (void)arguments;
    return result_of(setpriority(PRIO_PROCESS, 0, -5));
}

// A filter of its own with a listener of its own, that lets a denied call go on.
static void *goes_on(void *result)
{
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_keyctl, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    __atomic_store_n(&own_listener_fd, fd < 0 ? -errno : fd, __ATOMIC_SEQ_CST);
    if (fd >= 0)
        *(int *)result = result_of(syscall(SYS_keyctl, 0, -4, 0));
    return NULL;
}

static int own_listener(char **arguments)
{
    (void)arguments;
    pthread_t thread;
    int result = ETIME;
    if (pthread_create(&thread, NULL, goes_on, &result) != 0)
        return EAGAIN;
    while (__atomic_load_n(&own_listener_fd, __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
    if (own_listener_fd < 0)
        return -own_listener_fd;
    struct seccomp_notif call = {0};
    struct pollfd ready = {own_listener_fd, POLLIN, 0};
    if (poll(&ready, 1, 2000) == 1 && ioctl(own_listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0)
        ioctl(own_listener_fd, SECCOMP_IOCTL_NOTIF_SEND,
              &(struct seccomp_notif_resp){.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE});
    pthread_join(thread, NULL);
    return result;
}

static int compare(char **arguments) // two descriptors of its own
{
    (void)arguments;
    return result_of(syscall(SYS_kcmp, getpid(), getpid(), 0, 1, 1));
}

static int read_implies_exec(char **arguments)
{
    (void)arguments;
    return result_of(personality(READ_IMPLIES_EXEC));
}

// A file with a setuid bit, by each call that takes a mode. The folder to try it in is given.
static int setuid_bits(char **arguments)
{
    char path[4096], other[4096];
    snprintf(path, sizeof path, "%s/plain-%d", arguments[1], getpid());
    snprintf(other, sizeof other, "%s/setuid-%d", arguments[1], getpid());
    const char *how = arguments[0];
    int fd = open(path, O_RDWR | O_CREAT, 0644), error = EINVAL;
    struct open_how open_how = {.flags = O_CREAT | O_WRONLY, .mode = 04755};
    if (fd < 0)
        return errno;
    if (strcmp(how, "chmod") == 0)
        error = result_of(syscall(SYS_fchmodat, AT_FDCWD, path, 04755));
    if (strcmp(how, "chmod-old") == 0)
#ifdef SYS_chmod
        error = result_of(syscall(SYS_chmod, path, 02755));
#else
        error = ENOSYS;
#endif
    if (strcmp(how, "fchmod") == 0)
        error = result_of(fchmod(fd, 06755));
    if (strcmp(how, "fchmodat2") == 0)
        error = result_of(syscall(452, AT_FDCWD, path, 04755, 0));
    if (strcmp(how, "openat") == 0)
        error = result_of(syscall(SYS_openat, AT_FDCWD, other, O_CREAT | O_WRONLY, 04755));
#ifdef SYS_open
    if (strcmp(how, "open") == 0)
        error = result_of(syscall(SYS_open, other, O_CREAT | O_WRONLY, 04755));
    if (strcmp(how, "creat") == 0)
        error = result_of(syscall(SYS_creat, other, 04755));
    if (strcmp(how, "mkdir") == 0)
        error = result_of(syscall(SYS_mkdir, other, 02755));
    if (strcmp(how, "mknod") == 0)
        error = result_of(syscall(SYS_mknod, other, S_IFREG | 04755, 0));
#endif
    if (strcmp(how, "mkdirat") == 0)
        error = result_of(syscall(SYS_mkdirat, AT_FDCWD, other, 02755));
    if (strcmp(how, "mknodat") == 0)
        error = result_of(syscall(SYS_mknodat, AT_FDCWD, other, S_IFREG | 04755, 0));
    if (strcmp(how, "tmpfile") == 0)
        error = result_of(syscall(SYS_openat, AT_FDCWD, arguments[1], O_TMPFILE | O_WRONLY, 04755));
    if (strcmp(how, "openat2") == 0)
        error = result_of(syscall(SYS_openat2, AT_FDCWD, other, &open_how, sizeof open_how));
    unlink(path);
    if (unlink(other) != 0)
        rmdir(other);
    return error;
}

static int socket_families(char **arguments) // any but unix, IPv4 and IPv6
{
    (void)arguments;
    int error = EAFNOSUPPORT;
    for (int family = 0; family < 48; family++) {
        static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
        if (family == AF_UNIX || family == AF_INET || family == AF_INET6)
            continue;
        for (int i = 0; i < 4; i++) {
            if (socket(family, types[i], 0) >= 0)
                return 0;
            if (errno != EAFNOSUPPORT)
                error = errno;
        }
    }
    return error;
}

static int one_socket(char **arguments)
{
    return result_of(socket(atoi(arguments[0]), atoi(arguments[1]), atoi(arguments[2])));
}

const struct attack_row kernel_attacks[] = {
    {"x32", x32},
    {"i386", i386},
    {"newer-number", newer_number},
    {"tiocsti", tiocsti},
    {"tioclinux", tioclinux},
    {"unshare", unshares},
    {"clone3", clone3},
    {"setns", setns_own},
    {"call", bare_call},
    {"ptrace", trace_child},
    {"trace-parent", trace_parent},
    {"write-parent", write_parent},
    {"traced-call", traced_call},
    {"real-time", real_time},
    {"higher-priority", higher_priority},
    {"own-listener", own_listener},
    {"kcmp", compare},
    {"personality", read_implies_exec},
    {"setuid-bits", setuid_bits},
    {"socket-families", socket_families},
    {"socket", one_socket},
    {NULL, NULL},
};
