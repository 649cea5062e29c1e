// The sandbox's network: an empty namespace of its own, and in it, when rules ask for it, a loopback of its own.
//
// Nothing in that namespace routes anywhere. Where a rule allows more than the sandbox talking to itself, the broker
// makes each connection (broker.h), and keeps the rules on this network too. Else what is enforced here are rules about
// which ports. The namespace keeps programs off the ports below a number (ip_unprivileged_port_start, ip-sysctl.rst)
// and Landlock keeps sets of tcp ports (ABI 4). Anything else is refused.
#pragma once

#include "enforcer/inside/loopback.h"
#include "enforcer/network/names.h"
#include "enforcer/network/proxy.h"

struct network {
    struct loopback own;
    bool brokered;            // the broker keeps the rules
    const char *guard_lacks;  // why no guard stands behind the broker (net_guard.h); NULL: one does
    uint32_t guard_rule;      // that requires it; NO_RULE
    struct proxy_place proxy; // through which names are reached; length 0: none
};

// Returns 0, or -1 and the failure when something here can't be enforced.
int network_claim(const struct plan *, struct network *, struct failure *);
