// Network sets: which operations on the network a set of rules talks about.
//
// A set is a list of boxes: verbs × protocols × where × ports. Every question is decided on representative points: one
// for each cell that the borders of all boxes at hand cut out, so the answers are exact.
#pragma once

#include "lang/ast.h"

enum net_place { NET_ADDRESS, NET_HOST_LOOPBACK, NET_NAME, NET_WILDCARD, NET_UNIX };

typedef unsigned __int128 net_address; // IPv6, IPv4 at ::ffff:0:0/96

struct net_box {
    unsigned verbs, protocols;
    enum net_place place;
    net_address first, last; // NET_ADDRESS
    struct str name;         // NET_NAME: canonical; NET_WILDCARD: what follows "*."; NET_UNIX: the path
    uint16_t port_first, port_last;
};

struct net_set {
    struct net_box *boxes;
    size_t count;
};

struct net_point {           // one operation
    unsigned verb, protocol; // one bit each
    enum net_place place;    // not NET_WILDCARD
    net_address address;
    struct str name;
    uint16_t port;
};

bool net_set_contains(const struct net_set *, const struct net_point *);

// Calls `visit` with a point of each cell of `set` that the borders of `others` cut out, until it returns false;
// returns false then.
bool net_set_each(struct arena *, const struct net_set *set, const struct net_set *const *others, size_t other_count,
                  bool (*visit)(const struct net_point *, void *), void *context);

// The part of `set` that `wanted` takes, which must answer alike within each such cell; in as few parts as merging
// neighbours gives.
struct net_part {
    struct net_box box;  // of addresses: any interval, not always a prefix
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
bool net_box_is_loopback(const struct net_box *);            // all of it is the sandbox's own loopback
extern const struct prefix net_loopback_v4, net_loopback_v6; // what `loopback` means inside: 127.0.0.0/8 and ::1
