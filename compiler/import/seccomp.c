// From a seccomp profile to a policy: each call's rules become one decision graph, which is read back as conditions.
//
// What differs is written at the top of the result, and is all that the proof leaves out: what the kernel does not look
// at in an argument, numbers without a name, other architectures.
#include "compiler/import/seccomp.h"

#include <string.h>

#include "compiler/sets/call_groups.h"
#include "compiler/code/cbpf.h"
#include "compiler/sets/condition_text.h"
#include "compiler/import/chains.h"
#include "compiler/prove/prove.h"
#include "compiler/meaning/search.h"
#include "lang/load.h"

struct import {
    struct compilation *compilation;
    struct arena *arena;
    struct diagnostics *diagnostics;
    const struct profile *profile;
    const struct import_options *options;
    struct graph *graph;
    graph_node *calls[ARCH_COUNT]; // per row of the table: what the profile answers
    bool narrow;                   // some condition is on an argument of which the kernel does not look at all bits
    bool *repeated;                // per rule: said to be a repetition
    uint32_t fallback;             // what the policy answers where no rule of its own speaks
    const struct group_decl *unseen;
};

// ---- which rules hold ---------------------------------------------------------------------------------------------

static bool is_active(const struct import *import, const struct profile_rule *rule, enum arch arch)
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
        for (size_t k = 0; k < rule->call_count && is_active(import, rule, arch); k++) {
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
static graph_node call_graph(struct import *import, enum arch arch, size_t call)
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

// ---- writing ------------------------------------------------------------------------------------------------------

static uint32_t fallback_of(const struct import *import, size_t call) // as policy_fallback has it
{
    for (size_t i = 0; i < import->unseen->call_count; i++)
        if (import->unseen->calls[i] == call)
            return SECCOMP_ERRNO | (uint32_t)errno_find(STR("ENOSYS"));
    return import->fallback;
}

static uint32_t the_same(uint32_t a, uint32_t b)
{
    return a == b;
}

// Lines for the calls that get one answer.
static struct call_lines lines_of(struct import *import, uint32_t answer)
{
    struct call_lines lines = {.arena = import->arena};
    for (size_t call = 0; call < syscall_count(); call++) {
        struct str conditions[ARCH_COUNT] = {{0}};
        for (int arch = 0; arch < ARCH_COUNT; arch++) {
            if (syscall_row(call)->number[arch] < 0 || (answer != SECCOMP_ALLOW && answer == fallback_of(import, call)))
                continue;
            graph_node node =
                graph_apply(import->graph, the_same, import->calls[arch][call], graph_leaf(import->graph, answer));
            uint32_t words[SECCOMP_WORDS];
            if (graph_find(import->graph, node, 1, words, SECCOMP_WORDS) == 0)
                continue;
            struct text text = {.arena = import->arena};
            if (graph_at(import->graph, node)->run_count)
                condition_print(&text, import->graph, node, syscall_row(call), (enum arch)arch);
            conditions[arch] = text.length ? text_str(&text) : STR("");
        }
        call_lines_add(&lines, call, conditions, false);
    }
    return lines;
}

// What the profile says about why, where it is said of this call alone.
static struct str comment_on(const struct import *import, const struct call_line *line)
{
    struct str comment = {0};
    for (size_t i = 0; i < import->profile->rule_count && line->condition.length; i++) {
        const struct profile_rule *rule = &import->profile->rules[i];
        for (size_t k = 0; k < rule->call_count; k++)
            if (rule->calls[k].call == (int)line->call && rule->comment.length && is_active(import, rule, line->arch))
                comment = rule->comment;
    }
    for (size_t i = 0; i < comment.length; i++)
        if ((unsigned char)comment.text[i] < ' ' || comment.text[i] == '"' || comment.text[i] == '\\')
            return (struct str){0}; // nobody misses it
    return comment;
}

// Breaks a long list of names over several lines.
static void write_list(struct text *out, const char *indent, struct str head, struct str list)
{
    enum { COLUMNS = 120 };
    text_addf(out, "%s%.*s", indent, STR_ARGS(head));
    size_t column = strlen(indent) + head.length, at = 0;
    while (at < list.length) {
        size_t end = at;
        while (end < list.length && list.text[end] != ',')
            end++;
        end += end < list.length;
        size_t word = end - at;
        if (column + 1 + word > COLUMNS) {
            text_addf(out, "\n%s     ", indent);
            column = strlen(indent) + 5;
        }
        text_addf(out, " %.*s", (int)word, list.text + at);
        column += 1 + word;
        for (at = end; at < list.length && list.text[at] == ' ';)
            at++;
    }
}

static struct str answer_name(const struct import *import, uint32_t answer)
{
    return answer == SECCOMP_KILL ? STR("kill") : str_format(import->arena, "%s", errno_name((int)(answer & 0xFFFF)));
}

static void write_line(struct import *import, struct text *out, const struct call_line *line, uint32_t answer,
                       const bool *spare, bool *excess)
{
    struct text list = {.arena = import->arena};
    calls_print(&list, import->compilation, line->member, line->architectures, spare, excess);
    struct str comment = comment_on(import, line);
    const char *indent = line->architectures == ARCH_ALL_MASK ? "        " : "            ";
    write_list(out, indent, answer == SECCOMP_ALLOW ? STR("allow") : STR("deny"), text_str(&list));
    if (line->condition.length)
        text_addf(out, " where %.*s", STR_ARGS(line->condition));
    if (answer != SECCOMP_ALLOW)
        text_addf(out, " with %.*s", STR_ARGS(answer_name(import, answer)));
    if (comment.length)
        text_addf(out, " because \"%.*s\"", STR_ARGS(comment));
    text_addf(out, ";\n");
}

// The lines of one architecture, or, with ARCH_COUNT, of all.
static void write_lines(struct import *import, struct text *out, const struct call_lines *lines, uint32_t answer,
                        int arch, const bool *spare, bool *excess)
{
    for (const struct call_line *line = lines->first; line; line = line->next)
        if (line->architectures == (arch == ARCH_COUNT ? ARCH_ALL_MASK : 1u << arch))
            write_line(import, out, line, answer, line->condition.length ? NULL : spare,
                       line->condition.length ? NULL : excess);
}

// The allowed calls; a group of which a few are not allowed is named all the same, and those are denied.
static void write_allowed(struct import *import, struct text *out)
{
    bool *spare = NEW_ARRAY(import->arena, bool, syscall_count()),
         *excess = NEW_ARRAY(import->arena, bool, syscall_count());
    for (size_t call = 0; call < syscall_count(); call++) {
        spare[call] = true; // never allowed, and with an answer of which a deny says nothing else
        for (int arch = 0; arch < ARCH_COUNT; arch++)
            if (syscall_row(call)->number[arch] >= 0) {
                const struct graph_vertex *answer = graph_at(import->graph, import->calls[arch][call]);
                spare[call] &= answer->run_count == 0 && answer->value == import->fallback;
            }
        spare[call] &= fallback_of(import, call) == import->fallback;
    }
    struct call_lines lines = lines_of(import, SECCOMP_ALLOW);
    write_lines(import, out, &lines, SECCOMP_ALLOW, ARCH_COUNT, spare, excess);
    struct call_line back = {.architectures = ARCH_ALL_MASK, .condition = STR(""), .member = excess};
    for (size_t call = 0; call < syscall_count(); call++)
        if (excess[call]) {
            text_addf(out, "        # of these groups the profile does not allow\n");
            write_line(import, out, &back, import->fallback, NULL, NULL);
            break;
        }
}

static void write_names(struct text *out, const char *head, const struct str *names, size_t count)
{
    struct text list = {.arena = out->arena};
    for (size_t i = 0; i < count; i++)
        text_addf(&list, "%s%.*s", i ? ", " : "", STR_ARGS(names[i]));
    if (count)
        write_list(out, "# ", str_from(head), text_str(&list));
    text_addf(out, count ? "\n" : "");
}

// What the profile names and our architectures do not have; each once.
static size_t left_out(const struct import *import, bool foreign, struct str **names)
{
    struct map seen = {.arena = import->arena};
    size_t most = 0, count = 0;
    for (size_t i = 0; i < import->profile->rule_count; i++)
        most += import->profile->rules[i].call_count;
    *names = NEW_ARRAY(import->arena, struct str, most);
    for (size_t i = 0; i < import->profile->rule_count; i++)
        for (size_t k = 0; k < import->profile->rules[i].call_count; k++) {
            const struct profile_call *call = &import->profile->rules[i].calls[k];
            if (call->call < 0 && syscall_is_foreign(call->name) == foreign &&
                !map_put(&seen, call->name, (void *)call))
                (*names)[count++] = call->name;
        }
    return count;
}

static void write_head(struct import *import, struct text *out)
{
    const struct profile *profile = import->profile;
    text_addf(out, "sbx 1;\n# A container engine's seccomp profile, as it is for Linux %u.%u and ",
              import->options->kernel >> 8, import->options->kernel & 255);
    uint64_t all = import->options->capabilities;
    text_addf(out, all ? "these capabilities:\n" : "no capabilities.\n");
    struct str names[64];
    size_t count = 0;
    for (uint64_t rest = all; rest; rest &= rest - 1)
        names[count++] = str_from(constant_name_of("CAP_", NULL, __builtin_ctzll(rest), ARCH_X86_64));
    write_names(out, "-", names, count);
    text_addf(out, "# %s what the profile says, but for this:\n",
              import->options->no_proof ? "Means" : "Proved to mean");
    text_addf(out, "# - a number that Linux 6.18 has no call for gets ENOSYS; the profile's default is %s\n",
              profile->answer == SECCOMP_ALLOW ? "to allow it" : answer_name(import, profile->answer).text);
    text_addf(out,
              "# - sockets and connections need net rules besides; a profile can't tell addresses apart\n"
              "# - what no policy can allow (leases, keys by number, core dumps, options that lead out) is refused\n");
    if (import->narrow)
        text_addf(
            out, "# - of an argument as much is compared as the kernel looks at, where the profile compares 64 bits\n");
    if (profile->other_count)
        write_names(out, "- killed are calls of", profile->others, profile->other_count);
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        for (size_t i = 0; i < profile->loss_count; i++)
            text_addf(out, "# - %.*s\n", STR_ARGS(profile->losses[i]));
    struct str *list;
    count = left_out(import, true, &list);
    write_names(out, "- left out, for they are other architectures':", list, count);
    count = left_out(import, false, &list);
    write_names(out, "- left out, for Linux 6.18 does not have them:", list, count);
}

static void write_policy(struct import *import, struct text *out)
{
    write_head(import, out);
    text_addf(out, "policy imported {\n    syscalls {\n        default deny with %.*s;\n",
              STR_ARGS(answer_name(import, import->fallback)));
    write_allowed(import, out);
    uint32_t *answers = NEW_ARRAY(import->arena, uint32_t, import->profile->rule_count + 2);
    size_t count = 0;
    answers[count++] = SECCOMP_ALLOW;
    for (size_t i = 0; i <= import->profile->rule_count; i++) {
        uint32_t answer = i ? import->profile->rules[i - 1].answer : import->profile->answer;
        bool known = false;
        for (size_t k = 0; k < count && !known; k++)
            known = answers[k] == answer;
        if (!known)
            answers[count++] = answer;
    }
    struct call_lines *lines = NEW_ARRAY(import->arena, struct call_lines, count);
    for (size_t i = 0; i < count; i++) {
        lines[i] = lines_of(import, answers[i]);
        if (i)
            write_lines(import, out, &lines[i], answers[i], ARCH_COUNT, NULL, NULL);
    }
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        struct text block = {.arena = import->arena};
        for (size_t i = 0; i < count; i++)
            write_lines(import, &block, &lines[i], answers[i], arch, NULL, NULL);
        if (block.length)
            text_addf(out, "        on %s {\n%.*s        }\n", arch_names[arch], STR_ARGS(text_str(&block)));
    }
    text_addf(out, "    }\n}\n");
}

// ---- proof --------------------------------------------------------------------------------------------------------

enum { OF_THE_PROFILE = 1 }; // a leaf

static uint32_t derived_first(uint32_t derived, uint32_t answer)
{
    return derived == 0 || derived == OF_THE_PROFILE ? answer : derived;
}

// What no profile says and every policy does (compiler/meaning/derive.c), where it is what decides among its denies.
static void add_derived(struct import *import, struct policy *policy, enum arch arch)
{
    struct graph *graph = import->graph;
    for (size_t call = 0; call < syscall_count(); call++) {
        if (syscall_row(call)->number[arch] < 0)
            continue;
        size_t count;
        const struct call_rule **list = call_rules_in_order(policy, arch, call, NULL, &count);
        graph_node first = graph_leaf(graph, 0);
        while (count-- > 0) // from the last to the first, which decides
            if (list[count]->rule->effect == EFFECT_DENY)
                first = graph_select(
                    graph, test_graph(graph, list[count]->match->tests[arch]),
                    graph_leaf(graph, list[count]->rule->derived ? list[count]->rule->action : OF_THE_PROFILE), first);
        import->calls[arch][call] = graph_apply(graph, derived_first, first, import->calls[arch][call]);
    }
}

static bool prove(struct import *import, struct policy *policy, enum arch arch)
{
    add_derived(import, policy, arch);
    struct bpf_program program = cbpf_emit(import->arena, import->graph,
                                           calls_filter(import->graph, import->arena, arch, import->calls[arch]), 0);
    struct counterexample example = {0};
    struct prover *prover = prover_new(policy, arch, &example.why);
    enum proof proof = prover ? prover_check(prover, &program, NULL, PROVE_SECONDS, &example) : NOT_PROVED;
    if (proof != PROVED) {
        struct diagnostic *d = diagnose(import->diagnostics, SBX0811, policy->decl->name.span, arch_names[arch]);
        if (proof == REFUTED)
            diagnostic_label(import->diagnostics, d, policy->decl->name.span, "they differ about `%.*s`",
                             STR_ARGS(operation_text(policy, &example.point)));
        else
            diagnostic_label(import->diagnostics, d, policy->decl->name.span, "%s", example.why);
    }
    prover_free(prover);
    return proof == PROVED;
}

bool import_seccomp(struct compilation *compilation, const struct source *source, const struct import_options *options,
                    struct text *out)
{
    struct arena *arena = compilation->arena;
    const struct profile *profile = profile_read(compilation, source);
    if (!profile)
        return false;
    struct import import = {compilation,
                            arena,
                            &compilation->diagnostics,
                            profile,
                            options,
                            graph_new(arena),
                            .repeated = NEW_ARRAY(arena, bool, profile->rule_count)};
    compilation_prelude(compilation);
    import.unseen = group_find(compilation, compilation->prelude, STR("unseen-arguments"));
    import.fallback =
        profile->answer == SECCOMP_ALLOW ? SECCOMP_ERRNO | (uint32_t)errno_find(STR("EPERM")) : profile->answer;
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        import.calls[arch] = NEW_ARRAY(arena, graph_node, syscall_count());
        for (size_t call = 0; call < syscall_count(); call++)
            if (syscall_row(call)->number[arch] >= 0)
                import.calls[arch][call] = call_graph(&import, (enum arch)arch, call);
    }
    if (graph_is_exhausted(import.graph)) {
        struct span start = {source->number, 0, 0};
        diagnostic_label(import.diagnostics, diagnose(import.diagnostics, SBX0706, start, "this profile"), start,
                         "so no policy is made of it");
    }
    if (compilation->diagnostics.errors)
        return false;
    write_policy(&import, out);
    struct module *module = module_parse(compilation, STR("imported.sbx"), text_str(out));
    struct policy *policy = compilation->diagnostics.errors ? NULL : policy_build(compilation, module->policies, NULL);
    bool proved = policy;
    for (int arch = 0; arch < ARCH_COUNT && policy && !options->no_proof; arch++)
        proved = prove(&import, policy, (enum arch)arch) && proved;
    return proved;
}
