// Network sets: boxes, and one representative point for each cell between their borders.
#include "compiler/net_set.h"

#include <arpa/inet.h>
#include <string.h>

#include "compiler/path_set.h"

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

static bool name_matches(struct str name, const struct net_box *box)
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
        return box->place == NET_UNIX && point->place == NET_UNIX && path_covers(box->name, point->name);
    if (point->port < box->port_first || point->port > box->port_last)
        return false;
    switch (box->place) {
    case NET_ADDRESS: return point->place == NET_ADDRESS && point->address >= box->first && point->address <= box->last;
    case NET_HOST_LOOPBACK: return point->place == NET_HOST_LOOPBACK;
    default: return point->place == NET_NAME && name_matches(point->name, box);
    }
}

bool net_set_contains(const struct net_set *set, const struct net_point *point)
{
    for (size_t i = 0; i < set->count; i++)
        if (box_contains(&set->boxes[i], point))
            return true;
    return false;
}

// ---- representative points ----------------------------------------------------------------------------------------------------

struct cells {
    const struct net_set *const *sets;
    size_t set_count;
    bool (*visit)(const struct net_point *, void *);
    void *context;
    const struct net_box *box;
};

// Ports where something starts or has just ended, inside the box. A port is visited once: only where no smaller border equals it.
static bool each_port(struct cells *cells, struct net_point *point)
{
    point->port = cells->box->port_first;
    if (point->place == NET_UNIX)
        return cells->visit(point, cells->context);
    for (;;) {
        if (!cells->visit(point, cells->context))
            return false;
        uint32_t next = UINT32_MAX;
        for (size_t s = 0; s < cells->set_count; s++)
            for (size_t i = 0; i < cells->sets[s]->count; i++) {
                uint32_t borders[2] = {cells->sets[s]->boxes[i].port_first, cells->sets[s]->boxes[i].port_last + 1u};
                for (int b = 0; b < 2; b++)
                    if (borders[b] > point->port && borders[b] < next)
                        next = borders[b];
            }
        if (next > cells->box->port_last)
            return true;
        point->port = (uint16_t)next;
    }
}

static bool each_verb(struct cells *cells, struct net_point *point)
{
    for (unsigned verb = VERB_CONNECT; verb <= VERB_LISTEN; verb <<= 1)
        for (unsigned protocol = PROTOCOL_TCP; protocol <= PROTOCOL_UNIX; protocol <<= 1) {
            if (!(cells->box->verbs & verb) || !(cells->box->protocols & protocol))
                continue;
            if ((protocol == PROTOCOL_UNIX) != (point->place == NET_UNIX))
                continue;
            point->verb = verb;
            point->protocol = protocol;
            if (!each_port(cells, point))
                return false;
        }
    return true;
}

static bool each_address(struct cells *cells, struct net_point *point)
{
    point->address = cells->box->first;
    for (;;) {
        if (!each_verb(cells, point))
            return false;
        bool found = false;
        net_address next = 0;
        for (size_t s = 0; s < cells->set_count; s++)
            for (size_t i = 0; i < cells->sets[s]->count; i++) {
                const struct net_box *box = &cells->sets[s]->boxes[i];
                if (box->place != NET_ADDRESS)
                    continue;
                net_address borders[2] = {box->first, box->last + 1};
                for (int b = 0; b < 2; b++)
                    if (borders[b] > point->address && borders[b] <= cells->box->last && (!found || borders[b] < next)) {
                        next = borders[b];
                        found = true;
                    }
            }
        if (!found)
            return true;
        point->address = next;
    }
}

static bool each_name(struct arena *arena, struct cells *cells, struct net_point *point)
{
    const struct net_box *box = cells->box;
    if (box->place != NET_WILDCARD) {
        point->name = box->name;
        return each_verb(cells, point);
    }
    // A name under the wildcard that no rule mentions, then each that one does, then one under each deeper wildcard.
    point->name = str_format(arena, "any.%.*s", STR_ARGS(box->name));
    if (!each_verb(cells, point))
        return false;
    for (size_t s = 0; s < cells->set_count; s++)
        for (size_t i = 0; i < cells->sets[s]->count; i++) {
            const struct net_box *other = &cells->sets[s]->boxes[i];
            if (other->place != NET_NAME && other->place != NET_WILDCARD)
                continue;
            struct str names[2] = {other->name, str_format(arena, "any.%.*s", STR_ARGS(other->name))};
            for (int n = 0; n < 2; n++) {
                if (!name_matches(names[n], box))
                    continue;
                point->name = names[n];
                if (!each_verb(cells, point))
                    return false;
            }
        }
    return true;
}

static bool each_path(struct cells *cells, struct net_point *point)
{
    point->name = cells->box->name;
    if (!each_verb(cells, point))
        return false;
    for (size_t s = 0; s < cells->set_count; s++)
        for (size_t i = 0; i < cells->sets[s]->count; i++) {
            const struct net_box *other = &cells->sets[s]->boxes[i];
            if (other->place != NET_UNIX || !path_covers(cells->box->name, other->name))
                continue;
            point->name = other->name;
            if (!each_verb(cells, point))
                return false;
        }
    return true;
}

bool net_set_each(struct arena *arena, const struct net_set *set, const struct net_set *const *others, size_t other_count,
                  bool (*visit)(const struct net_point *, void *), void *context)
{
    struct cells cells = {.set_count = other_count + 1, .visit = visit, .context = context};
    const struct net_set **sets = NEW_ARRAY(arena, const struct net_set *, other_count + 1);
    for (size_t i = 0; i < other_count; i++)
        sets[i] = others[i];
    sets[other_count] = set;
    cells.sets = sets;
    for (size_t i = 0; i < set->count; i++) {
        cells.box = &set->boxes[i];
        struct net_point point = {.place = cells.box->place == NET_WILDCARD ? NET_NAME : cells.box->place};
        bool more;
        switch (cells.box->place) {
        case NET_ADDRESS: more = each_address(&cells, &point); break;
        case NET_HOST_LOOPBACK: more = each_verb(&cells, &point); break;
        case NET_UNIX: more = each_path(&cells, &point); break;
        default: more = each_name(arena, &cells, &point);
        }
        if (!more)
            return false;
    }
    return true;
}

// ---- printing -------------------------------------------------------------------------------------------------------------------

static void print_address(struct text *text, net_address address)
{
    uint8_t bytes[16];
    char shown[INET6_ADDRSTRLEN];
    for (int i = 15; i >= 0; i--, address >>= 8)
        bytes[i] = (uint8_t)address;
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    bool v4 = memcmp(bytes, mapped, 12) == 0;
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, shown, sizeof shown);
    text_addf(text, v4 ? "%s" : "[%s]", shown);
}

static void print_protocols(struct text *text, unsigned protocols)
{
    const char *separator = " ";
    if (protocols == PROTOCOL_ALL || protocols == (PROTOCOL_TCP | PROTOCOL_UDP))
        return;
    static const char *const names[] = {"tcp", "udp", "unix"};
    for (int i = 0; i < 3; i++)
        if (protocols >> i & 1) {
            text_addf(text, "%s%s", separator, names[i]);
            separator = ", ";
        }
}

void net_point_print(struct text *text, const struct net_point *point)
{
    path_verbs_print(text, point->verb);
    print_protocols(text, point->protocol);
    text_addf(text, " ");
    switch (point->place) {
    case NET_ADDRESS: print_address(text, point->address); break;
    case NET_HOST_LOOPBACK: text_addf(text, "host-loopback"); break;
    default: text_addf(text, "\"%.*s\"", STR_ARGS(point->name));
    }
    if (point->place != NET_UNIX)
        text_addf(text, ":%u", point->port);
}

void net_box_print(struct text *text, const struct net_box *box)
{
    path_verbs_print(text, box->verbs);
    print_protocols(text, box->protocols);
    text_addf(text, " ");
    switch (box->place) {
    case NET_ADDRESS: {
        print_address(text, box->first);
        net_address host = box->first ^ box->last;
        int bits = 0;
        for (; host; host >>= 1)
            bits++;
        bool v4 = box->first >> 32 == 0xFFFF;
        if (bits)
            text_addf(text, "/%d", v4 ? 32 - bits : 128 - bits);
        break;
    }
    case NET_HOST_LOOPBACK: text_addf(text, "host-loopback"); break;
    case NET_WILDCARD: text_addf(text, "\"*.%.*s\"", STR_ARGS(box->name)); break;
    default: text_addf(text, "\"%.*s\"", STR_ARGS(box->name));
    }
    if (box->place != NET_UNIX && (box->port_first != 0 || box->port_last != 65535)) {
        text_addf(text, ":%u", box->port_first);
        if (box->port_last != box->port_first)
            text_addf(text, "..%u", box->port_last);
    }
}
