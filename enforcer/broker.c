// The broker.
#include "enforcer/broker_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/handover.h"
#include "enforcer/kernel.h"
#include "enforcer/scoped.h"

// ---- answers ------------------------------------------------------------------------------------------------------------------------------

void broker_denied(struct broker *broker, unsigned verb, unsigned protocol, const struct destination *to, const struct decision *decision)
{
    struct arena *arena = arena_new();
    event_denied(broker->settings.events, destination_print(arena, verb, protocol, to, decision->name), decision->rule);
    arena_free(arena);
}

void broker_allowed(struct broker *broker, unsigned verb, unsigned protocol, const struct destination *to, const struct decision *decision)
{
    struct arena *arena = arena_new();
    event_allowed(broker->settings.events, destination_print(arena, verb, protocol, to, decision->name), decision->rule);
    arena_free(arena);
}

static void refuse(struct brokered *call, int error)
{
    notified_answer(&call->notified, error, 0);
}

// ---- connections that are being made --------------------------------------------------------------------------------------------------------

static struct attempt *attempt_of(struct broker *broker, uint64_t cookie)
{
    for (struct attempt *attempt = broker->attempts; attempt; attempt = attempt->next)
        if (attempt->cookie == cookie && !attempt->message)
            return attempt;
    return NULL;
}

static void attempt_end(struct attempt *attempt)
{
    struct broker *broker = attempt->broker;
    if (attempt->watch.fd >= 0) {
        epoll_ctl(broker->supervisor->loop, EPOLL_CTL_DEL, attempt->watch.fd, NULL);
        close(attempt->watch.fd);
        attempt->watch.fd = -1;
    }
    for (struct attempt **at = &broker->attempts; *at; at = &(*at)->next)
        if (*at == attempt) {
            *at = attempt->next;
            break;
        }
    message_free(attempt->message);
    attempt->message = NULL;
    notified_release(&attempt->call);
    attempt->next = broker->idle; // an event for it may still be on its way
    broker->idle = attempt;
}

static void attempt_answer(struct attempt *attempt)
{
    // A signal may have interrupted the call, which then comes again and finds the result here.
    if (notified_answer(&attempt->call, attempt->error, 0) || attempt->given_up++)
        attempt_end(attempt);
    else if (attempt->watch.fd >= 0)
        epoll_ctl(attempt->broker->supervisor->loop, EPOLL_CTL_DEL, attempt->watch.fd, NULL);
}

static void attempt_ready(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)supervisor, (void)events;
    struct attempt *attempt = (struct attempt *)watch;
    struct pollfd now = {.fd = watch->fd, .events = POLLOUT};
    if (attempt->done || poll(&now, 1, 0) != 1)
        return;
    if (attempt->message) {
        if (!notified_waits(&attempt->call) || message_again(attempt))
            attempt_end(attempt);
        return;
    }
    socklen_t size = sizeof attempt->error;
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &attempt->error, &size) != 0)
        attempt->error = errno;
    attempt->done = true;
    struct sockaddr_storage peer;
    if (!attempt->error && getpeername(watch->fd, (struct sockaddr *)&peer, &(socklen_t){sizeof peer}) == 0)
        connect(watch->fd, (struct sockaddr *)&peer, sizeof peer); // that it is connected counts from here on: the next one is told EISCONN
    fcntl(watch->fd, F_SETFL, fcntl(watch->fd, F_GETFL) & ~O_NONBLOCK);
    attempt_answer(attempt);
}

static void set_timer(struct broker *broker)
{
    uint64_t first = 0, now = clock_now();
    for (const struct attempt *attempt = broker->attempts; attempt; attempt = attempt->next)
        if (attempt->until && (!first || attempt->until < first))
            first = attempt->until;
    uint64_t left = first > now ? first - now : first ? 1 : 0;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)}};
    timerfd_settime(broker->timer.fd, 0, &when, NULL);
}

// A socket with a timeout (SO_SNDTIMEO) goes on connecting behind its caller's back (socket(7)).
static void attempts_late(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)supervisor, (void)events;
    uint64_t times, now = clock_now();
    struct broker *broker = watch->context;
    if (read(watch->fd, &times, sizeof times) < 0)
        return;
    for (struct attempt *attempt = broker->attempts, *next; attempt; attempt = next) {
        next = attempt->next;
        if (!attempt->until || attempt->until > now)
            continue;
        notified_answer(&attempt->call, attempt->message ? EAGAIN : EINPROGRESS, 0);
        attempt_end(attempt);
    }
    set_timer(broker);
}

void broker_wait(struct brokered *call, int fd, struct message *message)
{
    struct broker *broker = call->broker;
    struct attempt *attempt = broker->idle ? broker->idle : calloc(1, sizeof *attempt);
    struct timeval time = {0};
    socklen_t size = sizeof time;
    if (!attempt) {
        close(fd);
        message_free(message);
        refuse(call, ENOBUFS);
        return;
    }
    broker->idle = broker->idle ? broker->idle->next : NULL;
    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, &size);
    uint64_t wait = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
    *attempt = (struct attempt){.watch = {fd, attempt_ready, broker},
                                .broker = broker,
                                .call = call->notified,
                                .cookie = socket_cookie(fd),
                                .message = message,
                                .until = wait ? clock_now() + wait : 0,
                                .next = broker->attempts};
    call->notified.process = -1;
    broker->attempts = attempt;
    if (supervisor_add(broker->supervisor, &attempt->watch, EPOLLOUT) != 0) {
        refuse(call, ENOBUFS);
        attempt_end(attempt);
    } else if (wait) {
        set_timer(broker);
    }
}

void broker_sent(struct broker *broker, const struct notified *call, int64_t value)
{
    if (notified_answer(call, 0, value))
        return;
    struct late *late = &broker->late[broker->late_next++ % (sizeof broker->late / sizeof *broker->late)];
    *late = (struct late){.thread = call->thread, .number = call->number, .value = value};
    memcpy(late->arguments, call->arguments, sizeof late->arguments);
}

static bool was_sent(struct brokered *call)
{
    const struct notified *now = &call->notified;
    for (size_t i = 0; i < sizeof call->broker->late / sizeof *call->broker->late; i++) {
        struct late *late = &call->broker->late[i];
        if (late->thread != now->thread || late->number != now->number || memcmp(late->arguments, now->arguments, sizeof late->arguments) != 0)
            continue;
        late->thread = 0;
        notified_answer(now, 0, late->value);
        return true;
    }
    return false;
}

// The same call once more, after a signal. True when it was.
static bool attempt_again(struct brokered *call)
{
    struct attempt *attempt = call->broker->attempts ? attempt_of(call->broker, socket_cookie(call->held)) : NULL;
    if (!attempt)
        return false;
    if (!attempt->done && notified_waits(&attempt->call)) {
        refuse(call, EALREADY);
        return true;
    }
    notified_release(&attempt->call);
    attempt->call = call->notified;
    call->notified.process = -1;
    if (attempt->done)
        attempt_answer(attempt);
    return true;
}

// ---- connect --------------------------------------------------------------------------------------------------------------------------------

static void woken(int signal)
{
    (void)signal;
}

// The caller may make a socket wait again at any moment, also between our making it not wait and connecting it. Then a signal ends the waiting.
int broker_connect(int fd, const struct sockaddr *to, socklen_t length)
{
    static timer_t timer;
    static bool ready;
    int wake = SIGRTMAX;
    struct itimerspec soon = {{0, 20000000}, {0, 20000000}}, never = {{0, 0}, {0, 0}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = wake};
    struct sigaction quietly = {.sa_handler = woken}; // without SA_RESTART
    sigset_t wakes;
    sigemptyset(&wakes);
    sigaddset(&wakes, wake);
    if (!ready && (sigaction(wake, &quietly, NULL) != 0 || sigprocmask(SIG_UNBLOCK, &wakes, NULL) != 0 || timer_create(CLOCK_MONOTONIC, &event, &timer) != 0))
        return ENOBUFS;
    ready = true;
    timer_settime(timer, 0, &soon, NULL);
    int error = connect(fd, to, length) == 0 ? 0 : errno;
    timer_settime(timer, 0, &never, NULL);
    return error == EINTR ? EINPROGRESS : error;
}

// Connects `fd` without ever waiting. 0, or an errno: EINPROGRESS when it goes on by itself.
static int connect_now(int fd, const struct destination *to, bool blocking)
{
    int flags = blocking ? fcntl(fd, F_GETFL) : 0;
    if (blocking) // it is not connected, so nobody else can be waiting on it
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    int error = broker_connect(fd, (const struct sockaddr *)&to->address, to->length);
    if (blocking)
        fcntl(fd, F_SETFL, flags);
    return error;
}

static void connect_inside(struct brokered *call, const struct destination *to)
{
    int error = connect_now(call->held, to, call->kind.blocking && call->kind.type != SOCK_DGRAM);
    if (error == EINPROGRESS && call->kind.blocking)
        broker_wait(call, take_fd(call->held), NULL);
    else
        notified_answer(&call->notified, error, 0);
}

int broker_twin(struct brokered *call, int *twin)
{
    *twin = twin_make(call->held, &call->kind);
    return *twin < 0 ? -*twin : 0;
}

// Puts the twin where the caller's socket is, with the caller's flags.
static int place(struct brokered *call, int twin)
{
    return -twin_place(&call->notified, twin, call->held, (int)call->notified.arguments[0]);
}

int broker_to_host(struct brokered *call)
{
    closing_fd int twin = -1;
    int error = broker_twin(call, &twin);
    if (!error && call->kind.blocking)
        fcntl(twin, F_SETFL, fcntl(twin, F_GETFL) & ~O_NONBLOCK);
    if (error || (error = place(call, twin)))
        return error;
    close(call->held);
    call->held = take_fd(twin);
    call->kind.inside = false;
    return -socket_examine(call->held, &call->kind);
}

// The same for a twin that nobody else has yet. The second call hears what has come of the first: near by, all is over when that returns.
static int connect_fresh(int fd, const struct destination *to)
{
    const struct sockaddr *address = (const struct sockaddr *)&to->address;
    if (connect(fd, address, to->length) == 0)
        return 0;
    if (errno != EINPROGRESS || connect(fd, address, to->length) == 0)
        return errno == EINPROGRESS ? 0 : errno;
    return errno == EALREADY ? EINPROGRESS : errno;
}

static void connect_host(struct brokered *call, struct destination *to)
{
    closing_fd int made = -1;
    int error = 0;
    if (to->any)
        destination_set(to, to->number, to->port);
    if (call->kind.inside && (error = broker_twin(call, &made))) {
        refuse(call, error);
        return;
    }
    error = made >= 0 ? connect_fresh(made, to) : connect_now(call->held, to, call->kind.blocking);
    bool goes_on = error == EINPROGRESS && call->kind.blocking;
    // What failed at once is tried elsewhere by most callers, on the socket that they have.
    if (made >= 0 && (error == 0 || error == EINPROGRESS)) {
        if (call->kind.blocking && !goes_on)
            fcntl(made, F_SETFL, 0);
        int placed = place(call, made);
        if (placed) {
            refuse(call, placed);
            return;
        }
    }
    if (goes_on)
        broker_wait(call, made >= 0 ? take_fd(made) : take_fd(call->held), NULL);
    else
        notified_answer(&call->notified, error, 0);
}

void broker_call_connect(struct brokered *call)
{
    struct destination to;
    unsigned protocol = protocol_of(&call->kind);
    int error = -destination_read(&call->notified, call->notified.arguments[1], (uint32_t)call->notified.arguments[2], &to);
    if (error) {
        refuse(call, error);
        return;
    }
    if (attempt_again(call))
        return;
    if (to.address.ss_family == AF_UNIX || call->kind.domain == AF_UNIX) {
        unix_connect(call, &to);
        return;
    }
    if (to.address.ss_family == AF_UNSPEC) { // forgets whom it was connected to; a twin would then be connected to anybody
        refuse(call, call->kind.inside ? broker_connect(call->held, (struct sockaddr *)&to.address, to.length) : EACCES);
        return;
    }
    struct decision decision = destination_decide(call->broker->settings.plan, call->broker->names, VERB_CONNECT, protocol, &to);
    if (decision.way == WAY_REFUSED)
        broker_denied(call->broker, VERB_CONNECT, protocol, &to, &decision);
    if (decision.way == WAY_HOST)
        broker_allowed(call->broker, VERB_CONNECT, protocol, &to, &decision);
    if (decision.way == WAY_REFUSED || !protocol)
        refuse(call, EACCES);
    else if (decision.way == WAY_INSIDE && call->kind.inside)
        connect_inside(call, &to);
    else if (decision.way == WAY_INSIDE)
        refuse(call, ENETUNREACH); // a twin is in the host's network
    else
        connect_host(call, &to);
}

// ---- bind, listen ---------------------------------------------------------------------------------------------------------------------------

static bool may(struct brokered *call, unsigned verb, unsigned protocol, struct destination *to, uint16_t port, enum way *way)
{
    struct destination there = *to;
    there.port = port;
    struct decision decision = destination_decide(call->broker->settings.plan, NULL, verb, protocol, &there);
    *way = decision.way;
    return decision.way != WAY_REFUSED;
}

// Port 0 lets the kernel choose, from a range that a rule may not allow as a whole: then of the ports that one does, the first that is free.
static int bind_any_port(struct brokered *call, unsigned protocol, struct destination *to)
{
    const struct plan *plan = call->broker->settings.plan;
    enum { FIRST = 32768, LAST = 60999 }; // ip_local_port_range of a new network namespace
    enum way way;
    bool all = may(call, VERB_BIND, protocol, to, FIRST, &way) && way == WAY_INSIDE && may(call, VERB_BIND, protocol, to, LAST, &way);
    for (size_t i = 0; i < plan->net_count && all; i++) {
        const uint32_t borders[] = {plan->net[i].box.port_first, plan->net[i].box.port_last + 1u};
        for (int b = 0; b < 2 && all; b++)
            all = borders[b] < FIRST || borders[b] > LAST || may(call, VERB_BIND, protocol, to, (uint16_t)borders[b], &way);
    }
    if (all)
        return bind(call->held, (struct sockaddr *)&to->address, to->length) == 0 ? 0 : errno;
    for (size_t i = 0; i < plan->net_count; i++)
        for (uint32_t port = plan->net[i].box.port_first; !plan->net[i].deny && plan->net[i].box.verbs & VERB_BIND && port <= plan->net[i].box.port_last; port++) {
            struct destination there = *to;
            if (port == 0 || !may(call, VERB_BIND, protocol, to, (uint16_t)port, &way) || way != WAY_INSIDE)
                continue;
            destination_set(&there, to->any ? (to->address.ss_family == AF_INET ? (net_address)0xFFFF << 32 : 0) : to->number, (uint16_t)port);
            if (bind(call->held, (struct sockaddr *)&there.address, there.length) == 0)
                return 0;
            if (errno != EADDRINUSE)
                return errno;
        }
    return EACCES;
}

// True if a rule allows the protocol to connect somewhere: then the kernel binds it to some port, and so may the program itself.
static bool connects(const struct plan *plan, unsigned protocol)
{
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && plan->net[i].box.verbs & VERB_CONNECT && plan->net[i].box.protocols & protocol)
            return true;
    return protocol == PROTOCOL_UDP && plan_has_names(plan);
}

// A server that a rule publishes on the host's loopback lives there from its bind on.
static int publish(struct brokered *call, struct destination *to)
{
    closing_fd int twin = -1;
    int error = broker_twin(call, &twin), one = 1, only = 0;
    socklen_t size = sizeof only;
    if (error)
        return error;
    if (to->any) { // a socket of both families is reached as 127.0.0.1, which is what most people type
        getsockopt(call->held, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size);
        bool both = to->address.ss_family == AF_INET6 && !only;
        destination_set(to, both || to->address.ss_family == AF_INET ? ((net_address)0xFFFF << 32 | INADDR_LOOPBACK) : 1, to->port);
    }
    setsockopt(twin, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); // of an earlier run's connections nothing is left
    if (bind(twin, (struct sockaddr *)&to->address, to->length) != 0)
        return errno;
    if (call->kind.blocking)
        fcntl(twin, F_SETFL, fcntl(twin, F_GETFL) & ~O_NONBLOCK);
    return place(call, twin);
}

void broker_call_bind(struct brokered *call)
{
    struct destination to;
    const struct plan *plan = call->broker->settings.plan;
    unsigned protocol = protocol_of(&call->kind);
    int error = -destination_read(&call->notified, call->notified.arguments[1], (uint32_t)call->notified.arguments[2], &to);
    if (!error && (to.address.ss_family == AF_UNIX || call->kind.domain == AF_UNIX)) {
        unix_bind(call, &to);
        return;
    }
    if (error || to.address.ss_family == AF_UNSPEC || !call->kind.inside) {
        refuse(call, error ? error : EINVAL);
        return;
    }
    struct decision decision = destination_decide(plan, NULL, VERB_BIND, protocol, &to);
    struct decision listening = destination_decide(plan, NULL, VERB_LISTEN, protocol, &to);
    if (to.port && listening.way == WAY_HOST && listening.rule != NO_RULE)
        error = publish(call, &to);
    else if (to.port == 0 && to.any && connects(plan, protocol))
        error = bind(call->held, (struct sockaddr *)&to.address, to.length) == 0 ? 0 : errno;
    else if (to.port == 0)
        error = bind_any_port(call, protocol, &to);
    else if (decision.way == WAY_INSIDE)
        error = bind(call->held, (struct sockaddr *)&to.address, to.length) == 0 ? 0 : errno;
    else
        error = EACCES;
    if (error == EACCES)
        broker_denied(call->broker, VERB_BIND, protocol, &to, &decision);
    notified_answer(&call->notified, error, 0);
}

void broker_call_listen(struct brokered *call)
{
    struct sockaddr_storage address = {0};
    struct destination to;
    unsigned protocol = protocol_of(&call->kind);
    socklen_t length = sizeof address;
    int error = getsockname(call->held, (struct sockaddr *)&address, &length) == 0 ? 0 : errno;
    if (!error && address.ss_family == AF_UNIX) {
        unix_listen(call);
        return;
    }
    if (!error)
        error = -destination_of(&to, (struct sockaddr *)&address, length);
    if (!error && to.port == 0 && call->kind.inside) // it was not bound: now it is
        error = bind_any_port(call, protocol, &to);
    length = sizeof address;
    if (!error && getsockname(call->held, (struct sockaddr *)&address, &length) == 0)
        error = -destination_of(&to, (struct sockaddr *)&address, length);
    if (!error) {
        struct decision decision = destination_decide(call->broker->settings.plan, NULL, VERB_LISTEN, protocol, &to);
        bool fits = decision.way == (call->kind.inside ? WAY_INSIDE : WAY_HOST);
        if (!fits)
            broker_denied(call->broker, VERB_LISTEN, protocol, &to, &decision);
        else if (!call->kind.inside)
            broker_allowed(call->broker, VERB_LISTEN, protocol, &to, &decision);
        error = !fits ? EACCES : listen(call->held, (int)call->notified.arguments[1]) == 0 ? 0 : errno;
    }
    notified_answer(&call->notified, error, 0);
}

// ---- the source -----------------------------------------------------------------------------------------------------------------------------

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
    int came = notified_next(watch->fd, &call.notified);
    if (came < 0 && events & EPOLLHUP) { // no process has the filter any more
        epoll_ctl(supervisor->loop, EPOLL_CTL_DEL, watch->fd, NULL);
        return;
    }
    if (came <= 0)
        return;
    int error = ENOSYS; // a plan's filter may hand over what it likes
    for (size_t i = 0; i < sizeof performed / sizeof *performed; i++)
        if (performed[i].number == call.notified.number) {
            if (was_sent(&call)) {
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
        refuse(&call, error);
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
        broker->listener.fd = fds[0];
        ioctl(fds[0], SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP); // where it can, or answers take longer
        if (supervisor_add(supervisor, &broker->listener, EPOLLIN) != 0)
            supervisor_kill(supervisor, ENDED_SIGNALED);
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
                              .listener = {-1, call_came, broker},
                              .handover = {settings->handover, handed_over, broker},
                              .timer = {timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), attempts_late, broker}};
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
    return supervisor_add(supervisor, &broker->handover, EPOLLIN) || supervisor_add(supervisor, &broker->timer, EPOLLIN) ? -1 : 0;
}

void broker_free(struct broker *broker)
{
    if (!broker)
        return;
    stub_end(broker);
    unix_end(broker);
    for (struct attempt *attempt = broker->attempts, *next; attempt; attempt = next) {
        next = attempt->next;
        close_scoped(&attempt->watch.fd);
        message_free(attempt->message);
        notified_release(&attempt->call);
        free(attempt);
    }
    for (struct attempt *attempt = broker->idle, *next; attempt; attempt = next) {
        next = attempt->next;
        free(attempt);
    }
    close_scoped(&broker->listener.fd);
    close_scoped(&broker->timer.fd);
    close_scoped(&broker->root);
    names_free(broker->names);
    free(broker);
}
