// Sockets of netlink under a limit of memory.
#include "enforcer/supervisor/routes.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/host/handover.h"
#include "enforcer/host/outside.h"
#include "enforcer/host/scoped.h"
#include "enforcer/host/work.h"

static uint32_t answer_of(const struct plan *plan, unsigned type)
{
    uint32_t words[SECCOMP_WORDS];
    const uint64_t arguments[SYSCALL_ARGUMENTS] = {AF_NETLINK, type};
    cbpf_words(words, arch_audit[ARCH_HERE], SYS_socket, arguments);
    return cbpf_run(&plan->filters[ARCH_HERE], words, NULL);
}

bool routes_count(const struct plan *plan)
{
    return plan->limits[LIMIT_memory].set &&
           (answer_of(plan, SOCK_RAW) == SECCOMP_ALLOW || answer_of(plan, SOCK_DGRAM) == SECCOMP_ALLOW);
}

bool routes_is(const struct notified *call)
{
    return call->architecture == arch_audit[ARCH_HERE] && call->number == SYS_socket &&
           (int)call->arguments[0] == AF_NETLINK;
}

// How many there are in the network that this process is in, those that are not bound yet among them: a line of
// /proc/net/protocols, "NETLINK SIZE SOCKETS …".
static unsigned count_here(void)
{
    char line[256];
    unsigned count = ROUTES_MOST; // what can't be counted is too many
    FILE *file = fopen("/proc/self/net/protocols", "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "NETLINK %*u %u", &count) != 1)
        ;
    if (file)
        fclose(file);
    return count;
}

static int make_inside(const struct routes *routes, const struct identity *identity, const struct notified *call,
                       int back)
{
    const uid_t user = identity->outside_user;
    const gid_t group = identity->outside_group;
    if (geteuid() != user && (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 ||
                              setresuid(user, user, user) != 0))
        return errno;
    if (setns(routes->user, CLONE_NEWUSER) != 0 || setns(routes->network, CLONE_NEWNET) != 0)
        return errno;
    if (count_here() >= ROUTES_MOST)
        return ENOBUFS;
    int error = outside_for_good();
    if (error)
        return error;
    closing_fd int made = socket(AF_NETLINK, (int)call->arguments[1] | SOCK_CLOEXEC, (int)call->arguments[2]);
    return made < 0 || handover_send(back, 0, &made, 1) != 0 ? errno : 0;
}

void routes_answer(const struct routes *routes, const struct identity *identity, const struct notified *call)
{
    int ends[2], status, fds[HANDOVER_MOST];
    uint64_t what;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        notified_answer(call, ENOBUFS, 0);
        return;
    }
    closing_fd int mine = ends[0], its = ends[1];
    long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL); // ends without a signal to sbxrun
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(make_inside(routes, identity, call, its));
    }
    int error = pid < 0 || work_wait((pid_t)pid, &status, 0) != pid || !WIFEXITED(status) ? ENOBUFS
                                                                                          : WEXITSTATUS(status);
    if (!error && handover_receive(mine, &what, fds) == 1) {
        closing_fd int made = fds[0];
        if (notified_give(call, made, (int)call->arguments[1] & SOCK_CLOEXEC) == 0)
            return;
        error = EMFILE;
    }
    notified_answer(call, error ? error : ENOBUFS, 0);
}
