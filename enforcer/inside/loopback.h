// The sandbox's own loopback: the one network that it has, where rules ask for one.
//
// What is enforced here are rules about which ports: the namespace keeps programs off the ports below a number
// (ip_unprivileged_port_start, ip-sysctl.rst), and Landlock keeps sets of tcp ports (ABI 4).
#pragma once

#include "enforcer/host/failure.h"
#include "enforcer/host/resolvers.h"

enum { LOOPBACK_PORTS_MOST = 1024 }; // that one policy may name one by one

struct loopback {
    bool up;                    // bring it up
    struct resolvers resolvers; // where names are asked for; none: they are not resolved
    uint16_t port_start;        // the smallest port a program may bind
    uint64_t tcp_rights; // Landlock's rights on tcp ports that are handled at all: denied but for the ports below
    struct loopback_port {
        uint64_t rights;
        uint16_t port;
    } ports[LOOPBACK_PORTS_MOST];
    size_t port_count;
    bool needs_landlock; // true when the ports or rights are what enforces a rule, not a second layer
};

// In the namespace, before the view is entered. Returns 0, or -1 and the failure.
int loopback_apply(const struct loopback *, struct failure *);
