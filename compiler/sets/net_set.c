// Network sets: boxes, and one representative point for each cell between their borders.
#include "compiler/sets/net_set.h"

#include <stdlib.h>
#include <string.h>

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

bool net_box_is_loopback(const struct net_box *box)
{
    net_address six = net_prefix_first(&net_loopback_v6);
    return box->place == NET_ADDRESS &&
           ((box->first >= net_prefix_first(&net_loopback_v4) && box->last <= net_prefix_last(&net_loopback_v4)) ||
            (box->first == six && box->last == six));
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

// ---- representative points ----------------------------------------------------------------------------------------

struct cells {
    const struct net_set *const *sets;
    size_t set_count;
    bool (*visit)(const struct net_point *, void *);
    void *context;
    const struct net_box *box;
};

// Ports where something starts or has just ended, inside the box. A port is visited once: only where no smaller border
// equals it.
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
                    if (borders[b] > point->address && borders[b] <= cells->box->last &&
                        (!found || borders[b] < next)) {
                        next = borders[b];
                        found = true;
                    }
            }
        if (!found)
            return true;
        point->address = next;
    }
}

// A name beneath the wildcard that no rule mentions and that lies beneath no deeper one.
static struct str unmentioned(struct arena *arena, const struct cells *cells, struct str wildcard)
{
    for (unsigned attempt = 0;; attempt++) {
        struct str name = attempt ? str_format(arena, "any%u.%.*s", attempt, STR_ARGS(wildcard))
                                  : str_format(arena, "any.%.*s", STR_ARGS(wildcard));
        struct net_box beneath = {.place = NET_WILDCARD, .name = name};
        bool mentioned = false;
        for (size_t s = 0; s < cells->set_count; s++)
            for (size_t i = 0; i < cells->sets[s]->count && !mentioned; i++) {
                const struct net_box *other = &cells->sets[s]->boxes[i];
                if (other->place == NET_NAME || other->place == NET_WILDCARD)
                    mentioned = str_equal(other->name, name) || name_matches(other->name, &beneath);
            }
        if (!mentioned)
            return name;
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
    point->name = unmentioned(arena, cells, box->name);
    if (!each_verb(cells, point))
        return false;
    for (size_t s = 0; s < cells->set_count; s++)
        for (size_t i = 0; i < cells->sets[s]->count; i++) {
            const struct net_box *other = &cells->sets[s]->boxes[i];
            if (other->place != NET_NAME && other->place != NET_WILDCARD)
                continue;
            struct str names[2] = {other->name, {0}};
            if (other->place == NET_WILDCARD)
                names[1] = unmentioned(arena, cells, other->name);
            for (int n = 0; n < 2 && names[n].text; n++) {
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

bool net_set_each(struct arena *arena, const struct net_set *set, const struct net_set *const *others,
                  size_t other_count, bool (*visit)(const struct net_point *, void *), void *context)
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

// ---- the cells that someone wants ---------------------------------------------------------------------------------

struct selection {
    struct arena *arena;
    const struct net_set *const *sets;
    size_t set_count;
    bool (*wanted)(const struct net_point *, void *);
    void *context;
    struct net_part *parts;
    size_t count, capacity;
    struct net_box *left_out; // names that were not wanted
    size_t left_out_count, left_out_capacity;
};

// Where the cell that starts at `point` ends: before the next border of any box.
static void cell_end(const struct selection *selection, const struct net_point *point, struct net_box *box)
{
    box->last = ~(net_address)0;
    box->port_last = 65535;
    for (size_t s = 0; s < selection->set_count; s++)
        for (size_t i = 0; i < selection->sets[s]->count; i++) {
            const struct net_box *other = &selection->sets[s]->boxes[i];
            uint32_t ports[2] = {other->port_first, other->port_last + 1u};
            for (int b = 0; b < 2; b++)
                if (ports[b] > point->port && ports[b] - 1 < box->port_last)
                    box->port_last = (uint16_t)(ports[b] - 1);
            if (other->place != NET_ADDRESS)
                continue;
            if (other->first > point->address && other->first - 1 < box->last)
                box->last = other->first - 1;
            if (other->last >= point->address && other->last < box->last)
                box->last = other->last;
        }
}

// The wildcard that a point stands for; NULL when it stands for itself.
static const struct net_box *wildcard_of(const struct selection *selection, const struct net_point *point)
{
    const struct net_box *found = NULL;
    for (size_t s = 0; s < selection->set_count && point->place == NET_NAME; s++)
        for (size_t i = 0; i < selection->sets[s]->count; i++) {
            const struct net_box *box = &selection->sets[s]->boxes[i];
            if (box->place == NET_NAME && str_equal(box->name, point->name))
                return NULL;
            if (box->place == NET_WILDCARD && str_equal(box->name, point->name))
                return NULL;
            if (box->place == NET_WILDCARD && name_matches(point->name, box) &&
                (!found || box->name.length > found->name.length))
                found = box;
        }
    return found;
}

static void *room_for_one(struct arena *arena, void *list, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity)
        return list;
    *capacity = *capacity ? 2 * *capacity : 32;
    return arena_grow(arena, list, count * bytes, *capacity * bytes);
}

static bool collect(const struct net_point *point, void *context)
{
    struct selection *selection = context;
    bool wanted = selection->wanted(point, selection->context);
    if (!wanted && point->place != NET_NAME)
        return true;
    struct net_box box = {.verbs = point->verb,
                          .protocols = point->protocol,
                          .place = point->place,
                          .name = point->name,
                          .port_first = point->port};
    if (point->place == NET_ADDRESS)
        box.first = point->address;
    cell_end(selection, point, &box);
    if (point->place != NET_ADDRESS)
        box.last = 0;
    const struct net_box *wildcard = wildcard_of(selection, point);
    if (wildcard) {
        box.place = NET_WILDCARD;
        box.name = wildcard->name;
    }
    if (wanted) {
        selection->parts = room_for_one(selection->arena, selection->parts, selection->count, &selection->capacity,
                                        sizeof *selection->parts);
        selection->parts[selection->count++] = (struct net_part){.box = box};
    } else {
        selection->left_out = room_for_one(selection->arena, selection->left_out, selection->left_out_count,
                                           &selection->left_out_capacity, sizeof box);
        selection->left_out[selection->left_out_count++] = box;
    }
    return true;
}

static int compare_numbers(unsigned __int128 a, unsigned __int128 b)
{
    return (a > b) - (a < b);
}

// In each order, boxes that may become one stand side by side: they differ in the last of these only.
enum merge { MERGE_PORTS, MERGE_ADDRESSES, MERGE_PROTOCOLS, MERGE_VERBS, MERGES };

static int compare_parts(const void *a, const void *b, void *merge)
{
    const struct net_box *x = &((const struct net_part *)a)->box, *y = &((const struct net_part *)b)->box;
    const enum merge how = *(const enum merge *)merge;
    int keys[7] = {
        compare_numbers(x->place, y->place),
        str_compare(x->name, y->name),
        compare_numbers(x->verbs, y->verbs),
        compare_numbers(x->protocols, y->protocols),
        compare_numbers(x->first, y->first),
        compare_numbers(x->last, y->last),
        compare_numbers((uint32_t)x->port_first << 16 | x->port_last, (uint32_t)y->port_first << 16 | y->port_last),
    };
    static const int orders[MERGES][7] = {
        {0, 1, 2, 3, 4, 5, 6}, {0, 1, 2, 3, 6, 4, 5}, {0, 1, 2, 4, 5, 6, 3}, {0, 1, 3, 4, 5, 6, 2}};
    for (int i = 0; i < 7; i++)
        if (keys[orders[how][i]])
            return keys[orders[how][i]];
    return 0;
}

static bool merge_into(struct net_box *box, const struct net_box *next, enum merge how)
{
    bool same_place = box->place == next->place && str_equal(box->name, next->name),
         same_verbs = box->verbs == next->verbs;
    bool same_protocols = box->protocols == next->protocols,
         same_addresses = box->first == next->first && box->last == next->last;
    bool same_ports = box->port_first == next->port_first && box->port_last == next->port_last;
    switch (how) {
    case MERGE_PORTS:
        if (!same_place || !same_verbs || !same_protocols || !same_addresses || next->port_first > box->port_last + 1u)
            return false;
        box->port_last = next->port_last > box->port_last ? next->port_last : box->port_last;
        return true;
    case MERGE_ADDRESSES:
        if (!same_place || !same_verbs || !same_protocols || !same_ports || box->place != NET_ADDRESS ||
            (box->last != ~(net_address)0 && next->first > box->last + 1))
            return false;
        box->last = next->last > box->last ? next->last : box->last;
        return true;
    case MERGE_PROTOCOLS:
        if (!same_place || !same_verbs || !same_addresses || !same_ports)
            return false;
        box->protocols |= next->protocols;
        return true;
    default:
        if (!same_place || !same_protocols || !same_addresses || !same_ports)
            return false;
        box->verbs |= next->verbs;
        return true;
    }
}

struct net_part *net_set_select(struct arena *arena, const struct net_set *set, const struct net_set *const *others,
                                size_t other_count, bool (*wanted)(const struct net_point *, void *), void *context)
{
    const struct net_set **sets = NEW_ARRAY(arena, const struct net_set *, other_count + 1);
    for (size_t i = 0; i < other_count; i++)
        sets[i] = others[i];
    sets[other_count] = set;
    struct selection selection = {
        .arena = arena, .sets = sets, .set_count = other_count + 1, .wanted = wanted, .context = context};
    net_set_each(arena, set, others, other_count, collect, &selection);
    for (enum merge how = MERGE_PORTS; how < MERGES; how++) {
        qsort_r(selection.parts, selection.count, sizeof *selection.parts, compare_parts, &how);
        size_t used = 0;
        for (size_t i = 0; i < selection.count; i++)
            if (used == 0 || !merge_into(&selection.parts[used - 1].box, &selection.parts[i].box, how))
                selection.parts[used++] = selection.parts[i];
        selection.count = used;
    }
    for (size_t i = 0; i < selection.count; i++) {
        struct net_part *part = &selection.parts[i];
        part->next = i + 1 < selection.count ? part + 1 : NULL;
        if (part->box.place != NET_WILDCARD)
            continue;
        part->excepts = NEW_ARRAY(arena, struct str, selection.left_out_count + 1);
        for (size_t k = 0; k < selection.left_out_count; k++) {
            const struct net_box *out = &selection.left_out[k];
            if (!(out->verbs & part->box.verbs) || !(out->protocols & part->box.protocols) ||
                out->port_first > part->box.port_last || out->port_last < part->box.port_first ||
                !name_matches(out->name, &part->box))
                continue;
            struct str name = out->place == NET_WILDCARD ? str_format(arena, "*.%.*s", STR_ARGS(out->name)) : out->name;
            bool known = false;
            for (size_t e = 0; e < part->except_count && !known; e++)
                known = str_equal(part->excepts[e], name);
            if (!known)
                part->excepts[part->except_count++] = name;
        }
    }
    return selection.count ? selection.parts : NULL;
}
