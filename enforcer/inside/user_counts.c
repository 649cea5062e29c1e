// Limits of the sandbox's user namespace.
#include "enforcer/inside/user_counts.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler/code/cbpf.h"
#include "enforcer/host/scoped.h"

static const struct {
    const char *name; // of the file
    int call;         // by which it is used
    uint32_t first;   // with that argument
} counts[] = {
    {"max_inotify_instances", SYS_inotify_init1, 0},       {"max_inotify_watches", SYS_inotify_init1, 0},
    {"max_fanotify_groups", SYS_fanotify_init, 0},         {"max_fanotify_marks", SYS_fanotify_init, 0},
    {"max_user_namespaces", SYS_unshare, CLONE_NEWUSER},   {"max_mnt_namespaces", SYS_unshare, CLONE_NEWUSER},
    {"max_pid_namespaces", SYS_unshare, CLONE_NEWUSER},    {"max_net_namespaces", SYS_unshare, CLONE_NEWUSER},
    {"max_ipc_namespaces", SYS_unshare, CLONE_NEWUSER},    {"max_uts_namespaces", SYS_unshare, CLONE_NEWUSER},
    {"max_cgroup_namespaces", SYS_unshare, CLONE_NEWUSER}, {"max_time_namespaces", SYS_unshare, CLONE_NEWUSER},
};
_Static_assert(sizeof counts / sizeof *counts == USER_COUNTS, "each has a place");

static bool allows(const struct plan *plan, int call, uint32_t first)
{
    uint32_t words[SECCOMP_WORDS];
    uint64_t arguments[6] = {first};
    cbpf_words(words, arch_audit[ARCH_HERE], (uint32_t)call, arguments);
    return cbpf_run(&plan->filters[ARCH_HERE], words, NULL) == SECCOMP_ALLOW;
}

// Who makes a user namespace makes it by either call.
static bool is_used(const struct plan *plan, size_t i)
{
    return allows(plan, counts[i].call, counts[i].first) ||
           (counts[i].call == SYS_unshare && allows(plan, SYS_clone, counts[i].first | SIGCHLD));
}

static int open_count(size_t i, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/sys/user/%s", counts[i].name);
    return open(path, flags | O_CLOEXEC);
}

void user_counts_read(struct user_counts *user, const struct plan *plan)
{
    bool used = false;
    for (size_t i = 0; i < USER_COUNTS; i++) {
        char text[32] = "";
        if (!i || counts[i].call != counts[i - 1].call) // those of one call stand together
            used = is_used(plan, i);
        closing_fd int fd = used ? open_count(i, O_RDONLY) : -1;
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        user->most[i] = n > 0 ? strtoull(text, NULL, 10) / 2 : UINT64_MAX;
    }
}

void user_counts_apply(const struct user_counts *user)
{
    for (size_t i = 0; i < USER_COUNTS; i++) {
        char text[32];
        if (user->most[i] == UINT64_MAX)
            continue;
        closing_fd int fd = open_count(i, O_WRONLY);
        int length = snprintf(text, sizeof text, "%llu", (unsigned long long)user->most[i]);
        if (fd >= 0 && write(fd, text, (size_t)length) < 0)
            continue; // as where a container's /proc can't be written
    }
}
