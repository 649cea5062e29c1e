// Rules without effect, and rules that can be one.
#include <stdlib.h>
#include <string.h>

#include "compiler/code/cbpf.h"
#include "compiler/sets/condition_text.h"
#include "compiler/lint/lint.h"
#include "compiler/meaning/search.h"

// Rules beyond this many of one kind were made by a machine, which does not mind. It bounds what is quadratic.
enum { BY_HAND = 500, BY_HAND_PER_CALL = 64 };

static bool is_own(const struct rule *rule, enum effect effect)
{
    return rule->effect == effect && !rule->chain && !rule->derived;
}

// ---- allows -------------------------------------------------------------------------------------------------------

struct named_path { // one path of an allow
    struct str path;
    const struct rule *rule;
};

static int by_path(const void *a, const void *b)
{
    const struct named_path *x = a, *y = b;
    int order = path_compare(x->path, y->path);
    return order ? order : (x->rule->number > y->rule->number) - (x->rule->number < y->rule->number);
}

static size_t own_paths(const struct policy *policy, enum effect effect, struct named_path **list)
{
    size_t most = 0, count = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        most += policy->rules[i].path_count;
    *list = NEW_ARRAY(policy->arena, struct named_path, most + 1);
    for (size_t i = 0; i < policy->rule_count; i++)
        for (size_t k = 0; k < policy->rules[i].path_count; k++)
            if (policy->rules[i].domain == DOMAIN_FILES && is_own(&policy->rules[i], effect))
                (*list)[count++] = (struct named_path){policy->rules[i].paths[k], &policy->rules[i]};
    qsort(*list, count, sizeof **list, by_path);
    return count;
}

// A subtree is covered when one of those above it, or an earlier one of the same path, has its verbs: no set of smaller
// ones can do that.
static void find_covered_files(struct policy *policy, const struct rule **covered_by, bool *has_own)
{
    struct named_path *list;
    size_t count = own_paths(policy, EFFECT_ALLOW, &list), depth = 0;
    size_t *stack = NEW_ARRAY(policy->arena, size_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        while (depth && !path_covers(list[stack[depth - 1]].path, list[i].path))
            depth--;
        unsigned left = list[i].rule->verbs;
        for (size_t d = 0; d < depth && left; d++)
            if (list[stack[d]].rule != list[i].rule && left & list[stack[d]].rule->verbs) {
                left &= ~list[stack[d]].rule->verbs;
                covered_by[list[i].rule->number] = list[stack[d]].rule;
            }
        has_own[list[i].rule->number] |= left || list[i].rule->content;
        stack[depth++] = i;
    }
}

struct cover {
    const struct net_set *const *sets;
    size_t count;
};

static bool visit_uncovered(const struct net_point *point, void *context)
{
    const struct cover *cover = context;
    for (size_t i = 0; i < cover->count; i++)
        if (net_set_contains(cover->sets[i], point))
            return true; // go on
    return false;
}

static bool visit_outside(const struct net_point *point, void *set)
{
    return !net_set_contains(set, point);
}

static void find_covered_nets(struct policy *policy, const struct rule **covered_by, bool *has_own)
{
    const struct net_set **others = NEW_ARRAY(policy->arena, const struct net_set *, policy->rule_count);
    const struct rule **covering = NEW_ARRAY(policy->arena, const struct rule *, policy->rule_count);
    for (size_t i = policy->rule_count; i-- > 0;) { // the last first: of two that are equal, the later one is needless
        const struct rule *rule = &policy->rules[i];
        if (rule->domain != DOMAIN_NET || !is_own(rule, EFFECT_ALLOW))
            continue;
        struct cover cover = {others, 0};
        for (size_t k = 0; k < policy->rule_count; k++) {
            const struct rule *other = &policy->rules[k];
            bool needless = k > i && !has_own[k];
            if (k != i && other->domain == DOMAIN_NET && is_own(other, EFFECT_ALLOW) && !needless) {
                others[cover.count++] = &other->net;
                covering[cover.count - 1] = other;
            }
        }
        has_own[i] = !net_set_each(policy->arena, &rule->net, others, cover.count, visit_uncovered, &cover);
        for (size_t k = 0; k < cover.count && !has_own[i] && !covered_by[i]; k++) // one that has a part in it
            if (!net_set_each(policy->arena, &rule->net, others, cover.count, visit_outside, (void *)others[k]))
                covered_by[i] = covering[k];
    }
}

static void find_covered_calls(struct policy *policy, const struct rule **covered_by, bool *has_own)
{
    for (size_t call = 0; call < syscall_count(); call++)
        for (int arch = 0; arch < ARCH_COUNT; arch++) {
            const struct rule *whole = NULL; // allows the call whatever its arguments
            for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next) {
                if (!is_own(entry->rule, EFFECT_ALLOW) || !(entry->match->architectures >> arch & 1))
                    continue;
                if (whole && whole != entry->rule && !entry->match->tests[arch])
                    covered_by[entry->rule->number] = whole;
                else
                    has_own[entry->rule->number] = true; // under a condition: policy_effects sees to it
                if (!entry->match->tests[arch] && !whole)
                    whole = entry->rule;
            }
        }
}

static void find_covered_capabilities(struct policy *policy, const struct rule **covered_by, bool *has_own)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain != DOMAIN_CAPABILITIES || !is_own(rule, EFFECT_ALLOW))
            continue;
        uint64_t left = rule->capabilities;
        for (size_t k = 0; k < i && left; k++)
            if (policy->rules[k].domain == DOMAIN_CAPABILITIES && is_own(&policy->rules[k], EFFECT_ALLOW) &&
                left & policy->rules[k].capabilities) {
                left &= ~policy->rules[k].capabilities;
                covered_by[i] = &policy->rules[k];
            }
        has_own[i] = left || !rule->capabilities;
    }
}

static struct span whole_statement(const struct policy *policy,
                                   struct span span) // with its `;`, and its line where it has one of its own
{
    const struct source *source = source_of(&policy->compilation->sources, span);
    struct str text = source ? source->text : STR("");
    while (span.end < text.length && (text.text[span.end] == ' ' || text.text[span.end] == ';'))
        if (text.text[span.end++] == ';')
            break;
    uint32_t start = span.start, end = span.end;
    while (start > 0 && (text.text[start - 1] == ' ' || text.text[start - 1] == '\t'))
        start--;
    while (end < text.length && text.text[end] == ' ')
        end++;
    if (start > 0 && text.text[start - 1] == '\n' && end < text.length && text.text[end] == '\n')
        return (struct span){span.source, start, end + 1};
    return (struct span){span.source, span.start, end};
}

// A deny that meets the rule, for a label.
static const struct rule *deny_of(struct policy *policy, const struct rule *rule)
{
    struct operation_point denied;
    if (operation_find(policy, rule, false, &denied) <= 0)
        return NULL;
    const struct rule *deny = policy_verdict(policy, &denied).rule;
    return deny && deny->effect == EFFECT_DENY && !deny->derived ? deny : NULL;
}

void lint_allows(struct policy *policy)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    const struct rule **covered_by = NEW_ARRAY(policy->arena, const struct rule *, policy->rule_count + 1);
    bool *has_own = NEW_ARRAY(policy->arena, bool, policy->rule_count + 1);
    bool nets = policy->net_rule_count <= BY_HAND, many = policy->rule_count > 4 * BY_HAND;
    find_covered_files(policy, covered_by, has_own);
    if (nets)
        find_covered_nets(policy, covered_by, has_own);
    find_covered_calls(policy, covered_by, has_own);
    find_covered_capabilities(policy, covered_by, has_own);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!is_own(rule, EFFECT_ALLOW) || (rule->domain == DOMAIN_NET && !nets))
            continue;
        struct operation_point allowed;
        bool hidden = false; // which is said of it
        for (size_t k = 0; rule->domain == DOMAIN_FILES && k < rule->path_count && !many; k++)
            hidden |= lint_is_hidden(policy, rule, rule->paths[k]);
        if (!has_own[i] && covered_by[i] && !hidden && !rule->lifts) {
            struct diagnostic *d = lint_finding(policy, SBX0711, rule->span);
            if (d) {
                diagnostic_label(diagnostics, d, rule->span, "all of this is allowed already");
                diagnostic_label(diagnostics, d, covered_by[i]->span, "by this");
                diagnostic_fix(diagnostics, d, true, whole_statement(policy, rule->span), "%s", "");
            }
        } else if (!many && operation_find(policy, rule, true, &allowed) == 0) {
            const struct rule *deny = deny_of(policy, rule);
            struct diagnostic *d = deny ? lint_finding(policy, SBX0712, rule->span) : NULL;
            if (d) {
                diagnostic_label(diagnostics, d, rule->span, "so this allows nothing");
                diagnostic_label(diagnostics, d, deny->span, "denied here");
            }
        }
    }
}

// ---- denies -------------------------------------------------------------------------------------------------------

static const struct path_set *paths_allowed_somewhere(struct policy *policy)
{
    size_t most = 0, count = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        most += policy->rules[i].path_count;
    struct path_entry *entries = NEW_ARRAY(policy->arena, struct path_entry, most + 1);
    for (size_t i = 0; i < policy->rule_count; i++)
        for (size_t k = 0; k < policy->rules[i].path_count; k++)
            if (policy->rules[i].domain == DOMAIN_FILES && policy->rules[i].effect == EFFECT_ALLOW)
                entries[count++] = (struct path_entry){policy->rules[i].paths[k], policy->rules[i].verbs, PATH_ADDS, 0};
    return path_set_build(policy->arena, entries, count);
}

static bool denies_files(struct policy *policy, const struct rule *rule, const struct path_set *allowed)
{
    struct path_witness ignored;
    const struct path_set *denied = rule_paths(policy->arena, rule),
                          *free = path_set_minus(policy->arena, denied, allowed);
    return path_set_first(path_set_minus(policy->arena, denied, free), &ignored);
}

struct net_denial {
    const struct policy *policy;
    const struct rule *rule;
};

static bool visit_denied(const struct net_point *point, void *context)
{
    const struct net_denial *denial = context;
    struct net_point own = *point; // what a socket at that path may be allowed as besides
    if (point->place == NET_UNIX)
        own.name = NET_OWN_UNIX;
    if (net_set_contains(&denial->rule->net_except, point))
        return true;
    for (size_t i = 0; i < denial->policy->net_rule_count; i++)
        if (denial->policy->net_rules[i]->effect == EFFECT_ALLOW &&
            (net_set_contains(&denial->policy->net_rules[i]->net, point) ||
             net_set_contains(&denial->policy->net_rules[i]->net, &own)))
            return false;
    return true;
}

// An address denied by number keeps names from leading there, also where they may not anyway: whoever reads the deny
// need not know which addresses are private.
static bool guards_names(const struct policy *policy, const struct rule *rule)
{
    for (size_t d = 0; d < rule->net.count; d++)
        for (size_t i = 0; i < policy->net_rule_count && rule->net.boxes[d].place == NET_REACHED; i++)
            for (size_t k = 0; policy->net_rules[i]->effect == EFFECT_ALLOW && k < policy->net_rules[i]->net.count;
                 k++) {
                const struct net_box *name = &policy->net_rules[i]->net.boxes[k], *denied = &rule->net.boxes[d];
                if (net_box_has_name(name) && name->verbs & denied->verbs && name->protocols & denied->protocols &&
                    name->port_first <= denied->port_last && denied->port_first <= name->port_last)
                    return true;
            }
    return false;
}

static bool denies_net(struct policy *policy, const struct rule *rule)
{
    const struct net_set **borders = NEW_ARRAY(policy->arena, const struct net_set *, 2 * policy->net_rule_count);
    struct net_denial denial = {policy, rule};
    return guards_names(policy, rule) ||
           !net_set_each(policy->arena, &rule->net, borders, policy_net_sets(policy, borders), visit_denied, &denial);
}

static bool denies_call(struct policy *policy, const struct rule *rule, enum arch arch, size_t call)
{
    size_t count = 0;
    for (const struct call_rule *entry = policy->calls[call]; entry && count <= BY_HAND_PER_CALL; entry = entry->next)
        count++;
    return count > BY_HAND_PER_CALL || policy_call(policy, arch, call) != policy_call_without(policy, arch, call, rule);
}

static bool denies_calls(struct policy *policy, const struct rule *rule)
{
    for (size_t i = 0; i < rule->calls.count; i++)
        for (int arch = 0; arch < ARCH_COUNT; arch++)
            if (rule->calls.list[i].architectures >> arch & 1 &&
                denies_call(policy, rule, (enum arch)arch, rule->calls.list[i].call))
                return true;
    return rule->calls.count == 0;
}

static uint64_t capabilities_allowed_somewhere(const struct policy *policy)
{
    uint64_t all = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].domain == DOMAIN_CAPABILITIES && policy->rules[i].effect == EFFECT_ALLOW)
            all |= policy->rules[i].capabilities;
    return all;
}

struct net_cover {
    const struct rule *rule, *other;
};

static bool visit_denied_already(const struct net_point *point, void *context)
{
    const struct net_cover *cover = context;
    return net_set_contains(&cover->rule->net_except, point) ||
           (net_set_contains(&cover->other->net, point) && !net_set_contains(&cover->other->net_except, point));
}

static bool same_calls(struct policy *policy, const struct rule *a, const struct rule *b)
{
    bool same = a->calls.count == b->calls.count && !a->calls_except.count && !b->calls_except.count &&
                a->action == b->action;
    for (size_t i = 0; same && i < a->calls.count; i++) {
        const struct call_match *x = &a->calls.list[i], *y = &b->calls.list[i];
        same = x->call == y->call && x->architectures == y->architectures;
        for (int arch = 0; same && arch < ARCH_COUNT; arch++)
            same = !x->tests[arch] == !y->tests[arch] &&
                   (!x->tests[arch] ||
                    test_graph(policy->graph, x->tests[arch]) == test_graph(policy->graph, y->tests[arch]));
    }
    return same;
}

// Whether one of the policy's other denies denies all of it, with the same answer.
static bool is_denied_by(struct policy *policy, const struct rule *rule, const struct rule *other)
{
    struct path_witness ignored;
    switch (rule->domain) {
    case DOMAIN_FILES:
        return !path_set_first(
            path_set_minus(policy->arena, rule_paths(policy->arena, rule), rule_paths(policy->arena, other)), &ignored);
    case DOMAIN_NET: {
        const struct net_set *borders[] = {&other->net, &other->net_except, &rule->net_except};
        return net_set_each(policy->arena, &rule->net, borders, 3, visit_denied_already,
                            &(struct net_cover){rule, other});
    }
    case DOMAIN_CAPABILITIES: return !(rule->capabilities & ~other->capabilities);
    case DOMAIN_CALLS: return same_calls(policy, rule, other);
    }
    return false;
}

// The deny that makes an own one needless; of two that are equal it is the first. NULL: none.
static const struct rule *denied_already(struct policy *policy, const struct rule *rule)
{
    size_t looked_at = 0;
    for (size_t i = 0; i < policy->rule_count && looked_at < BY_HAND; i++) {
        const struct rule *other = &policy->rules[i];
        if (other == rule || other->domain != rule->domain || !is_own(other, EFFECT_DENY))
            continue;
        looked_at++;
        if (is_denied_by(policy, rule, other) && (other->number < rule->number || !is_denied_by(policy, other, rule)))
            return other;
    }
    return NULL;
}

// A call that is denied twice has the same answer without either: what is said is said of the later one.
static bool denied_later(struct policy *policy, const struct rule *rule)
{
    for (size_t i = rule->number + 1; i < policy->rule_count && i < rule->number + BY_HAND; i++)
        if (is_own(&policy->rules[i], EFFECT_DENY) && policy->rules[i].domain == DOMAIN_CALLS &&
            same_calls(policy, rule, &policy->rules[i]))
            return true;
    return false;
}

void lint_denies(struct policy *policy)
{
    bool allows[4] = {false}; // a policy that allows nothing of a kind is there to be used by others, which do
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].effect == EFFECT_ALLOW)
            allows[policy->rules[i].domain] = true;
    bool nets = policy->net_rule_count <= BY_HAND;
    size_t looked_at = 0;
    const struct path_set *paths = allows[DOMAIN_FILES] ? paths_allowed_somewhere(policy) : NULL;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!is_own(rule, EFFECT_DENY) || !allows[rule->domain])
            continue;
        bool effect = true;
        switch (rule->domain) {
        case DOMAIN_FILES: effect = denies_files(policy, rule, paths); break;
        case DOMAIN_NET: effect = !nets || denies_net(policy, rule); break;
        case DOMAIN_CALLS: effect = denies_calls(policy, rule); break;
        case DOMAIN_CAPABILITIES: effect = rule->capabilities & capabilities_allowed_somewhere(policy); break;
        }
        const struct rule *other = ++looked_at <= BY_HAND ? denied_already(policy, rule) : NULL;
        bool again = rule->domain == DOMAIN_CALLS && !other && looked_at <= BY_HAND && denied_later(policy, rule);
        struct diagnostic *d = (effect && !other) || again ? NULL : lint_finding(policy, SBX0713, rule->span);
        if (d && other) {
            diagnostic_label(&policy->compilation->diagnostics, d, rule->span, "all of this is denied already");
            diagnostic_label(&policy->compilation->diagnostics, d, other->span, "by this");
        } else if (d) {
            diagnostic_label(&policy->compilation->diagnostics, d, rule->span,
                             rule->domain == DOMAIN_CALLS ? "without it these calls get the same answer"
                                                          : "no rule allows any of it");
            diagnostic_help(&policy->compilation->diagnostics, d,
                            "for what must stay so whatever others allow, write `never`");
        }
    }
}

// ---- pairs --------------------------------------------------------------------------------------------------------

static bool same_reason(const struct rule *a, const struct rule *b)
{
    return !a->because.length || !b->because.length || str_equal(a->because, b->because);
}

static void report_pair(struct policy *policy, const struct rule *first, const struct rule *second, struct str as)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    struct diagnostic *d = lint_finding(policy, SBX0714, second->span);
    if (!d)
        return;
    diagnostic_label(diagnostics, d, second->span, "this one");
    diagnostic_label(diagnostics, d, first->span, "and this");
    diagnostic_help(diagnostics, d, "%.*s", STR_ARGS(as));
}

static void pair_files(struct policy *policy)
{
    struct named_path *list;
    for (enum effect effect = EFFECT_ALLOW; effect <= EFFECT_DENY; effect++) {
        size_t count = own_paths(policy, effect, &list);
        for (size_t i = 1; i < count; i++) {
            const struct rule *a = list[i - 1].rule, *b = list[i].rule;
            if (a == b || a->path_count != 1 || b->path_count != 1 || a->except_count || b->except_count ||
                !str_equal(a->paths[0], b->paths[0]) || a->if_exists != b->if_exists || (a->content && b->content) ||
                (a->verbs & b->verbs) == a->verbs || (a->verbs & b->verbs) == b->verbs || !same_reason(a, b))
                continue;
            struct text text = {.arena = policy->arena};
            text_addf(&text, effect == EFFECT_ALLOW ? "write `allow " : "write `deny ");
            path_verbs_print(&text, a->verbs | b->verbs);
            text_addf(&text, " \"%.*s\"%s;`", STR_ARGS(a->paths[0]), a->content || b->content ? " from …" : "");
            report_pair(policy, a, b, text_str(&text));
        }
    }
}

// Two boxes of which only the ports, or only the verbs, or only the protocols differ.
static bool box_pair(const struct net_box *a, const struct net_box *b)
{
    if (a->place != b->place || a->first != b->first || a->last != b->last || !str_equal(a->name, b->name) ||
        a->private != b->private)
        return false;
    int differ = (a->verbs != b->verbs) + (a->protocols != b->protocols) +
                 (a->port_first != b->port_first || a->port_last != b->port_last);
    return differ == 1;
}

static void pair_nets(struct policy *policy)
{
    for (size_t i = 0; i < policy->net_rule_count; i++)
        for (size_t k = 0; k < i && policy->net_rules[i]->net.count; k++) {
            const struct rule *a = policy->net_rules[k], *b = policy->net_rules[i];
            if (a->chain || b->chain || a->effect != b->effect || a->net.count != b->net.count || a->net_except.count ||
                b->net_except.count || !same_reason(a, b))
                continue;
            bool all = true;
            for (size_t n = 0; n < a->net.count; n++)
                all &= box_pair(&a->net.boxes[n], &b->net.boxes[n]);
            if (!all)
                continue;
            const struct net_box *x = &a->net.boxes[0], *y = &b->net.boxes[0];
            report_pair(policy, a, b,
                        x->verbs != y->verbs           ? STR("write both verbs in one rule, with a comma")
                        : x->protocols != y->protocols ? STR("write both protocols in one rule, with a comma")
                                                       : STR("write both ports in one rule, as `:{ …, … }`"));
            break;
        }
}

static bool is_one_question(const struct graph *graph, graph_node node)
{
    const struct graph_vertex *vertex = graph_at(graph, node);
    for (uint32_t i = 0; i < vertex->run_count; i++)
        if (graph_at(graph, vertex->runs[i].node)->run_count)
            return false;
    return vertex->run_count > 0;
}

static void pair_calls(struct policy *policy)
{
    struct graph *graph = policy->graph;
    for (size_t call = 0; call < syscall_count(); call++) {
        const struct call_rule *before = NULL;
        size_t count = 0;
        for (const struct call_rule *entry = policy->calls[call]; entry && ++count <= BY_HAND_PER_CALL;
             entry = entry->next) {
            const struct rule *rule = entry->rule;
            if (!is_own(rule, EFFECT_ALLOW) || rule->calls.count != 1 || !(entry->match->tests[ARCH_HERE]) ||
                entry->except)
                continue;
            if (!before || before->rule == rule || before->match->architectures != entry->match->architectures ||
                !same_reason(before->rule, rule)) {
                before = entry;
                continue;
            }
            graph_node a = test_graph(graph, before->match->tests[ARCH_HERE]),
                       b = test_graph(graph, entry->match->tests[ARCH_HERE]);
            graph_node both = graph_select(graph, a, graph_leaf(graph, 1), b);
            if (!is_one_question(graph, a) || !is_one_question(graph, b) || !is_one_question(graph, both))
                continue;
            struct text text = {.arena = policy->arena};
            text_addf(&text, "write `allow %s where ", syscall_row(call)->name);
            condition_print(&text, graph, both, syscall_row(call), ARCH_HERE);
            text_addf(&text, ";`");
            report_pair(policy, before->rule, rule, text_str(&text));
        }
    }
}

void lint_pairs(struct policy *policy)
{
    pair_files(policy);
    if (policy->net_rule_count <= BY_HAND)
        pair_nets(policy);
    pair_calls(policy);
}
