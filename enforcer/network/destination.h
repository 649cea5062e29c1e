// Where a call on a socket wants to go, and whether the policy lets it: the policy function of the network at run time.
#pragma once

#include <netinet/in.h>

#include "enforcer/network/names.h"
#include "enforcer/supervisor/notified.h"

struct destination {
    struct sockaddr_storage address; // the one copy
    socklen_t length;
    net_address
        number; // IPv4 at ::ffff:0:0/96; "any" (0.0.0.0, ::) is the loopback address that the kernel takes it for
    uint16_t port;
    bool any;
};

// Reads a socket address from the caller's memory. 0, or -errno.
int destination_read(const struct notified *, uint64_t at, uint64_t length, int domain, struct destination *);

// The same from an address of our own. 0, or -EAFNOSUPPORT when it is not of the internet.
int destination_of(struct destination *, const struct sockaddr *, socklen_t);

// Makes the socket address say another number and port, in the family that it has.
void destination_set(struct destination *, net_address, uint16_t port);

enum way {
    WAY_REFUSED,
    WAY_INSIDE, // in the sandbox's own network
    WAY_HOST,   // in the host's
    WAY_PROXY,  // to a name, which the host's proxy is asked for: the address leads nowhere by itself
    WAY_NOWHERE // a rule allows it, and nothing leads there, as a datagram to such a name: EHOSTUNREACH
};

struct decision {
    enum way way;
    uint32_t rule;   // that allows or denies it; NO_RULE: none allows it
    struct str name; // by which it is allowed, or which the caller asked for last; empty
};

struct decision destination_decide(const struct plan *, struct names *, unsigned verb, unsigned protocol,
                                   const struct destination *);

// "connect tcp 192.0.2.1:443", as a rule would say it, with the name in place of the address where there is one.
struct str destination_print(struct arena *, unsigned verb, unsigned protocol, const struct destination *,
                             struct str name);
