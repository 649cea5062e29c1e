// Helpers: programs beside sbxrun that read what others wrote.
#include "enforcer/helpers/helper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/front/driver.h"
#include "lang/load.h"
#include "enforcer/host/clock.h"
#include "enforcer/host/host.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/inside/start.h"
#include "enforcer/limits/cgroup.h"
#include "enforcer/view/secrets.h"
#include "helpers.inc"

static const struct {
    const char *name;
    struct str policy; // its text: enforcer/helpers
    bool marks;        // makes devices of number 0:0
} programs[] = {
    [HELPER_IMAGE] = {"sbximage", {helper_image, sizeof helper_image - 1}},
    [HELPER_LAYER] = {"sbximage", {helper_layer, sizeof helper_layer - 1}},
    [HELPER_UNPACK_LAYER] = {"sbximage", {helper_unpack_layer, sizeof helper_unpack_layer - 1}, .marks = true},
    [HELPER_NAMES] = {"sbxnames", {helper_names, sizeof helper_names - 1}},
};

// What keeps the limits of a single process.
static const struct {
    enum limit limit;
    int resource;
    uint64_t unit; // a limit's unit in one of the resource's
} keepings[] = {
    {LIMIT_memory, RLIMIT_DATA, 1},       {LIMIT_pids, RLIMIT_NPROC, 1},      {LIMIT_cpu_time, RLIMIT_CPU, 1000},
    {LIMIT_open_files, RLIMIT_NOFILE, 1}, {LIMIT_file_size, RLIMIT_FSIZE, 1},
};

// Where it is: beside sbxrun, else where packages put it. The folder; false: nowhere.
static bool find(enum helper_program program, char folder[PATH_MAX])
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    while (length > 0 && folder[length - 1] != '/')
        length--;
    if (length > 0) {
        folder[length] = '\0';
        if (snprintf(path, sizeof path, "%s%s", folder, programs[program].name) < PATH_MAX && access(path, X_OK) == 0)
            return true;
    }
    strcpy(folder, "/usr/bin/");
    snprintf(path, sizeof path, "%s%s", folder, programs[program].name);
    return access(path, X_OK) == 0;
}

bool helper_exists(enum helper_program program)
{
    char folder[PATH_MAX];
    return find(program, folder);
}

int helper_user(uid_t *user, gid_t *group, struct failure *failure)
{
    struct identity identity;
    int result = identity_prepare(&identity, failure);
    *user = identity.outside_user;
    *group = identity.outside_group;
    identity_release(&identity);
    return result;
}

enum { WORDS_MOST = 2 }; // of a helper's command

struct starting { // in memory that the helper's process sees too, until its exec
    struct sandbox sandbox;
    struct view view;
    struct secrets secrets; // none
    struct identity identity;
    struct bounds bounds;
    struct loopback loopback;
    char *argv[WORDS_MOST + 1], *environment[1];
    int lifeline[2];
    pid_t pid;
    int init;
};

static int limit(struct bounds *bounds, const struct plan *plan, struct failure *failure)
{
    if (bounds_begin(bounds, failure))
        return -1;
    for (int i = 0; i < LIMIT_COUNT; i++) {
        size_t k = 0, count = sizeof keepings / sizeof *keepings;
        while (k < count && keepings[k].limit != (enum limit)i)
            k++;
        if (plan->limits[i].set && k == count)
            return fail(failure, plan->limits[i].rule, 0, "nothing keeps the limit %s of a helper", limit_names[i]);
        if (!plan->limits[i].set)
            continue;
        bounds->rlimits[bounds->rlimit_count].resource = keepings[k].resource;
        bounds->rlimits[bounds->rlimit_count++].value = (rlim_t)(plan->limits[i].value / keepings[k].unit);
    }
    return 0;
}

// Compiled as any policy is; NULL: it can't be.
static struct plan *plan_of(struct compilation *compilation, enum helper_program program)
{
    const char *problem = NULL;
    struct module *module =
        module_parse_in(compilation, str_from(programs[program].name), STR("/"), programs[program].policy);
    struct policy *policy = compilation_policy(compilation, module, &(struct driver_options){0}, NULL, &problem);
    return policy ? policy_lower(policy, 1u << ARCH_HERE) : NULL;
}

static int prepare(struct starting *s, const struct helper *helper, struct compilation *compilation,
                   struct failure *failure)
{
    const char *name = programs[helper->program].name;
    char folder[PATH_MAX];
    struct plan *plan = plan_of(compilation, helper->program);
    if (!plan)
        return fail(failure, NO_RULE, 0, "the policy of %s can't be compiled", name);
    if (!find(helper->program, folder))
        return fail_with_advice(failure, NO_RULE, 0, "it is installed beside sbxrun", "%s is not there", name);
    const struct view_bases bases = {.policy = folder, .cwd = helper->folder};
    for (size_t i = 0; i < plan->command_count && i < WORDS_MOST; i++)
        s->argv[i] = (char *)str_copy(plan->arena, plan->command[i]).text;
    s->loopback = (struct loopback){.tcp_rights = LANDLOCK_NET_BIND_TCP | LANDLOCK_NET_CONNECT_TCP};
    const struct bpf_program *filter = &plan->filters[ARCH_HERE];
    s->sandbox = (struct sandbox){
        .plan = plan,
        .bounds = &s->bounds,
        .loopback = &s->loopback,
        .argv = s->argv,
        .environment = s->environment,
        .landlock = host_landlock_abi() > 0,
        .view = &s->view,
        .identity = &s->identity,
        .filter = {(unsigned short)filter->length, (struct sock_filter *)filter->code},
        .opens_view = !s->identity.as_root,
        .output = {-1, -1},
        .changes = -1,
        .board.listener = -1,
        .given = helper->given,
        .given_count = helper->count,
        .marks = programs[helper->program].marks,
    };
    sched_getaffinity(0, sizeof s->sandbox.processors, &s->sandbox.processors);
    s->view.secrets = &s->secrets;
    if (limit(&s->bounds, plan, failure) || view_prepare(&s->view, plan, &bases, failure))
        return -1;
    for (size_t i = 0; i < plan->view_count; i++)
        s->view.places[i].of_outside = plan->view[i].base == PLAN_CWD;
    identity_choose(&s->identity, plan);
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->lifeline) == 0
               ? 0
               : fail(failure, NO_RULE, errno, "cannot make a socket");
}

// Says go, and waits until the program has been executed: then nobody has the other end any more.
static int set_going(struct starting *s, const struct helper *helper, struct failure *failure)
{
    enum { PATIENCE_MS = 20000 };
    const struct board *board = &s->sandbox.board;
    const char *name = programs[helper->program].name;
    struct pollfd waits = {.fd = s->lifeline[1], .events = POLLIN};
    char byte;
    close(s->lifeline[0]);
    s->lifeline[0] = -1;
    if (helper->control_group > 0 && cgroup_join(helper->control_group, s->pid) != 0)
        return fail(failure, NO_RULE, 0, "cannot move %s into its control group", name);
    if (send(s->lifeline[1], "", 1, MSG_NOSIGNAL) != 1)
        return fail(failure, NO_RULE, errno, "cannot tell %s to start", name);
    if (poll(&waits, 1, PATIENCE_MS) != 1 || recv(s->lifeline[1], &byte, 1, MSG_DONTWAIT) != 0)
        return fail(failure, NO_RULE, 0, "%s does not start", name);
    if (board->failed)
        *failure = board->failure;
    else if (board->exec_error || !board->ready)
        return fail(failure, NO_RULE, board->exec_error, "cannot execute %s", name);
    failure->rule = NO_RULE; // of the helper's own policy
    return board->failed ? -1 : 0;
}

pid_t helper_start(const struct helper *helper, struct failure *failure)
{
    struct arena *shared = arena_new_shared(), *arena = shared ? shared : arena_new();
    struct starting *s = NEW(arena, struct starting);
    *s = (struct starting){.lifeline = {-1, -1}, .init = -1};
    struct compilation *compilation = compilation_new(arena_new());
    int result = identity_prepare(&s->identity, failure);
    if (result == 0)
        result = prepare(s, helper, compilation, failure);
    if (result == 0)
        result = sandbox_start(&s->sandbox, s->lifeline, &s->pid, &s->init, failure);
    if (result == 0)
        result = set_going(s, helper, failure);
    if (result != 0 && s->pid > 0) {
        kill(s->pid, SIGKILL);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    pid_t pid = result == 0 ? s->pid : -1;
    identity_release(&s->identity);
    close_scoped(&s->lifeline[0]);
    close_scoped(&s->lifeline[1]);
    close_scoped(&s->init);
    compilation_free(compilation);
    arena_free(arena);
    return pid;
}

// ---- waiting ------------------------------------------------------------------------------------------------------

static const int endings[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM}; // they are blocked while a run is set up

bool helper_must_end(void)
{
    sigset_t pending;
    sigpending(&pending);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (sigismember(&pending, endings[i]) == 1)
            return true;
    return false;
}

int helper_wait(pid_t pid, int from, uint64_t lifetime, char *said, size_t size, const char **ended)
{
    enum { PATIENCE_MS = 600000 };
    uint64_t patience = lifetime && lifetime < PATIENCE_MS ? lifetime : PATIENCE_MS;
    sigset_t ending;
    sigemptyset(&ending);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        sigaddset(&ending, endings[i]);
    closing_fd int signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    uint64_t until = clock_now() + patience * 1000000;
    size_t length = 0;
    int how = 0;
    for (*ended = NULL; !*ended;) {
        struct pollfd waits[] = {{.fd = from, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        uint64_t now = clock_now();
        if (poll(waits, 2, now < until ? (int)((until - now) / 1000000) + 1 : 0) < 0 && errno != EINTR)
            *ended = "its end can't be waited for";
        else if (waits[1].revents)
            *ended = "a signal ended it";
        else if (clock_now() >= until)
            *ended = patience < PATIENCE_MS ? "the policy's lifetime is over" : "it takes longer than ten minutes";
        if (*ended || !waits[0].revents)
            continue;
        ssize_t n = read(from, said + length, size - 1 - length);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN) || length == size - 1)
            break;
        length += n > 0 ? (size_t)n : 0;
    }
    kill(pid, SIGKILL); // at the end of what it says it has nothing more to do
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        ;
    said[length] = '\0';
    said[strcspn(said, "\n")] = '\0';
    return how;
}
