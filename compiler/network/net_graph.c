// The network rules of a plan as decision graphs.
#include "compiler/network/net_graph.h"

#include <stdlib.h>

#include "compiler/network/net_rules.h"
#include "compiler/sets/net_range.h"

static const net_address v4 = (net_address)0xFFFF << 32;

static bool contains(const struct plan_net *entry, const struct net_point *point)
{
    return net_set_contains(&(struct net_set){(struct net_box *)&entry->box, 1}, point);
}

// ---- sets ---------------------------------------------------------------------------------------------------------

static uint32_t part_of(net_address address, int word)
{
    return (uint32_t)(address >> (96 - 32 * word));
}

// 1 from `first` to `last`, of the words from `word` on; a border that does not bind any more is not asked about.
static graph_node address_part(struct graph *graph, net_address first, net_address last, int word, bool from, bool to)
{
    if (word == 4 || (!from && !to))
        return graph_leaf(graph, 1);
    uint32_t low = from ? part_of(first, word) : 0, high = to ? part_of(last, word) : UINT32_MAX;
    struct graph_run runs[5];
    size_t count = 0;
    graph_node outside = graph_leaf(graph, 0), inside = graph_leaf(graph, 1);
    graph_node at_low = address_part(graph, first, last, word + 1, from, to && low == high);
    graph_node at_high = low == high ? at_low : address_part(graph, first, last, word + 1, false, to);
    if (low > 0)
        runs[count++] = (struct graph_run){0, outside};
    runs[count++] = (struct graph_run){low, at_low};
    if (high > low) {
        if (high - low > 1)
            runs[count++] = (struct graph_run){low + 1, inside};
        runs[count++] = (struct graph_run){high, at_high};
    }
    if (high < UINT32_MAX)
        runs[count++] = (struct graph_run){high + 1, outside};
    return graph_runs(graph, (uint32_t)(NET_WORD_ADDRESS + word), UINT32_MAX, runs, count);
}

static graph_node address_between(struct graph *graph, net_address first, net_address last)
{
    return address_part(graph, first, last, 0, true, true);
}

static uint32_t conjunction(uint32_t a, uint32_t b)
{
    return a && b;
}

static uint32_t disjunction(uint32_t a, uint32_t b)
{
    return a || b;
}

static graph_node negation(struct graph *graph, graph_node a)
{
    return graph_select(graph, a, graph_leaf(graph, 0), graph_leaf(graph, 1));
}

static graph_node protocol_is(struct graph *graph, uint32_t number, graph_node inside)
{
    struct graph_interval one = {number, number};
    return graph_test(graph, NET_WORD_PROTOCOL, UINT32_MAX, &one, 1, inside, graph_leaf(graph, 0));
}

// What a box says of protocols and ports alone.
static graph_node box_ports(struct graph *graph, const struct net_box *box)
{
    struct graph_interval ports = {box->port_first, box->port_last};
    graph_node inside =
                   graph_test(graph, NET_WORD_PORT, UINT32_MAX, &ports, 1, graph_leaf(graph, 1), graph_leaf(graph, 0)),
               set = graph_leaf(graph, 0);
    if (box->protocols & PROTOCOL_TCP)
        set = graph_apply(graph, disjunction, set, protocol_is(graph, NET_TCP, inside));
    if (box->protocols & PROTOCOL_UDP)
        set = graph_apply(graph, disjunction, set, protocol_is(graph, NET_UDP, inside));
    return set;
}

static graph_node private_addresses(struct graph *graph)
{
    graph_node set = graph_leaf(graph, 0);
    net_address first, end = 0;
    for (bool more = true; more && net_find(end, ~(net_address)0, true, &first);) {
        more = net_find(first, ~(net_address)0, false, &end);
        set = graph_apply(graph, disjunction, set, address_between(graph, first, more ? end - 1 : ~(net_address)0));
    }
    return set;
}

// Who connects to "any" address gets to the loopback: the first of each kind.
static graph_node loopback_between(struct graph *graph, net_address first, net_address last)
{
    graph_node set = address_between(graph, first, last);
    const net_address any[] = {v4, 0}, taken_for[] = {net_prefix_first(&net_loopback_v4) + 1, 1};
    for (int i = 0; i < 2; i++) {
        bool in = taken_for[i] >= first && taken_for[i] <= last;
        set = graph_select(graph, address_between(graph, any[i], any[i]), graph_leaf(graph, in), set);
    }
    return set;
}

// 1 where the entry is about it, for one verb and one kind of place: its addresses, the host's loopback, or one name.
static graph_node entry_set(struct net_graphs *graphs, const struct plan_net *entry, unsigned verb,
                            enum net_place place, struct str name)
{
    struct graph *graph = graphs->graph;
    const struct net_box *box = &entry->box;
    graph_node nothing = graph_leaf(graph, 0);
    if (!(box->verbs & verb))
        return nothing;
    struct net_point named = {.verb = verb,
                              .protocol = box->protocols & -box->protocols,
                              .place = NET_NAME,
                              .name = name,
                              .port = box->port_first,
                              .anywhere = true};
    graph_node where;
    if (box->place == NET_REACHED)
        where = place == NET_HOST_LOOPBACK ? loopback_between(graph, box->first, box->last)
                                           : address_between(graph, box->first, box->last);
    else if (place == NET_NAME && contains(entry, &named))
        where = box->private ? graph_leaf(graph, 1) : negation(graph, graphs->private);
    else if (place == NET_NAME || box->place != place)
        return nothing;
    else
        where = place == NET_ADDRESS ? address_between(graph, box->first, box->last) : graph_leaf(graph, 1);
    return graph_apply(graph, conjunction, where, box_ports(graph, box));
}

// ---- decisions ----------------------------------------------------------------------------------------------------

// As network_allows: ALLOW, or what denies, or 0.
static graph_node decide(struct net_graphs *graphs, unsigned verb, enum net_place place, struct str name)
{
    struct graph *graph = graphs->graph;
    const struct plan *plan = graphs->plan;
    graph_node allowed = graph_leaf(graph, 0);
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && !plan->net[i].exception)
            allowed = graph_apply(graph, disjunction, allowed, entry_set(graphs, &plan->net[i], verb, place, name));
    graph_node decision = graph_select(graph, allowed, graph_leaf(graph, NET_GRAPH_ALLOW), graph_leaf(graph, 0));
    for (size_t i = plan->net_count; i-- > 0;) { // the first deny wins, so it comes last
        const struct plan_net *entry = &plan->net[i];
        if (!entry->deny || entry->exception)
            continue;
        graph_node denied = entry_set(graphs, entry, verb, place, name);
        for (size_t k = 0; k < plan->net_count; k++)
            if (plan->net[k].exception && plan->net[k].rule == entry->rule)
                denied = graph_apply(graph, conjunction, denied,
                                     negation(graph, entry_set(graphs, &plan->net[k], verb, place, name)));
        decision = graph_select(graph, denied, graph_leaf(graph, entry->rule + 1), decision);
    }
    return decision;
}

static uint32_t first_that_allows(uint32_t a, uint32_t b)
{
    return a == NET_GRAPH_ALLOW || b == NET_GRAPH_ALLOW ? NET_GRAPH_ALLOW : a ? a : b;
}

static uint32_t both_allow(uint32_t a, uint32_t b)
{
    return a != NET_GRAPH_ALLOW ? a : b;
}

// The addresses that lead to the host itself: its loopback, and those that the kernel takes for it (0.0.0.0, ::).
static graph_node loopback(struct graph *graph)
{
    graph_node set = address_between(graph, net_prefix_first(&net_loopback_v4), net_prefix_last(&net_loopback_v4));
    const net_address others[] = {net_prefix_first(&net_loopback_v6), v4, 0};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        set = graph_apply(graph, disjunction, set, address_between(graph, others[i], others[i]));
    return set;
}

// What is at the host's loopback is said by host-loopback alone; what is elsewhere is allowed as an address, or as one
// of the names that it is pinned for.
static graph_node connect_graph(struct net_graphs *graphs, const struct plan *plan)
{
    struct graph *graph = graphs->graph;
    graph_node names = graph_leaf(graph, 0);
    for (size_t g = plan->proxy.set ? 0 : graphs->group_count; g-- > 0;) {
        struct graph_interval set = {1u << g, 1u << g};
        graph_node pinned =
            graph_test(graph, NET_WORD_NAMES, 1u << g, &set, 1, graph_leaf(graph, 1), graph_leaf(graph, 0));
        graph_node by_name = graph_select(graph, pinned, decide(graphs, VERB_CONNECT, NET_NAME, graphs->groups[g].name),
                                          graph_leaf(graph, 0));
        names = graph_apply(graph, first_that_allows, by_name, names);
    }
    graph_node outside =
        graph_apply(graph, first_that_allows, decide(graphs, VERB_CONNECT, NET_ADDRESS, STR("")), names);
    graph_node decision =
        graph_select(graph, loopback(graph), decide(graphs, VERB_CONNECT, NET_HOST_LOOPBACK, STR("")), outside);
    if (!plan->proxy.set)
        return decision;
    struct graph_interval port = {plan->proxy.url.port, plan->proxy.url.port}, set = {1, 1};
    graph_node is_proxy = graph_test(graph, NET_WORD_NAMES, 1, &set, 1, graph_leaf(graph, 1), graph_leaf(graph, 0));
    is_proxy = protocol_is(graph, NET_TCP,
                           graph_test(graph, NET_WORD_PORT, UINT32_MAX, &port, 1, is_proxy, graph_leaf(graph, 0)));
    return graph_select(graph, is_proxy, graph_leaf(graph, NET_GRAPH_ALLOW), decision);
}

// Servers are published where rules allow to bind and to listen.
static graph_node listen_graph(struct net_graphs *graphs)
{
    struct graph *graph = graphs->graph;
    graph_node binds = decide(graphs, VERB_BIND, NET_ADDRESS, STR("")),
               listens = decide(graphs, VERB_LISTEN, NET_ADDRESS, STR(""));
    graph_node outside = graph_apply(graph, both_allow, binds, listens);
    binds = graph_apply(graph, first_that_allows, decide(graphs, VERB_BIND, NET_HOST_LOOPBACK, STR("")), binds);
    listens = decide(graphs, VERB_LISTEN, NET_HOST_LOOPBACK, STR(""));
    return graph_select(graph, loopback(graph), graph_apply(graph, both_allow, binds, listens), outside);
}

// ---- names --------------------------------------------------------------------------------------------------------

static int ascending(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void find_borders(struct arena *arena, const struct plan *plan, struct net_graphs *graphs)
{
    graphs->borders = NEW_ARRAY(arena, uint32_t, 2 * plan->net_count + 1);
    graphs->borders[graphs->border_count++] = 0;
    for (size_t i = 0; i < plan->net_count; i++) {
        graphs->borders[graphs->border_count++] = plan->net[i].box.port_first;
        graphs->borders[graphs->border_count++] = plan->net[i].box.port_last + 1u;
    }
    qsort(graphs->borders, graphs->border_count, sizeof *graphs->borders, ascending);
    size_t kept = 0;
    for (size_t i = 0; i < graphs->border_count; i++)
        if (graphs->borders[i] <= 65535 && (!kept || graphs->borders[kept - 1] != graphs->borders[i]))
            graphs->borders[kept++] = graphs->borders[i];
    graphs->border_count = kept;
}

enum { BY_NAME = 1, BY_NAME_PRIVATE = 2 };

// What the rules on names alone say of one, wherever it leads. Those on addresses are the same for all names.
static uint8_t name_allows(const struct net_graphs *graphs, struct str name, size_t at)
{
    const struct plan *plan = graphs->plan;
    struct net_point point = {.verb = VERB_CONNECT,
                              .protocol = at < graphs->border_count ? PROTOCOL_TCP : PROTOCOL_UDP,
                              .place = NET_NAME,
                              .name = name,
                              .port = (uint16_t)graphs->borders[at % graphs->border_count],
                              .anywhere = true};
    uint8_t allowed = 0;
    for (size_t i = 0; i < plan->net_count; i++) {
        const struct plan_net *entry = &plan->net[i];
        if (entry->exception || !contains(entry, &point))
            continue;
        bool spared = false;
        for (size_t k = 0; k < plan->net_count && !spared; k++)
            spared = plan->net[k].exception && plan->net[k].rule == entry->rule && contains(&plan->net[k], &point);
        if (entry->deny && !spared)
            return 0;
        if (!entry->deny)
            allowed |= entry->box.private ? BY_NAME | BY_NAME_PRIVATE : BY_NAME;
    }
    return allowed;
}

int net_graphs_group(const struct net_graphs *graphs, struct str name)
{
    for (size_t g = 0; g < graphs->group_count && !graphs->plan->proxy.set; g++) {
        bool same = true;
        for (size_t i = 0; i < 2 * graphs->border_count && same; i++)
            same = graphs->groups[g].allowed[i] == name_allows(graphs, name, i);
        if (same)
            return (int)g;
    }
    return -1;
}

static bool add_group(struct arena *arena, struct net_graphs *graphs, struct str name)
{
    uint8_t *allowed = NEW_ARRAY(arena, uint8_t, 2 * graphs->border_count);
    bool any = false;
    if (net_graphs_group(graphs, name) >= 0)
        return true;
    for (size_t i = 0; i < 2 * graphs->border_count; i++)
        any |= allowed[i] = name_allows(graphs, name, i);
    if (any && graphs->group_count == NET_GROUPS_MOST)
        return false;
    if (any)
        graphs->groups[graphs->group_count++] = (struct net_group){name, allowed};
    return true;
}

// Every name is one that a rule names, or is told from others by the longest of the wildcards that cover it: a label of
// its own stands for it.
static bool find_groups(struct arena *arena, const struct plan *plan, struct net_graphs *graphs)
{
    if (plan->proxy.set) {
        graphs->groups[graphs->group_count++] = (struct net_group){STR("the proxy"), NULL};
        return true;
    }
    for (size_t i = 0; i < plan->net_count; i++) {
        const struct net_box *box = &plan->net[i].box;
        struct str name = box->place == NET_WILDCARD ? str_format(arena, "!.%.*s", STR_ARGS(box->name)) : box->name;
        if (net_box_has_name(box) && !add_group(arena, graphs, name))
            return false;
    }
    return true;
}

bool net_graphs_make(struct arena *arena, const struct plan *plan, struct net_graphs *graphs)
{
    *graphs = (struct net_graphs){.plan = plan, .graph = graph_new(arena)};
    find_borders(arena, plan, graphs);
    if (!find_groups(arena, plan, graphs))
        return false;
    graphs->private = private_addresses(graphs->graph);
    graphs->connect = connect_graph(graphs, plan);
    graphs->listen = listen_graph(graphs);
    return !graph_is_exhausted(graphs->graph);
}

unsigned net_graphs_protocols(const struct net_graphs *graphs)
{
    unsigned protocols = 0;
    for (unsigned protocol = 0; protocol < 2; protocol++) {
        struct graph_interval one = {protocol ? NET_UDP : NET_TCP, protocol ? NET_UDP : NET_TCP};
        uint32_t words[NET_WORDS];
        const graph_node nodes[] = {graphs->connect, graphs->listen};
        for (int i = 0; i < 2; i++) {
            graph_node of = graph_test(graphs->graph, NET_WORD_PROTOCOL, UINT32_MAX, &one, 1,
                                       graph_leaf(graphs->graph, 1), graph_leaf(graphs->graph, 0));
            if (graph_find(graphs->graph, graph_select(graphs->graph, of, nodes[i], graph_leaf(graphs->graph, 0)),
                           NET_GRAPH_ALLOW, words, NET_WORDS) != 0)
                protocols |= 1u << protocol;
        }
    }
    return protocols;
}
