// A stranger in a helper's place, as one would be who has taken it over by what it reads: tries what no helper may, and
// says what came of it in the one way that it has. As sbximage in the first line that it writes, as sbxnames in the
// name that it asks for. "held" when nothing came of anything. When its archive says "wait" it does nothing, for
// somebody to look at it from outside. With an argument, outside of walls, it executes nothing, and is nobody's root.
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "enforcer/network/names_wire.h"

static char came[400];

static void note(const char *what, long result)
{
    if (result < 0)
        return;
    strncat(came, came[0] ? "." : "", sizeof came - strlen(came) - 1);
    strncat(came, what, sizeof came - strlen(came) - 1);
}

static long execute(const char *path) // -1 if it came back; what is executed by a helper takes its place
{
    char *argv[] = {(char *)path, NULL};
    return execve(path, argv, argv + 1);
}

static void try_files(int folder)
{
    static const char *const paths[] = {"/etc/shadow",
                                        "/etc/passwd",
                                        "/etc/resolv.conf",
                                        "/proc/self/status",
                                        "/dev/null",
                                        "/usr/bin",
                                        "/root",
                                        "/var/cache/sbx",
                                        "/tmp",
                                        "/sys",
                                        "/home",
                                        "/../etc/passwd"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        note("open", open(paths[i], O_RDONLY));
    note("write", open(folder ? "/sbximage" : "/sbxnames", O_WRONLY));
    note("root", open("/new", O_WRONLY | O_CREAT, 0600));
    note("remove", unlink(folder ? "/sbximage" : "/sbxnames"));
    note("mkdir", mkdir("/new", 0700));
    note("truncate", syscall(SYS_truncate, "/sbximage", 0));
    note("rename", rename("/image", "/new"));
    note("chmod", syscall(SYS_fchmodat, AT_FDCWD, "/", 0777));
    note("chown", lchown(".", 0, 0));
    note("times", utimensat(AT_FDCWD, ".", NULL, 0));
    note("xattr", setxattr(".", "user.x", "x", 1, 0));
    note("lock", syscall(SYS_flock, 0, 1));
    note("lease", fcntl(0, F_SETLEASE, F_RDLCK));
    note("fifo-of-others", mknod("/tmp/stranger", S_IFIFO | 0600, 0));
    unlink("/tmp/stranger");
    note("device", mknod("device", S_IFCHR | 0600, 259));
    note("setuid", open("setuid", O_WRONLY | O_CREAT, 04755));
    note("unnamed-setuid", open(".", O_WRONLY | O_TMPFILE, 06755));
    note("chroot", chroot("."));
    note("mount", mount("none", "/", "tmpfs", 0, NULL));
    note("tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
}

static void try_processes(void)
{
    long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0)
        _exit(0);
    if (child > 0)
        waitpid((pid_t)child, NULL, 0); // its signal would stop who is traced, below
    note("fork", child);
    note("clone3", syscall(SYS_clone3, NULL, 0));
    note("kill", syscall(SYS_kill, getppid(), 0));
    note("kill-all", syscall(SYS_kill, -1, 0));
    note("tgkill", syscall(SYS_tgkill, 2, 2, 0));
    note("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    note("memory", syscall(SYS_process_vm_readv, 2, NULL, 0, NULL, 0, 0));
    note("pidfd", syscall(SYS_pidfd_open, 1, 0));
    note("user", syscall(SYS_setuid, 0));
    note("groups", syscall(SYS_setgroups, 0, NULL));
    note("namespace", unshare(CLONE_NEWUSER));
    note("limits", syscall(SYS_prlimit64, 0, 0, &(uint64_t[2]){1, 1}, NULL));
    note("keys", syscall(SYS_keyctl, 0, -4, 0));
    note("bpf", syscall(SYS_bpf, 5, NULL, 0));
    note("ring", syscall(SYS_io_uring_setup, 1, NULL));
    note("filter", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &(uint32_t){SECCOMP_RET_ALLOW}));
    note("memfd", syscall(SYS_memfd_create, "x", 0));
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    note("code", code == MAP_FAILED ? -1 : 0);
    void *data = mmap(NULL, 1UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    note("gigabyte", data == MAP_FAILED ? -1 : 0);
}

static void try_network(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++)
            note("socket", socket(families[i], type, 0));
    int pair[2];
    note("socketpair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    for (int fd = 0; fd < 16; fd++) {
        struct sockaddr_un address = {AF_UNIX, "/run/dbus/system_bus_socket"};
        note("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
        note("bind", bind(fd, (struct sockaddr *)&address, sizeof address));
        note("option", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)));
    }
}

static void try_execution(void)
{
    static const char *const programs[] = {"/bin/sh", "/usr/bin/true", "/image/script", "/usr/bin/lrzip"};
    int fd = open("script", O_WRONLY | O_CREAT, 0755);
    if (fd >= 0 && write(fd, "#!/sbximage\n", 12) == 12)
        close(fd);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        execute(programs[i]); // what comes of it says something else, and ends otherwise
    note("execveat", syscall(SYS_execveat, AT_FDCWD, "script", NULL, NULL, 0));
}

static void say(int socket)
{
    struct names_question question = {.ask = NAMES_MAY};
    struct names_answer answer;
    question.length =
        (uint8_t)snprintf(question.name, sizeof question.name, "%.240s.stranger", came[0] ? came : "held");
    if (send(socket, &question, sizeof question, MSG_NOSIGNAL) == sizeof question)
        recv(socket, &answer, sizeof answer, 0);
}

int main(int argc, char **argv)
{
    bool folder = argc > 0 && strstr(argv[0], "image");
    int made = folder ? open("made", O_WRONLY | O_CREAT, 0600) : -1; // that it can is what shows the rest
    bool mute = folder && made < 0;
    close(made);
    char first[5] = "";
    if (argc > 1 && geteuid() == 0) // outside it would do all of it
        return 2;
    if (mute)
        note("nothing-made", 0);
    if (folder && read(0, first, 4) == 4 && strcmp(first, "wait") == 0)
        for (;;)
            ;
    if (!folder) { // a question, which it keeps
        struct names_request request = {NAMES_OPEN_HOSTS, 0};
        struct names_opened opened;
        note("opener-mute", send(NAMES_FD_OPENER, &request, sizeof request, 0) == sizeof request &&
                                    recv(NAMES_FD_OPENER, &opened, sizeof opened, 0) == sizeof opened && opened.opened
                                ? -1
                                : 0);
        request = (struct names_request){NAMES_OPEN_UDP, 200};
        note("opener-wide", send(NAMES_FD_OPENER, &request, sizeof request, 0) == sizeof request &&
                                    recv(NAMES_FD_OPENER, &opened, sizeof opened, 0) == sizeof opened && opened.opened
                                ? 0
                                : -1);
    }
    try_files(folder);
    try_processes();
    try_network();
    if (argc == 1)
        try_execution();
    if (folder)
        dprintf(1, "%s\n", came[0] ? came : "held");
    else
        say(NAMES_FD_SBXRUN);
    return 1;
}
