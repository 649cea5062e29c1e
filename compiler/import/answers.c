// A profile's rules about a call become one decision graph.
#include "compiler/import/answers.h"

#include <string.h>

#include "compiler/import/chains.h"
#include "compiler/sets/seccomp.h"

// ---- which rules hold ---------------------------------------------------------------------------------------------

bool import_is_active(const struct import *import, const struct profile_rule *rule, enum arch arch)
{
    const struct profile_filter *in = &rule->includes, *out = &rule->excludes;
    uint64_t have = import->options->capabilities;
    unsigned kernel = import->options->kernel;
    if (out->architectures[arch] || out->capabilities & have || (out->kernel && kernel >= out->kernel))
        return false;
    return (!in->has_architectures || in->architectures[arch]) && !(in->capabilities & ~have) &&
           (!in->kernel || kernel >= in->kernel);
}

// ---- conditions ---------------------------------------------------------------------------------------------------

static void refuse(struct import *import, const struct profile_argument *argument, const struct syscall_row *row,
                   const char *why)
{
    struct diagnostic *d =
        diagnose(import->diagnostics, SBX0806, argument->span, STR_ARGS(argument->pointer), row->name);
    diagnostic_label(import->diagnostics, d, argument->span, "%s", why);
}

static bool is_sayable(struct import *import, const struct profile_argument *argument, const struct syscall_row *row)
{
    if (argument->index >= row->argument_count) {
        refuse(import, argument, row, "it has no such argument");
        return false;
    }
    enum argument_type type = row->arguments[argument->index].type;
    bool null_test =
        argument->value == 0 && (argument->comparison == COMPARISON_EQ || argument->comparison == COMPARISON_NE);
    if (argument_is_pointer(type) && !null_test) {
        refuse(import, argument, row, "this argument is a pointer: a filter sees the address, never what lies there");
        return false;
    }
    import->narrow |= argument_bits(type) < 64;
    return true;
}

// Engines add a rule for each condition where two are on one argument, else one rule for all of them.
static bool has_two_on_one(const struct profile_rule *rule)
{
    for (size_t i = 0; i < rule->argument_count; i++)
        for (size_t k = 0; k < i; k++)
            if (rule->arguments[i].index == rule->arguments[k].index)
                return true;
    return false;
}

static bool add_chains(struct chains *chains, const struct profile_rule *rule)
{
    bool good = true;
    if (!has_two_on_one(rule))
        return chains_add(chains, rule->arguments, rule->argument_count, rule->answer);
    for (size_t i = 0; i < rule->argument_count; i++)
        good = chains_add(chains, &rule->arguments[i], 1, rule->answer) && good;
    return good;
}

// 1 where the rule holds.
static graph_node condition_graph(struct import *import, const struct profile_rule *rule, const struct syscall_row *row)
{
    graph_node no = graph_leaf(import->graph, 0), yes = graph_leaf(import->graph, 1);
    bool each = has_two_on_one(rule);
    graph_node node = each ? no : yes;
    for (size_t i = 0; i < rule->argument_count; i++) {
        if (!is_sayable(import, &rule->arguments[i], row))
            return no;
        struct chains *alone = chains_new(import->arena, import->graph, row, 0);
        chains_add(alone, &rule->arguments[i], 1, 1);
        graph_node one = chains_graph(alone);
        node = each ? graph_select(import->graph, one, yes, node) : graph_select(import->graph, one, node, no);
    }
    return node;
}

// ---- what the profile says of a call ------------------------------------------------------------------------------

static bool same_filter(const struct profile_filter *a, const struct profile_filter *b)
{
    return a->capabilities == b->capabilities && a->kernel == b->kernel &&
           a->has_architectures == b->has_architectures &&
           memcmp(a->architectures, b->architectures, sizeof a->architectures) == 0;
}

struct said { // one rule, about one call
    const struct profile_rule *rule;
    const struct profile_call *named;
    graph_node condition; // 1 where it holds
};

static void label_pair(struct import *import, struct diagnostic *d, const struct said *said, const struct said *other,
                       const char *why)
{
    diagnostic_label(import->diagnostics, d, said->named->span, "%s", why);
    diagnostic_label(import->diagnostics, d, other->rule->span, "the other rule");
}

static void report_repeated(struct import *import, const struct said *said, const struct said *other)
{
    size_t rule = (size_t)(said->rule - import->profile->rules);
    if (import->repeated[rule] || !same_filter(&said->rule->includes, &other->rule->includes) ||
        !same_filter(&said->rule->excludes, &other->rule->excludes))
        return;
    import->repeated[rule] = true;
    struct diagnostic *d = diagnose(import->diagnostics, SBX0808, said->named->span, STR_ARGS(said->named->pointer),
                                    STR_ARGS(other->rule->pointer));
    label_pair(import, d, said, other, "once is enough");
}

// The rules about one call that hold, those left out that do what is done by default.
static size_t rules_about(struct import *import, enum arch arch, size_t call, struct said *list)
{
    const struct profile *profile = import->profile;
    size_t count = 0;
    for (size_t i = 0; i < profile->rule_count; i++) {
        const struct profile_rule *rule = &profile->rules[i];
        struct said said = {.rule = rule};
        for (size_t k = 0; k < rule->call_count && import_is_active(import, rule, arch); k++) {
            if (rule->calls[k].call != (int)call)
                continue;
            if (said.named)
                report_repeated(import, &(struct said){.rule = rule, .named = &rule->calls[k]}, &said);
            else
                said.named = &rule->calls[k];
        }
        if (!said.named)
            continue;
        said.condition = condition_graph(import, rule, syscall_row(call));
        list[count++] = said;
    }
    return count;
}

static void report_refused(struct import *import, const struct said *said, const struct said *list, size_t count)
{
    const struct said *other = NULL; // the nearest before it that answers otherwise
    for (size_t i = 0; i < count && !other; i++)
        other = list[count - 1 - i].rule->answer != said->rule->answer ? &list[count - 1 - i] : NULL;
    struct diagnostic *d =
        diagnose(import->diagnostics, SBX0814, said->named->span, STR_ARGS(said->named->pointer),
                 STR_ARGS(other ? other->rule->pointer : STR("another rule")), STR_ARGS(said->named->name));
    label_pair(import, d, said, other ? other : said,
               "one has the conditions of the other, and engines refuse the profile for it");
}

// Do two rules hold for the same arguments and answer otherwise?
static bool contradict(struct import *import, const struct said *said, const struct said *other)
{
    uint32_t words[SECCOMP_WORDS];
    graph_node no = graph_leaf(import->graph, 0);
    return said->rule->answer != other->rule->answer &&
           graph_find(import->graph, graph_select(import->graph, said->condition, other->condition, no), 1, words,
                      SECCOMP_WORDS) != 0;
}

static void report_contradiction(struct import *import, const struct said *said, const struct said *other,
                                 const struct chains *chains)
{
    bool open = chains_are_entangled(chains);
    struct diagnostic *d =
        diagnose(import->diagnostics, open ? SBX0814 : SBX0812, said->named->span, STR_ARGS(said->named->pointer),
                 STR_ARGS(other->rule->pointer), STR_ARGS(said->named->name));
    label_pair(import, d, said, other,
               open ? "both hold for some of its arguments, and which libseccomp follows hangs on all rules together"
                    : "both hold for some of its arguments: what libseccomp follows for them is taken");
}

static void report_by_default(struct import *import, const struct said *said)
{
    size_t rule = (size_t)(said->rule - import->profile->rules);
    if (import->repeated[rule])
        return;
    import->repeated[rule] = true;
    struct diagnostic *d = diagnose(import->diagnostics, SBX0810, said->named->span, STR_ARGS(said->named->pointer));
    diagnostic_label(import->diagnostics, d, said->named->span, "so what other rules say of it holds");
}

// What engines make of them: a rule that does what is done by default is none; the first rule without a condition holds
// for the call; of the others libseccomp makes one tree.
graph_node import_answers(struct import *import, enum arch arch, size_t call)
{
    const struct profile *profile = import->profile;
    struct said *list = NEW_ARRAY(import->arena, struct said, profile->rule_count), *kept = list;
    unsigned errors = import->diagnostics->errors;
    size_t said_count = rules_about(import, arch, call, list), count = 0;
    struct chains *chains = chains_new(import->arena, import->graph, syscall_row(call), profile->answer);
    graph_node yes = graph_leaf(import->graph, 1);
    const struct said *whole = NULL;
    bool counts = false, refused = false; // counts: some rule does
    for (size_t i = 0; i < said_count; i++)
        counts |= list[i].rule->answer != profile->answer;
    for (size_t i = 0; i < said_count && import->diagnostics->errors == errors; i++) {
        struct said said = list[i];
        if (said.rule->answer == profile->answer) {
            if (counts)
                report_by_default(import, &said);
            continue;
        }
        if (!refused && !add_chains(chains, said.rule)) {
            refused = true;
            report_refused(import, &said, kept, count);
        }
        kept[count++] = said;
    }
    for (size_t i = 0; i < count && !whole; i++)
        whole = kept[i].condition == yes ? &kept[i] : NULL;
    graph_node plain = graph_leaf(import->graph, profile->answer);
    bool contradictory = false;
    for (size_t i = 0; i < count && !refused && import->diagnostics->errors == errors; i++) {
        const struct said *said = &kept[i];
        if (whole && said->rule->answer != whole->rule->answer) {
            struct diagnostic *d =
                diagnose(import->diagnostics, SBX0807, said->named->span, STR_ARGS(said->named->pointer),
                         STR_ARGS(whole->rule->pointer), STR_ARGS(said->named->name));
            label_pair(import, d, said, whole,
                       said->condition == yes ? "engines follow the first of two rules without a condition"
                                              : "engines follow a rule without a condition");
            continue;
        }
        for (size_t k = 0; k < i; k++)
            if (said->rule->answer == kept[k].rule->answer && said->condition == kept[k].condition)
                report_repeated(import, said, &kept[k]);
            else if (!whole && contradict(import, said, &kept[k])) {
                contradictory = true;
                report_contradiction(import, said, &kept[k], chains);
            }
        plain = graph_select(import->graph, said->condition, graph_leaf(import->graph, said->rule->answer), plain);
    }
    return contradictory ? chains_graph(chains) : plain;
}
