// The sandbox's network.
#include "enforcer/network/network.h"

#include <errno.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "compiler/meaning/broker.h"
#include "compiler/network/net_rules.h"
#include "enforcer/helpers/helper.h"
#include "enforcer/host/host.h"
#include "enforcer/host/kernel.h"
#include "enforcer/network/net_guard.h"
#include "enforcer/host/scoped.h"

static bool allowed(const struct plan *plan, const struct net_point *point)
{
    uint32_t rule;
    return network_allows(plan, point, &rule);
}

static net_address loopback_v4(void)
{
    return net_prefix_first(&net_loopback_v4) + 1;
} // 127.0.0.1
static net_address loopback_v6(void)
{
    return net_prefix_first(&net_loopback_v6);
}

static int refuse(const struct plan_net *entry, const char *what, const char *advice, struct failure *failure)
{
    return fail_with_advice(failure, entry->rule, 0, advice, "nothing here enforces %s yet, so the command is not run",
                            what);
}

struct port_use { // what is allowed to one verb of one protocol on the loopback
    size_t count;
    uint16_t first;      // where the last range begins
    bool all_from_first; // one range, up to 65535
    uint32_t total;
};

// Cuts the ports at every border of a rule and asks the policy function about each piece, for both families and every
// part of 127.0.0.0/8 that some rule treats differently. False when the parts disagree.
static bool ports_of(const struct plan *plan, unsigned verb, unsigned protocol, struct port_use *ports,
                     void (*each)(void *, uint16_t first, uint16_t last), void *context)
{
    *ports = (struct port_use){0};
    bool open = false;
    for (uint32_t port = 0; port <= 65536;) {
        bool now = false;
        if (port <= 65535) {
            struct net_point point = {.verb = verb,
                                      .protocol = protocol,
                                      .place = NET_ADDRESS,
                                      .address = loopback_v4(),
                                      .port = (uint16_t)port};
            now = allowed(plan, &point);
            point.address = loopback_v6();
            if (allowed(plan, &point) != now)
                return false;
            for (size_t i = 0; i < plan->net_count; i++) {
                const struct net_box *box = &plan->net[i].box;
                net_address borders[2] = {box->first, box->last + 1};
                for (int b = 0; b < 2 && net_box_has_addresses(box); b++)
                    if (borders[b] >= net_prefix_first(&net_loopback_v4) &&
                        borders[b] <= net_prefix_last(&net_loopback_v4)) {
                        point.address = borders[b];
                        if (allowed(plan, &point) != now)
                            return false;
                    }
            }
        }
        uint32_t next = 65537;
        for (size_t i = 0; i < plan->net_count; i++) {
            uint32_t borders[2] = {plan->net[i].box.port_first, plan->net[i].box.port_last + 1u};
            for (int b = 0; b < 2; b++)
                if (borders[b] > port && borders[b] < next)
                    next = borders[b];
        }
        if (next > 65536 && port < 65536)
            next = 65536;
        if (now) {
            uint32_t last = next - 1 > 65535 ? 65535 : next - 1;
            if (!open) {
                ports->count++;
                ports->first = (uint16_t)port;
            }
            ports->total += last - port + 1;
            ports->all_from_first = last == 65535;
            if (each)
                each(context, (uint16_t)port, (uint16_t)last);
        }
        open = now;
        if (port == 65536)
            break;
        port = next;
    }
    ports->all_from_first = ports->all_from_first && ports->count == 1;
    return true;
}

struct add_ports {
    struct loopback *loopback;
    uint64_t right;
};

static void add_port_range(void *context, uint16_t first, uint16_t last)
{
    struct add_ports *add = context;
    for (uint32_t port = first; port <= last; port++) {
        struct loopback *own = add->loopback;
        size_t i = 0;
        while (i < own->port_count && own->ports[i].port != port)
            i++;
        if (i == LOOPBACK_PORTS_MOST)
            return; // counted before
        own->ports[i].port = (uint16_t)port;
        own->ports[i].rights |= add->right;
        own->port_count += i == own->port_count;
    }
}

// A guard stands behind the broker where sockets of the internet are made in the host's network.
static void claim_guard(const struct plan *plan, struct network *network)
{
    network->guard_lacks = "nothing of the internet is reached";
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && plan->net[i].box.place != NET_UNIX && !net_box_is_loopback(&plan->net[i].box)) {
            network->guard_lacks = net_guard_lacks();
            break;
        }
}

// Names are resolved by a program of its own, where some rule allows one.
static int claim_names(const struct plan *plan, struct failure *failure)
{
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && net_box_has_name(&plan->net[i].box) && !helper_exists(HELPER_NAMES))
            return fail_with_advice(failure, plan->net[i].rule, 0, "it is installed beside sbxrun",
                                    "names can't be resolved: sbxnames is not there");
    return 0;
}

// A proxy makes connections, and sends no datagrams.
static int claim_proxy(const struct plan *plan, struct network *network, struct failure *failure)
{
    for (size_t i = 0; i < plan->net_count; i++) {
        const struct net_box *box = &plan->net[i].box;
        if (!plan->net[i].deny && net_box_has_name(box) && box->verbs & VERB_CONNECT && box->protocols == PROTOCOL_UDP)
            return fail_with_advice(failure, plan->net[i].rule, 0,
                                    "allow tcp, or addresses, which are reached without the proxy",
                                    "datagrams to a name can't go through a proxy");
    }
    return proxy_find(plan, &network->proxy, failure);
}

int network_claim(const struct plan *plan, struct network *network, struct failure *failure)
{
    *network =
        (struct network){.guard_rule = NO_RULE,
                         .own = {.port_start = 1024, .tcp_rights = LANDLOCK_NET_BIND_TCP | LANDLOCK_NET_CONNECT_TCP}};
    const struct plan_net *allow = NULL;
    for (size_t i = 0; i < plan->net_count; i++) {
        const struct plan_net *entry = &plan->net[i];
        if (entry->deny)
            continue; // nothing is reachable but what is allowed
        if (!net_box_is_loopback(&entry->box) && !plan->broker)
            return refuse(entry, "connections out of the sandbox under a plan without a broker",
                          "let sbxc make the plan", failure);
        if (net_box_sends_out(&entry->box) && !(plan->broker & BROKER_MESSAGES))
            return refuse(entry, "datagrams out of the sandbox under a plan whose broker does not send them",
                          "let sbxc make the plan", failure);
        allow = entry;
    }
    if (!allow)
        return 0;
    if (plan->broker) { // keeps every rule, as no call on an address is the command's own
        const char *advice, *why = host_lacks_for_broker(&advice);
        if (why)
            return fail_with_advice(failure, allow->rule, 0, advice, "connections can't be made for the sandbox: %s",
                                    why);
        if (claim_names(plan, failure))
            return -1;
        if (plan->proxy.set && plan_has_names(plan) && claim_proxy(plan, network, failure))
            return -1;
        network->brokered = true;
        for (size_t i = 0; i < plan->net_count; i++)
            network->own.up |= !plan->net[i].deny && plan->net[i].box.place != NET_UNIX;
        claim_guard(plan, network);
        if (plan_has_names(plan))
            resolvers_read(&network->own.resolvers);
        return 0;
    }
    static const unsigned protocols[] = {PROTOCOL_TCP, PROTOCOL_UDP};
    static const char *const partly =
        "part of the loopback network can't be kept apart from the rest: write `loopback`";
    int start = -1;
    for (int i = 0; i < 2; i++) {
        struct port_use bind, connect, listen;
        bool tcp = protocols[i] == PROTOCOL_TCP;
        if (!ports_of(plan, VERB_BIND, protocols[i], &bind, NULL, NULL) ||
            !ports_of(plan, VERB_CONNECT, protocols[i], &connect, NULL, NULL) ||
            !ports_of(plan, VERB_LISTEN, protocols[i], &listen, NULL, NULL))
            return refuse(allow, "rules on a part of the loopback network", partly, failure);
        if (bind.total == 0 && connect.total == 0)
            continue; // no sockets of this protocol: seccomp
        // Nothing can listen below the first port, so what may be connected to there does not matter.
        bool open = bind.all_from_first && connect.all_from_first && connect.first <= bind.first &&
                    (start < 0 || start == bind.first) &&
                    (listen.total == 0 || (listen.all_from_first && listen.first <= bind.first));
        if (open) {
            start = bind.first;
            network->own.tcp_rights = tcp ? 0 : network->own.tcp_rights;
            continue;
        }
        if (!tcp || (listen.total && listen.total != 65536 && listen.total != bind.total))
            return refuse(allow, "this set of ports",
                          "all ports from a number up, `loopback:1024..65535`, for both bind and connect can be kept, "
                          "and of tcp up to 1024 ports",
                          failure);
        if (bind.total + connect.total > LOOPBACK_PORTS_MOST)
            return refuse(allow, "so many single ports",
                          "name up to 1024 ports, or all from a number up to bind and to connect: `allow bind, "
                          "connect tcp loopback:1024..65535`",
                          failure);
        if (host_landlock_abi() < 4)
            return fail_with_advice(
                failure, allow->rule, 0,
                "Landlock with ABI 4 (Linux 6.7) keeps single ports apart; `loopback:1024..65535` needs none",
                "this host's kernel can't enforce single ports");
        network->own.needs_landlock = true;
        ports_of(plan, VERB_BIND, PROTOCOL_TCP, &bind, add_port_range,
                 &(struct add_ports){&network->own, LANDLOCK_NET_BIND_TCP});
        ports_of(plan, VERB_CONNECT, PROTOCOL_TCP, &connect, add_port_range,
                 &(struct add_ports){&network->own, LANDLOCK_NET_CONNECT_TCP});
        start = start < 0 && bind.total ? 0 : start;
    }
    network->own.up = true;
    if (start >= 0)
        network->own.port_start = (uint16_t)start;
    return 0;
}
