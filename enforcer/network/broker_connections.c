// The broker's connect, bind and listen.
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/network/broker_calls.h"
#include "enforcer/host/scoped.h"

static enum socket_state state_of(const struct brokered *call)
{
    return socket_state(call->broker->published, call->held, &call->kind);
}

// ---- connect ------------------------------------------------------------------------------------------------------

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

// The same for a twin that nobody else has yet. The second call hears what has come of the first: near by, all is over
// when that returns.
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
    ending_places places = {0};
    int error = 0;
    if (to->any)
        destination_set(to, to->number, to->port);
    if (call->kind.inside && (error = broker_twin(call, &made))) {
        broker_refuse(call, error);
        return;
    }
    if (made >= 0) { // what is looked up before the connection stands need not be while others begin to use it
        twin_places_find(&call->notified, (int)call->notified.arguments[0], socket_inode(call->held), &places);
        close(take_fd(call->held)); // as long as anybody has the other socket, epoll instances tell of it too
    }
    error = made >= 0 ? connect_fresh(made, to) : connect_now(call->held, to, call->kind.blocking);
    bool goes_on = error == EINPROGRESS && call->kind.blocking;
    // What failed at once is tried elsewhere by most callers, on the socket that they have.
    if (made >= 0 && (error == 0 || error == EINPROGRESS)) {
        if (call->kind.blocking && !goes_on)
            fcntl(made, F_SETFL, 0);
        int placed = -twin_place(&call->notified, made, &places);
        if (placed) {
            broker_refuse(call, placed);
            return;
        }
        if (!goes_on) // before the answer: when the caller closes it, that ends the connection, and not when this
                      // process comes to it
            close(take_fd(made));
    }
    if (goes_on)
        broker_wait(call, made >= 0 ? take_fd(made) : take_fd(call->held), NULL);
    else
        notified_answer(&call->notified, error, 0);
}

// To a name, through the host's proxy. The twin is placed when it leads there; until then the call waits, also one of a
// socket that does not, for a twin can't be placed later.
static void connect_through(struct brokered *call, const struct destination *to, struct str name)
{
    const struct proxy_place *proxy = &call->broker->settings.network->proxy;
    struct destination at;
    struct socket_kind kind = call->kind;
    enum socket_state state = state_of(call);
    if (state != SOCKET_OWN && state != SOCKET_LOOSE) {
        broker_refuse(call, state != SOCKET_PUBLISHED ? EISCONN : EHOSTUNREACH);
        return;
    }
    destination_of(&at, (const struct sockaddr *)&proxy->address, proxy->length);
    if (kind.domain == AF_INET6 &&
        at.address.ss_family == AF_INET) { // the caller's socket is of IPv6, and so will be its twin
        at.address = (struct sockaddr_storage){.ss_family = AF_INET6};
        at.length = sizeof(struct sockaddr_in6);
        destination_set(&at, at.number, at.port);
    }
    kind.domain = at.address.ss_family;
    closing_fd int twin = twin_make(call->broker->outside, call->held, &kind);
    struct proxy_talk *talk = twin < 0 ? NULL
                                       : proxy_talk_new(call->broker->settings.plan->proxy.url.kind, name, to->port,
                                                        getenv(PROXY_CREDENTIALS));
    if (!talk || (connect(twin, (struct sockaddr *)&at.address, at.length) != 0 && errno != EINPROGRESS)) {
        int error = twin < 0 ? -twin : talk ? errno : ENOBUFS;
        proxy_talk_free(talk);
        broker_refuse(call, error);
        return;
    }
    broker_wait_through(call, take_fd(twin), talk);
}

void broker_call_connect(struct brokered *call)
{
    struct destination to;
    unsigned protocol = socket_protocol(&call->kind);
    int error = -destination_read(&call->notified, call->notified.arguments[1], (uint32_t)call->notified.arguments[2],
                                  call->kind.domain, &to);
    if (error) {
        broker_refuse(call, error);
        return;
    }
    if (broker_again(call))
        return;
    if (to.address.ss_family == AF_UNIX || call->kind.domain == AF_UNIX) {
        unix_connect(call, &to);
        return;
    }
    bool forgets = to.address.ss_family == AF_UNSPEC; // whom it is connected to
    enum socket_state state = state_of(call);
    struct socket_cell cell = socket_cell(state, forgets ? SOCKET_FORGET : SOCKET_CONNECT);
    if (cell.made != SOCKET_RULES) {
        error = cell.made == SOCKET_REFUSED ? cell.error
                                            : broker_connect(call->held, (struct sockaddr *)&to.address, to.length);
        broker_refuse(call, error);
        return;
    }
    struct decision decision =
        destination_decide(call->broker->settings.plan, call->broker->names, VERB_CONNECT, protocol, &to);
    bool leads_out = decision.way == WAY_HOST || decision.way == WAY_PROXY;
    if (leads_out && state == SOCKET_OWN_BUSY) {
        broker_refuse(call, cell.error);
        return;
    }
    if (decision.way == WAY_REFUSED && cell.error == EACCES)
        broker_denied(call->broker, VERB_CONNECT, protocol, &to, &decision);
    if (leads_out)
        broker_allowed(call->broker, VERB_CONNECT, protocol, &to, &decision);
    if (decision.way == WAY_REFUSED)
        broker_refuse(call, cell.error);
    else if (decision.way == WAY_INSIDE && call->kind.inside)
        connect_inside(call, &to);
    else if (decision.way == WAY_INSIDE) // a twin is in the host's network
        broker_refuse(call, cell.error == EACCES ? ENETUNREACH : cell.error);
    else if (decision.way == WAY_PROXY)
        connect_through(call, &to, decision.name);
    else if (decision.way == WAY_HOST)
        connect_host(call, &to);
    else
        broker_refuse(call, EHOSTUNREACH);
}

// ---- bind, listen -------------------------------------------------------------------------------------------------

static bool may(struct brokered *call, unsigned verb, unsigned protocol, struct destination *to, uint16_t port,
                enum way *way)
{
    struct destination there = *to;
    there.port = port;
    struct decision decision = destination_decide(call->broker->settings.plan, NULL, verb, protocol, &there);
    *way = decision.way;
    return decision.way != WAY_REFUSED;
}

// Port 0 lets the kernel choose, from a range that a rule may not allow as a whole: then of the ports that one does,
// the first that is free.
static int bind_any_port(struct brokered *call, unsigned protocol, struct destination *to)
{
    const struct plan *plan = call->broker->settings.plan;
    enum { FIRST = 32768, LAST = 60999 }; // ip_local_port_range of a new network namespace
    enum way way;
    bool all = may(call, VERB_BIND, protocol, to, FIRST, &way) && way == WAY_INSIDE &&
               may(call, VERB_BIND, protocol, to, LAST, &way);
    for (size_t i = 0; i < plan->net_count && all; i++) {
        const uint32_t borders[] = {plan->net[i].box.port_first, plan->net[i].box.port_last + 1u};
        for (int b = 0; b < 2 && all; b++)
            all = borders[b] < FIRST || borders[b] > LAST ||
                  may(call, VERB_BIND, protocol, to, (uint16_t)borders[b], &way);
    }
    if (all)
        return bind(call->held, (struct sockaddr *)&to->address, to->length) == 0 ? 0 : errno;
    for (size_t i = 0; i < plan->net_count; i++)
        for (uint32_t port = plan->net[i].box.port_first;
             !plan->net[i].deny && plan->net[i].box.verbs & VERB_BIND && port <= plan->net[i].box.port_last; port++) {
            struct destination there = *to;
            if (port == 0 || !may(call, VERB_BIND, protocol, to, (uint16_t)port, &way) || way != WAY_INSIDE)
                continue;
            destination_set(&there,
                            to->any ? (to->address.ss_family == AF_INET ? (net_address)0xFFFF << 32 : 0) : to->number,
                            (uint16_t)port);
            if (bind(call->held, (struct sockaddr *)&there.address, there.length) == 0)
                return 0;
            if (errno != EADDRINUSE)
                return errno;
        }
    return EACCES;
}

// True if a rule allows the protocol to connect somewhere: then the kernel binds it to some port, and so may the
// program itself.
static bool connects(const struct plan *plan, unsigned protocol)
{
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && plan->net[i].box.verbs & VERB_CONNECT && plan->net[i].box.protocols & protocol)
            return true;
    return protocol == PROTOCOL_UDP && plan_has_names(plan);
}

// A server that a rule publishes on the host's loopback lives there from its bind on. A loose socket is there already.
static int publish(struct brokered *call, struct destination *to)
{
    struct sockaddr_storage bound = {0};
    struct destination own;
    closing_fd int twin = -1;
    int one = 1, only = 0;
    socklen_t size = sizeof bound;
    if (call->kind.inside && getsockname(call->held, (struct sockaddr *)&bound, &size) == 0 &&
        destination_of(&own, (struct sockaddr *)&bound, size) == 0 && own.port) {
        // It is bound, or was: the kernel goes on telling a port that it gave back. In its own network it may have any.
        struct sockaddr_storage any = {.ss_family = (sa_family_t)call->kind.domain};
        if (bind(call->held, (struct sockaddr *)&any, size) != 0)
            return EINVAL;
    }
    int error = call->kind.inside ? broker_twin(call, &twin) : 0, fd = call->kind.inside ? twin : call->held;
    if (error)
        return error;
    size = sizeof only;
    if (to->any) { // a socket of both families is reached as 127.0.0.1, which is what most people type
        getsockopt(call->held, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size);
        bool both = to->address.ss_family == AF_INET6 && !only;
        destination_set(
            to, both || to->address.ss_family == AF_INET ? ((net_address)0xFFFF << 32 | INADDR_LOOPBACK) : 1, to->port);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); // of an earlier run's connections nothing is left
    if (bind(fd, (struct sockaddr *)&to->address, to->length) != 0)
        return errno;
    if (!published_add(&call->broker->published, fd, to))
        return ENOBUFS;
    if (!call->kind.inside)
        return 0;
    if (call->kind.blocking)
        fcntl(twin, F_SETFL, fcntl(twin, F_GETFL) & ~O_NONBLOCK);
    return broker_place(call, twin);
}

// The kernel would give it the number of the process that binds, which is sbxrun: it gets one of no process
// (netlink(7)). 0, or an errno.
static int bind_netlink(int fd, struct destination *to)
{
    struct sockaddr_nl *address = (struct sockaddr_nl *)&to->address;
    if (to->length >= sizeof *address && address->nl_pid == 0)
        address->nl_pid = 1u << 31 | (uint32_t)socket_cookie(fd);
    return bind(fd, (struct sockaddr *)address, to->length) == 0 ? 0 : errno;
}

void broker_call_bind(struct brokered *call)
{
    struct destination to;
    const struct plan *plan = call->broker->settings.plan;
    unsigned protocol = socket_protocol(&call->kind);
    int error = -destination_read(&call->notified, call->notified.arguments[1], (uint32_t)call->notified.arguments[2],
                                  call->kind.domain, &to);
    if (!error && (to.address.ss_family == AF_UNIX || call->kind.domain == AF_UNIX)) {
        unix_bind(call, &to);
        return;
    }
    struct socket_cell cell = socket_cell(state_of(call), SOCKET_BIND);
    if (cell.made == SOCKET_KERNEL && to.length && to.address.ss_family == call->kind.domain) {
        broker_refuse(call, bind_netlink(call->held, &to));
        return;
    }
    if (error || to.address.ss_family == AF_UNSPEC || cell.made != SOCKET_RULES) { // what is bound is never free
        broker_refuse(call, error ? error : to.address.ss_family == AF_UNSPEC ? EAFNOSUPPORT : cell.error);
        return;
    }
    struct decision decision = destination_decide(plan, NULL, VERB_BIND, protocol, &to);
    struct decision listening = destination_decide(plan, NULL, VERB_LISTEN, protocol, &to);
    bool refused = false;
    if (decision.way == WAY_REFUSED && decision.rule != NO_RULE) // a deny holds, whatever else is allowed
        refused = true;
    else if (to.port && decision.way == WAY_HOST && listening.way == WAY_HOST && listening.rule != NO_RULE)
        error = publish(call, &to); // both were allowed there
    else if (!call->kind.inside)
        refused = true;
    else if (to.port == 0 && to.any && connects(plan, protocol))
        error = bind(call->held, (struct sockaddr *)&to.address, to.length) == 0 ? 0 : errno;
    else if (to.port == 0)
        error = bind_any_port(call, protocol, &to);
    else if (decision.way == WAY_INSIDE)
        error = bind(call->held, (struct sockaddr *)&to.address, to.length) == 0 ? 0 : errno;
    else
        refused = true;
    if (refused || (to.port == 0 && error == EACCES))
        broker_denied(call->broker, VERB_BIND, protocol, &to, &decision);
    if (refused && decision.way == WAY_HOST && protocol == PROTOCOL_TCP)
        broker_denied(call->broker, VERB_LISTEN, protocol, &to, &listening);
    broker_refuse(call, refused ? cell.error : error);
}

// Where it is bound, in its own network; it is bound then. 0, or an errno.
static int bound_inside(struct brokered *call, struct destination *to)
{
    struct sockaddr_storage address = {0};
    for (int turn = 0;; turn++) {
        socklen_t length = sizeof address;
        if (getsockname(call->held, (struct sockaddr *)&address, &length) != 0)
            return errno;
        int error = -destination_of(to, (struct sockaddr *)&address, length);
        if (error || to->port || turn)
            return error;
        if ((error = bind_any_port(call, PROTOCOL_TCP, to)))
            return error;
    }
}

void broker_call_listen(struct brokered *call)
{
    struct destination to;
    enum socket_state state = state_of(call);
    struct socket_cell cell = socket_cell(state, SOCKET_LISTEN);
    if (state == SOCKET_BY_PATH) {
        unix_listen(call);
        return;
    }
    if (cell.made != SOCKET_RULES) { // no socket is listened on without a rule
        broker_refuse(call, cell.error);
        return;
    }
    int error = call->kind.inside                                        ? bound_inside(call, &to)
                : published_at(call->broker->published, call->held, &to) ? 0
                                                                         : cell.error;
    if (error) {
        broker_refuse(call, error);
        return;
    }
    struct decision decision = destination_decide(call->broker->settings.plan, NULL, VERB_LISTEN, PROTOCOL_TCP, &to);
    bool fits = decision.way == (call->kind.inside ? WAY_INSIDE : WAY_HOST);
    if (!fits)
        broker_denied(call->broker, VERB_LISTEN, PROTOCOL_TCP, &to, &decision);
    else if (!call->kind.inside)
        broker_allowed(call->broker, VERB_LISTEN, PROTOCOL_TCP, &to, &decision);
    error = !fits ? cell.error : listen(call->held, (int)call->notified.arguments[1]) == 0 ? 0 : errno;
    broker_refuse(call, error);
}
