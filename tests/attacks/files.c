// Tries on files: out of the view, into what is denied, past a limit.
#include "tests/attacks/attack.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int reads(const char *path, const char *content)
{
    char text[256] = "";
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n < 0 ? errno : !content || strstr(text, content) ? 0 : ENODATA;
}

// A file of the host by every other name that might lead to it: its path, its content.
static int reach(char **arguments)
{
    static const char *const prefixes[] = {"",
                                           "/..",
                                           "/../../../..",
                                           "/proc/self/root",
                                           "/proc/self/root/..",
                                           "/proc/1/root",
                                           "/proc/1/cwd/..",
                                           "/proc/self/cwd/../../..",
                                           "/proc/thread-self/root",
                                           "/proc/self/fd/0/../..",
                                           "/proc/self/fd/1/..",
                                           "/proc/self/fd/2/..",
                                           "/proc/self/fd/3",
                                           "/proc/self/fd/4",
                                           "/proc/self/task/1/root",
                                           "/usr/..",
                                           "/tmp/..",
                                           "/dev/fd/3"};
    char path[8192];
    int error = ENOENT;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        snprintf(path, sizeof path, "%s%s", prefixes[i], arguments[0]);
        error = reads(path, arguments[1]);
        if (!error)
            return 0;
    }
    DIR *proc = opendir("/proc"); // through every process that can be seen
    for (struct dirent *entry; proc && (entry = readdir(proc));)
        for (int k = 0; k < 2 && entry->d_name[0] >= '0' && entry->d_name[0] <= '9'; k++) {
            snprintf(path, sizeof path, "/proc/%s/%s%s", entry->d_name, k ? "cwd/.." : "root", arguments[0]);
            if (reads(path, arguments[1]) == 0)
                return 0;
        }
    return error;
}

// A link to a file of the host, planted where the sandbox may write: the folder, the host's path, its content.
static int planted_link(char **arguments)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/planted-%d", arguments[0], getpid());
    if (symlink(arguments[1], path) != 0)
        return errno;
    int error = reads(path, arguments[2]);
    unlink(path);
    return error;
}

// Writes over the enforcer, or over the program that runs, as soon as nobody runs it: by a descriptor that outlives it
// (CVE-2019-5736).
static int own_program(char **arguments)
{
    (void)arguments;
    if (open("/proc/1/exe", O_WRONLY) >= 0)
        return 0;
    char script[200];
    int fd = open("/proc/self/exe", O_RDONLY);
    if (fd < 0)
        return errno;
    snprintf(script, sizeof script, "if { echo >> /proc/self/fd/%d; } 2>/dev/null; then echo ok; else echo EROFS; fi",
             fd);
    fflush(stdout);
    execl("/bin/sh", "sh", "-c", script, (char *)NULL);
    return errno;
}

static int enforcer_program(char **arguments)
{
    (void)arguments;
    return result_of(open("/proc/1/exe", O_RDONLY));
}

static int leaked(char **arguments) // any folder among the open descriptors
{
    (void)arguments;
    for (int fd = 3; fd < 1024; fd++)
        if (openat(fd, "etc/hostname", O_RDONLY) >= 0 || openat(fd, ".", O_RDONLY | O_DIRECTORY) >= 0)
            return 0;
    return EBADF;
}

static int relative(char **arguments) // to the folder that the run was started from
{
    return reads(arguments[0], arguments[1]);
}

static int can_open(char **arguments)
{
    return result_of(
        open(arguments[0], arguments[1] ? O_WRONLY | O_NONBLOCK | O_NOCTTY : O_RDONLY | O_NONBLOCK | O_NOCTTY));
}

static int make_device(char **arguments)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/device-%d", arguments[0], getpid());
    int error = result_of(mknod(path, S_IFBLK | 0600, makedev(7, 0)));
    error = error ? result_of(mknod(path, S_IFCHR | 0600, makedev(1, 1))) : 0;
    unlink(path);
    return error;
}

static int gain(char **arguments) // by a setuid program, which is this one: who is it then?
{
    if (!arguments[0])
        return 0;
    if (strcmp(arguments[0], "who") == 0)
        _exit(geteuid() != getuid() || getegid() != getgid() ? 77 : 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl(arguments[0], arguments[0], "gain", "who", (char *)NULL);
        _exit(76);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 77   ? 0
           : WIFEXITED(status) && WEXITSTATUS(status) == 76 ? EACCES
                                                            : EPERM;
}

static int spoil(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0)
        return errno;
    int error = result_of(write(fd, "spoilt\n", 7));
    close(fd);
    return error;
}

// A denied path, whatever it takes: the folder above that may be written, and the path beneath it.
static int denied_path(char **arguments)
{
    char path[4096], parent[4096], aside[4096], beneath[4200];
    snprintf(path, sizeof path, "%s/%s", arguments[0], arguments[1]);
    snprintf(aside, sizeof aside, "%s/aside-%d", arguments[0], getpid());
    int error = spoil(path);
    if (!error)
        return 0;
    snprintf(beneath, sizeof beneath, "%s/spoilt", path);
    if (spoil(beneath) == 0 || mkdir(path, 0755) == 0 || truncate(path, 0) == 0)
        return 0;
    if (spoil(aside) == 0 && (rename(aside, path) == 0 || link(aside, path) == 0))
        return 0;
    unlink(aside);
    if (rename(path, aside) == 0 || link(path, aside) == 0 || symlink("/etc/passwd", path) == 0 || unlink(path) == 0 ||
        rmdir(path) == 0)
        return 0;
    for (snprintf(parent, sizeof parent, "%s", path);
         strrchr(parent, '/') - parent > (long)strlen(arguments[0]);) { // each folder above it
        *strrchr(parent, '/') = '\0';
        if (rename(parent, aside) == 0 ||
            syscall(SYS_renameat2, AT_FDCWD, parent, AT_FDCWD, arguments[0], 2 /* RENAME_EXCHANGE */) == 0)
            return 0;
    }
    return error;
}

static int spawned(const char *path, char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        execve(path, argv, environ);
        _exit(errno < 126 ? errno : 125);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

// Runs a program of the folder's, in which nothing may be executed: how, the folder.
static int execute(char **arguments)
{
    const char *how = arguments[0];
    char path[4096], buffer[65536];
    snprintf(path, sizeof path, "%s/program-%d", arguments[1], getpid());
    char *const direct[] = {path, NULL}, *const loaded[] = {"ld.so", path, NULL};
    bool memory = strcmp(how, "memfd") == 0;
    int in = open("/usr/bin/true", O_RDONLY);
    int out = memory ? (int)syscall(SYS_memfd_create, "x", 0) : open(path, O_RDWR | O_CREAT | O_TRUNC, 0755);
    if (in < 0 || out < 0)
        return errno;
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;)
        if (write(out, buffer, (size_t)n) != n)
            return EIO;
    int error = EINVAL;
    if (strcmp(how, "mmap") == 0)
        error = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, out, 0) == MAP_FAILED ? errno : 0;
    if (strcmp(how, "mprotect") == 0) {
        void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, out, 0);
        error = at == MAP_FAILED ? errno : result_of(mprotect(at, 4096, PROT_READ | PROT_EXEC));
    }
    if (memory) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", out);
        error = spawned(path, direct);
    }
    close(out);
    if (strcmp(how, "direct") == 0)
        error = spawned(path, direct);
    if (strcmp(how, "ld.so") == 0)
        error = spawned("/lib64/ld-linux-x86-64.so.2", loaded);
    if (!memory)
        unlink(path);
    return error == 127 ? EACCES : error > 0 && error < 125 ? error : error ? EACCES : 0;
}

// Writes to a folder until it is full: what, how much is more than is allowed.
static int fill(char **arguments)
{
    char path[4096];
    long most = atol(arguments[2]), done = 0;
    int error = 0;
    if (strcmp(arguments[0], "bytes") == 0) {
        static char block[65536];
        snprintf(path, sizeof path, "%s/fill-%d", arguments[1], getpid());
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        for (ssize_t n; fd >= 0 && !error && done < most; done += n)
            if ((n = write(fd, block, sizeof block)) <= 0)
                error = errno, n = 0;
        unlink(path);
        return fd < 0 ? ENOENT : error;
    }
    for (; !error && done < most; done++) {
        snprintf(path, sizeof path, "%s/f-%d-%ld", arguments[1], getpid(), done);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        error = result_of(fd);
        if (fd >= 0)
            close(fd);
    }
    for (long i = 0; i < done; i++) {
        snprintf(path, sizeof path, "%s/f-%d-%ld", arguments[1], getpid(), i);
        unlink(path);
    }
    return error;
}

static int host_terminals(char **arguments) // of somebody else: all that the host has are given by number
{
    return result_of(open(arguments[0], O_RDWR | O_NOCTTY | O_NONBLOCK));
}

static int lease(char **arguments) // whoever writes to the file waits for its holder
{
    int fd = open(arguments[0], O_RDONLY);
    return fd < 0 ? errno : result_of(fcntl(fd, F_SETLEASE, F_RDLCK));
}

const struct attack_row file_attacks[] = {
    {"reach", reach},
    {"planted-link", planted_link},
    {"own-program", own_program},
    {"enforcer-program", enforcer_program},
    {"leaked", leaked},
    {"relative", relative},
    {"open", can_open},
    {"make-device", make_device},
    {"gain", gain},
    {"denied-path", denied_path},
    {"execute", execute},
    {"fill", fill},
    {"host-terminal", host_terminals},
    {"lease", lease},
    {NULL, NULL},
};
