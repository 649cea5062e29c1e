// Looking for one operation in a set of them.
#include "compiler/meaning/search.h"

#include "compiler/sets/seccomp.h"

const struct path_set *rule_paths(struct arena *arena, const struct rule *set)
{
    size_t count = 0;
    struct path_entry *entries = NEW_ARRAY(arena, struct path_entry, set->path_count + set->except_count);
    for (size_t i = 0; i < set->path_count; i++)
        entries[count++] = (struct path_entry){set->paths[i], set->verbs, PATH_ADDS, 0};
    for (size_t i = 0; i < set->except_count; i++)
        entries[count++] = (struct path_entry){set->excepts[i], set->verbs, PATH_REMOVES, 0};
    return path_set_build(arena, entries, count);
}

static void file_point(const struct path_witness *witness, struct operation_point *point)
{
    *point = (struct operation_point){
        .domain = DOMAIN_FILES, .verb = witness->verbs & -witness->verbs, .path = witness->path};
}

static int find_file(struct policy *policy, const struct rule *set, bool allowed, struct operation_point *point)
{
    const struct path_set *asked = rule_paths(policy->arena, set),
                          *missing = path_set_minus(policy->arena, asked, policy_paths(policy));
    struct path_witness witness;
    if (!path_set_first(allowed ? path_set_minus(policy->arena, asked, missing) : missing, &witness))
        return 0;
    file_point(&witness, point);
    return 1;
}

struct net_search {
    const struct policy *inner,
        *outer; // looks for what inner allows and outer does not; a NULL one: everything, nothing
    const struct net_set *except;
    struct net_set own; // of what is asked, addresses that are the sandbox's alone
    bool at;            // it says where a name leads
    bool as_reached;    // a point on the loopback, or of a name, is what a program gets when it asks for that
    bool found;
    struct net_point point;
};

// May a program ask for the name? It may where a rule allows it at some port, as when it runs (names_allows).
static bool resolves(const struct policy *policy, struct str name)
{
    struct net_point point = {.verb = VERB_CONNECT, .place = NET_NAME, .name = name, .anywhere = true};
    for (size_t i = 0; i < policy->net_rule_count; i++) {
        const struct net_set *sets[2] = {&policy->net_rules[i]->net, &policy->net_rules[i]->net_except};
        for (size_t k = 0; k < sets[0]->count + sets[1]->count; k++) {
            const struct net_box *box =
                k < sets[0]->count ? &sets[0]->boxes[k] : &sets[1]->boxes[k - sets[0]->count];
            const int32_t ports[4] = {box->port_first, box->port_last, box->port_first - 1, box->port_last + 1};
            for (int p = 0; p < 4; p++)
                for (point.protocol = PROTOCOL_TCP; point.protocol <= PROTOCOL_UDP; point.protocol <<= 1) {
                    point.port = (uint16_t)ports[p];
                    if (ports[p] >= 0 && ports[p] <= UINT16_MAX && policy_net_allows(policy, &point))
                        return true;
                }
        }
    }
    return false;
}

// Where it is said where a name leads: a name that resolves leads also where a rule on addresses allows to go. *point
// becomes that operation.
static bool allows(const struct net_search *search, const struct policy *policy, struct net_point *point)
{
    if (policy_net_allows(policy, point))
        return true;
    struct net_point itself = *point;
    itself.place = NET_ADDRESS;
    if (!search->at || point->place != NET_NAME || !policy_net_allows(policy, &itself) ||
        !resolves(policy, point->name))
        return false;
    *point = itself;
    return true;
}

// What an operation is allowed as. At an address of the loopback a program is at the host's where a rule says so; by a
// name it is wherever the name may lead.
static bool allows_as_reached(const struct net_search *search, struct net_point *point)
{
    struct net_point host = *point;
    host.place = NET_HOST_LOOPBACK;
    point->anywhere = point->place == NET_NAME && !search->at;
    return allows(search, search->outer, point) ||
           (point->place == NET_ADDRESS && net_is_loopback(point->address) && !net_set_contains(&search->own, point) &&
            policy_net_allows(search->outer, &host));
}

static bool visit_net(const struct net_point *point, void *context)
{
    struct net_search *search = context;
    if (search->except && net_set_contains(search->except, point))
        return true;
    struct net_point asked = *point;
    if (search->inner && !allows(search, search->inner, &asked))
        return true;
    if (search->outer &&
        (search->as_reached ? allows_as_reached(search, &asked) : policy_net_allows(search->outer, point)))
        return true;
    // A name is said alone where it is the same wherever it leads.
    struct net_point alone = *point;
    alone.anywhere = point->place == NET_NAME;
    if (alone.anywhere && !search->at && (!search->inner || policy_net_allows(search->inner, &alone)) &&
        (!search->outer || !policy_net_allows(search->outer, &alone)))
        asked = alone;
    search->found = true;
    search->point = asked;
    return false;
}

size_t policy_net_sets(const struct policy *policy, const struct net_set **sets)
{
    size_t count = 0;
    for (size_t i = 0; policy && i < policy->net_rule_count; i++) {
        sets[count++] = &policy->net_rules[i]->net;
        sets[count++] = &policy->net_rules[i]->net_except;
    }
    return count;
}

static bool search_net(struct arena *arena, const struct net_set *set, struct net_search *search)
{
    size_t most = 1 + 2 * ((search->inner ? search->inner->net_rule_count : 0) +
                           (search->outer ? search->outer->net_rule_count : 0));
    const struct net_set **borders = NEW_ARRAY(arena, const struct net_set *, most);
    size_t count = policy_net_sets(search->inner, borders);
    count += policy_net_sets(search->outer, borders + count);
    if (search->except)
        borders[count++] = search->except;
    net_set_each(arena, set, borders, count, visit_net, search);
    return search->found;
}

// Something is allowed at an address when a program reaches it in any way; something is denied when it does in none.
static int find_net(struct policy *policy, const struct rule *set, bool allowed, struct operation_point *point)
{
    struct net_search search = {.inner = allowed ? policy : NULL,
                                .outer = allowed ? NULL : policy,
                                .except = &set->net_except,
                                .as_reached = !allowed};
    struct net_set asked = set->net;
    for (size_t i = 0; i < asked.count; i++)
        search.at |=
            net_box_has_name(&asked.boxes[i]) && (asked.boxes[i].first || asked.boxes[i].last != ~(net_address)0);
    if (!allowed) {
        asked.boxes = NEW_ARRAY(policy->arena, struct net_box, asked.count);
        search.own.boxes = NEW_ARRAY(policy->arena, struct net_box, asked.count);
        for (size_t i = 0; i < asked.count; i++) {
            asked.boxes[i] = set->net.boxes[i];
            if (asked.boxes[i].place == NET_ADDRESS)
                search.own.boxes[search.own.count++] = asked.boxes[i];
            if (asked.boxes[i].place == NET_REACHED)
                asked.boxes[i].place = NET_ADDRESS;
        }
    }
    if (!search_net(policy->arena, &asked, &search))
        return 0;
    *point = (struct operation_point){.domain = DOMAIN_NET, .verb = search.point.verb, .net = search.point};
    return 1;
}

static uint32_t is_allow(uint32_t verdict, uint32_t unused)
{
    (void)unused;
    return verdict == SECCOMP_ALLOW;
}

static graph_node allows_call(struct policy *policy, enum arch arch, size_t call)
{
    return graph_apply(policy->graph, is_allow, policy_call(policy, arch, call), graph_leaf(policy->graph, 0));
}

static void call_point(enum arch arch, size_t call, const uint32_t *words, struct operation_point *point)
{
    *point = (struct operation_point){
        .domain = DOMAIN_CALLS, .arch = arch, .number = (uint32_t)syscall_row(call)->number[arch]};
    for (int i = 0; i < SYSCALL_ARGUMENTS; i++)
        point->arguments[i] = (uint64_t)words[WORD_HIGH(i)] << 32 | words[WORD_LOW(i)];
}

static int find_call(struct policy *policy, const struct rule *set, bool allowed, struct operation_point *point)
{
    struct graph *graph = policy->graph;
    graph_node no = graph_leaf(graph, 0), yes = graph_leaf(graph, 1);
    for (size_t i = 0; i < set->calls.count; i++) {
        const struct call_match *match = &set->calls.list[i];
        for (int arch = 0; arch < ARCH_COUNT; arch++) {
            if (!(match->architectures >> arch & 1))
                continue;
            graph_node asked = test_graph(graph, match->tests[arch]);
            for (size_t k = 0; k < set->calls_except.count; k++) {
                const struct call_match *except = &set->calls_except.list[k];
                if (except->call == match->call && except->architectures >> arch & 1)
                    asked = graph_select(graph, test_graph(graph, except->tests[arch]), no, asked);
            }
            graph_node verdict = allows_call(policy, (enum arch)arch, match->call);
            graph_node wanted = graph_select(graph, verdict, allowed ? yes : no, allowed ? no : yes);
            uint32_t words[SECCOMP_WORDS];
            int found = graph_find(graph, graph_select(graph, asked, wanted, no), 1, words, SECCOMP_WORDS);
            if (found > 0)
                call_point((enum arch)arch, match->call, words, point);
            if (found)
                return found;
        }
    }
    return 0;
}

int operation_find(struct policy *policy, const struct rule *set, bool allowed, struct operation_point *point)
{
    switch (set->domain) {
    case DOMAIN_FILES: return find_file(policy, set, allowed, point);
    case DOMAIN_NET: return find_net(policy, set, allowed, point);
    case DOMAIN_CALLS: return find_call(policy, set, allowed, point);
    case DOMAIN_CAPABILITIES: {
        uint64_t have = policy_capabilities(policy),
                 wanted = set->capabilities & (allowed ? have : ~have) & ((1ull << CAPABILITY_COUNT) - 1);
        if (!wanted)
            return 0;
        *point =
            (struct operation_point){.domain = DOMAIN_CAPABILITIES, .capability = (unsigned)__builtin_ctzll(wanted)};
        return 1;
    }
    }
    return 0;
}

int operation_exceeds(struct policy *policy, struct policy *ceiling, unsigned parts, struct operation_point *point)
{
    struct path_witness witness;
    if (parts & WITHIN_FILES && !path_set_subset(policy_paths(policy), policy_paths(ceiling), &witness)) {
        file_point(&witness, point);
        return 1;
    }
    for (size_t i = 0; i < policy->rule_count && parts & WITHIN_NET; i++) {
        const struct rule *rule = &policy->rules[i];
        struct net_search search = {.inner = policy, .outer = ceiling};
        if (rule->domain == DOMAIN_NET && rule->effect == EFFECT_ALLOW &&
            search_net(policy->arena, &rule->net, &search)) {
            *point = (struct operation_point){.domain = DOMAIN_NET, .verb = search.point.verb, .net = search.point};
            return 1;
        }
    }
    uint64_t more = policy_capabilities(policy) & ~policy_capabilities(ceiling);
    if (more && parts & WITHIN_CAPABILITIES) {
        *point = (struct operation_point){.domain = DOMAIN_CAPABILITIES, .capability = (unsigned)__builtin_ctzll(more)};
        return 1;
    }
    struct graph *graph = policy->graph;
    for (int arch = 0; arch < ARCH_COUNT && parts & WITHIN_CALLS; arch++)
        for (size_t call = 0; call < syscall_count(); call++) {
            if (syscall_row(call)->number[arch] < 0)
                continue;
            graph_node mine = allows_call(policy, (enum arch)arch, call),
                       theirs = allows_call(ceiling, (enum arch)arch, call);
            uint32_t words[SECCOMP_WORDS];
            int found =
                graph_find(graph, graph_select(graph, theirs, graph_leaf(graph, 0), mine), 1, words, SECCOMP_WORDS);
            if (found > 0)
                call_point((enum arch)arch, call, words, point);
            if (found)
                return found;
        }
    return 0;
}
