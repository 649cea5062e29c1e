// The broker's calls.
#include "compiler/meaning/broker.h"

#include <string.h>

#include "compiler/sets/net_loopback.h"
#include "compiler/sets/seccomp.h"

static const struct {
    const char *call;
    enum broker_part part;
    int unless_null; // an argument: without it the call names no address
} rows[] = {
    {"connect", BROKER_CONNECTIONS, -1}, {"bind", BROKER_CONNECTIONS, -1}, {"listen", BROKER_CONNECTIONS, -1},
    {"sendto", BROKER_MESSAGES, 4},      {"sendmsg", BROKER_MESSAGES, -1}, {"sendmmsg", BROKER_MESSAGES, -1},
};

// ---- the sandbox's own loopback -----------------------------------------------------------------------------------

struct boxes {
    const struct policy *policy;
    const struct net_box **list;
    size_t count;
};

static const struct net_box *box_at(void *context, size_t index)
{
    return ((const struct boxes *)context)->list[index];
}

static bool net_allows(void *context, const struct net_point *point)
{
    const struct policy *policy = ((const struct boxes *)context)->policy;
    bool allowed = false;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain != DOMAIN_NET || (rule->effect != EFFECT_ALLOW && rule->effect != EFFECT_DENY) ||
            !net_set_contains(&rule->net, point) || net_set_contains(&rule->net_except, point))
            continue;
        if (rule->effect == EFFECT_DENY)
            return false;
        allowed = true;
    }
    return allowed;
}

static void add_boxes(struct boxes *boxes, const struct net_set *set)
{
    for (size_t k = 0; k < set->count; k++)
        boxes->list[boxes->count++] = &set->boxes[k];
}

// What is to be asked about on the loopback. `outward`: sbxrun makes connections anyway, so no other layer keeps it.
static unsigned parts_of_loopback(const struct policy *policy, bool outward)
{
    size_t count = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        count += policy->rules[i].net.count + policy->rules[i].net_except.count;
    struct boxes boxes = {policy, NEW_ARRAY(policy->arena, const struct net_box *, count + 1), 0};
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].domain == DOMAIN_NET &&
            (policy->rules[i].effect == EFFECT_ALLOW || policy->rules[i].effect == EFFECT_DENY)) {
            add_boxes(&boxes, &policy->rules[i].net);
            add_boxes(&boxes, &policy->rules[i].net_except);
        }
    struct net_rules rules = {box_at, boxes.count, net_allows, &boxes};
    struct net_loopback loopback;
    if (!outward && net_loopback_kept(&rules, &loopback))
        return 0;
    return BROKER_CONNECTIONS | (net_loopback_sends_alike(&rules) ? 0 : BROKER_MESSAGES);
}

unsigned policy_broker(const struct policy *policy)
{
    unsigned parts = 0;
    bool loopback = false;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        for (size_t k = 0; rule->domain == DOMAIN_NET && rule->effect == EFFECT_ALLOW && k < rule->net.count; k++) {
            const struct net_box *box = &rule->net.boxes[k];
            bool own = net_box_is_loopback(box);
            loopback |= own;
            if (!own)
                parts |= BROKER_CONNECTIONS;
            if (net_box_sends_out(box))
                parts |= BROKER_MESSAGES; // also for a verb that is not connect: what was bound can send
        }
    }
    return loopback && !(parts & BROKER_MESSAGES) ? parts | parts_of_loopback(policy, parts) : parts;
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
