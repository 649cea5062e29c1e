// Network sets, decided on one representative point for each cell between the borders of boxes.
#include "compiler/sets/net_set.h"

#include <stdlib.h>

#include "compiler/sets/net_range.h"
#include "compiler/sets/path_set.h"

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

// The next address after `at`, up to `last`, where a box starts or has just ended.
static bool next_border(const struct cells *cells, net_address at, net_address last, net_address *next)
{
    bool found = false;
    for (size_t s = 0; s < cells->set_count; s++)
        for (size_t i = 0; i < cells->sets[s]->count; i++) {
            const struct net_box *box = &cells->sets[s]->boxes[i];
            if (box->place == NET_UNIX || box->place == NET_HOST_LOOPBACK)
                continue;
            net_address borders[2] = {box->first, box->last + 1};
            for (int b = 0; b < 2; b++)
                if (borders[b] > at && borders[b] <= last && (!found || borders[b] < *next)) {
                    *next = borders[b];
                    found = true;
                }
        }
    return found;
}

static bool each_address(struct cells *cells, struct net_point *point, net_address first, net_address last)
{
    for (bool more = first <= last; more; more = next_border(cells, first, last, &first)) {
        point->address = first;
        if (!each_verb(cells, point))
            return false;
    }
    return true;
}

static bool each_host_loopback(struct cells *cells, struct net_point *point, net_address first, net_address last)
{
    point->place = NET_HOST_LOOPBACK;
    for (int i = 0; i < 2; i++) {
        net_address from = net_prefix_first(net_loopbacks[i]), to = net_prefix_last(net_loopbacks[i]);
        if (!each_address(cells, point, from > first ? from : first, to < last ? to : last))
            return false;
    }
    return true;
}

// Where a name leads to: a public and a private address of each cell. Where a question says where it leads, also one at
// a loopback, where it can't.
static bool each_lead(struct cells *cells, struct net_point *point)
{
    const struct net_box *box = cells->box;
    bool private = box->place == NET_REACHED || box->private,
         asks = net_box_has_name(box) && (box->first || box->last != ~(net_address)0);
    net_address next = 0;
    bool more = true;
    for (net_address first = box->first; more; first = next) {
        more = next_border(cells, first, box->last, &next);
        for (int p = 0; p <= private; p++)
            if (net_find(first, more ? next - 1 : box->last, p, &point->address) && !each_verb(cells, point))
                return false;
        if (asks && net_find_loopback(first, more ? next - 1 : box->last, &point->address) && !each_verb(cells, point))
            return false;
    }
    return true;
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
                if (net_box_has_name(other))
                    mentioned = str_equal(other->name, name) || net_name_matches(other->name, &beneath);
            }
        if (!mentioned)
            return name;
    }
}

// The names that rules mention, and one under each of their wildcards: of those that the box has, if it has a name.
static bool each_mentioned(struct arena *arena, struct cells *cells, struct net_point *point)
{
    const struct net_box *box = cells->box;
    for (size_t s = 0; s < cells->set_count; s++)
        for (size_t i = 0; i < cells->sets[s]->count; i++) {
            const struct net_box *other = &cells->sets[s]->boxes[i];
            if (!net_box_has_name(other))
                continue;
            struct str names[2] = {other->name, {0}};
            if (other->place == NET_WILDCARD)
                names[1] = unmentioned(arena, cells, other->name);
            for (int n = 0; n < 2 && names[n].text; n++) {
                if (box->place == NET_WILDCARD && !net_name_matches(names[n], box))
                    continue;
                point->name = names[n];
                if (!each_lead(cells, point))
                    return false;
            }
        }
    return true;
}

static bool each_name(struct arena *arena, struct cells *cells, struct net_point *point)
{
    const struct net_box *box = cells->box;
    point->place = NET_NAME;
    point->name = box->place == NET_WILDCARD ? unmentioned(arena, cells, box->name) : box->name;
    if (!each_lead(cells, point))
        return false;
    return box->place != NET_WILDCARD || each_mentioned(arena, cells, point);
}

static bool each_reached(struct arena *arena, struct cells *cells, struct net_point *point)
{
    const struct net_box *box = cells->box;
    point->place = NET_ADDRESS;
    if (!each_address(cells, point, box->first, box->last) || !each_host_loopback(cells, point, box->first, box->last))
        return false;
    point->place = NET_NAME;
    return each_mentioned(arena, cells, point);
}

static bool each_path(struct cells *cells, struct net_point *point)
{
    point->name = cells->box->name;
    if (!each_verb(cells, point))
        return false;
    for (size_t s = 0; s < cells->set_count; s++)
        for (size_t i = 0; i < cells->sets[s]->count; i++) {
            const struct net_box *other = &cells->sets[s]->boxes[i];
            if (other->place != NET_UNIX || !net_unix_covers(cells->box->name, other->name))
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
        struct net_point point = {.place = cells.box->place};
        bool more;
        switch (cells.box->place) {
        case NET_ADDRESS: more = each_address(&cells, &point, cells.box->first, cells.box->last); break;
        case NET_REACHED: more = each_reached(arena, &cells, &point); break;
        case NET_HOST_LOOPBACK: more = each_host_loopback(&cells, &point, 0, ~(net_address)0); break;
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

// The cell that `point` stands for: between the borders of all boxes.
static void find_cell(const struct selection *selection, const struct net_point *point, struct net_box *box)
{
    box->first = 0;
    box->last = ~(net_address)0;
    box->port_last = 65535;
    for (size_t s = 0; s < selection->set_count; s++)
        for (size_t i = 0; i < selection->sets[s]->count; i++) {
            const struct net_box *other = &selection->sets[s]->boxes[i];
            uint32_t ports[2] = {other->port_first, other->port_last + 1u};
            for (int b = 0; b < 2; b++)
                if (ports[b] > point->port && ports[b] - 1 < box->port_last)
                    box->port_last = (uint16_t)(ports[b] - 1);
            if (other->place == NET_UNIX || other->place == NET_HOST_LOOPBACK)
                continue;
            net_address borders[2] = {other->first, other->last + 1};
            for (int b = 0; b < 2; b++) {
                if (borders[b] <= point->address && borders[b] > box->first)
                    box->first = borders[b];
                if (borders[b] > point->address && borders[b] - 1 < box->last)
                    box->last = borders[b] - 1;
            }
        }
}

// Are there any operations like the box's between these addresses?
static bool holds_any(const struct net_box *like, net_address first, net_address last)
{
    net_address found;
    switch (like->place) {
    case NET_ADDRESS: return true;
    case NET_HOST_LOOPBACK:
        for (int i = 0; i < 2; i++)
            if (net_prefix_first(net_loopbacks[i]) <= last && net_prefix_last(net_loopbacks[i]) >= first)
                return true;
        return false;
    case NET_NAME:
    case NET_WILDCARD: return net_find(first, last, like->private, &found);
    default: return false;
    }
}

// Where nothing like it lies outside of it, an interval of addresses is all of them.
static void widen(struct net_box *box)
{
    if (box->first && !holds_any(box, 0, box->first - 1))
        box->first = 0;
    if (box->last != ~(net_address)0 && !holds_any(box, box->last + 1, ~(net_address)0))
        box->last = ~(net_address)0;
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
            if (box->place == NET_WILDCARD && net_name_matches(point->name, box) &&
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
                          .private = point->place == NET_NAME && net_is_private(point->address),
                          .port_first = point->port};
    find_cell(selection, point, &box);
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
enum merge { MERGE_PORTS, MERGE_ADDRESSES, MERGE_PRIVATE, MERGE_PROTOCOLS, MERGE_VERBS, MERGES };

static int compare_parts(const void *a, const void *b, void *merge)
{
    const struct net_box *x = &((const struct net_part *)a)->box, *y = &((const struct net_part *)b)->box;
    const enum merge how = *(const enum merge *)merge;
    int keys[8] = {
        compare_numbers(x->place, y->place),
        str_compare(x->name, y->name),
        compare_numbers(x->verbs, y->verbs),
        compare_numbers(x->protocols, y->protocols),
        compare_numbers(x->first, y->first),
        compare_numbers(x->last, y->last),
        compare_numbers((uint32_t)x->port_first << 16 | x->port_last, (uint32_t)y->port_first << 16 | y->port_last),
        compare_numbers(x->private, y->private),
    };
    static const int orders[MERGES][8] = {{0, 1, 7, 2, 3, 4, 5, 6},
                                          {0, 1, 7, 2, 3, 6, 4, 5},
                                          {0, 1, 2, 3, 4, 5, 6, 7},
                                          {0, 1, 7, 2, 4, 5, 6, 3},
                                          {0, 1, 7, 3, 4, 5, 6, 2}};
    for (int i = 0; i < 8; i++)
        if (keys[orders[how][i]])
            return keys[orders[how][i]];
    return 0;
}

static bool merge_into(struct net_box *box, const struct net_box *next, enum merge how)
{
    bool same_place = box->place == next->place && str_equal(box->name, next->name) &&
                      (box->private == next->private || how == MERGE_PRIVATE),
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
        if (!same_place || !same_verbs || !same_protocols || !same_ports ||
            (box->last != ~(net_address)0 && next->first > box->last + 1 &&
             holds_any(box, box->last + 1, next->first - 1)))
            return false;
        box->last = next->last > box->last ? next->last : box->last;
        return true;
    case MERGE_PRIVATE: // private ones too is what `private` says
        if (!same_place || !same_verbs || !same_protocols || !same_addresses || !same_ports)
            return false;
        box->private |= next->private;
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
        for (size_t i = 0; how == MERGE_PRIVATE && i < selection.count; i++)
            widen(&selection.parts[i].box);
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
                out->first > part->box.last || out->last < part->box.first || (out->private && !part->box.private) ||
                !net_name_matches(out->name, &part->box))
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
