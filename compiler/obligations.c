// Obligations: `never`, `within`, `expect`, and allows that change nothing.
#include "compiler/obligations.h"

#include <string.h>

#include "compiler/cbpf.h"

// ---- looking for an operation -------------------------------------------------------------------------------------------------------

static const struct path_set *paths_of(struct arena *arena, const struct rule *set)
{
    size_t count = 0;
    struct path_entry *entries = NEW_ARRAY(arena, struct path_entry, set->path_count + set->except_count);
    for (size_t i = 0; i < set->path_count; i++)
        entries[count++] = (struct path_entry){set->paths[i], set->verbs, PATH_ADDS, 0};
    for (size_t i = 0; i < set->except_count; i++)
        entries[count++] = (struct path_entry){set->excepts[i], set->verbs, PATH_REMOVES, 0};
    return path_set_build(arena, entries, count);
}

static void file_point(const struct path_witness *witness, struct operation_point *point)
{
    *point = (struct operation_point){.domain = DOMAIN_FILES, .verb = witness->verbs & -witness->verbs, .path = witness->path};
}

static int find_file(struct policy *policy, const struct rule *set, bool allowed, struct operation_point *point)
{
    const struct path_set *asked = paths_of(policy->arena, set), *missing = path_set_minus(policy->arena, asked, policy_paths(policy));
    struct path_witness witness;
    if (!path_set_first(allowed ? path_set_minus(policy->arena, asked, missing) : missing, &witness))
        return 0;
    file_point(&witness, point);
    return 1;
}

struct net_search {
    const struct policy *inner, *outer; // looks for what inner allows and outer does not; a NULL one: everything, nothing
    const struct net_set *except;
    bool found;
    struct net_point point;
};

static bool visit_net(const struct net_point *point, void *context)
{
    struct net_search *search = context;
    if (search->except && net_set_contains(search->except, point))
        return true;
    if (search->inner && !policy_net_allows(search->inner, point))
        return true;
    if (search->outer && policy_net_allows(search->outer, point))
        return true;
    search->found = true;
    search->point = *point;
    return false;
}

static size_t net_borders(const struct policy *policy, const struct net_set **sets)
{
    size_t count = 0;
    for (size_t i = 0; policy && i < policy->rule_count; i++)
        if (policy->rules[i].domain == DOMAIN_NET) {
            sets[count++] = &policy->rules[i].net;
            sets[count++] = &policy->rules[i].net_except;
        }
    return count;
}

static bool search_net(struct arena *arena, const struct net_set *set, struct net_search *search)
{
    size_t most = 1 + 2 * ((search->inner ? search->inner->rule_count : 0) + (search->outer ? search->outer->rule_count : 0));
    const struct net_set **borders = NEW_ARRAY(arena, const struct net_set *, most);
    size_t count = net_borders(search->inner, borders);
    count += net_borders(search->outer, borders + count);
    if (search->except)
        borders[count++] = search->except;
    net_set_each(arena, set, borders, count, visit_net, search);
    return search->found;
}

static int find_net(struct policy *policy, const struct rule *set, bool allowed, struct operation_point *point)
{
    struct net_search search = {.inner = allowed ? policy : NULL, .outer = allowed ? NULL : policy, .except = &set->net_except};
    if (!search_net(policy->arena, &set->net, &search))
        return 0;
    *point = (struct operation_point){.domain = DOMAIN_NET, .verb = search.point.verb, .net = search.point};
    return 1;
}

static uint32_t is_allow(uint32_t verdict, uint32_t unused)
{
    (void)unused;
    return verdict == SECCOMP_ALLOW;
}

static graph_node allows_call(struct policy *policy, enum arch arch, size_t call)
{
    return graph_apply(policy->graph, is_allow, policy_call(policy, arch, call), graph_leaf(policy->graph, 0));
}

static void call_point(enum arch arch, size_t call, const uint32_t *words, struct operation_point *point)
{
    *point = (struct operation_point){.domain = DOMAIN_CALLS, .arch = arch, .number = (uint32_t)syscall_row(call)->number[arch]};
    for (int i = 0; i < SYSCALL_ARGUMENTS; i++)
        point->arguments[i] = (uint64_t)words[WORD_HIGH(i)] << 32 | words[WORD_LOW(i)];
}

static int find_call(struct policy *policy, const struct rule *set, bool allowed, struct operation_point *point)
{
    struct graph *graph = policy->graph;
    graph_node no = graph_leaf(graph, 0), yes = graph_leaf(graph, 1);
    for (size_t i = 0; i < set->calls.count; i++) {
        const struct call_match *match = &set->calls.list[i];
        for (int arch = 0; arch < ARCH_COUNT; arch++) {
            if (!(match->architectures >> arch & 1))
                continue;
            graph_node asked = test_graph(graph, match->tests[arch]);
            for (size_t k = 0; k < set->calls_except.count; k++) {
                const struct call_match *except = &set->calls_except.list[k];
                if (except->call == match->call && except->architectures >> arch & 1)
                    asked = graph_select(graph, test_graph(graph, except->tests[arch]), no, asked);
            }
            graph_node verdict = allows_call(policy, (enum arch)arch, match->call);
            graph_node wanted = graph_select(graph, verdict, allowed ? yes : no, allowed ? no : yes);
            uint32_t words[SECCOMP_WORDS];
            int found = graph_find(graph, graph_select(graph, asked, wanted, no), 1, words, SECCOMP_WORDS);
            if (found > 0)
                call_point((enum arch)arch, match->call, words, point);
            if (found)
                return found;
        }
    }
    return 0;
}

int operation_find(struct policy *policy, const struct rule *set, bool allowed, struct operation_point *point)
{
    switch (set->domain) {
    case DOMAIN_FILES: return find_file(policy, set, allowed, point);
    case DOMAIN_NET: return find_net(policy, set, allowed, point);
    case DOMAIN_CALLS: return find_call(policy, set, allowed, point);
    case DOMAIN_CAPABILITIES: {
        uint64_t have = policy_capabilities(policy), wanted = set->capabilities & (allowed ? have : ~have) & ((1ull << 41) - 1);
        if (!wanted)
            return 0;
        *point = (struct operation_point){.domain = DOMAIN_CAPABILITIES, .capability = (unsigned)__builtin_ctzll(wanted)};
        return 1;
    }
    }
    return 0;
}

// ---- text ---------------------------------------------------------------------------------------------------------------------------

static unsigned tested_arguments(const struct test *test)
{
    if (!test)
        return 0;
    if (test->kind == CONDITION_IN)
        return 1u << test->argument;
    return tested_arguments(test->left) | tested_arguments(test->right);
}

// How people write the value of an argument: by the name that such values have, where they have one.
static void print_value(struct text *text, const char *call, const char *argument, uint64_t value, enum arch arch)
{
    static const struct {
        const char *call, *argument, *prefixes[4];
        uint64_t from;
    } names[] = {
        {"socket", "family", {"AF_"}, 0},      {"socketpair", "family", {"AF_"}, 0}, {"ioctl", "request", {"TIOC", "TC", "FIO"}, 0x100}, {"ptrace", "request", {"PTRACE_"}, 0},
        {"prctl", "option", {"PR_SET_", "PR_GET_", "PR_CAP", "PR_"}, 1}, {"arch_prctl", "option", {"ARCH_"}, 1}, {"keyctl", "option", {"KEYCTL_"}, 0}, {"fcntl", "cmd", {"F_"}, 0},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < 4 && value >= names[i].from && strcmp(names[i].call, call) == 0 && strcmp(names[i].argument, argument) == 0 && names[i].prefixes[k]; k++) {
            const char *name = constant_name_of(names[i].prefixes[k], (int64_t)value, arch);
            if (name) {
                text_addf(text, "%s", strcmp(name, "AF_FILE") == 0 ? "AF_UNIX" : name); // one number, an older name
                return;
            }
        }
    text_addf(text, value < 10 ? "%llu" : "0x%llx", (unsigned long long)value);
}

struct str operation_text(struct policy *policy, const struct operation_point *point)
{
    struct text text = {.arena = policy->arena};
    switch (point->domain) {
    case DOMAIN_FILES:
        path_verbs_print(&text, point->verb);
        text_addf(&text, " \"%.*s\"", STR_ARGS(point->path));
        break;
    case DOMAIN_NET:
        net_point_print(&text, &point->net);
        break;
    case DOMAIN_CAPABILITIES:
        text_addf(&text, "capability %s", constant_name_of("CAP_", point->capability, ARCH_X86_64));
        break;
    case DOMAIN_CALLS: {
        int call = syscall_by_number(point->arch, point->number);
        if (call < 0) {
            text_addf(&text, "system call %u of %s", point->number, arch_names[point->arch]);
            break;
        }
        const struct syscall_row *row = syscall_row((size_t)call);
        text_addf(&text, "syscall %s", row->name);
        unsigned tested = 0;
        for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next) {
            tested |= tested_arguments(entry->match->tests[point->arch]);
            if (entry->except)
                tested |= tested_arguments(entry->except->tests[point->arch]);
        }
        for (int i = 0; i < row->argument_count; i++)
            if (point->arguments[i])
                tested |= 1u << i;
        const char *joint = " where ";
        for (int i = 0; i < row->argument_count; i++)
            if (tested >> i & 1) {
                text_addf(&text, "%s%s == ", joint, row->arguments[i].name);
                print_value(&text, row->name, row->arguments[i].name, point->arguments[i], point->arch);
                joint = " and ";
            }
        if (row->number[!point->arch] < 0)
            text_addf(&text, " (%s)", arch_names[point->arch]);
        break;
    }
    }
    return text_str(&text);
}

// ---- checks -------------------------------------------------------------------------------------------------------------------------

static struct diagnostics *diagnostics_of(struct policy *policy)
{
    return &policy->compilation->diagnostics;
}

static void label_decider(struct policy *policy, struct diagnostic *d, const struct operation_point *point)
{
    struct verdict verdict = policy_verdict(policy, point);
    if (verdict.rule)
        diagnostic_label(diagnostics_of(policy), d, verdict.rule->span, verdict.allowed ? "this allows it" : "this denies it");
    for (const struct use_chain *chain = verdict.rule ? verdict.rule->chain : NULL; chain; chain = chain->up)
        diagnostic_label(diagnostics_of(policy), d, chain->use->span, "it comes in through this `use`");
}

static bool undecided(struct policy *policy, struct span span)
{
    struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0706, span, "this policy");
    diagnostic_label(diagnostics_of(policy), d, span, "so this is not shown to hold");
    return false;
}

static bool check_never(struct policy *policy, const struct rule *rule)
{
    struct operation_point point;
    int found = operation_find(policy, rule, true, &point);
    if (found < 0)
        return undecided(policy, rule->span);
    if (!found)
        return true;
    struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0701, rule->span);
    diagnostic_label(diagnostics_of(policy), d, rule->span, "yet `%.*s` is allowed", STR_ARGS(operation_text(policy, &point)));
    label_decider(policy, d, &point);
    return false;
}

static bool check_expectation(struct policy *policy, const struct rule *rule)
{
    bool want_allowed = rule->effect == EFFECT_EXPECT_ALLOW;
    struct operation_point point;
    int found = operation_find(policy, rule, !want_allowed, &point);
    if (found < 0)
        return undecided(policy, rule->span);
    if (!found)
        return true;
    struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0704, rule->span);
    bool by_rule = policy_verdict(policy, &point).rule;
    diagnostic_label(diagnostics_of(policy), d, rule->span, "`%.*s` is %s", STR_ARGS(operation_text(policy, &point)), want_allowed ? by_rule ? "denied" : "allowed by no rule" : "allowed");
    label_decider(policy, d, &point);
    return false;
}

static int exceeds(struct policy *policy, struct policy *ceiling, struct operation_point *point)
{
    struct path_witness witness;
    if (!path_set_subset(policy_paths(policy), policy_paths(ceiling), &witness)) {
        file_point(&witness, point);
        return 1;
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        struct net_search search = {.inner = policy, .outer = ceiling};
        if (rule->domain == DOMAIN_NET && rule->effect == EFFECT_ALLOW && search_net(policy->arena, &rule->net, &search)) {
            *point = (struct operation_point){.domain = DOMAIN_NET, .verb = search.point.verb, .net = search.point};
            return 1;
        }
    }
    uint64_t more = policy_capabilities(policy) & ~policy_capabilities(ceiling);
    if (more) {
        *point = (struct operation_point){.domain = DOMAIN_CAPABILITIES, .capability = (unsigned)__builtin_ctzll(more)};
        return 1;
    }
    struct graph *graph = policy->graph;
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        for (size_t call = 0; call < syscall_count(); call++) {
            if (syscall_row(call)->number[arch] < 0)
                continue;
            graph_node mine = allows_call(policy, (enum arch)arch, call), theirs = allows_call(ceiling, (enum arch)arch, call);
            uint32_t words[SECCOMP_WORDS];
            int found = graph_find(graph, graph_select(graph, theirs, graph_leaf(graph, 0), mine), 1, words, SECCOMP_WORDS);
            if (found > 0)
                call_point((enum arch)arch, call, words, point);
            if (found)
                return found;
        }
    return 0;
}

static bool check_within(struct policy *policy, const struct obligation *within)
{
    struct policy *ceiling = within->ceiling;
    struct str name = ceiling->decl->name.text;
    struct operation_point point;
    bool good = true;
    int found = exceeds(policy, ceiling, &point);
    if (found < 0)
        return undecided(policy, within->use->span);
    if (found) {
        struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0702, within->use->span, STR_ARGS(name));
        diagnostic_label(diagnostics_of(policy), d, within->use->span, "`%.*s` is allowed here, and not there", STR_ARGS(operation_text(policy, &point)));
        label_decider(policy, d, &point);
        good = false;
    }
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const struct setting_value *mine = &policy->limits[i], *theirs = &ceiling->limits[i];
        if (!theirs->set || (mine->set && mine->number <= theirs->number))
            continue;
        struct span span = mine->set ? mine->span : within->use->span;
        struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0703, span, limit_names[i], STR_ARGS(name));
        diagnostic_label(diagnostics_of(policy), d, span, mine->set ? "it must be at most what the ceiling says" : "the ceiling limits it, this policy does not");
        diagnostic_label(diagnostics_of(policy), d, theirs->span, "the ceiling");
        good = false;
    }
    return good;
}

// Allows under a condition that other allows of the same policy cover already: whoever wrote one meant a restriction, and it is none.
// What a `use` brings does not count: a library that comes to allow more must not break its users.

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
    graph_node *own = NEW_ARRAY(policy->arena, graph_node, count), *after = NEW_ARRAY(policy->arena, graph_node, count + 1);
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

static bool check_effects(struct policy *policy)
{
    struct allow_effect *effects = NEW_ARRAY(policy->arena, struct allow_effect, policy->rule_count + 1);
    for (size_t call = 0; call < syscall_count(); call++)
        for (int arch = 0; arch < ARCH_COUNT && policy->calls[call]; arch++)
            find_effects(policy, (enum arch)arch, call, effects);
    bool good = true;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (effects[i].has_any || !effects[i].covered_by)
            continue;
        struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0421, rule->span);
        diagnostic_label(diagnostics_of(policy), d, rule->span, "so this condition has no effect");
        diagnostic_label(diagnostics_of(policy), d, effects[i].covered_by->span, "already allows it");
        diagnostic_help(diagnostics_of(policy), d, "to restrict what is allowed, deny the rest: `deny … where …;`");
        good = false;
    }
    return good;
}

static bool check_command(struct policy *policy)
{
    if (!policy->command.set || !policy->command.count)
        return true;
    struct str path = policy->command.list[0];
    struct operation_point exec = {.domain = DOMAIN_FILES, .verb = VERB_EXEC, .path = path};
    const char *problem = NULL;
    if (!path.length || path.text[0] != '/')
        return true; // found in PATH when it is run
    if (!policy_verdict(policy, &exec).allowed)
        problem = "no rule allows to exec it";
    int execve = syscall_find(STR("execve"));
    for (int arch = 0; arch < ARCH_COUNT && !problem; arch++) {
        struct operation_point call = {.domain = DOMAIN_CALLS, .arch = (enum arch)arch, .number = (uint32_t)syscall_row((size_t)execve)->number[arch]};
        if (!policy_verdict(policy, &call).allowed)
            problem = "no rule allows the system call execve";
    }
    if (!problem)
        return true;
    struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0705, policy->command.span);
    diagnostic_label(diagnostics_of(policy), d, policy->command.span, "%s", problem);
    diagnostic_help(diagnostics_of(policy), d, "`use std.base;` has the calls and the view that any program needs");
    return false;
}

bool policy_check(struct policy *policy, bool expectations)
{
    bool good = true;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->effect == EFFECT_NEVER)
            good = check_never(policy, rule) && good;
        else if (expectations && (rule->effect == EFFECT_EXPECT_ALLOW || rule->effect == EFFECT_EXPECT_DENY))
            good = check_expectation(policy, rule) && good;
    }
    good = check_effects(policy) && good;
    for (size_t i = 0; i < policy->within_count; i++)
        good = check_within(policy, &policy->withins[i]) && good;
    check_command(policy);
    return good;
}
