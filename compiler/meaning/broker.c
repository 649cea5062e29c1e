// The broker's calls.
#include "compiler/meaning/broker.h"

#include <string.h>

#include "compiler/sets/seccomp.h"

static const struct {
    const char *call;
    enum broker_part part;
    int unless_null; // an argument: without it the call names no address
} rows[] = {
    {"connect", BROKER_CONNECTIONS, -1}, {"bind", BROKER_CONNECTIONS, -1}, {"listen", BROKER_CONNECTIONS, -1},
    {"sendto", BROKER_MESSAGES, 4},      {"sendmsg", BROKER_MESSAGES, -1}, {"sendmmsg", BROKER_MESSAGES, -1},
};

// Where each call on an address is sbxrun's, rules on a part of the sandbox's own loopback are kept by no other layer.
static bool is_part_of_loopback(const struct rule *rule, const struct net_box *box)
{
    if (!(box->protocols & PROTOCOL_UDP) || !net_box_has_addresses(box))
        return false;
    if (rule->effect == EFFECT_ALLOW)
        return net_box_is_loopback(box) && (box->port_first || box->port_last != UINT16_MAX);
    for (int i = 0; i < 2; i++)
        if (box->first <= net_prefix_last(net_loopbacks[i]) && box->last >= net_prefix_first(net_loopbacks[i]))
            return true;
    return false;
}

unsigned policy_broker(const struct policy *policy)
{
    unsigned parts = 0;
    bool part_of_loopback = false, loopback = false;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        bool allows = rule->effect == EFFECT_ALLOW;
        for (size_t k = 0; rule->domain == DOMAIN_NET && (allows || rule->effect == EFFECT_DENY) && k < rule->net.count;
             k++) {
            const struct net_box *box = &rule->net.boxes[k];
            bool own = net_box_is_loopback(box);
            loopback |= allows && own && box->protocols & PROTOCOL_UDP;
            part_of_loopback |= is_part_of_loopback(rule, box);
            if (own || !allows)
                continue;
            parts |= BROKER_CONNECTIONS;
            if (net_box_sends_out(box))
                parts |= BROKER_MESSAGES; // also for a verb that is not connect: what was bound can send
        }
    }
    return parts && loopback && part_of_loopback ? parts | BROKER_MESSAGES : parts;
}

bool broker_takes(unsigned parts, size_t call, int *unless_null)
{
    for (size_t i = 0; parts && i < sizeof rows / sizeof *rows; i++)
        if (parts & rows[i].part && strcmp(syscall_row(call)->name, rows[i].call) == 0) {
            *unless_null = rows[i].unless_null;
            return true;
        }
    return false;
}

uint32_t broker_answer(unsigned parts, size_t call, const uint64_t arguments[SYSCALL_ARGUMENTS], uint32_t action)
{
    int unless_null;
    if (action != SECCOMP_ALLOW || !broker_takes(parts, call, &unless_null) ||
        (unless_null >= 0 && arguments[unless_null] == 0))
        return action;
    return SECCOMP_NOTIFY;
}
