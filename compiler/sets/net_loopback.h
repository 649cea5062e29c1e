// What rules allow on the sandbox's own loopback, and whether the kernel keeps it without looking at addresses.
//
// In a network namespace of the sandbox's own nothing but its loopback is reached, so all of a protocol needs no more
// than sockets; all ports from a number up are kept by the first port that may be bound without a capability, as nobody
// can serve below it; and single ports of tcp by Landlock. What is none of these has to be asked about call by call.
#pragma once

#include "compiler/sets/net_set.h"

enum { LOOPBACK_SINGLE_PORTS_MOST = 1024 };

struct net_rules { // of whatever form: their boxes, of all effects, and what they allow together
    const struct net_box *(*box)(void *, size_t);
    size_t count;
    bool (*allows)(void *, const struct net_point *);
    void *context;
};

struct net_loopback {
    int first_port;    // that may be bound without a capability; -1: the kernel's own
    bool used;         // something is allowed
    bool all_of_tcp;   // that may be bound: what may be connected to is kept by that alone
    bool single_ports; // of tcp: net_loopback_ports
};

// False where addresses have to be looked at.
bool net_loopback_kept(const struct net_rules *, struct net_loopback *);

// May udp be sent to all of the loopback, or to nothing of it? Else each datagram has to be looked at.
bool net_loopback_sends_alike(const struct net_rules *);

// Calls `each` with every range of ports that a verb of a protocol is allowed at, ascending. False where parts of the
// loopback differ.
bool net_loopback_ports(const struct net_rules *, unsigned verb, unsigned protocol,
                        void (*each)(void *context, uint16_t first, uint16_t last), void *context);
