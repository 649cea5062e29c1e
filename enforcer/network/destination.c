// Where a call on a socket wants to go, and whether the policy lets it.
#include "enforcer/network/destination.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "compiler/network/net_rules.h"
#include "enforcer/host/clock.h"

static const net_address v4 = (net_address)0xFFFF << 32;

int destination_of(struct destination *to, const struct sockaddr *address, socklen_t length)
{
    const struct sockaddr_in *four = (const void *)address;
    const struct sockaddr_in6 *six = (const void *)address;
    if (address != (const struct sockaddr *)&to->address)
        memcpy(&to->address, address, length);
    to->length = length;
    if (address->sa_family == AF_INET && length >= sizeof *four) {
        to->number = v4 | ntohl(four->sin_addr.s_addr);
        to->port = ntohs(four->sin_port);
        to->length = sizeof *four;
    } else if (address->sa_family == AF_INET6 && length >= sizeof *six) {
        to->number = 0;
        for (int i = 0; i < 16; i++)
            to->number = to->number << 8 | six->sin6_addr.s6_addr[i];
        to->port = ntohs(six->sin6_port);
        to->length = sizeof *six;
        ((struct sockaddr_in6 *)&to->address)->sin6_flowinfo = 0;
    } else {
        return -EAFNOSUPPORT;
    }
    to->any = to->number == v4 || to->number == 0;
    if (to->any)
        to->number = to->number == v4 ? v4 | INADDR_LOOPBACK : 1;
    return 0;
}

// What a kernel says of an address of another family than the socket's, by the socket's: net/ipv4/af_inet.c,
// net/ipv6/af_inet6.c (SIN6_LEN_RFC2133), net/unix/af_unix.c.
static const struct {
    int domain;
    size_t least; // bytes of an address, or it is EINVAL
    int other;
} domains[] = {
    {AF_INET, sizeof(struct sockaddr_in), EAFNOSUPPORT},
    {AF_INET6, 24, EAFNOSUPPORT},
    {AF_UNIX, 0, EINVAL},
};

int destination_read(const struct notified *call, uint64_t at, uint64_t length, int domain, struct destination *to)
{
    *to = (struct destination){.length = 0};
    if (length < sizeof(sa_family_t) || length > sizeof to->address)
        return -EINVAL;
    long n = notified_read(call, at, &to->address, length);
    if (n < 0 || (uint64_t)n != length)
        return n < 0 ? (int)n : -EFAULT;
    to->length = (socklen_t)length;
    int family = to->address.ss_family;
    if (family == AF_UNSPEC)
        return 0;
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        if (domain == domains[i].domain && domain != family && !(domain == AF_INET6 && family == AF_INET))
            return length < domains[i].least ? -EINVAL : -domains[i].other;
    if (family == AF_UNIX)
        return 0;
    int error = destination_of(to, (const struct sockaddr *)&to->address, (socklen_t)length);
    return error && (family == AF_INET || family == AF_INET6) ? -EINVAL : error;
}

void destination_set(struct destination *to, net_address number, uint16_t port)
{
    struct sockaddr_in *four = (void *)&to->address;
    struct sockaddr_in6 *six = (void *)&to->address;
    to->number = number;
    to->port = port;
    to->any = false;
    if (to->address.ss_family == AF_INET) {
        four->sin_addr.s_addr = htonl((uint32_t)number);
        four->sin_port = htons(port);
        return;
    }
    six->sin6_port = htons(port);
    for (int i = 15; i >= 0; i--, number >>= 8)
        six->sin6_addr.s6_addr[i] = (uint8_t)number;
}

static enum way way_to_name(const struct plan *plan, unsigned protocol)
{
    return !plan->proxy.set ? WAY_HOST : protocol == PROTOCOL_TCP ? WAY_PROXY : WAY_NOWHERE;
}

struct decision destination_decide(const struct plan *plan, struct names *names, unsigned verb, unsigned protocol,
                                   const struct destination *to)
{
    struct net_point point = {
        .verb = verb, .protocol = protocol, .place = NET_HOST_LOOPBACK, .address = to->number, .port = to->port};
    struct decision decision = {.way = WAY_REFUSED, .rule = NO_RULE};
    bool loopback = net_is_loopback(to->number),
         asks = names && verb == VERB_CONNECT && names_are_asked_at(names, to->number, to->port);
    if (loopback && asks) { // whatever the host has there: its answers would lead nowhere
        decision.way = WAY_INSIDE;
        return decision;
    }
    // What is at a port of 127.0.0.1 is the host's where a rule says so, or the rule would have no effect.
    if (loopback && network_allows(plan, &point, &decision.rule)) {
        decision.way = WAY_HOST;
        return decision;
    }
    uint32_t host_rule = decision.rule;
    point.place = NET_ADDRESS;
    bool stands_in = names && names_is_stand_in(names, to->number); // for a name: no rule on addresses speaks of it
    if (!stands_in && network_allows(plan, &point, &decision.rule)) {
        decision.way = loopback ? WAY_INSIDE : WAY_HOST;
        return decision;
    }
    if (stands_in)
        decision.rule = NO_RULE;
    point.anywhere = stands_in; // only the proxy knows where it leads
    if (loopback) {
        decision.rule = decision.rule == NO_RULE ? host_rule : decision.rule;
        return decision;
    }
    if (asks) {
        decision.way = WAY_INSIDE; // the host's resolver itself is none of the sandbox's
        return decision;
    }
    if (!names || verb != VERB_CONNECT)
        return decision;
    point.place = NET_NAME;
    size_t at = 0;
    for (struct str name; (name = names_of(names, to->number, clock_now(), &at)).length;) {
        uint32_t rule;
        point.name = name;
        bool allowed = network_allows(plan, &point, &rule);
        if (!allowed && decision.name.length)
            continue;
        decision = (struct decision){allowed ? way_to_name(plan, protocol) : WAY_REFUSED, rule, name};
        if (allowed)
            return decision;
    }
    return decision;
}

struct str destination_print(struct arena *arena, unsigned verb, unsigned protocol, const struct destination *to,
                             struct str name)
{
    struct net_point point = {.verb = verb,
                              .protocol = protocol,
                              .place = name.length ? NET_NAME : NET_ADDRESS,
                              .address = to->number,
                              .name = name,
                              .port = to->port,
                              .anywhere = name.length != 0};
    if (to->address.ss_family == AF_UNIX) {
        point.place = NET_UNIX;
        point.protocol = PROTOCOL_UNIX;
    }
    struct text text = {.arena = arena};
    net_point_print(&text, &point);
    return text_str(&text);
}
