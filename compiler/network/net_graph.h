// The network rules of a plan as decision graphs: which sockets of the host's network a command may have, for the eBPF
// back end (guard_code.h).
//
// The same question that the broker asks of the rules (enforcer/network/destination.h), for all operations at once.
// Names are none of a packet's: an address has those for which it was pinned. Where names are reached through a proxy,
// no address is a name's: the one group is the proxy itself, whose address may be connected to at its port. Otherwise
// names that may go to the same ports by the same protocols are one group, and the graph asks whether an address is
// pinned for one of a group.
#pragma once

#include "compiler/sets/graph.h"
#include "compiler/plan/plan.h"

enum net_word { NET_WORD_PROTOCOL, NET_WORD_ADDRESS, NET_WORD_PORT = NET_WORD_ADDRESS + 4, NET_WORD_NAMES, NET_WORDS };
// The protocol as IP numbers it; the address in four words, the highest first (IPv4 at ::ffff:0:0/96); the port; a bit
// for each group of names.

enum { NET_TCP = 6, NET_UDP = 17 }; // IPPROTO_
enum { NET_GROUPS_MOST = 32 };      // a word's bits
#define NET_GRAPH_ALLOW                                                                                                \
    0x80000000u // a leaf; any other is a denial: the number of the rule + 1, 0 where none speaks of it

struct net_group {
    struct str name;  // one of its names
    uint8_t *allowed; // per protocol and interval of ports between borders of rules: what rules on names say
};

struct net_graphs {
    const struct plan *plan;
    struct graph *graph;
    graph_node private; // the addresses to which a name leads only where its rule says so
    graph_node connect; // to where, from a socket of the host's network: connect, and a datagram's destination
    graph_node listen;  // where, at the host's own addresses
    uint32_t *borders;  // of ports, ascending, the first 0
    size_t border_count;
    struct net_group groups[NET_GROUPS_MOST];
    size_t group_count;
};

// Everything lives in the arena. False when the rules have more groups of names than a word has bits, or are beyond any
// real policy's size.
bool net_graphs_make(struct arena *, const struct plan *, struct net_graphs *);

// The group of a name that some rule allows to connect somewhere; -1 when none does.
int net_graphs_group(const struct net_graphs *, struct str name);

// The protocols (NET_TCP: 1, NET_UDP: 2) of which a socket in the host's network can be of any use: they may connect or
// listen there.
unsigned net_graphs_protocols(const struct net_graphs *);
