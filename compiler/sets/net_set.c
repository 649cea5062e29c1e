// Network sets: boxes, and what lies in them.
#include "compiler/sets/net_set.h"

#include <string.h>

#include "compiler/sets/net_range.h"
#include "compiler/sets/path_set.h"

const struct prefix net_loopback_v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127}, 96 + 8};
const struct prefix net_loopback_v6 = {{[15] = 1}, 128};

struct str net_canonical_name(struct arena *arena, struct str name)
{
    if (name.length && name.text[name.length - 1] == '.')
        name.length--;
    struct str copy = str_copy(arena, name);
    for (size_t i = 0; i < copy.length; i++)
        if (copy.text[i] >= 'A' && copy.text[i] <= 'Z')
            ((char *)copy.text)[i] = (char)(copy.text[i] | 32);
    return copy;
}

net_address net_prefix_first(const struct prefix *prefix)
{
    net_address address = 0;
    for (int i = 0; i < 16; i++)
        address = address << 8 | prefix->bytes[i];
    return address;
}

net_address net_prefix_last(const struct prefix *prefix)
{
    net_address host = prefix->length == 128 ? 0 : ~(net_address)0 >> prefix->length;
    return net_prefix_first(prefix) | host;
}

const struct prefix *const net_loopbacks[2] = {&net_loopback_v6, &net_loopback_v4};

bool net_is_loopback(net_address address)
{
    for (int i = 0; i < 2; i++)
        if (address >= net_prefix_first(net_loopbacks[i]) && address <= net_prefix_last(net_loopbacks[i]))
            return true;
    return false;
}

bool net_box_is_loopback(const struct net_box *box)
{
    for (int i = 0; i < 2; i++)
        if (box->place == NET_ADDRESS && box->first >= net_prefix_first(net_loopbacks[i]) &&
            box->last <= net_prefix_last(net_loopbacks[i]))
            return true;
    return false;
}

bool net_box_is_own_unix(const struct net_box *box)
{
    return box->place == NET_UNIX && str_equal(box->name, NET_OWN_UNIX);
}

bool net_box_is_own(const struct net_box *box)
{
    return net_box_is_loopback(box) || net_box_is_own_unix(box);
}

bool net_unix_covers(struct str place, struct str other)
{
    return str_equal(place, NET_OWN_UNIX) == str_equal(other, NET_OWN_UNIX) && path_covers(place, other);
}

// Unix sockets of the sandbox's own are streams and sequenced packets, which send to where they are connected.
bool net_box_sends_out(const struct net_box *box)
{
    if (box->place == NET_UNIX)
        return box->protocols & PROTOCOL_UNIX && !net_box_is_own_unix(box);
    return box->protocols & PROTOCOL_UDP && !net_box_is_loopback(box);
}

bool net_box_has_name(const struct net_box *box)
{
    return box->place == NET_NAME || box->place == NET_WILDCARD;
}

bool net_box_has_addresses(const struct net_box *box)
{
    return box->place == NET_ADDRESS || box->place == NET_REACHED;
}

bool net_name_matches(struct str name, const struct net_box *box)
{
    if (box->place == NET_NAME)
        return str_equal(name, box->name);
    // A wildcard covers what has labels in front of it, not itself.
    return name.length > box->name.length + 1 && name.text[name.length - box->name.length - 1] == '.' &&
           memcmp(name.text + name.length - box->name.length, box->name.text, box->name.length) == 0;
}

static bool box_contains(const struct net_box *box, const struct net_point *point)
{
    if (!(box->verbs & point->verb) || !(box->protocols & point->protocol))
        return false;
    if (box->place == NET_UNIX || point->place == NET_UNIX)
        return box->place == NET_UNIX && point->place == NET_UNIX && net_unix_covers(box->name, point->name);
    if (point->port < box->port_first || point->port > box->port_last)
        return false;
    bool there = point->address >= box->first && point->address <= box->last;
    switch (box->place) {
    case NET_ADDRESS: return point->place == NET_ADDRESS && there;
    case NET_HOST_LOOPBACK: return point->place == NET_HOST_LOOPBACK;
    case NET_REACHED: return there && !point->anywhere;
    default:
        return point->place == NET_NAME && net_name_matches(point->name, box) &&
               (point->anywhere || (there && !net_is_at_loopback(point->address) &&
                                    (box->private || !net_is_private(point->address))));
    }
}

bool net_set_contains(const struct net_set *set, const struct net_point *point)
{
    for (size_t i = 0; i < set->count; i++)
        if (box_contains(&set->boxes[i], point))
            return true;
    return false;
}

bool net_somewhere(struct net_point *point, const struct net_box *(*box)(void *, size_t), size_t count,
                   bool (*allows)(void *, const struct net_point *), void *context)
{
    point->anywhere = false;
    for (size_t i = 0; i <= count; i++) {
        const struct net_box *border = i ? box(context, i - 1) : NULL;
        net_address starts[2] = {0, border ? border->last + 1 : 0};
        starts[0] = border ? border->first : 0;
        for (int k = 0; k < 4 && (!border || border->place == NET_REACHED); k++) {
            if (net_find(starts[k / 2], ~(net_address)0, k % 2, &point->address) && allows(context, point))
                return true;
        }
    }
    net_find(0, ~(net_address)0, false, &point->address);
    return false;
}
