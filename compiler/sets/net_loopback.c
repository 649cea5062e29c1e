// What rules allow on the sandbox's own loopback.
#include "compiler/sets/net_loopback.h"

struct use {             // of one verb
    size_t ranges;
    uint16_t first;      // where the last range begins
    bool all_from_first; // one range, up to 65535
    uint32_t total;      // ports
};

// Are they allowed at one port alike in both families, and in every part of 127.0.0.0/8 that some rule knows?
static bool same_everywhere(const struct net_rules *rules, struct net_point *point, bool *allowed)
{
    point->address = net_prefix_first(&net_loopback_v4) + 1;
    *allowed = rules->allows(rules->context, point);
    point->address = net_prefix_first(&net_loopback_v6);
    if (rules->allows(rules->context, point) != *allowed)
        return false;
    for (size_t i = 0; i < rules->count; i++) {
        const struct net_box *box = rules->box(rules->context, i);
        const net_address borders[2] = {box->first, box->last + 1};
        for (int b = 0; b < 2 && net_box_has_addresses(box); b++) {
            point->address = borders[b];
            if (borders[b] >= net_prefix_first(&net_loopback_v4) && borders[b] <= net_prefix_last(&net_loopback_v4) &&
                rules->allows(rules->context, point) != *allowed)
                return false;
        }
    }
    return true;
}

bool net_loopback_ports(const struct net_rules *rules, unsigned verb, unsigned protocol,
                        void (*each)(void *context, uint16_t first, uint16_t last), void *context)
{
    for (uint32_t port = 0, next; port <= UINT16_MAX; port = next) { // cut at every border of a rule
        struct net_point point = {.verb = verb, .protocol = protocol, .place = NET_ADDRESS, .port = (uint16_t)port};
        bool allowed;
        if (!same_everywhere(rules, &point, &allowed))
            return false;
        next = UINT16_MAX + 1;
        for (size_t i = 0; i < rules->count; i++) {
            const struct net_box *box = rules->box(rules->context, i);
            const uint32_t borders[2] = {box->port_first, box->port_last + 1u};
            for (int b = 0; b < 2; b++)
                if (borders[b] > port && borders[b] < next)
                    next = borders[b];
        }
        if (allowed)
            each(context, (uint16_t)port, (uint16_t)(next - 1));
    }
    return true;
}

static void add_use(void *context, uint16_t first, uint16_t last)
{
    struct use *use = context;
    bool goes_on = use->total && use->first + use->total == first && use->ranges == 1;
    if (!goes_on) {
        use->ranges++;
        use->first = first;
    }
    use->total += last - first + 1u;
    use->all_from_first = last == UINT16_MAX && use->ranges == 1;
}

bool net_loopback_sends_alike(const struct net_rules *rules)
{
    struct use use = {0};
    return net_loopback_ports(rules, VERB_CONNECT, PROTOCOL_UDP, add_use, &use) &&
           (!use.total || use.total == UINT16_MAX + 1u);
}

bool net_loopback_kept(const struct net_rules *rules, struct net_loopback *loopback)
{
    *loopback = (struct net_loopback){.first_port = -1};
    for (unsigned protocol = PROTOCOL_TCP; protocol <= PROTOCOL_UDP; protocol <<= 1) {
        struct use bind = {0}, connect = {0}, listen = {0};
        bool tcp = protocol == PROTOCOL_TCP;
        if (!net_loopback_ports(rules, VERB_BIND, protocol, add_use, &bind) ||
            !net_loopback_ports(rules, VERB_CONNECT, protocol, add_use, &connect) ||
            !net_loopback_ports(rules, VERB_LISTEN, protocol, add_use, &listen))
            return false;
        if (!bind.total && !connect.total)
            continue; // there are no such sockets, or nothing can be done with them
        loopback->used = true;
        // Nothing can listen below the first port, so what may be connected to there does not matter.
        bool all = bind.all_from_first && connect.all_from_first && connect.first <= bind.first &&
                   (loopback->first_port < 0 || loopback->first_port == bind.first) &&
                   (!listen.total || (listen.all_from_first && listen.first <= bind.first));
        if (all) {
            loopback->first_port = bind.first;
            loopback->all_of_tcp |= tcp;
            continue;
        }
        if (!tcp || (listen.total && listen.total != UINT16_MAX + 1u && listen.total != bind.total) ||
            bind.total + connect.total > LOOPBACK_SINGLE_PORTS_MOST)
            return false;
        loopback->single_ports = true;
        if (bind.total)
            loopback->first_port = 0;
    }
    return true;
}
