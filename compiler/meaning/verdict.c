// The policy function: one operation, one verdict; and the sets behind it.
//
// policy_verdict goes through the rules as the language defines them and knows nothing of graphs or filters, so that
// both can be held against it.
#include <stdlib.h>
#include <string.h>

#include "compiler/sets/seccomp.h"
#include "compiler/meaning/policy.h"

// ---- one operation ------------------------------------------------------------------------------------------------

static bool any_covers(const struct str *paths, size_t count, struct str path)
{
    for (size_t i = 0; i < count; i++)
        if (path_covers(paths[i], path))
            return true;
    return false;
}

static bool call_matches_point(const struct call_match *match, const struct operation_point *point)
{
    return match && match->architectures >> point->arch & 1 && test_holds(match->tests[point->arch], point->arguments);
}

static bool call_rule_matches(const struct call_rule *entry, const struct operation_point *point)
{
    return call_matches_point(entry->match, point) && !call_matches_point(entry->except, point);
}

bool rule_matches(const struct policy *policy, const struct rule *rule, const struct operation_point *point)
{
    (void)policy;
    if (rule->domain != point->domain)
        return false;
    switch (rule->domain) {
    case DOMAIN_FILES:
        return rule->verbs & point->verb && any_covers(rule->paths, rule->path_count, point->path) &&
               !any_covers(rule->excepts, rule->except_count, point->path);
    case DOMAIN_NET:
        return net_set_contains(&rule->net, &point->net) && !net_set_contains(&rule->net_except, &point->net);
    case DOMAIN_CALLS:
        for (size_t i = 0; i < rule->calls.count; i++) {
            const struct call_match *match = &rule->calls.list[i];
            if (syscall_row(match->call)->number[point->arch] != (int)point->number)
                continue;
            for (size_t k = 0; k < rule->calls_except.count; k++)
                if (rule->calls_except.list[k].call == match->call &&
                    call_matches_point(&rule->calls_except.list[k], point))
                    return false;
            return call_matches_point(match, point);
        }
        return false;
    case DOMAIN_CAPABILITIES: return rule->capabilities >> point->capability & 1;
    }
    return false;
}

static uint32_t errno_action(const char *name)
{
    return SECCOMP_ERRNO | (uint32_t)errno_find(str_from(name));
}

static struct verdict denied(uint32_t action, const struct rule *rule)
{
    return (struct verdict){
        .killed = action == SECCOMP_KILL, .error = action == SECCOMP_KILL ? 0 : (int)(action & 0xFFFF), .rule = rule};
}

// Among several denies of a call: kill, then the one that covers less, then the first. A rule covers less when it names
// fewer calls, or as many but under a condition.
static bool deny_precedes(const struct call_rule *a, const struct call_rule *b, enum arch arch)
{
    bool kill_a = a->rule->action == SECCOMP_KILL, kill_b = b->rule->action == SECCOMP_KILL;
    if (kill_a != kill_b)
        return kill_a;
    if (a->rule->calls.count != b->rule->calls.count)
        return a->rule->calls.count < b->rule->calls.count;
    bool narrow_a = a->match->tests[arch] || a->except, narrow_b = b->match->tests[arch] || b->except;
    if (narrow_a != narrow_b)
        return narrow_a;
    return a->rule->number < b->rule->number;
}

// What a call gets that no rule speaks of. No filter can see what clone3 and its kind are asked for, so no policy
// allows them lightly; C libraries take ENOSYS, and nothing else, as the word to use the older call.
uint32_t policy_fallback(const struct policy *policy, size_t call)
{
    for (size_t i = 0; i < policy->unseen->call_count; i++)
        if (policy->unseen->calls[i] == call)
            return errno_action("ENOSYS");
    return (uint32_t)policy->fallback.number;
}

static struct verdict call_verdict(const struct policy *policy, const struct operation_point *point)
{
    int call = syscall_by_number(point->arch, point->number);
    if (call < 0) // newer than the edition: the C library falls back; x32 numbers are another architecture
        return denied(
            point->arch == ARCH_X86_64 && point->number >= 0x40000000u ? SECCOMP_KILL : errno_action("ENOSYS"), NULL);
    const struct call_rule *deny = NULL;
    const struct rule *allow = NULL;
    for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next) {
        if (!call_rule_matches(entry, point))
            continue;
        if (entry->rule->effect == EFFECT_ALLOW)
            allow = allow ? allow : entry->rule;
        else if (!deny || deny_precedes(entry, deny, point->arch))
            deny = entry;
    }
    if (deny)
        return denied(deny->rule->action, deny->rule);
    if (allow)
        return (struct verdict){.allowed = true, .rule = allow};
    return denied(policy_fallback(policy, (size_t)call), NULL);
}

static const struct net_box *net_box_at(void *context, size_t index)
{
    const struct policy *policy = context;
    for (size_t i = 0; i < policy->net_rule_count; i++) {
        const struct net_set *sets[2] = {&policy->net_rules[i]->net, &policy->net_rules[i]->net_except};
        for (int k = 0; k < 2; k++) {
            if (index < sets[k]->count)
                return &sets[k]->boxes[index];
            index -= sets[k]->count;
        }
    }
    return NULL;
}

static bool net_allows(void *policy, const struct net_point *point)
{
    return policy_net_allows(policy, point);
}

// Makes *name the same at some address where it is allowed; at a public one where it is nowhere.
static bool leads_somewhere(const struct policy *policy, struct net_point *name)
{
    size_t count = 0;
    for (size_t i = 0; i < policy->net_rule_count; i++)
        count += policy->net_rules[i]->net.count + policy->net_rules[i]->net_except.count;
    return net_somewhere(name, net_box_at, count, net_allows, (void *)policy);
}

// Of several rules that match a file, the one with the deepest path is told; of others the first.
static size_t depth_of(const struct rule *rule, const struct operation_point *point)
{
    size_t depth = 0;
    for (size_t k = 0; k < rule->path_count; k++)
        if (path_covers(rule->paths[k], point->path) && rule->paths[k].length > depth)
            depth = rule->paths[k].length;
    return depth;
}

struct verdict policy_verdict(const struct policy *policy, const struct operation_point *point)
{
    arena_spend(policy->arena, 1 + policy->rule_count / 4);
    if (point->domain == DOMAIN_CALLS)
        return call_verdict(policy, point);
    if (point->domain == DOMAIN_NET && point->net.anywhere) {
        struct operation_point at = *point;
        leads_somewhere(policy, &at.net);
        return policy_verdict(policy, &at);
    }
    const struct rule *found[2] = {NULL}; // an allow, a deny
    size_t depths[2] = {0};
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if ((rule->effect != EFFECT_ALLOW && rule->effect != EFFECT_DENY) || !rule_matches(policy, rule, point))
            continue;
        size_t depth = depth_of(rule, point);
        int which = rule->effect == EFFECT_DENY;
        if (!found[which] || depth > depths[which]) {
            found[which] = rule;
            depths[which] = depth;
        }
    }
    if (found[0] && !found[1])
        return (struct verdict){.allowed = true, .rule = found[0]};
    return denied(errno_action(point->domain == DOMAIN_CAPABILITIES ? "EPERM" : "EACCES"), found[1]);
}

bool policy_net_allows(const struct policy *policy, const struct net_point *point)
{
    arena_spend(policy->arena, 1 + policy->net_rule_count);
    struct operation_point operation = {.domain = DOMAIN_NET, .verb = point->verb, .net = *point};
    if (point->anywhere)
        return leads_somewhere(policy, &operation.net);
    bool allowed = false;
    for (size_t i = 0; i < policy->net_rule_count; i++)
        if (rule_matches(policy, policy->net_rules[i], &operation)) {
            if (policy->net_rules[i]->effect == EFFECT_DENY)
                return false;
            allowed = true;
        }
    return allowed;
}

// ---- sets ---------------------------------------------------------------------------------------------------------

const struct path_set *policy_paths(struct policy *policy)
{
    if (policy->allowed_paths)
        return policy->allowed_paths;
    size_t most = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        most += policy->rules[i].path_count + policy->rules[i].except_count;
    struct path_entry *entries = NEW_ARRAY(policy->arena, struct path_entry, most);
    size_t count = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain != DOMAIN_FILES || (rule->effect != EFFECT_ALLOW && rule->effect != EFFECT_DENY))
            continue;
        enum path_part part = rule->effect == EFFECT_ALLOW ? PATH_ADDS : PATH_REMOVES;
        for (size_t k = 0; k < rule->path_count; k++)
            entries[count++] = (struct path_entry){rule->paths[k], rule->verbs, part, rule->number};
        for (size_t k = 0; k < rule->except_count; k++)
            entries[count++] = (struct path_entry){rule->excepts[k], rule->verbs, PATH_SPARES, rule->number};
    }
    return policy->allowed_paths = path_set_build(policy->arena, entries, count);
}

uint64_t policy_capabilities(const struct policy *policy)
{
    uint64_t allowed = 0, removed = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain == DOMAIN_CAPABILITIES)
            *(rule->effect == EFFECT_ALLOW ? &allowed : &removed) |=
                rule->effect == EFFECT_ALLOW || rule->effect == EFFECT_DENY ? rule->capabilities : 0;
    }
    return allowed & ~removed;
}

static graph_node match_graph(struct graph *graph, const struct call_rule *entry, enum arch arch)
{
    graph_node node = test_graph(graph, entry->match->tests[arch]);
    if (entry->except && entry->except->architectures >> arch & 1)
        node = graph_select(graph, test_graph(graph, entry->except->tests[arch]), graph_leaf(graph, 0), node);
    return node;
}

int deny_order(const void *a, const void *b, void *arch)
{
    const struct call_rule *x = *(const struct call_rule *const *)a, *y = *(const struct call_rule *const *)b;
    return deny_precedes(x, y, *(const enum arch *)arch) ? -1 : deny_precedes(y, x, *(const enum arch *)arch) ? 1 : 0;
}

static uint32_t first_answer(uint32_t a, uint32_t b)
{
    return a ? a : b;
}

// The first of several functions that has an answer (a leaf that is not 0); by halves, so that many rules on one call
// cost little more than their sum.
static graph_node first_of(struct graph *graph, const graph_node *nodes, size_t count)
{
    if (count == 1)
        return nodes[0];
    return graph_apply(graph, first_answer, first_of(graph, nodes, count / 2),
                       first_of(graph, nodes + count / 2, count - count / 2));
}

const struct call_rule **call_rules_in_order(struct policy *policy, enum arch arch, size_t call,
                                             const struct rule *absent, size_t *count)
{
    size_t most = 0;
    for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next)
        most++;
    const struct call_rule **list = NEW_ARRAY(policy->arena, const struct call_rule *, most + 1);
    *count = 0;
    for (int allows = 0; allows < 2; allows++) {
        for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next)
            if (entry->rule != absent && (entry->rule->effect == EFFECT_ALLOW) == allows &&
                entry->match->architectures >> arch & 1)
                list[(*count)++] = entry;
        if (!allows)
            qsort_r(list, *count, sizeof *list, deny_order, &arch);
    }
    return list;
}

graph_node policy_call_without(struct policy *policy, enum arch arch, size_t call, const struct rule *absent)
{
    struct graph *graph = policy->graph;
    size_t count;
    const struct call_rule **list = call_rules_in_order(policy, arch, call, absent, &count);
    graph_node *answers = NEW_ARRAY(policy->arena, graph_node, count + 1);
    for (size_t i = 0; i < count; i++) {
        graph_node answer =
            graph_leaf(graph, list[i]->rule->effect == EFFECT_ALLOW ? SECCOMP_ALLOW : list[i]->rule->action);
        answers[i] = graph_select(graph, match_graph(graph, list[i], arch), answer, graph_leaf(graph, 0));
    }
    answers[count++] = graph_leaf(graph, policy_fallback(policy, call)); // what no rule speaks of
    return first_of(graph, answers, count);
}

graph_node policy_call(struct policy *policy, enum arch arch, size_t call)
{
    if (!policy->verdicts[arch]) {
        policy->verdicts[arch] = NEW_ARRAY(policy->arena, graph_node, syscall_count());
        memset(policy->verdicts[arch], 0xFF, syscall_count() * sizeof(graph_node));
    }
    graph_node *verdict = &policy->verdicts[arch][call];
    if (*verdict == NO_NODE)
        *verdict = policy_call_without(policy, arch, call, NULL);
    return *verdict;
}

graph_node calls_filter(struct graph *graph, struct arena *arena, enum arch arch, const graph_node *calls)
{
    unsigned end = syscall_numbers_end(arch);
    struct graph_run *runs = NEW_ARRAY(arena, struct graph_run, end + 2);
    graph_node unknown = graph_leaf(graph, errno_action("ENOSYS")), killed = graph_leaf(graph, SECCOMP_KILL);
    for (unsigned number = 0; number <= end; number++)
        runs[number] = (struct graph_run){number, unknown};
    for (size_t call = 0; call < syscall_count(); call++)
        if (syscall_row(call)->number[arch] >= 0)
            runs[syscall_row(call)->number[arch]].node = calls[call];
    size_t count = end + 1;
    if (arch == ARCH_X86_64)
        runs[count++] = (struct graph_run){0x40000000u, killed}; // x32 (__X32_SYSCALL_BIT)
    graph_node numbers = graph_runs(graph, WORD_NUMBER, UINT32_MAX, runs, count);
    struct graph_interval own = {arch_audit[arch], arch_audit[arch]};
    return graph_test(graph, WORD_ARCH, UINT32_MAX, &own, 1, numbers, killed);
}

graph_node policy_filter(struct policy *policy, enum arch arch)
{
    for (size_t call = 0; call < syscall_count(); call++)
        if (syscall_row(call)->number[arch] >= 0)
            policy_call(policy, arch, call);
    return calls_filter(policy->graph, policy->arena, arch, policy->verdicts[arch]);
}

bool policy_is_decided(struct policy *policy, unsigned architectures)
{
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        for (size_t call = 0; call < syscall_count() && architectures >> arch & 1; call++)
            if (syscall_row(call)->number[arch] >= 0)
                policy_call(policy, (enum arch)arch, call);
    if (!graph_is_exhausted(policy->graph))
        return true;
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    struct span span = policy->decl->name.span;
    diagnostic_label(diagnostics, diagnose(diagnostics, SBX0706, span, "this policy"), span,
                     "its rules about one call join too many masks of several arguments");
    return false;
}

// ---- rules as text ------------------------------------------------------------------------------------------------

struct str rule_place(const struct policy *policy, const struct rule *rule)
{
    const struct source *source = source_of(&policy->compilation->sources, rule->span);
    if (!source)
        return STR("");
    struct position at = source_position(source, rule->span.start);
    return str_format(policy->arena, "%.*s:%u:%u", STR_ARGS(source->name), at.line, at.column);
}

struct str rule_text(const struct policy *policy, const struct rule *rule)
{
    const struct source *source = source_of(&policy->compilation->sources, rule->span);
    if (!source || rule->derived)
        return rule->because;
    struct text text = {.arena = policy->arena};
    bool space = false, quoted = false;
    for (uint32_t i = rule->span.start; i < rule->span.end; i++) { // on one line, without comments
        char c = source->text.text[i];
        if (!quoted && c == '#')
            while (i + 1 < rule->span.end && source->text.text[i + 1] != '\n')
                i++;
        else if (!quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r'))
            space = true;
        else {
            if (space && text.length)
                text_add(&text, " ", 1);
            space = false;
            quoted ^= c == '"' && source->text.text[i - 1] != '\\';
            text_add(&text, &c, 1);
        }
    }
    return text_str(&text);
}
