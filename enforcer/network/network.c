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
#include "compiler/sets/net_loopback.h"
#include "enforcer/helpers/helper.h"
#include "enforcer/host/host.h"
#include "enforcer/host/kernel.h"
#include "enforcer/network/net_guard.h"
#include "enforcer/host/scoped.h"

static const struct net_box *box_at(void *plan, size_t index)
{
    return &((const struct plan *)plan)->net[index].box;
}

static bool allows(void *plan, const struct net_point *point)
{
    uint32_t rule;
    return network_allows(plan, point, &rule);
}

static int refuse(const struct plan_net *entry, const char *what, struct failure *failure)
{
    return fail_with_advice(failure, entry->rule, 0, "let sbxc make the plan",
                            "nothing here enforces %s, so the command is not run", what);
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
    struct net_rules rules = {box_at, plan->net_count, allows, (void *)plan};
    bool alike = net_loopback_sends_alike(&rules);
    for (size_t i = 0; i < plan->net_count; i++) {
        const struct plan_net *entry = &plan->net[i];
        if (entry->deny)
            continue; // nothing is reachable but what is allowed
        if (!net_box_is_loopback(&entry->box) && !plan->broker)
            return refuse(entry, "connections out of the sandbox under a plan without a broker", failure);
        if ((net_box_sends_out(&entry->box) || !alike) && plan->broker && !(plan->broker & BROKER_MESSAGES))
            return refuse(entry, "rules on datagrams under a plan whose broker does not send them", failure);
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
    struct net_loopback loopback;
    if (!net_loopback_kept(&rules, &loopback))
        return refuse(allow, "rules on a part of the loopback under a plan without a broker", failure);
    if (loopback.single_ports && host_landlock_abi() < 4)
        return fail_with_advice(failure, allow->rule, 0,
                                "Landlock with ABI 4 (Linux 6.7) keeps single ports apart; `loopback:1024..65535` "
                                "needs none",
                                "this host's kernel can't enforce single ports");
    if (loopback.single_ports) {
        network->own.needs_landlock = true;
        net_loopback_ports(&rules, VERB_BIND, PROTOCOL_TCP, add_port_range,
                           &(struct add_ports){&network->own, LANDLOCK_NET_BIND_TCP});
        net_loopback_ports(&rules, VERB_CONNECT, PROTOCOL_TCP, add_port_range,
                           &(struct add_ports){&network->own, LANDLOCK_NET_CONNECT_TCP});
    }
    if (loopback.all_of_tcp)
        network->own.tcp_rights = 0;
    if (loopback.first_port >= 0)
        network->own.port_start = (uint16_t)loopback.first_port;
    network->own.up = true;
    return 0;
}
