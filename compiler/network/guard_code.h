// The guard's programs: the network rules once more, in eBPF, for the control group in which sbxrun makes sockets of
// the host's network (bpf(2), Documentation/bpf/prog_cgroup_sockopt.rst and its neighbours;
// enforcer/network/net_guard.h loads them).
//
// Each is a few lines that take the address, the port and the protocol from what the kernel hands over, a decision
// (ebpf.h) on them, and a few lines for what follows: a count, or a line in the ring buffer. The decision is what is
// proved against the policy (prove/prove_guard.h).
#pragma once

#include "compiler/code/ebpf.h"
#include "compiler/network/net_graph.h"

enum guard_hook {
    GUARD_SOCKET,
    GUARD_BIND4,
    GUARD_BIND6,
    GUARD_CONNECT4,
    GUARD_CONNECT6,
    GUARD_SENDMSG4,
    GUARD_SENDMSG6,
    GUARD_EGRESS,
    GUARD_INGRESS,
    GUARD_HOOKS
};
extern const char *const guard_hook_names[GUARD_HOOKS];

// The maps that instructions name. Words are as NET_WORD_ counts them, in the machine's order.
enum guard_map {
    GUARD_PINS,    // four address words → per group of names, until when it is pinned: monotonic nanoseconds, 64 bits
                   // each; 0: never was
    GUARD_TRAFFIC, // struct guard_place → struct guard_traffic; what it does not have is not counted
    GUARD_DENIALS, // ring buffer of struct guard_denial
    GUARD_MAPS
};

#define GUARD_PUBLISHED 0x80000000u // in `protocol`: the place is one where the command listens

struct guard_place {
    uint32_t protocol, address[4], port;
};

struct guard_traffic { // bytes of IP packets
    uint64_t sent, received;
};

struct guard_denial {
    uint32_t hook, leaf; // leaf: net_graph.h
    uint32_t words[NET_WORDS];
};

struct guard_program {
    struct ebpf_program program;
    struct guard_decision {
        size_t first, length; // instructions
        bool listen;          // of net_graphs: on what listens, else on what connects
    } decisions[2];
    int decision_count;
};

enum { GUARD_WORDS_AT = -32 }; // where decisions find their words on the stack

// A hook that nothing can reach has no program: length 0. False when the rules can't be said in programs that the
// kernel takes, and *why says what is too much.
bool guard_programs(struct arena *, const struct plan *, struct net_graphs *,
                    struct guard_program programs[GUARD_HOOKS], const char **why);

void guard_print(struct text *, const struct guard_program programs[GUARD_HOOKS]);
