// The broker: the source in the supervisor's loop, and which call is made by what.
#include "enforcer/broker_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/handover.h"
#include "enforcer/kernel.h"
#include "enforcer/scoped.h"

unsigned protocol_of(const struct socket_kind *kind)
{
    if (kind->domain == AF_UNIX)
        return PROTOCOL_UNIX;
    if (kind->domain != AF_INET && kind->domain != AF_INET6)
        return 0;
    return kind->type == SOCK_STREAM && kind->protocol == IPPROTO_TCP ? PROTOCOL_TCP : kind->type == SOCK_DGRAM && kind->protocol == IPPROTO_UDP ? PROTOCOL_UDP : 0;
}

static const struct {
    int number;
    void (*perform)(struct brokered *);
} performed[] = {
    {SYS_connect, broker_call_connect}, {SYS_bind, broker_call_bind},       {SYS_listen, broker_call_listen},
    {SYS_sendto, broker_call_sendto},   {SYS_sendmsg, broker_call_sendmsg}, {SYS_sendmmsg, broker_call_sendmmsg},
};

static void call_came(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    struct broker *broker = watch->context;
    struct brokered call = {.broker = broker, .held = -1};
    if (!(events & EPOLLIN)) { // no process has the filter any more; asked for a call now, older kernels would wait for one
        supervisor->prompt = NULL;
        return;
    }
    if (notified_next(&broker->source, &call.notified) <= 0)
        return;
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

static void handed_over(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)events;
    struct broker *broker = watch->context;
    uint64_t what;
    int fds[HANDOVER_MOST], count = handover_receive(watch->fd, &what, fds);
    if (count < 0) { // the inside has closed its end
        epoll_ctl(supervisor->loop, EPOLL_CTL_DEL, watch->fd, NULL);
    } else if (what == HANDED_LISTENER && count == 1 && broker->listener.fd < 0) {
        broker->listener.fd = broker->source.listener = fds[0];
        ioctl(fds[0], SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP); // where it can, or answers take longer
        supervisor->prompt = &broker->listener;
    } else if (what == HANDED_ROOT && count >= 1 && broker->root < 0) {
        broker->root = fds[0];
        if (count > 1)
            stub_begin(broker, fds + 1, count - 1);
    } else {
        for (int i = 0; i < count; i++)
            close(fds[i]);
    }
}

struct broker *broker_new(const struct broker_settings *settings, struct failure *failure)
{
    struct broker *broker = calloc(1, sizeof *broker);
    struct names *names = plan_has_names(settings->plan) ? names_new(settings->plan, &settings->network->resolvers) : NULL;
    if (!broker || (plan_has_names(settings->plan) && !names)) {
        free(broker);
        fail(failure, NO_RULE, ENOMEM, "cannot make the broker");
        return NULL;
    }
    *broker = (struct broker){.settings = *settings,
                              .names = names,
                              .root = -1,
                              .source = {-1, NOTIFIED_NOBODY},
                              .listener = {-1, call_came, broker},
                              .handover = {settings->handover, handed_over, broker},
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
    struct rlimit files; // each connection that is being made has one
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return broker;
}

int broker_add(struct supervisor *supervisor, void *context)
{
    struct broker *broker = context;
    broker->supervisor = supervisor;
    if (broker->settings.guard && net_guard_add(supervisor, broker->settings.guard) != 0)
        return -1;
    return supervisor_add(supervisor, &broker->handover, EPOLLIN) || supervisor_add(supervisor, &broker->timer, EPOLLIN) ? -1 : 0;
}

void broker_free(struct broker *broker)
{
    if (!broker)
        return;
    stub_end(broker);
    unix_end(broker);
    broker_wait_end(broker);
    notified_end(&broker->source);
    close_scoped(&broker->timer.fd);
    close_scoped(&broker->root);
    names_free(broker->names);
    free(broker);
}
