// The sandbox's network: an empty namespace of its own, and in it, when rules ask for it, a loopback of its own.
//
// Nothing in that namespace routes anywhere. Where a rule allows more than the sandbox talking to itself, the broker
// makes each connection (broker.h), and keeps the rules on this network too. Else what is enforced here are rules about
// which ports. The namespace keeps programs off the ports below a number (ip_unprivileged_port_start, ip-sysctl.rst)
// and Landlock keeps sets of tcp ports (ABI 4). Anything else is refused.
#pragma once

#include "enforcer/network/names.h"
#include "enforcer/network/proxy.h"

enum { NETWORK_PORTS_MOST = 1024 }; // that one policy may name one by one

struct network {
    bool loopback;              // bring it up
    bool brokered;              // the broker keeps the rules
    const char *guard_lacks;    // why no guard stands behind the broker (net_guard.h); NULL: one does
    uint32_t guard_rule;        // that requires it; NO_RULE
    struct resolvers resolvers; // where names are asked for; none: they are not resolved
    struct proxy_place proxy;   // through which names are reached; length 0: none
    uint16_t port_start;        // the smallest port a program may bind
    uint64_t tcp_rights; // Landlock's rights on tcp ports that are handled at all: denied but for the ports below
    struct network_port {
        uint64_t rights;
        uint16_t port;
    } ports[NETWORK_PORTS_MOST];
    size_t port_count;
    bool needs_landlock; // true when the ports or rights are what enforces a rule, not a second layer
};

// Returns 0, or -1 and the failure when something here can't be enforced.
int network_claim(const struct plan *, struct network *, struct failure *);

// In the namespace, before the view is entered. Returns 0, or -1 and the failure.
int network_apply(const struct network *, struct failure *);
