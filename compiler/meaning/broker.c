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

unsigned policy_broker(const struct policy *policy)
{
    unsigned parts = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        for (size_t k = 0; rule->domain == DOMAIN_NET && rule->effect == EFFECT_ALLOW && k < rule->net.count; k++) {
            const struct net_box *box = &rule->net.boxes[k];
            if (net_box_is_loopback(box))
                continue;
            parts |= BROKER_CONNECTIONS;
            if (box->protocols & (box->place == NET_UNIX ? PROTOCOL_UNIX : PROTOCOL_UDP))
                parts |= BROKER_MESSAGES; // also for a verb that is not connect: what was bound can send
        }
    }
    return parts;
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
