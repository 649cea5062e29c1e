// The native driver: namespaces, mounts, control groups, Landlock and seccomp, by this program alone.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/cgroup.h"
#include "enforcer/host.h"
#include "enforcer/sandbox.h"
#include "enforcer/scoped.h"
#include "enforcer/supervise.h"

enum { NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS };

struct native { // what one run holds on this side
    struct sandbox sandbox;
    struct view view;
    struct identity identity;
    struct cgroup cgroup;
    struct board *board;
    sigset_t signals;
    int lifeline[2], streams[2]; // streams: read ends of the command's output
    pid_t pid;
    int init;
};

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// The command gets the three standard descriptors and no others; a folder among them would be a way out of the view.
static int check_standard(struct failure *failure)
{
    static const char *const names[] = {"input", "output", "error"};
    for (int fd = 0; fd < 3; fd++) {
        struct stat status;
        if (fstat(fd, &status) != 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            return fail(failure, NO_RULE, errno, "cannot open /dev/null for standard %s, which is closed", names[fd]);
        if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
            return fail(failure, NO_RULE, 0, "standard %s is a folder of the host, which would be a way out of the sandbox", names[fd]);
    }
    return 0;
}

static int make_pipes(struct native *native, const struct bounds *bounds, struct failure *failure)
{
    if (pipe2(native->lifeline, O_CLOEXEC) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a pipe");
    for (int i = 0; i < 2 && bounds->has_output; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            return fail(failure, NO_RULE, errno, "cannot make a pipe");
        native->streams[i] = ends[0];
        native->sandbox.output[i] = ends[1];
    }
    return 0;
}

static void block_signals(struct native *native)
{
    static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGTSTP, SIGWINCH};
    sigemptyset(&native->signals);
    for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
        sigaddset(&native->signals, passed_on[i]);
    sigaddset(&native->signals, SIGPIPE); // a closed output is an error of write
    sigprocmask(SIG_BLOCK, &native->signals, &native->sandbox.caller_mask);
    sigdelset(&native->signals, SIGPIPE);
}

static int prepare(struct native *native, const struct run *run, struct failure *failure)
{
    const struct bpf_program *filter = &run->plan->filters[ARCH_HERE];
    if (check_standard(failure) || view_prepare(&native->view, run->plan, &run->bases, failure) || identity_prepare(&native->identity, run->plan, failure))
        return -1;
    native->board = mmap(NULL, sizeof *native->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (native->board == MAP_FAILED) {
        native->board = NULL;
        return fail(failure, NO_RULE, errno, "cannot share memory with the sandbox's init");
    }
    if (native->identity.as_root) {
        closing_fd int identities = identity_namespace(&native->identity, failure);
        if (identities < 0 || view_open(&native->view, identities, failure))
            return -1;
    }
    if (cgroup_create(&native->cgroup, run->plan, run->claims->bounds.cgroup, failure) || make_pipes(native, &run->claims->bounds, failure))
        return -1;
    native->sandbox.run = run;
    native->sandbox.view = &native->view;
    native->sandbox.identity = &native->identity;
    native->sandbox.filter = (struct sock_fprog){(unsigned short)filter->length, (struct sock_filter *)filter->code};
    native->sandbox.board = native->board;
    native->sandbox.lifeline = native->lifeline[0];
    native->sandbox.waits = native->identity.as_root || run->claims->bounds.cgroup;
    native->sandbox.opens_view = !native->identity.as_root;
    return 0;
}

static int start(struct native *native, struct failure *failure)
{
    struct clone_args args = {
        .flags = NAMESPACES | CLONE_PIDFD | (native->sandbox.waits ? 0 : CLONE_NEWCGROUP), // there it is made once the groups are entered
        .pidfd = (uint64_t)(uintptr_t)&native->init,
        .exit_signal = SIGCHLD,
    };
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        close(native->lifeline[1]); // or it would keep itself alive
        sandbox_main(&native->sandbox);
    }
    if (pid < 0)
        return fail_with_advice(failure, NO_RULE, errno, host_namespace_advice(errno), "cannot make the sandbox's namespaces");
    native->pid = (pid_t)pid;
    for (int i = 0; i < 2; i++) {
        close_scoped(&native->sandbox.output[i]);
        native->sandbox.output[i] = -1;
    }
    view_close(&native->view);
    if (native->identity.as_root && identity_map_other(&native->identity, native->pid, failure))
        return -1;
    if (cgroup_add(&native->cgroup, native->pid, failure))
        return -1;
    if (native->sandbox.waits && write(native->lifeline[1], "", 1) != 1)
        return fail(failure, NO_RULE, errno, "cannot tell the sandbox to start");
    return 0;
}

static void kill_and_reap(struct native *native, struct rusage *usage)
{
    if (native->pid <= 0)
        return;
    syscall(SYS_pidfd_send_signal, native->init, SIGKILL, NULL, 0);
    int status;
    while (wait4(native->pid, &status, 0, usage) < 0 && errno == EINTR)
        ;
    native->pid = 0;
}

static void judge(const struct native *native, enum ended reason, struct outcome *outcome, struct failure *failure)
{
    const struct board *board = native->board;
    int status = board->command_status;
    outcome->ended = reason;
    if (board->failed) {
        outcome->ended = ENDED_NOT_SET_UP;
        *failure = board->failure;
    } else if (board->exec_error) {
        outcome->ended = ENDED_NOT_EXECUTED;
        outcome->value = board->exec_error;
    } else if (reason != ENDED_EXITED) {
        return;
    } else if (outcome->oom_kills) {
        outcome->ended = ENDED_MEMORY;
    } else if (!board->command_ended) {
        outcome->ended = ENDED_SIGNALED; // init itself was killed from outside
        outcome->value = SIGKILL;
    } else {
        outcome->ended = WIFSIGNALED(status) ? ENDED_SIGNALED : ENDED_EXITED;
        outcome->value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    }
}

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

static void measure(struct native *native, const struct run *run, const struct rusage *usage, struct outcome *outcome)
{
    uint64_t end = now(), ready = native->board && native->board->ready ? native->board->ready : end;
    struct cgroup_usage group;
    cgroup_read(&native->cgroup, &group);
    outcome->setup = (ready - run->started) / 1000;
    outcome->wall = (end - ready) / 1000;
    outcome->cpu = microseconds(usage->ru_utime) + microseconds(usage->ru_stime);
    outcome->peak_of_all = group.memory_known;
    outcome->peak = group.memory_known ? group.peak_bytes : (uint64_t)usage->ru_maxrss * 1024;
    outcome->oom_kills = group.oom_kills;
    outcome->pids_known = group.pids_known;
    outcome->pids_refused = group.pids_refused;
    outcome->outside_user = (int)native->identity.outside_user;
}

void native_run(const struct run *run, struct outcome *outcome, struct failure *failure)
{
    struct native native = {.cgroup = CGROUP_NONE, .lifeline = {-1, -1}, .streams = {-1, -1}, .init = -1, .sandbox = {.output = {-1, -1}}};
    struct rusage usage = {0};
    enum ended reason = ENDED_NOT_SET_UP;
    *outcome = (struct outcome){.ended = ENDED_NOT_SET_UP};
    block_signals(&native);
    if (prepare(&native, run, failure) == 0 && start(&native, failure) == 0) {
        struct watched watched = {native.init, &run->claims->bounds, native.cgroup.events, {take_fd(native.streams[0]), take_fd(native.streams[1])}, &native.signals};
        if (supervise(&watched, &reason, failure))
            reason = ENDED_NOT_SET_UP;
    }
    kill_and_reap(&native, &usage);
    measure(&native, run, &usage, outcome);
    if (reason != ENDED_NOT_SET_UP)
        judge(&native, reason, outcome, failure);
    cgroup_remove(&native.cgroup);
    identity_release(&native.identity);
    for (int i = 0; i < 2; i++) {
        close_scoped(&native.lifeline[i]);
        close_scoped(&native.streams[i]);
        close_scoped(&native.sandbox.output[i]);
    }
    close_scoped(&native.init);
    view_close(&native.view);
    if (native.board)
        munmap(native.board, sizeof *native.board);
    sigprocmask(SIG_SETMASK, &native.sandbox.caller_mask, NULL);
}
