// The guard: the policy's network rules in the kernel, on every socket that sbxrun makes in the host's network
// (compiler/network/guard_code.h).
//
// The broker alone makes those sockets, and only where a rule allows it. The guard says the same once more, by other
// code and below it: sbxrun moves into a control group of the unified hierarchy, and the programs are attached to that
// group (cgroups(7), bpf(2)), so that a twin stays under them whoever has it. It needs CAP_BPF and CAP_NET_ADMIN of the
// machine. Where they are missing a run goes without, unless its policy says `require ebpf`, and the report says which.
// The programs go with sbxrun's last descriptor of them.
#pragma once

#include "enforcer/network/destination.h"
#include "enforcer/supervisor/events.h"
#include "enforcer/network/proxy.h"
#include "enforcer/supervisor/supervise.h"

struct net_guard;

// NULL, or why this host lets nobody, or not this caller, have one.
const char *net_guard_lacks(void);

// Loads the programs of a plan and makes the group. NULL when that fails, and *why says what: text that stays.
struct net_guard *net_guard_new(const struct plan *, const struct proxy_place *, struct events *,
                                const char **why); // the proxy of the plan; length 0
int net_guard_enter(
    struct net_guard *); // sbxrun moves into the group: what it makes from here on is guarded. 0, or -errno
int net_guard_own_group(
    const struct net_guard *); // where it was before, for what it starts; a folder; -1 without a guard
int net_guard_add(struct supervisor *, struct net_guard *); // denials, to the loop. 0, or -1 and errno

// What follows may be called with NULL: no guard.
void net_guard_pin(void *net_guard, struct str name, net_address, uint64_t until); // a names_pinned
void net_guard_count(struct net_guard *, unsigned verb, unsigned protocol, const struct destination *,
                     struct str operation); // its bytes, from here on
void net_guard_free(struct net_guard *);    // tells events the bytes; leaves nothing behind
