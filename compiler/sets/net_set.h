// Network sets: which operations on the network a set of rules talks about.
//
// A set is a list of boxes: verbs × protocols × where × ports. Every question is decided on representative points: one
// for each cell that the borders of all boxes at hand cut out, so the answers are exact.
#pragma once

#include "lang/ast.h"

// NET_REACHED is of boxes only: all that a program reaches at these addresses, whatever way. Those are the addresses
// themselves, the host's loopback where they hold its own, and what any name leads to there.
enum net_place { NET_ADDRESS, NET_HOST_LOOPBACK, NET_NAME, NET_WILDCARD, NET_UNIX, NET_REACHED };

// In the place of a path: all unix sockets of the sandbox's own, wherever they lie (`unix loopback`). "/" is about all
// unix sockets, and so about these.
#define NET_OWN_UNIX STR("loopback")

typedef unsigned __int128 net_address; // IPv6, IPv4 at ::ffff:0:0/96

struct net_box {
    unsigned verbs, protocols;
    enum net_place place;
    net_address first,
        last;        // NET_ADDRESS, NET_REACHED; NET_NAME, NET_WILDCARD: where it leads, all there are in a rule
    struct str name; // NET_NAME: canonical; NET_WILDCARD: what follows "*."; NET_UNIX: the path, or NET_OWN_UNIX
    bool private;    // NET_NAME, NET_WILDCARD: also where it leads to a private address (net_range.h)
    uint16_t port_first, port_last;
};

struct net_set {
    struct net_box *boxes;
    size_t count;
};

struct net_point {           // one operation
    unsigned verb, protocol; // one bit each
    enum net_place place;    // not NET_WILDCARD, not NET_REACHED
    net_address address;     // NET_HOST_LOOPBACK: which of it; NET_NAME: where it leads
    struct str name;
    uint16_t port;
    bool anywhere; // NET_NAME: wherever it leads. It is allowed where it is at some address
};

bool net_set_contains(const struct net_set *, const struct net_point *);

// Is a name that may lead anywhere reached somewhere? Asks `allows` of the point at an address of each cell that
// `box(context, 0 .. count - 1)` cut out, until it says so. *point is then that one; else one at some public address.
bool net_somewhere(struct net_point *point, const struct net_box *(*box)(void *, size_t), size_t count,
                   bool (*allows)(void *, const struct net_point *), void *context);

// Calls `visit` with a point of each cell of `set` that the borders of `others` cut out, until it returns false;
// returns false then.
bool net_set_each(struct arena *, const struct net_set *set, const struct net_set *const *others, size_t other_count,
                  bool (*visit)(const struct net_point *, void *), void *context);

// The part of `set` that `wanted` takes, which must answer alike within each such cell; in as few parts as merging
// neighbours gives.
struct net_part {
    struct net_box
        box; // of addresses: any interval, not always a prefix; of a name or NET_HOST_LOOPBACK: where it leads
    struct str *excepts; // of a wildcard: names beneath it that are not meant
    size_t except_count;
    struct net_part *next;
};
struct net_part *net_set_select(struct arena *, const struct net_set *set, const struct net_set *const *others,
                                size_t other_count, bool (*wanted)(const struct net_point *, void *), void *context);

// "connect tcp 10.0.0.1:80", as the language writes it.
void net_address_print(struct text *, net_address);
void net_point_print(struct text *, const struct net_point *);
void net_box_print(struct text *, const struct net_box *); // a box whose addresses are a prefix
void net_part_print(struct text *, const struct net_part *,
                    const char *name); // any part: several targets, exceptions; `name` stands for its addresses

struct str net_canonical_name(struct arena *, struct str); // lower case, no last dot
net_address net_prefix_first(const struct prefix *);
net_address net_prefix_last(const struct prefix *);
bool net_box_is_loopback(const struct net_box *); // all of it is the sandbox's own loopback
bool net_box_is_own_unix(const struct net_box *); // `unix loopback`
bool net_box_is_own(const struct net_box *);      // either
bool net_unix_covers(struct str place, struct str other); // a path what lies beneath, NET_OWN_UNIX itself alone
bool net_box_sends_out(const struct net_box *); // a socket that it allows may send, without connecting, to the host
bool net_is_loopback(net_address);
bool net_box_has_addresses(const struct net_box *);             // NET_ADDRESS, NET_REACHED
bool net_box_has_name(const struct net_box *);                  // NET_NAME, NET_WILDCARD
extern const struct prefix net_loopback_v4, net_loopback_v6;    // what `loopback` means inside: 127.0.0.0/8 and ::1
extern const struct prefix *const net_loopbacks[2];             // both, ascending
bool net_name_matches(struct str name, const struct net_box *); // of NET_NAME, NET_WILDCARD: its name is one of it
