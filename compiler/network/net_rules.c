// The policy function of the network, on a plan.
#include "compiler/network/net_rules.h"

static bool in_box(const struct plan_net *entry, const struct net_point *point)
{
    return net_set_contains(&(struct net_set){(struct net_box *)&entry->box, 1}, point);
}

static const struct net_box *box_at(void *plan, size_t index)
{
    return &((const struct plan *)plan)->net[index].box;
}

static bool allows(void *plan, const struct net_point *point)
{
    uint32_t rule;
    return network_allows(plan, point, &rule);
}

// An exception belongs to the deny rule that it follows.
bool network_allows(const struct plan *plan, const struct net_point *point, uint32_t *rule)
{
    bool any = false;
    struct net_point at = *point;
    if (point->anywhere) {
        net_somewhere(&at, box_at, plan->net_count, allows, (void *)plan);
        return network_allows(plan, &at, rule);
    }
    *rule = NO_RULE;
    for (size_t i = 0; i < plan->net_count; i++) {
        const struct plan_net *entry = &plan->net[i];
        if (entry->exception || !in_box(entry, point))
            continue;
        if (!entry->deny) {
            *rule = any ? *rule : entry->rule;
            any = true;
            continue;
        }
        bool spared = false;
        for (size_t k = 0; k < plan->net_count && !spared; k++)
            spared = plan->net[k].exception && plan->net[k].rule == entry->rule && in_box(&plan->net[k], point);
        if (!spared) {
            *rule = entry->rule;
            return false;
        }
    }
    return any;
}
