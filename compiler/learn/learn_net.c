// Learning: what a command connects to, and its own servers.
#include "compiler/learn/learner.h"

#include "compiler/meaning/search.h"
#include "compiler/sets/net_range.h"

// Memory of the sandbox's own, as the deepest place above says.
static bool is_in_memory(const struct learner *l, struct str path)
{
    const struct place *deepest = NULL;
    for (size_t i = 0; i < l->place_count; i++)
        if (!l->places[i].gone && path_covers(l->places[i].path, path) &&
            (!deepest || l->places[i].path.length > deepest->path.length))
            deepest = &l->places[i];
    return deepest ? deepest->is_memory : path_covers(STR("/dev/shm"), path);
}

// Did it make unix sockets whose datagrams go to whatever path each names? `unix loopback` has none.
static bool sends_to_paths(const struct learner *l)
{
    int socket = syscall_find(STR("socket"));
    enum { FAMILY_UNIX = 1, TYPE_DATAGRAM = 2, TYPE_MASK = 15 }; // socket(2); include/linux/net.h
    for (size_t i = 0; i < l->seen->call_count; i++) {
        const struct seen_call *call = l->seen->calls[i];
        if (syscall_by_number(ARCH_HERE, call->number) == socket && call->arguments[0] == FAMILY_UNIX &&
            (call->arguments[1] & TYPE_MASK) == TYPE_DATAGRAM)
            return true;
    }
    return false;
}

// Numbers in a name are mostly those of processes, users and ports, which are others inside or the next time.
static bool has_number(struct str name)
{
    size_t digits = 0;
    for (size_t i = 0; i < name.length && digits < 3; i++)
        digits = name.text[i] >= '0' && name.text[i] <= '9' ? digits + 1 : 0;
    return digits == 3;
}

// A unix socket as the sandbox has it: in memory one of its own, else by its path, or by the folder that was there
// before where its name may be another one each time.
static struct net_point unix_inside(const struct learner *l, const struct net_point *point)
{
    struct net_point inside = *point;
    if (str_equal(point->name, NET_OWN_UNIX))
        return inside;
    inside.name = learner_inside(l, point->name);
    if (is_in_memory(l, inside.name)) {
        struct str root = known_temporary(inside.name);
        inside.name = !l->sends_to_paths ? NET_OWN_UNIX : root.length ? root : STR("/dev/shm");
    } else {
        const struct seen_path *socket = map_get(&l->seen->path_index, point->name),
                               *folder = map_get(&l->seen->path_index, known_folder(point->name));
        struct str above = known_folder(point->name);
        struct str name = {point->name.text + above.length, point->name.length - above.length};
        if (socket && socket->made && ((folder && folder->made) || has_number(name)))
            inside.name = learner_made_in(l, point->name);
    }
    return inside;
}

static bool net_allows(struct policy *policy, struct net_point point, unsigned verbs)
{
    for (point.verb = 1; point.verb <= VERB_NET; point.verb <<= 1)
        if (verbs & point.verb &&
            !policy_verdict(policy, &(struct operation_point){.domain = DOMAIN_NET, .net = point}).allowed)
            return false;
    return true;
}

static void learn_unix(struct learner *l, struct policy *policy, struct text *text)
{
    struct map done = {.arena = l->arena};
    l->sends_to_paths = sends_to_paths(l);
    for (size_t i = 0; i < l->seen->net_count; i++) {
        if (l->seen->nets[i]->point.place != NET_UNIX)
            continue;
        struct net_point point = unix_inside(l, &l->seen->nets[i]->point);
        if (map_put(&done, point.name, l))
            continue;
        bool binds = false;
        uint64_t count = 0;
        for (size_t k = i; k < l->seen->net_count; k++) {
            const struct seen_net *other = l->seen->nets[k];
            if (other->point.place == NET_UNIX && str_equal(unix_inside(l, &other->point).name, point.name)) {
                binds |= other->point.verb == VERB_BIND;
                count += other->count;
            }
        }
        if (net_allows(policy, point, binds ? VERB_BIND | VERB_LISTEN | VERB_CONNECT : VERB_CONNECT))
            continue;
        text_addf(text, "        allow %s unix ", binds ? "bind, listen, connect" : "connect");
        if (str_equal(point.name, NET_OWN_UNIX))
            text_add(text, point.name.text, point.name.length);
        else
            text_quote(text, point.name);
        learner_end_seen(text, count, binds ? "; servers of its own" : "");
        l->net_rules++;
    }
}

static bool is_own_loopback(const struct net_point *point)
{
    return point->place == NET_ADDRESS &&
           (point->address == 1 || (uint32_t)(point->address >> 24) == (0xFFFF00u | 127));
}

// A C library asks its kernel by udp for the way to where it then connects.
static bool asks_the_way(const struct learner *l, const struct net_point *point)
{
    for (size_t k = 0; k < l->seen->net_count && point->protocol == PROTOCOL_UDP; k++) {
        const struct net_point *other = &l->seen->nets[k]->point;
        if (other->protocol == PROTOCOL_TCP &&
            ((other->verb == VERB_CONNECT && other->place == point->place && other->address == point->address) ||
             (other->place == NET_NAME && point->place == NET_NAME && str_equal(other->name, point->name))))
            return true;
    }
    return false;
}

static struct str net_operation(struct learner *l, const struct net_point *point)
{
    struct text text = {.arena = l->arena};
    net_point_print(&text, point);
    return text_str(&text);
}

void learner_net(struct learner *l, struct policy *policy)
{
    struct text text = {.arena = l->arena};
    uint64_t loopback[2] = {0}; // tcp, udp
    learn_unix(l, policy, &text);
    for (size_t i = 0; i < l->seen->net_count; i++) {
        const struct seen_net *net = l->seen->nets[i];
        const struct net_point *point = &net->point;
        if (point->place == NET_UNIX || net_allows(policy, *point, point->verb))
            continue;
        if (point->verb != VERB_CONNECT || is_own_loopback(point)) { // a server of the command's own, and who asks it
            loopback[point->protocol == PROTOCOL_UDP] += net->count;
            continue;
        }
        const char *needless = asks_the_way(l, point) ? "a C library asks so for the way to where it connects by tcp"
                                                      : known_probe(point);
        if (needless) {
            learner_note(l, net_operation(l, point), needless, net->count);
            continue;
        }
        text_addf(&text, "        allow ");
        net_point_print(&text, point);
        if (point->place == NET_NAME && net_is_private(point->address))
            text_addf(&text, " private");
        learner_end_seen(&text, net->count, "");
        l->net_rules++;
    }
    for (int k = 0; k < 2; k++)
        if (loopback[k]) {
            text_addf(&text, "        allow bind, listen, connect %s loopback", k ? "udp" : "tcp");
            learner_end_seen(&text, loopback[k], "; servers of its own");
            l->net_rules++;
        }
    l->net = text_str(&text);
}

void learner_ask_net(struct learner *l, struct policy *policy, bool last, struct learned *learned)
{
    for (size_t i = 0; i < l->seen->net_count; i++) {
        const struct seen_net *net = l->seen->nets[i];
        struct net_point point = net->point.place == NET_UNIX ? unix_inside(l, &net->point) : net->point;
        learned->operations++;
        if (policy_verdict(policy, &(struct operation_point){.domain = DOMAIN_NET, .net = point}).allowed)
            learned->allowed++;
        else if (last)
            learner_note(l, net_operation(l, &net->point),
                         point.verb == VERB_CONNECT ? "no rule for it could be found"
                                                    : "the sandbox has a network of its own, without this address",
                         net->count)
                ->things++;
    }
}
