// A control group from the user's own service manager.
#include "enforcer/limits/service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"

enum { PIDS_MOST = 16, PATIENCE = 3000 }; // milliseconds; a manager that is busy takes some of them

static const char busctl[] = "/usr/bin/busctl";

struct members { // who moves: this process, and what it has started before it knew
    char numbers[PIDS_MOST][16];
    int count;
};

static void find_members(struct members *members)
{
    char text[256] = "";
    closing_fd int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    *members = (struct members){.count = 1};
    snprintf(members->numbers[0], sizeof members->numbers[0], "%d", (int)getpid());
    text[n > 0 ? n : 0] = '\0';
    for (char *rest = text, *number; members->count < PIDS_MOST && (number = strtok_r(rest, " \n", &rest));)
        snprintf(members->numbers[members->count++], sizeof members->numbers[0], "%s", number);
}

// Runs busctl, at most as long as there is patience. True when it ended well.
static bool ask(char *const *words, const char *runtime)
{
    char variable[96];
    char *const environment[] = {variable, NULL}; // whoever's the caller's is: the manager of this user
    snprintf(variable, sizeof variable, "XDG_RUNTIME_DIR=%s", runtime);
    pid_t pid = fork();
    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int fd = 0; fd < 3; fd++)
            if (dup2(nothing, fd) < 0)
                _exit(126);
        close_range(3, ~0U, 0);
        execve(busctl, words, environment);
        _exit(127);
    }
    if (pid < 0)
        return false;
    closing_fd int process = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = {.fd = process, .events = POLLIN};
    int status = -1, polled;
    while ((polled = poll(&ended, 1, PATIENCE)) < 0 && errno == EINTR)
        ;
    if (polled <= 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return polled > 0 && status == 0;
}

// The folder of a process's group in the unified hierarchy, if it is the scope of that name.
static bool folder_of(const char *number, const char *scope, char *folder, size_t size)
{
    char path[64], text[4096] = "";
    snprintf(path, sizeof path, "/proc/%s/cgroup", number);
    closing_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return false;
    const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (!line)
        return false;
    line += *line == '\n' ? 4 : 3;
    int length = (int)strcspn(line, "\n");
    size_t wanted = strlen(scope);
    return (size_t)length > wanted && strncmp(line + length - wanted, scope, wanted) == 0 &&
           line[(size_t)length - wanted - 1] == '/' &&
           snprintf(folder, size, "/sys/fs/cgroup%.*s", length, line) < (int)size;
}

// The manager answers before it has moved them.
static bool wait_for_move(const struct members *members, const char *scope, char *folder, size_t size)
{
    for (int waited = 0; waited < PATIENCE; waited++) {
        int there = 0;
        while (there < members->count && folder_of(members->numbers[there], scope, folder, size))
            there++;
        if (there == members->count)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

// A group that hands controllers down has no processes of its own (cgroups(7)): they go one level deeper.
static bool move_deeper(const struct members *members, const char *folder)
{
    char path[600];
    snprintf(path, sizeof path, "%.500s/supervisor", folder);
    if (mkdir(path, 0755) != 0)
        return false;
    snprintf(path, sizeof path, "%.500s/supervisor/cgroup.procs", folder);
    for (int i = 0; i < members->count; i++) {
        closing_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, members->numbers[i], strlen(members->numbers[i])) < 0)
            return false;
    }
    return true;
}

bool service_manager_give_group(void)
{
    static pid_t tried;
    char runtime[64], manager[80], scope[32], count[8], folder[512];
    if (tried == getpid() || geteuid() == 0)
        return false;
    tried = getpid();
    snprintf(runtime, sizeof runtime, "/run/user/%u", (unsigned)geteuid());
    snprintf(manager, sizeof manager, "%s/systemd/private", runtime);
    if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) != 0 || access(manager, F_OK) != 0 ||
        access(busctl, X_OK) != 0)
        return false;
    struct members members;
    find_members(&members);
    snprintf(scope, sizeof scope, "sbx-%d.scope", (int)getpid());
    snprintf(count, sizeof count, "%d", members.count);
    char *words[32 + PIDS_MOST] = {"busctl",
                                   "--user",
                                   "--quiet",
                                   "call",
                                   "org.freedesktop.systemd1",
                                   "/org/freedesktop/systemd1",
                                   "org.freedesktop.systemd1.Manager",
                                   "StartTransientUnit",
                                   "ssa(sv)a(sa(sv))",
                                   scope,
                                   "fail",
                                   "4",
                                   "Description",
                                   "s",
                                   "a sandbox of sbxrun",
                                   "Delegate",
                                   "b",
                                   "true",
                                   "CollectMode",
                                   "s",
                                   "inactive-or-failed",
                                   "PIDs",
                                   "au",
                                   count};
    int used = 0;
    while (words[used])
        used++;
    for (int i = 0; i < members.count; i++)
        words[used++] = members.numbers[i];
    words[used++] = "0"; // no auxiliary units
    return ask(words, runtime) && wait_for_move(&members, scope, folder, sizeof folder) &&
           move_deeper(&members, folder);
}
