// Starting the inside.
#include "enforcer/inside/start.h"

#include <errno.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/host/host.h"
#include "enforcer/host/outside.h"
#include "enforcer/host/scoped.h"

struct starting {
    struct sandbox *sandbox;
    const int *lifeline;
    int *init;
};

static long clone_init(void *context)
{
    struct starting *starting = context;
    struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD,
                              .pidfd = (uint64_t)(uintptr_t)starting->init,
                              .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        close(starting->lifeline[1]); // or it would keep itself alive
        sandbox_main(starting->sandbox);
    }
    return pid;
}

static int start(struct starting *starting, pid_t *pid, struct failure *failure)
{
    struct sandbox *sandbox = starting->sandbox;
    sandbox->lifeline = starting->lifeline[0];
    long made = outside_owning(sandbox->identity, clone_init, starting);
    if (made < 0)
        return fail_for_namespaces(failure, errno, "cannot make the sandbox's namespaces");
    *pid = (pid_t)made;
    return 0;
}

int sandbox_start(struct sandbox *sandbox, const int lifeline[2], pid_t *pid, int *init, struct failure *failure)
{
    struct starting starting = {sandbox, lifeline, init};
    if (!sandbox->identity->as_root)
        return start(&starting, pid, failure);
    struct owners owners = {.identity = sandbox->identity};
    bool started = view_open(sandbox->view, &owners, failure) == 0 && start(&starting, pid, failure) == 0;
    owners_close(&owners);
    view_close(sandbox->view);
    return !started ? -1 : identity_map_other(sandbox->identity, *pid, failure);
}
