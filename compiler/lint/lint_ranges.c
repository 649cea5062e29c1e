// Ranges of addresses that hold more than they look.
#include "compiler/lint/lint.h"
#include "compiler/meaning/search.h"

static const net_address four_first = (net_address)0xFFFF << 32, four_last = four_first | UINT32_MAX;

// Of IPv6, and IPv4 lies in it.
static bool is_mixed(const struct net_box *box)
{
    return box->place == NET_ADDRESS && box->first <= four_first && box->last >= four_last &&
           (box->first < four_first || box->last > four_last);
}

struct question {
    struct policy *policy;
    const struct net_set *stated; // what rules allow that say IPv4
};

static bool visit_unsaid(const struct net_point *point, void *context)
{
    const struct question *q = context;
    return net_set_contains(q->stated, point) || !policy_net_allows(q->policy, point); // true: go on
}

static void judge(struct policy *policy, const struct rule *rule, const struct net_set *stated)
{
    const struct net_set **borders = NEW_ARRAY(policy->arena, const struct net_set *, 2 * policy->rule_count + 1);
    size_t count = policy_net_sets(policy, borders);
    borders[count++] = stated;
    struct question q = {policy, stated};
    for (size_t i = 0; i < rule->net.count; i++) {
        if (!is_mixed(&rule->net.boxes[i]))
            continue;
        struct net_box four = rule->net.boxes[i];
        four.first = four_first;
        four.last = four_last;
        if (net_set_each(policy->arena, &(struct net_set){&four, 1}, borders, count, visit_unsaid, &q))
            continue;
        struct diagnostic *d = lint_finding(policy, SBX0724, rule->span);
        if (!d)
            return;
        diagnostic_label(&policy->compilation->diagnostics, d, rule->span,
                         "a connection to `::ffff:192.0.2.1` is one to 192.0.2.1");
        diagnostic_help(&policy->compilation->diagnostics, d,
                        "the internet's addresses of IPv6 are `[2000::]/3`; where IPv4 is meant, write `0.0.0.0/0`");
        return;
    }
}

void lint_ranges(struct policy *policy)
{
    struct net_set stated = {0};
    size_t most = 0;
    for (size_t i = 0; i < policy->net_rule_count; i++)
        most += policy->net_rules[i]->net.count;
    stated.boxes = NEW_ARRAY(policy->arena, struct net_box, most);
    for (size_t i = 0; i < policy->net_rule_count; i++)
        for (size_t k = 0; policy->net_rules[i]->effect == EFFECT_ALLOW && k < policy->net_rules[i]->net.count; k++)
            if (!is_mixed(&policy->net_rules[i]->net.boxes[k]))
                stated.boxes[stated.count++] = policy->net_rules[i]->net.boxes[k];
    for (size_t i = 0; i < policy->net_rule_count; i++)
        if (policy->net_rules[i]->effect == EFFECT_ALLOW && !policy->net_rules[i]->chain)
            judge(policy, policy->net_rules[i], &stated);
}
