// The broker: what it holds, and which call is made by what.
#include "enforcer/network/broker_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"

static const struct {
    int number;
    void (*perform)(struct brokered *);
} performed[] = {
    {SYS_connect, broker_call_connect}, {SYS_bind, broker_call_bind},       {SYS_listen, broker_call_listen},
    {SYS_sendto, broker_call_sendto},   {SYS_sendmsg, broker_call_sendmsg}, {SYS_sendmmsg, broker_call_sendmmsg},
};

static void make(void *self, struct notified *notified)
{
    struct brokered call = {.broker = self, .notified = notified_move(notified), .held = -1};
    int error = ENOSYS; // a plan's filter may hand over what it likes
    for (size_t i = 0; i < sizeof performed / sizeof *performed; i++)
        if (performed[i].number == call.notified.number) {
            if (broker_was_sent(&call)) {
                error = 0;
                break;
            }
            call.held = notified_take(&call.notified, (int)call.notified.arguments[0]);
            error = call.held < 0 ? -call.held : -socket_examine(call.held, &call.kind);
            if (!error)
                performed[i].perform(&call);
            break;
        }
    if (error)
        broker_refuse(&call, error);
    close_scoped(&call.held);
    notified_release(&call.notified);
}

static void take_root(void *self, int *fds, int count)
{
    struct broker *broker = self;
    enum { FIXED = 4 };
    if (count < FIXED || broker->root >= 0)
        return;
    broker->root = take_fd(fds[0]);
    broker->namespaces[0] = take_fd(fds[1]);
    broker->namespaces[1] = take_fd(fds[2]);
    broker->own = own_files_hear(fds[3]);
    if (count == FIXED)
        return;
    stub_begin(broker, fds + FIXED, count - FIXED);
    for (int i = FIXED; i < count; i++)
        fds[i] = -1;
}

bool broker_act_as(struct broker *broker, const struct outside *outside)
{
    broker->outside = outside;
    return outside;
}

struct broker *broker_new(const struct broker_settings *settings, struct failure *failure)
{
    struct broker *broker = calloc(1, sizeof *broker);
    struct names *names =
        plan_has_names(settings->plan) ? names_new(settings->plan, &settings->network->own.resolvers) : NULL;
    if (!broker || (plan_has_names(settings->plan) && !names)) {
        free(broker);
        fail(failure, NO_RULE, ENOMEM, "cannot make the broker");
        return NULL;
    }
    *broker =
        (struct broker){.settings = *settings,
                        .names = names,
                        .root = -1,
                        .namespaces = {-1, -1},
                        .timer = {timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), broker_late, broker}};
    if (names)
        names_tell(names, net_guard_pin, settings->guard);
    if (names)
        names_pin_hosts(names, clock_now());
    if (broker->timer.fd < 0) {
        fail(failure, NO_RULE, errno, "cannot make the broker's clock");
        broker_free(broker);
        return NULL;
    }
    struct rlimit files = {0, 0}; // a call that waits has two, or three while it is looked at
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    broker->waiting_most = files.rlim_cur / 4 < WAITING_MOST ? (unsigned)(files.rlim_cur / 4) : WAITING_MOST;
    return broker;
}

static int add(struct supervisor *supervisor, void *self)
{
    struct broker *broker = self;
    broker->supervisor = supervisor;
    if (broker->settings.guard && net_guard_add(supervisor, broker->settings.guard) != 0)
        return -1;
    return supervisor_pace(supervisor, &broker->timer, EPOLLIN);
}

static void end(void *self)
{
    broker_free(self);
}

struct call_maker broker_maker(struct broker *broker)
{
    return (struct call_maker){broker, add, take_root, make, end};
}

void broker_free(struct broker *broker)
{
    if (!broker)
        return;
    stub_end(broker);
    unix_end(broker);
    free(broker->own);
    published_end(&broker->published);
    broker_wait_end(broker);
    close_scoped(&broker->timer.fd);
    close_scoped(&broker->root);
    close_scoped(&broker->namespaces[0]);
    close_scoped(&broker->namespaces[1]);
    names_free(broker->names);
    arena_free(broker->told.arena);
    free(broker);
}
