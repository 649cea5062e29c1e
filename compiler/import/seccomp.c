// From a seccomp profile to a policy: what it answers to each call (answers.h) is read back as conditions.
//
// What differs is written at the top of the result, and is all that the proof leaves out: what the kernel does not look
// at in an argument, numbers without a name, other architectures.
#include "compiler/import/seccomp.h"

#include <string.h>

#include "compiler/sets/call_groups.h"
#include "compiler/sets/condition_text.h"
#include "compiler/import/answers.h"
#include "compiler/code/call_code.h"
#include "compiler/meaning/broker.h"
#include "compiler/meaning/search.h"
#include "compiler/prove/prove.h"
#include "lang/load.h"

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
            if (rule->calls[k].call == (int)line->call && rule->comment.length &&
                import_is_active(import, rule, line->arch))
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

static bool prove(struct import *import, struct z3 *z3, struct policy *policy, enum arch arch)
{
    add_derived(import, policy, arch);
    struct bpf_program program = cbpf_emit(import->arena, import->graph,
                                           calls_filter(import->graph, import->arena, arch, import->calls[arch]), 0);
    struct counterexample example = {0};
    enum proof proof = filter_prove(z3, policy, arch, &program, NULL, PROVE_SECONDS, &example);
    if (proof != PROVED) {
        struct diagnostic *d = diagnose(import->diagnostics, SBX0811, policy->decl->name.span, arch_names[arch]);
        if (proof == REFUTED)
            diagnostic_label(import->diagnostics, d, policy->decl->name.span, "they differ about `%.*s`",
                             STR_ARGS(operation_text(policy, &example.point)));
        else
            diagnostic_label(import->diagnostics, d, policy->decl->name.span, "%s", example.why);
    }
    return proof == PROVED;
}

static struct import answers_of(struct compilation *compilation, const struct profile *profile,
                                const struct import_options *options, struct graph *graph)
{
    struct arena *arena = compilation->arena;
    struct import import = {compilation,
                            arena,
                            &compilation->diagnostics,
                            profile,
                            options,
                            graph,
                            .repeated = NEW_ARRAY(arena, bool, profile->rule_count)};
    compilation_prelude(compilation);
    import.unseen = group_find(compilation, compilation->prelude, STR("unseen-arguments"));
    import.fallback =
        profile->answer == SECCOMP_ALLOW ? SECCOMP_ERRNO | (uint32_t)errno_find(STR("EPERM")) : profile->answer;
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        import.calls[arch] = NEW_ARRAY(arena, graph_node, syscall_count());
        for (size_t call = 0; call < syscall_count(); call++)
            if (syscall_row(call)->number[arch] >= 0)
                import.calls[arch][call] = import_answers(&import, (enum arch)arch, call);
    }
    return import;
}

bool import_seccomp(struct compilation *compilation, const struct source *source, const struct import_options *options,
                    struct text *out)
{
    struct arena *arena = compilation->arena;
    const struct profile *profile = profile_read(compilation, source);
    if (!profile)
        return false;
    struct import import = answers_of(compilation, profile, options, graph_new(arena));
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
    if (!policy || options->no_proof)
        return policy;
    bool proved = true;
    struct z3 z3 = {0};
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        proved &= prove(&import, &z3, policy, (enum arch)arch);
    z3_close(&z3);
    return proved;
}

// What keeps the profile's answers from being the policy's on one architecture; NULL: nothing.
static const char *differs_on(const struct import *import, struct z3 *z3, struct policy *policy, enum arch arch)
{
    int unless_null;
    unsigned broker = policy_broker(policy);
    for (size_t call = 0; call < syscall_count(); call++)
        if (syscall_row(call)->number[arch] >= 0 && broker_takes(broker, call, &unless_null))
            import->calls[arch][call] = call_handed_over(policy->graph, import->calls[arch][call], unless_null);
    struct bpf_program program = cbpf_emit(import->arena, policy->graph,
                                           calls_filter(policy->graph, import->arena, arch, import->calls[arch]), 0);
    struct counterexample example = {0};
    enum proof proof = filter_prove(z3, policy, arch, &program, NULL, PROVE_SECONDS, &example);
    if (proof == PROVED)
        return NULL;
    struct str why = proof == NOT_PROVED ? str_from(example.why)
                                         : str_format(import->arena, "they differ about `%.*s`",
                                                      STR_ARGS(operation_text(policy, &example.point)));
    return str_copy(import->arena, why).text; // longer than Z3 keeps its own
}

const char *import_differs(struct compilation *compilation, const struct source *source, struct policy *policy)
{
    static const struct import_options options = {0, IMPORT_KERNEL, false};
    struct diagnostics *diagnostics = &compilation->diagnostics;
    unsigned found = diagnostics->errors + diagnostics->warnings;
    const struct profile *profile = profile_read(compilation, source);
    if (!profile)
        return "it is no profile";
    struct import import = answers_of(compilation, profile, &options, policy->graph);
    if (graph_is_exhausted(policy->graph) || diagnostics->errors + diagnostics->warnings != found)
        return "engines may read it otherwise";
    struct z3 z3 = {0};
    const char *why = NULL;
    for (int arch = 0; arch < ARCH_COUNT && !why; arch++)
        why = differs_on(&import, &z3, policy, (enum arch)arch);
    z3_close(&z3);
    return why;
}
