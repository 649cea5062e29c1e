// Allows under a condition that other allows of the same policy cover already: whoever wrote one meant a restriction,
// and it is none. What a `use` brings does not count: a library that comes to allow more must not break its users.
#include "compiler/meaning/effects.h"
#include "compiler/sets/seccomp.h"

struct allow_effect { // per rule
    bool has_any;
    const struct rule *covered_by;
};

static bool counts(const struct call_rule *entry, enum arch arch)
{
    return entry->rule->effect == EFFECT_ALLOW && !entry->rule->chain && entry->match->architectures >> arch & 1;
}

// For one call: what each of its allows adds to all the others, by the unions of those before and those after it.
static void find_effects(struct policy *policy, enum arch arch, size_t call, struct allow_effect *effects)
{
    struct graph *graph = policy->graph;
    size_t count = 0;
    bool conditional = false;
    for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next)
        if (counts(entry, arch)) {
            count++;
            conditional |= entry->match->tests[arch] != NULL;
            effects[entry->rule->number].has_any |= entry->match->tests[arch] == NULL;
        }
    if (!conditional)
        return;
    const struct call_rule **list = NEW_ARRAY(policy->arena, const struct call_rule *, count);
    graph_node *own = NEW_ARRAY(policy->arena, graph_node, count),
               *after = NEW_ARRAY(policy->arena, graph_node, count + 1);
    graph_node no = graph_leaf(graph, 0), yes = graph_leaf(graph, 1), before = no;
    size_t n = 0;
    for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next)
        if (counts(entry, arch)) {
            own[n] = test_graph(graph, entry->match->tests[arch]);
            list[n++] = entry;
        }
    after[count] = no;
    for (size_t i = count; i-- > 0;)
        after[i] = graph_select(graph, own[i], yes, after[i + 1]);
    for (size_t i = 0; i < count; i++) {
        uint32_t words[SECCOMP_WORDS];
        graph_node others = graph_select(graph, before, yes, after[i + 1]);
        if (graph_find(graph, graph_select(graph, others, no, own[i]), 1, words, SECCOMP_WORDS) != 0)
            effects[list[i]->rule->number].has_any = true;
        else
            effects[list[i]->rule->number].covered_by = list[i ? i - 1 : 1]->rule;
        before = graph_select(graph, own[i], yes, before);
    }
    for (size_t i = 0; i < count; i++) // a rule without a condition covers best
        for (size_t k = 0; k < count && list[i]->match->tests[arch] && effects[list[i]->rule->number].covered_by; k++)
            if (!list[k]->match->tests[arch]) {
                effects[list[i]->rule->number].covered_by = list[k]->rule;
                break;
            }
}

bool policy_effects(struct policy *policy)
{
    struct allow_effect *effects = NEW_ARRAY(policy->arena, struct allow_effect, policy->rule_count + 1);
    for (size_t call = 0; call < syscall_count(); call++)
        for (int arch = 0; arch < ARCH_COUNT && policy->calls[call]; arch++)
            find_effects(policy, (enum arch)arch, call, effects);
    bool good = true;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (effects[i].has_any || !effects[i].covered_by || rule->lifts)
            continue;
        struct diagnostic *d = diagnose(&policy->compilation->diagnostics, SBX0421, rule->span);
        diagnostic_label(&policy->compilation->diagnostics, d, rule->span, "so this condition has no effect");
        diagnostic_label(&policy->compilation->diagnostics, d, effects[i].covered_by->span, "already allows it");
        diagnostic_help(&policy->compilation->diagnostics, d,
                        "to restrict what is allowed, deny the rest: `deny … where …;`");
        good = false;
    }
    return good;
}
