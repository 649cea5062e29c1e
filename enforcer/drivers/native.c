// The native driver: namespaces, mounts, control groups, Landlock and seccomp, by this program alone.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/network/broker.h"
#include "enforcer/limits/cgroup.h"
#include "enforcer/view/changes.h"
#include "enforcer/view/fifos.h"
#include "enforcer/view/foreign_groups.h"
#include "enforcer/view/hidden.h"
#include "enforcer/host/clock.h"
#include "enforcer/view/made.h"
#include "enforcer/view/placeholder.h"
#include "enforcer/drivers/run.h"
#include "enforcer/host/host.h"
#include "enforcer/host/outside.h"
#include "enforcer/host/standard.h"
#include "enforcer/helpers/below.h"
#include "enforcer/helpers/image.h"
#include "enforcer/network/net_guard.h"
#include "enforcer/supervisor/cpu_time.h"
#include "enforcer/supervisor/routes.h"
#include "enforcer/supervisor/samples.h"
#include "enforcer/inside/sandbox.h"
#include "enforcer/inside/start.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/secrets.h"
#include "enforcer/supervisor/relay.h"
#include "enforcer/supervisor/supervise.h"

struct native { // what one run holds on this side; it lies where the inside sees it too
    struct sandbox sandbox;
    struct view view;
    struct secrets secrets;
    struct placeholders placeholders;
    struct identity identity;
    struct cgroup cgroup;
    struct user_counts user_counts;
    struct failure begin_failure; // told when it is needed
    sigset_t signals;
    int lifeline[2], streams[2]; // streams: read ends of the command's output
    int input;                   // the write end of its input, where standard input could be written; -1
    bool is_terminal[3];         // the caller's standard descriptors
    bool has_output;             // the output has a limit
    uint64_t output_left;        // how much of it there may still be
    struct samples samples;
    struct cpu_time cpu_time;
    int changes; // the end at which differs_take receives; -1
    struct relay relay;
    pid_t pid; // of init; 0: not started
    int init;  // its pidfd
};

// Whoever has a file or a socket open for writing as standard input can write there, past what counts the output.
static bool input_can_be_written(void)
{
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY;
}

// A terminal of the caller's is never the command's: where it has none of its own for it, it has a pipe.
static void choose_pipes(const struct native *native, struct sandbox *sandbox)
{
    for (int fd = 0; fd < 3; fd++)
        sandbox->piped[fd] = !sandbox->terminal.stands_for[fd] &&
                             (native->is_terminal[fd] || (native->has_output && (fd > 0 || native->input >= 0)));
}

static int make_pipes(struct native *native, bool changes, struct failure *failure)
{
    bool made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, native->lifeline) == 0;
    int sides[2];
    if (changes && made && (made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sides) == 0)) {
        native->changes = sides[0];
        native->sandbox.changes = sides[1];
    }
    for (int i = 0; i < 2 && made; i++) {
        int ends[2];
        made = pipe2(ends, O_CLOEXEC) == 0;
        if (made) {
            native->streams[i] = ends[0];
            native->sandbox.output[i] = ends[1];
        }
    }
    if (made && (native->is_terminal[STDIN_FILENO] || input_can_be_written()) &&
        (made = pipe2(sides, O_CLOEXEC) == 0)) {
        native->sandbox.input = sides[0];
        native->input = sides[1];
    }
    return made ? 0 : fail(failure, NO_RULE, errno, "cannot make a pipe");
}

static void block_signals(struct native *native)
{
    // All but those that are about this process itself, and the one by which the broker wakes itself.
    const int own[] = {SIGCHLD, SIGPIPE, SIGXFSZ, SIGXCPU, SIGTTIN, SIGTTOU, SIGABRT, SIGSEGV,
                       SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGURG,  SIGRTMAX};
    sigfillset(&native->signals);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&native->signals, own[i]);
    sigprocmask(SIG_BLOCK, &native->signals, &native->sandbox.caller_mask);
}

// A new process often waits for the processor of its parent though another one idles. This one starts on another: it
// makes namespaces while the parent compiles. Where that fails it only starts later.
static void place_elsewhere(struct native *native, pid_t pid)
{
    cpu_set_t others = native->sandbox.processors;
    int here = sched_getcpu();
    if (here >= 0 && here < CPU_SETSIZE)
        CPU_CLR(here, &others);
    if (CPU_COUNT(&others))
        sched_setaffinity(pid, sizeof others, &others);
}

static int start(struct native *native, struct failure *failure)
{
    return sandbox_start(&native->sandbox, native->lifeline, &native->pid, &native->init, failure);
}

// What the command's terminal begins with is known before the sandbox begins.
static int wish_terminal(struct native *native, enum terminal_wish wish, struct failure *failure)
{
    struct relay *relay = &native->relay;
    struct terminal *terminal = &native->sandbox.terminal;
    if (relay_begin(relay, wish, native->is_terminal, terminal->stands_for, failure))
        return -1;
    terminal->wanted = relay->wanted;
    terminal->has_modes = relay->has_modes;
    terminal->modes = relay->modes;
    terminal->size = relay->size;
    terminal->handover = relay->theirs;
    return 0;
}

struct native *native_begin(struct arena *arena, bool early, bool changes, enum terminal_wish wish)
{
    struct native *native = NEW(arena, struct native);
    *native = (struct native){.cgroup = CGROUP_NONE,
                              .placeholders = PLACEHOLDERS_NONE,
                              .lifeline = {-1, -1},
                              .streams = {-1, -1},
                              .input = -1,
                              .changes = -1,
                              .init = -1,
                              .samples = SAMPLES_NONE,
                              .cpu_time = CPU_TIME_NONE,
                              .relay = RELAY_NONE,
                              .sandbox = {.output = {-1, -1}, .input = -1, .changes = -1, .board.listener = -1}};
    struct failure *failure = &native->begin_failure;
    block_signals(native);
    for (int fd = 0; fd < 3; fd++)
        native->is_terminal[fd] = isatty(fd);
    sched_getaffinity(0, sizeof native->sandbox.processors, &native->sandbox.processors);
    native->sandbox.view = &native->view;
    native->sandbox.identity = &native->identity;
    if (identity_prepare(&native->identity, failure) == 0 && make_pipes(native, changes, failure) == 0 &&
        wish_terminal(native, wish, failure) == 0 && early && !native->identity.as_root && start(native, failure) == 0)
        place_elsewhere(native, native->pid);
    return native;
}

static bool counts_routes(const struct run *run)
{
    return !run->probes && run->claims->bounds.kept >> LIMIT_memory & 1 && routes_count(run->plan);
}

static int get_ready(struct native *native, const struct run *run, const struct bpf_program *asking,
                     struct failure *failure)
{
    const struct bpf_program *filter = &run->plan->filters[ARCH_HERE];
    struct sandbox *sandbox = &native->sandbox;
    if (native->begin_failure.what[0]) {
        *failure = native->begin_failure;
        return -1;
    }
    sandbox->plan = run->plan;
    sandbox->bounds = &run->claims->bounds;
    sandbox->loopback = &run->claims->network.own;
    sandbox->argv = run->argv;
    sandbox->environment = run->environment;
    sandbox->probes = run->probes;
    sandbox->handed = run->handed;
    sandbox->landlock = run->claims->landlock;
    // A signal that interrupts a denied call would have it return EINTR, or be made again. And a twin that a proxy has
    // not connected yet is in nobody's place: a program that a signal interrupts would wait on a socket that leads
    // nowhere. So there, handlers run after the call.
    sandbox->asks_patiently = !run->plan->broker || run->claims->network.proxy.length;
    sandbox->must_ask = run->plan->broker || run->explain_files || sandbox->hands_network;
    sandbox->filter = (struct sock_fprog){(unsigned short)filter->length, (struct sock_filter *)filter->code};
    if (asking)
        sandbox->asking = (struct sock_fprog){(unsigned short)asking->length, (struct sock_filter *)asking->code};
    native->has_output = run->claims->bounds.has_output;
    choose_pipes(native, sandbox);
    native->output_left = run->claims->bounds.output;
    user_counts_read(&native->user_counts, run->plan);
    sandbox->user_counts = &native->user_counts;
    sandbox->opens_view = !native->identity.as_root;
    sandbox->disks = NEW_ARRAY(run->plan->arena, struct disk_use, run->plan->view_count);
    for (size_t i = 0; i < run->plan->view_count; i++)
        sandbox->disks[i] = (struct disk_use){DISK_UNKNOWN, DISK_UNKNOWN, DISK_UNKNOWN};
    bounds_processors(run->plan, &sandbox->processors);
    identity_choose(&native->identity, run->plan);
    if (standard_prepare(run->plan, run->handed, &native->identity, sandbox->landlock, failure))
        return -1;
    native->view.secrets = &native->secrets;
    native->view.is_compared = sandbox->changes >= 0;
    if (view_prepare(&native->view, run->plan, &run->bases, failure) ||
        foreign_groups_refuse(&native->view, &native->identity, failure) ||
        made_prepare(&native->view, &native->identity, &sandbox->processors, failure) ||
        images_prepare(&native->view, &run->bases, failure) ||
        below_prepare(&native->view, run->layers, run->layer_count, &run->bases, failure) ||
        hidden_find(&native->view, &run->bases, run->layers, run->layer_count, failure) ||
        fifos_refuse(&native->view, &native->identity, run->claims->landlock, failure) ||
        placeholders_make(&native->placeholders, &native->view, failure) ||
        secrets_read(&native->secrets, &native->view, &run->bases, failure) ||
        cgroup_create(&native->cgroup, run->plan, run->claims->bounds.cgroup, failure))
        return -1;
    if (!native->pid && start(native, failure))
        return -1;
    close_scoped(&native->relay.theirs);
    native->relay.theirs = -1;
    for (int i = 0; i < 2; i++) {
        close_scoped(&sandbox->output[i]);
        if (!sandbox->piped[i + 1]) {
            close_scoped(&native->streams[i]);
            native->streams[i] = -1;
        }
    }
    close_scoped(&sandbox->input);
    if (!sandbox->piped[STDIN_FILENO]) {
        close_scoped(&native->input);
        native->input = -1;
    }
    return cgroup_add(&native->cgroup, native->pid, failure) ||
                   placeholders_keep(&native->placeholders, native->init, failure)
               ? -1
               : 0;
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
    const struct board *board = &native->sandbox.board;
    int status = board->command_status;
    outcome->ended = reason;
    if (board->failed) { // once the command has begun, it dies with init
        bool ran = board->started && !board->refused && !board->exec_error;
        outcome->ended = ran ? ENDED_SIGNALED : ENDED_NOT_SET_UP;
        outcome->value = SIGKILL;
        *failure = board->failure;
    } else if (board->exec_error) {
        outcome->ended = ENDED_NOT_EXECUTED;
        outcome->value = board->exec_error;
    } else if (reason == ENDED_SIGNALED) {
        outcome->value = SIGKILL;
        fail(failure, NO_RULE, 0, "the process that keeps the places of denied paths was killed");
    } else if (reason != ENDED_EXITED) {
        return;
    } else if (board->lifetime_over) {
        outcome->ended = ENDED_LIFETIME;
    } else if (outcome->oom_kills) {
        outcome->ended = ENDED_MEMORY;
    } else if (!board->command_ended && !board->ready) {
        outcome->ended = ENDED_NOT_SET_UP;
        fail(failure, NO_RULE, 0, "the sandbox's first process ended before the command ran");
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

// What is known of each limit: how close the run came to it, and whether it was stopped there. Once it is known how it
// ended.
static void note_uses(const struct native *native, const struct run *run, struct outcome *outcome)
{
    struct limit_use *uses = outcome->uses;
    struct cgroup_usage group;
    cgroup_read(&native->cgroup, &group);
    int signal = outcome->ended == ENDED_SIGNALED ? outcome->value : 0;
    uint64_t out_of_memory =
        group.oom_kills ? group.oom_kills
                        : outcome->ended == ENDED_MEMORY; // the supervisor may be there before the kernel kills
    uses[LIMIT_memory] = (struct limit_use){group.memory_known, group.memory_known, outcome->peak, out_of_memory};
    uses[LIMIT_cpu] = (struct limit_use){outcome->wall != 0, group.cpu_known,
                                         outcome->wall ? outcome->cpu * 1000 / outcome->wall : 0, group.throttled};
    uses[LIMIT_lifetime] = (struct limit_use){true, true, outcome->wall / 1000, outcome->ended == ENDED_LIFETIME};
    uses[LIMIT_cpu_time] = (struct limit_use){.peak_known = true,
                                              .reached_known = true,
                                              .peak = outcome->cpu / 1000,
                                              .reached = outcome->ended == ENDED_CPU_TIME};
    samples_tell(&native->samples, run->plan, uses);
    if (group.pids_known)
        uses[LIMIT_pids] = (struct limit_use){group.pids_peak_known, true, group.pids_peak, group.pids_refused};
    if (group.swap_peak_known)
        uses[LIMIT_swap] = (struct limit_use){.peak_known = true, .peak = group.swap_peak};
    // Newer kernels count no refusal where swap is full and nothing more is tried. Then memory ran out, and of swap
    // less was left than is moved at once.
    uint64_t swap_pages = run->plan->limits[LIMIT_swap].value / 4096, left_pages = out_of_memory ? 512 : 0;
    bool swap_full = group.swap_peak_known && group.swap_peak / 4096 + left_pages >= swap_pages;
    uses[LIMIT_swap].reached_known = group.swap_refused || (group.swap_peak_known && swap_pages);
    uses[LIMIT_swap].reached = group.swap_refused ? group.swap_refused : swap_full;
    // A shell says of a program that a signal ended what it would say of itself.
    if (signal == SIGXFSZ || (outcome->ended == ENDED_EXITED && outcome->value == 128 + SIGXFSZ)) {
        uses[LIMIT_file_size].reached_known = true;
        uses[LIMIT_file_size].reached = 1;
    }
    uses[LIMIT_output] = (struct limit_use){true, true, run->claims->bounds.output - native->output_left,
                                            outcome->ended == ENDED_OUTPUT};
}

static void measure(struct native *native, const struct run *run, const struct rusage *usage, struct outcome *outcome)
{
    uint64_t end = clock_now(), ready = native->sandbox.board.ready ? native->sandbox.board.ready : end;
    struct cgroup_usage group;
    cgroup_read(&native->cgroup, &group);
    outcome->setup = (ready - run->started) / 1000;
    outcome->wall = (end - ready) / 1000;
    outcome->cpu = microseconds(usage->ru_utime) + microseconds(usage->ru_stime);
    if (group.cpu_us > outcome->cpu) // also of those that nobody could wait for
        outcome->cpu = group.cpu_us;
    if (native->cpu_time.used > outcome->cpu)
        outcome->cpu = native->cpu_time.used;
    outcome->peak_of_all = group.memory_known;
    outcome->peak = group.memory_known ? group.peak_bytes : (uint64_t)usage->ru_maxrss * 1024;
    outcome->oom_kills = group.oom_kills;
    outcome->pids_known = group.pids_known;
    outcome->pids_refused = group.pids_refused;
    outcome->untold = native->sandbox.asking.len ? native->sandbox.board.untold : EOPNOTSUPP;
    outcome->outside_user = (int)native->identity.outside_user;
    outcome->disks = native->sandbox.disks;
    outcome->layers = native->view.layers;
    outcome->layer_count = native->view.layer_count;
}

// Where the host lets us have one. A policy that requires it does not run without.
static int make_guard(const struct run *run, struct net_guard **guard, struct outcome *outcome, struct failure *failure)
{
    const struct network *network = &run->claims->network;
    outcome->guard = network->guard_lacks;
    if (network->guard_lacks || (*guard = net_guard_new(run->plan, &network->proxy, run->events, &outcome->guard)))
        return 0;
    return network->guard_rule == NO_RULE
               ? 0
               : fail(failure, network->guard_rule, 0, "the guard that the policy requires can't be made: %s",
                      outcome->guard);
}

// When the sandbox's first process is where it belongs: what sbxrun makes from here on is made in the guard's group.
static int enter_guard(struct net_guard *guard, struct failure *failure)
{
    int error = guard ? net_guard_enter(guard) : 0;
    return error ? fail(failure, NO_RULE, -error, "cannot move into the guard's control group") : 0;
}

struct run_sources { // of the supervisor's loop, besides its own
    struct samples *samples;
    struct cpu_time *cpu_time;
    struct watch keeper; // of placeholders; fd -1: there are none
    struct calls *calls; // NULL: there are none
    int lifeline;
};

// Without it nobody else knows that the placeholders are needed.
static void keeper_ended(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)events;
    epoll_ctl(supervisor->loop, EPOLL_CTL_DEL, watch->fd, NULL);
    supervisor_kill(supervisor, ENDED_SIGNALED);
}

// Last of all the sandbox is told to start: what fails from then on has the command ended, not refused. (Where it can't
// be told it is dead already, which the loop sees.)
static int add_sources(struct supervisor *supervisor, void *context)
{
    struct run_sources *sources = context;
    if (sources->samples->timer.fd >= 0 && supervisor_add(supervisor, &sources->samples->timer, EPOLLIN) != 0)
        return -1;
    if (sources->cpu_time->timer.fd >= 0 && supervisor_add(supervisor, &sources->cpu_time->timer, EPOLLIN) != 0)
        return -1;
    if (sources->keeper.fd >= 0 && supervisor_add(supervisor, &sources->keeper, EPOLLIN) != 0)
        return -1;
    if (sources->calls && calls_add(supervisor, sources->calls) != 0)
        return -1;
    arena_exhausted_exits(128 + SIGKILL); // it dies with this process
    send(sources->lifeline, "", 1, MSG_NOSIGNAL);
    return 0;
}

void native_run(struct native *native, const struct run *run, struct outcome *outcome, struct failure *failure)
{
    struct rusage usage = {0};
    enum ended reason = ENDED_NOT_SET_UP;
    *outcome = (struct outcome){.ended = ENDED_NOT_SET_UP};
    struct broker *broker = NULL;
    bool brokered = run->plan->broker && !run->probes;
    struct broker_settings settings = {.plan = run->plan, .network = &run->claims->network, .events = run->events};
    const struct call_settings told = {.plan = run->plan,
                                       .identity = &native->identity,
                                       .policy = run->policy,
                                       .recompile = run->recompile,
                                       .recompile_context = run->recompile_context,
                                       .events = run->events,
                                       .counts_routes = counts_routes(run),
                                       .explain_files = run->explain_files,
                                       .argv = run->argv};
    native->sandbox.hands_network = told.counts_routes;
    const struct bpf_program *asking = run->probes ? NULL : calls_asking(&told);
    if (run->explain_files && !run->probes && !asking) {
        fail(failure, NO_RULE, 0,
             "files can't be told under this policy: its filter is too long, or allows no command to start");
        return;
    }
    if (told.counts_routes && !asking) {
        fail(failure, NO_RULE, 0,
             "sockets of netlink can't be counted under this policy: its filter is too long, or allows no command to "
             "start");
        return;
    }
    if (brokered && !asking)
        asking = &run->plan->filters[ARCH_HERE];
    struct calls *calls = NULL;
    struct call_maker maker;
    if (brokered &&
        (make_guard(run, &settings.guard, outcome, failure) || !(broker = broker_new(&settings, failure)))) {
    } else if (maker = broker_maker(broker),
               asking && !(calls = calls_new(&told, &maker, native->lifeline[1], failure))) {
    } else if (get_ready(native, run, asking, failure) == 0 && enter_guard(settings.guard, failure) == 0 &&
               (!broker || broker_act_as(broker, outside_enter(&native->identity, failure)))) {
        const struct bounds *bounds = &run->claims->bounds;
        samples_begin(&native->samples, run->plan, bounds, &native->cgroup, native->pid);
        struct watched watched = {
            .init = native->init,
            .bounds = bounds,
            .memory_events = native->cgroup.events,
            .memory_is_file = native->cgroup.events_is_file,
            .output_left = &native->output_left,
            .streams = {take_fd(native->streams[0]), take_fd(native->streams[1])},
            .input = take_fd(native->input),
            .terminal = native->relay.wanted ? &native->relay : NULL,
            .signals = &native->signals,
            .pass_on = sandbox_signal,
            .begin = add_sources,
            .context = &(struct run_sources){&native->samples,
                                             &native->cpu_time,
                                             {native->placeholders.ended, keeper_ended, NULL},
                                             calls,
                                             native->lifeline[1]},
        };
        if (cpu_time_begin(&native->cpu_time, bounds->cpu_time, &native->cgroup, native->pid) != 0)
            fail(failure, NO_RULE, errno, "cannot limit the processor time");
        else if (supervise(&watched, &reason, failure))
            reason = ENDED_NOT_SET_UP;
        outside_leave();
        cpu_time_end(&native->cpu_time);
        samples_end(&native->samples);
    } else if (native->sandbox.board.failed) {
        *failure = native->sandbox.board.failure; // what init said tells more than that it was not there
    }
    relay_end(&native->relay);
    kill_and_reap(native, &usage);
    if (calls)
        calls_free(calls);
    else
        broker_free(broker);
    net_guard_free(settings.guard);
    close_scoped(&native->sandbox.changes);
    native->sandbox.changes = -1;
    measure(native, run, &usage, outcome);
    if (reason != ENDED_NOT_SET_UP)
        judge(native, reason, outcome, failure);
    note_uses(native, run, outcome);
    cgroup_remove(&native->cgroup);
    struct uppers uppers = {0};
    if (native->changes >= 0)
        differs_take(&uppers, &native->view, native->changes);
    if (run->changes && !changes_write(run->changes, &native->view, &uppers, &outcome->changes_unlisted))
        outcome->changes_unwritten = errno ? errno : EIO;
    outcome->kept = (struct kept){.why = "the command never ran"};
    if (run->keep && reason != ENDED_NOT_SET_UP)
        layer_keep(fileno(run->keep), &native->view, &uppers, &outcome->kept);
    differs_release(&uppers);
}

void native_end(struct native *native)
{
    relay_end(&native->relay);
    kill_and_reap(native, NULL);
    images_release(&native->view);
    below_release(&native->view);
    placeholders_remove(&native->placeholders, stderr);
    secrets_wipe(&native->secrets);
    cgroup_remove(&native->cgroup);
    identity_release(&native->identity);
    for (int i = 0; i < 2; i++) {
        close_scoped(&native->lifeline[i]);
        close_scoped(&native->streams[i]);
    }
    close_scoped(&native->input);
    close_scoped(&native->changes);
    close_scoped(&native->init);
    sigprocmask(SIG_SETMASK, &native->sandbox.caller_mask, NULL);
}
