// What the broker's calls share: answers, calls that wait, sockets that are the caller's too.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/network/broker_calls.h"
#include "enforcer/host/say.h"
#include "enforcer/host/scoped.h"

// ---- answers ------------------------------------------------------------------------------------------------------

void broker_denied(struct broker *broker, unsigned verb, unsigned protocol, const struct destination *to,
                   const struct decision *decision)
{
    if (decision->way != WAY_REFUSED)
        return; // what the rules allow was refused for what the socket is, as the error says
    struct arena *arena = arena_new();
    event_denied(broker->settings.events, EVENT_DESTINATION,
                 destination_print(arena, verb, protocol, to, decision->name), decision->rule);
    arena_free(arena);
}

void broker_allowed(struct broker *broker, unsigned verb, unsigned protocol, const struct destination *to,
                    const struct decision *decision)
{
    struct told *told = &broker->told;
    bool again = told->arena && told->number == to->number && told->port == to->port && told->verb == verb &&
                 told->protocol == protocol;
    if (!again || !str_equal(told->name, decision->name)) {
        arena_free(told->arena);
        *told = (struct told){
            .arena = arena_new(), .number = to->number, .port = to->port, .verb = verb, .protocol = protocol};
        told->name = str_copy(told->arena, decision->name);
        told->operation = destination_print(told->arena, verb, protocol, to, decision->name);
    }
    event_allowed(broker->settings.events, told->operation, decision->rule);
    net_guard_count(broker->settings.guard, verb, protocol, to, told->operation);
}

void broker_refuse(struct brokered *call, int error)
{
    notified_answer(&call->notified, error, 0);
}

// ---- connections that are being made ------------------------------------------------------------------------------

static struct attempt *attempt_of(struct broker *broker, uint64_t cookie)
{
    for (struct attempt *attempt = broker->attempts; attempt; attempt = attempt->next)
        if (attempt->cookie == cookie && !attempt->again)
            return attempt;
    return NULL;
}

static void attempt_end(struct attempt *attempt)
{
    struct broker *broker = attempt->broker;
    if (attempt->watch.fd >= 0) {
        epoll_ctl(broker->supervisor->paced, EPOLL_CTL_DEL, attempt->watch.fd, NULL);
        close(attempt->watch.fd);
        attempt->watch.fd = -1;
    }
    for (struct attempt **at = &broker->attempts; *at; at = &(*at)->next)
        if (*at == attempt) {
            *at = attempt->next;
            break;
        }
    broker->waiting--;
    proxy_talk_free(attempt->talk);
    attempt->talk = NULL;
    notified_release(&attempt->call);
    attempt->next = broker->idle; // an event for it may still be on its way
    broker->idle = attempt;
}

static void attempt_answer(struct attempt *attempt)
{
    if (attempt->talk && !attempt->error) { // now that it leads to the name, the twin takes its place
        ending_places places;
        twin_places_find(&attempt->call, (int)attempt->call.arguments[0], attempt->inode, &places);
        int placed = twin_place(&attempt->call, attempt->watch.fd, &places);
        if (placed && notified_waits(&attempt->call))
            attempt->error = -placed;
    }
    // A signal may have interrupted the call, which then comes again and finds the result here.
    if (notified_answer(&attempt->call, attempt->error, 0) || attempt->given_up++)
        attempt_end(attempt);
    else if (attempt->watch.fd >= 0)
        epoll_ctl(attempt->broker->supervisor->paced, EPOLL_CTL_DEL, attempt->watch.fd, NULL);
}

// True: the call of a message was made and answered. What it is made on may be another socket by now.
static bool attempt_made(struct attempt *attempt)
{
    struct brokered call = {
        .broker = attempt->broker, .notified = notified_move(&attempt->call), .held = take_fd(attempt->watch.fd)};
    int error = -socket_examine(call.held, &call.kind);
    if (error)
        broker_refuse(&call, error);
    bool made = error || attempt->again(&call);
    attempt->watch.fd = call.held;
    attempt->call = notified_move(&call.notified);
    return made;
}

// A message to a unix socket that its sender is not connected to: poll(2) knows nothing of who receives it. So it is
// tried again after a while, and less and less often.
static void attempt_look(struct attempt *attempt)
{
    enum { PAUSE = 2000000, PAUSE_MOST = 64000000 }; // nanoseconds
    int loop = attempt->broker->supervisor->paced;
    epoll_ctl(loop, EPOLL_CTL_DEL, attempt->watch.fd, NULL);
    if (!notified_waits(&attempt->call) || attempt_made(attempt)) {
        attempt_end(attempt);
        return;
    }
    notified_park(&attempt->call);
    struct pollfd now = {.fd = attempt->watch.fd, .events = POLLOUT};
    attempt->look = 0;
    if (poll(&now, 1, 0) == 0 && supervisor_pace(attempt->broker->supervisor, &attempt->watch, EPOLLOUT) == 0)
        return;
    attempt->pause = !attempt->pause ? PAUSE : attempt->pause < PAUSE_MOST ? attempt->pause * 2 : PAUSE_MOST;
    attempt->look = clock_now() + attempt->pause;
}

enum { PROXY_FAILURES_TOLD = 8 }; // a program may try for ever

// A connection through a proxy goes on. `ended`: the proxy says no more than what is there.
static void attempt_talk(struct attempt *attempt, bool ended)
{
    socklen_t size = sizeof attempt->error;
    const char *said = "";
    short events = POLLOUT;
    int error =
        getsockopt(attempt->watch.fd, SOL_SOCKET, SO_ERROR, &attempt->error, &size) != 0 ? errno : attempt->error;
    bool reached = !error;
    if (!error)
        error = proxy_talk_step(attempt->talk, attempt->watch.fd, &events, &said);
    if (error == EAGAIN && ended && events == POLLIN) {
        error = ECONNREFUSED;
        said = "it hung up";
    }
    if (error == EAGAIN) { // by edges: what is only looked at stays to be read. A change is an edge, too
        struct epoll_event again = {.events = EPOLLET | (events == POLLIN ? EPOLLIN : EPOLLOUT),
                                    .data.ptr = &attempt->watch};
        if (attempt->listens != again.events)
            epoll_ctl(attempt->broker->supervisor->paced, EPOLL_CTL_MOD, attempt->watch.fd, &again);
        attempt->listens = again.events;
        return;
    }
    if (error && attempt->broker->proxy_failures++ < PROXY_FAILURES_TOLD)
        say(stderr, "sbxrun: the proxy does not connect: %s", reached && *said ? said : strerror(error));
    attempt->error = error;
    attempt->done = true;
    if (attempt->blocking)
        fcntl(attempt->watch.fd, F_SETFL, fcntl(attempt->watch.fd, F_GETFL) & ~O_NONBLOCK);
    attempt_answer(attempt);
}

static void set_timer(struct broker *broker)
{
    uint64_t first = 0, now = clock_now();
    for (const struct attempt *attempt = broker->attempts; attempt; attempt = attempt->next)
        for (int i = 0; i < 2; i++) {
            uint64_t at = i ? attempt->look : attempt->until;
            first = at && (!first || at < first) ? at : first;
        }
    uint64_t left = first > now ? first - now : first ? 1 : 0;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)}};
    timerfd_settime(broker->timer.fd, 0, &when, NULL);
}

static void attempt_ready(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)supervisor, (void)events;
    struct attempt *attempt = (struct attempt *)watch;
    struct pollfd now = {.fd = watch->fd, .events = attempt->talk ? POLLIN | POLLOUT | POLLRDHUP : POLLOUT};
    if (attempt->done || poll(&now, 1, 0) != 1)
        return;
    if (attempt->talk) {
        attempt_talk(attempt, now.revents & POLLRDHUP);
        return;
    }
    if (attempt->again) {
        attempt_look(attempt);
        set_timer(attempt->broker);
        return;
    }
    socklen_t size = sizeof attempt->error;
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &attempt->error, &size) != 0)
        attempt->error = errno;
    attempt->done = true;
    struct sockaddr_storage peer, none = {.ss_family = AF_UNSPEC};
    if (attempt->error) // as the kernel does where it waits itself: else the next one would be told ECONNABORTED
        connect(watch->fd, (struct sockaddr *)&none, sizeof none);
    else if (getpeername(watch->fd, (struct sockaddr *)&peer, &(socklen_t){sizeof peer}) == 0)
        connect(watch->fd, (struct sockaddr *)&peer,
                sizeof peer); // that it is connected counts from here on: the next one is told EISCONN
    fcntl(watch->fd, F_SETFL, fcntl(watch->fd, F_GETFL) & ~O_NONBLOCK);
    attempt_answer(attempt);
}

// Whose look is due, and has been for longest; NULL: none is.
static struct attempt *due(const struct broker *broker, uint64_t now)
{
    struct attempt *first = NULL;
    for (struct attempt *attempt = broker->attempts; attempt; attempt = attempt->next)
        if (attempt->look && attempt->look <= (first ? first->look - 1 : now))
            first = attempt;
    return first;
}

// A socket with a timeout (SO_SNDTIMEO) goes on connecting behind its caller's back (socket(7)). Looks are few at once,
// so that what they may cost is kept to: the timer comes again for the others.
void broker_late(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    enum { LOOKS_AT_ONCE = 4 };
    (void)supervisor, (void)events;
    uint64_t times, now = clock_now();
    struct broker *broker = watch->context;
    struct attempt *looks;
    if (read(watch->fd, &times, sizeof times) < 0)
        return;
    for (struct attempt *attempt = broker->attempts, *next; attempt; attempt = next) {
        next = attempt->next;
        if (!attempt->until || attempt->until > now)
            continue;
        notified_answer(&attempt->call, attempt->again ? EAGAIN : attempt->talk ? ETIMEDOUT : EINPROGRESS, 0);
        attempt_end(attempt);
    }
    for (int i = 0; i < LOOKS_AT_ONCE && (looks = due(broker, now)); i++)
        attempt_look(looks);
    set_timer(broker);
}

static struct attempt *attempt_new(struct broker *broker)
{
    if (broker->waiting >= broker->waiting_most)
        return NULL;
    struct attempt *attempt = broker->idle ? broker->idle : calloc(1, sizeof *attempt);
    if (broker->idle)
        broker->idle = attempt->next;
    broker->waiting += attempt != NULL;
    return attempt;
}

uint64_t broker_send_timeout(int fd)
{
    struct timeval time = {0};
    socklen_t size = sizeof time;
    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, &size);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

void broker_wait(struct brokered *call, int fd, bool (*again)(struct brokered *))
{
    struct broker *broker = call->broker;
    struct attempt *attempt = attempt_new(broker);
    if (!attempt) {
        close(fd);
        broker_refuse(call, ENOBUFS);
        return;
    }
    uint64_t wait = broker_send_timeout(fd);
    *attempt = (struct attempt){.watch = {fd, attempt_ready, broker},
                                .broker = broker,
                                .call = notified_move(&call->notified),
                                .cookie = socket_cookie(fd),
                                .again = again,
                                .until = wait ? clock_now() + wait : 0,
                                .next = broker->attempts};
    notified_park(&attempt->call);
    broker->attempts = attempt;
    if (supervisor_pace(broker->supervisor, &attempt->watch, EPOLLOUT) != 0) {
        broker_refuse(call, ENOBUFS);
        attempt_end(attempt);
    } else if (wait) {
        set_timer(broker);
    }
}

void broker_wait_through(struct brokered *call, int twin, struct proxy_talk *talk)
{
    enum { PATIENCE = 60, LESS_PATIENCE = 20 }; // seconds; the second for a caller that thinks it does not wait
    struct broker *broker = call->broker;
    struct attempt *attempt = attempt_new(broker);
    if (!attempt) {
        close(twin);
        proxy_talk_free(talk);
        broker_refuse(call, ENOBUFS);
        return;
    }
    uint64_t wait = broker_send_timeout(call->held);
    wait = wait ? wait : (call->kind.blocking ? PATIENCE : LESS_PATIENCE) * 1000000000ull;
    *attempt = (struct attempt){.watch = {twin, attempt_ready, broker},
                                .broker = broker,
                                .call = notified_move(&call->notified),
                                .cookie = socket_cookie(call->held),
                                .inode = socket_inode(call->held),
                                .talk = talk,
                                .blocking = call->kind.blocking,
                                .until = clock_now() + wait,
                                .next = broker->attempts};
    notified_park(&attempt->call);
    broker->attempts = attempt;
    if (supervisor_pace(broker->supervisor, &attempt->watch, EPOLLOUT) != 0) {
        notified_answer(&attempt->call, ENOBUFS, 0);
        attempt_end(attempt);
    } else {
        set_timer(broker);
    }
}

void broker_sent(struct broker *broker, const struct notified *call, int64_t value)
{
    if (notified_answer(call, 0, value))
        return;
    struct late *late = &broker->late[broker->late_next++ % (sizeof broker->late / sizeof *broker->late)];
    *late = (struct late){.thread = call->caller.thread, .number = call->number, .value = value};
    memcpy(late->arguments, call->arguments, sizeof late->arguments);
}

bool broker_was_sent(struct brokered *call)
{
    const struct notified *now = &call->notified;
    for (size_t i = 0; i < sizeof call->broker->late / sizeof *call->broker->late; i++) {
        struct late *late = &call->broker->late[i];
        if (late->thread != now->caller.thread || late->number != now->number ||
            memcmp(late->arguments, now->arguments, sizeof late->arguments) != 0)
            continue;
        late->thread = 0;
        notified_answer(now, 0, late->value);
        return true;
    }
    return false;
}

// The same call once more, after a signal. True when it was.
bool broker_again(struct brokered *call)
{
    struct attempt *attempt = call->broker->attempts ? attempt_of(call->broker, socket_cookie(call->held)) : NULL;
    if (!attempt)
        return false;
    if (!attempt->done && notified_waits(&attempt->call)) {
        broker_refuse(call, EALREADY);
        return true;
    }
    notified_release(&attempt->call);
    attempt->call = notified_move(&call->notified);
    if (attempt->done)
        attempt_answer(attempt);
    return true;
}

// ---- sockets ------------------------------------------------------------------------------------------------------

static void woken(int signal)
{
    (void)signal;
}

// The caller may make a socket wait again at any moment, also between our making it not wait and connecting it. Then a
// signal ends the waiting.
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
    if (!ready && (sigaction(wake, &quietly, NULL) != 0 || sigprocmask(SIG_UNBLOCK, &wakes, NULL) != 0 ||
                   timer_create(CLOCK_MONOTONIC, &event, &timer) != 0))
        return ENOBUFS;
    ready = true;
    timer_settime(timer, 0, &soon, NULL);
    int error = connect(fd, to, length) == 0 ? 0 : errno;
    timer_settime(timer, 0, &never, NULL);
    return error == EINTR ? EINPROGRESS : error;
}

int broker_twin(struct brokered *call, int *twin)
{
    *twin = twin_make(call->broker->outside, call->held, &call->kind);
    return *twin < 0 ? -*twin : 0;
}

int broker_place(struct brokered *call, int twin)
{
    ending_places places;
    twin_places_find(&call->notified, (int)call->notified.arguments[0], socket_inode(call->held), &places);
    close(take_fd(call->held)); // as long as anybody has the other socket, epoll instances tell of it too
    return -twin_place(&call->notified, twin, &places);
}

int broker_to_host(struct brokered *call)
{
    closing_fd int twin = -1;
    int error = broker_twin(call, &twin);
    if (!error && call->kind.blocking)
        fcntl(twin, F_SETFL, fcntl(twin, F_GETFL) & ~O_NONBLOCK);
    if (error || (error = broker_place(call, twin)))
        return error;
    call->held = take_fd(twin);
    call->kind.inside = false;
    return -socket_examine(call->held, &call->kind);
}

void broker_wait_end(struct broker *broker)
{
    for (struct attempt *attempt = broker->attempts, *next; attempt; attempt = next) {
        next = attempt->next;
        close_scoped(&attempt->watch.fd);
        proxy_talk_free(attempt->talk);
        notified_release(&attempt->call);
        free(attempt);
    }
    for (struct attempt *attempt = broker->idle, *next; attempt; attempt = next) {
        next = attempt->next;
        free(attempt);
    }
}
