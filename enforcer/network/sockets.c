// What a command's socket is.
#include "enforcer/network/sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>

enum { PUBLISHED_MOST = 1000 };

struct published {
    uint64_t cookie;
    net_address number;
    uint16_t port;
    struct published *next;
};

static const struct socket_cell cells[SOCKET_STATES][SOCKET_CALLS] = {
#define RULES(error)                                                                                                   \
    {                                                                                                                  \
        SOCKET_RULES, error                                                                                            \
    }
#define KERNEL                                                                                                         \
    {                                                                                                                  \
        SOCKET_KERNEL, 0                                                                                               \
    }
#define REFUSED(error)                                                                                                 \
    {                                                                                                                  \
        SOCKET_REFUSED, error                                                                                          \
    }
#define SOCKET(state, what, connect, forget, bind, listen, then) [SOCKET_##state] = {connect, forget, bind, listen},
#include "enforcer/network/sockets.def"
#undef SOCKET
};

struct socket_cell socket_cell(enum socket_state state, enum socket_call call)
{
    return cells[state][call];
}

// What of tcp's states (include/net/tcp_states.h) there is on each side.
static const struct {
    enum socket_state own, host;
} tcp_states[] = {
    [TCP_CLOSE] = {SOCKET_OWN, SOCKET_LOOSE},
    [TCP_LISTEN] = {SOCKET_OWN_BUSY, SOCKET_LISTENING},
    [TCP_SYN_SENT] = {SOCKET_OWN_BUSY, SOCKET_CONNECTING},
    [TCP_SYN_RECV] = {SOCKET_OWN_BUSY, SOCKET_CONNECTING},
    [TCP_ESTABLISHED] = {SOCKET_OWN_BUSY, SOCKET_CONNECTED},
};

// That of a socket that was just made, as most are that connect: asked in a third of the time that TCP_INFO takes.
static bool is_new(int fd)
{
    struct pollfd now = {.fd = fd, .events = POLLRDHUP};
    return poll(&now, 1, 0) == 1 && now.revents == POLLHUP; // not shut down on both sides, which looks like it
}

enum socket_state socket_state(const struct published *published, int fd, const struct socket_kind *kind)
{
    uint8_t tcp = 0; // the first field of struct tcp_info
    socklen_t size = sizeof tcp;
    struct destination at;
    unsigned protocol = socket_protocol(kind);
    if (protocol == PROTOCOL_UNIX)
        return SOCKET_BY_PATH;
    if (kind->domain == AF_NETLINK && kind->inside)
        return SOCKET_ROUTES;
    if (protocol == PROTOCOL_UDP)
        return kind->inside ? SOCKET_OWN_UDP : SOCKET_UDP_OUTSIDE;
    if (protocol == PROTOCOL_TCP && kind->inside && is_new(fd))
        return SOCKET_OWN;
    if (protocol != PROTOCOL_TCP || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &size) != 0)
        return SOCKET_OTHER;
    if (tcp >= sizeof tcp_states / sizeof *tcp_states || !tcp_states[tcp].host)
        tcp = TCP_ESTABLISHED; // it is being closed
    enum socket_state state = kind->inside ? tcp_states[tcp].own : tcp_states[tcp].host;
    return state == SOCKET_LOOSE && published_at(published, fd, &at) ? SOCKET_PUBLISHED : state;
}

bool published_add(struct published **list, int fd, const struct destination *at)
{
    size_t count = 1;
    struct published **last = list, *published = malloc(sizeof *published);
    if (!published)
        return false;
    for (; *last && count < PUBLISHED_MOST; count++)
        last = &(*last)->next;
    free(*last);
    *last = NULL;
    *published = (struct published){socket_cookie(fd), at->number, at->port, *list};
    *list = published;
    return true;
}

bool published_at(const struct published *published, int fd, struct destination *at)
{
    uint64_t cookie = published ? socket_cookie(fd) : 0;
    while (published && published->cookie != cookie)
        published = published->next;
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    return published && getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
           destination_of(at, (struct sockaddr *)&address, length) == 0 && !at->any &&
           at->number == published->number && at->port == published->port;
}

void published_end(struct published **list)
{
    while (*list) {
        struct published *next = (*list)->next;
        free(*list);
        *list = next;
    }
}
