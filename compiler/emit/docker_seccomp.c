// Container engines' seccomp profiles.
#include "compiler/emit/docker_seccomp.h"

#include <string.h>

#include "compiler/sets/seccomp.h"

enum {
    ERRNO_TAKEN = 4094, // the largest that libseccomp takes
    RULES_MOST = 512    // about one call: of more no filter that the kernel takes is made
};

// ---- a call's conditions ------------------------------------------------------------------------------------------

struct conjunction { // (argument & mask) == value for each argument, or argument != value
    uint64_t mask[SYSCALL_ARGUMENTS], value[SYSCALL_ARGUMENTS];
    bool differs[SYSCALL_ARGUMENTS];
};

struct answer_list {
    struct answer {
        uint32_t answer;
        struct str arguments; // JSON; empty: whatever they are
        struct answer *next;
    } * first, **last;
    size_t count;
    bool too_many;
};

struct walk { // of one call's graph
    struct arena *arena;
    const struct graph *graph;
    const struct syscall_row *row;
    graph_node whole;
    uint32_t fallback;
    struct answer_list *list;
    struct large { // per answer: from which value on of each argument the call gets it, whatever the others; 0: none
        uint32_t answer, from[SYSCALL_ARGUMENTS];
        struct large *next;
    } * large;
};

static struct str arguments_json(struct arena *arena, const struct conjunction *c)
{
    struct text text = {.arena = arena};
    struct json_writer w = {.text = &text, .depth = 2};
    json_open(&w, '[');
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++) {
        if (!c->mask[i])
            continue;
        bool masked = c->mask[i] != UINT64_MAX;
        json_open(&w, '{');
        json_member_number(&w, "index", i);
        json_member_number(&w, "value", masked ? c->mask[i] : c->value[i]);
        if (masked)
            json_member_number(&w, "valueTwo", c->value[i]);
        json_member(&w, "op",
                    masked            ? STR("SCMP_CMP_MASKED_EQ")
                    : c->differs[i]   ? STR("SCMP_CMP_NE")
                                      : STR("SCMP_CMP_EQ"));
        json_close(&w, '}');
    }
    json_close(&w, ']');
    return str_is(text_str(&text), "[]") ? STR("") : text_str(&text);
}

static uint32_t run_last(const struct graph_vertex *vertex, uint32_t run)
{
    return run + 1 < vertex->run_count ? vertex->runs[run + 1].start - 1 : vertex->mask;
}

// Does the call get this answer wherever a word lies from `first` to `last`?
static bool range_decides(const struct graph *graph, graph_node node, uint32_t word, uint32_t first, uint32_t last,
                          uint32_t answer)
{
    const struct graph_vertex *vertex = graph_at(graph, node);
    if (!vertex->run_count)
        return vertex->value == answer;
    bool whole = vertex->word == word && vertex->mask >= last && !(vertex->mask & (vertex->mask + 1));
    for (uint32_t i = 0; i < vertex->run_count; i++)
        if (!(whole && (vertex->runs[i].start > last || run_last(vertex, i) < first)) &&
            !range_decides(graph, vertex->runs[i].node, word, first, last, answer))
            return false;
    return true;
}

static void list_answer(struct walk *walk, uint32_t answer, const struct conjunction *c)
{
    struct answer_list *list = walk->list;
    struct str arguments = arguments_json(walk->arena, c);
    if (list->count == RULES_MOST) {
        list->too_many = true;
        return;
    }
    struct answer *added = NEW(walk->arena, struct answer);
    *added = (struct answer){.answer = answer, .arguments = arguments};
    *(list->last ? list->last : &list->first) = added;
    list->last = &added->next;
    list->count++;
}

struct tail { // an argument's large values, for one answer
    struct walk *walk;
    unsigned argument;
    uint32_t answer;
};

static void list_tail(uint32_t mask, uint32_t value, void *context)
{
    const struct tail *tail = context;
    struct conjunction c = {0};
    c.mask[tail->argument] = mask;
    c.value[tail->argument] = value;
    list_answer(tail->walk, tail->answer, &c);
}

// What large values decide alone is said once, not with each value of the other arguments.
static const struct large *large_for(struct walk *walk, uint32_t answer)
{
    for (const struct large *known = walk->large; known; known = known->next)
        if (known->answer == answer)
            return known;
    struct large *large = NEW(walk->arena, struct large);
    *large = (struct large){.answer = answer, .next = walk->large};
    walk->large = large;
    bool asks = graph_at(walk->graph, walk->whole)->run_count;
    for (unsigned i = 0; asks && i < walk->row->argument_count; i++) {
        unsigned bits = argument_bits(walk->row->arguments[i].type), bit = bits;
        uint32_t most = (uint32_t)((1ull << bits % 64) - 1);
        while (bits < 64 && bit > 0 &&
               range_decides(walk->graph, walk->whole, WORD_LOW(i), 1u << (bit - 1), (uint32_t)((1ull << bit) - 1),
                             answer))
            bit--;
        if (bits < 64 && bit < bits) {
            large->from[i] = 1u << bit;
            graph_patterns(most, large->from[i], most, list_tail, &(struct tail){walk, i, answer});
        }
    }
    return large;
}

static void add_answer(struct walk *walk, uint32_t answer, const struct conjunction *c)
{
    if (answer == walk->fallback)
        return;
    const struct large *large = large_for(walk, answer);
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++)
        if (large->from[i] && c->value[i] >= large->from[i])
            return;
    list_answer(walk, answer, c);
}

static void walk_graph(struct walk *, graph_node, const struct conjunction *);

struct pattern { // what a graph's patterns are added to
    struct walk *walk;
    const struct conjunction *before;
    unsigned argument, shift;
    graph_node next;
};

static void walk_pattern(uint32_t mask, uint32_t value, void *context)
{
    const struct pattern *p = context;
    struct conjunction c = *p->before;
    uint64_t wide_mask = (uint64_t)mask << p->shift, wide_value = (uint64_t)value << p->shift;
    if ((c.value[p->argument] ^ wide_value) & c.mask[p->argument] & wide_mask)
        return; // never both
    c.mask[p->argument] |= wide_mask;
    c.value[p->argument] |= wide_value;
    walk_graph(p->walk, p->next, &c);
}

// The node that a word leads to but for one value, which leads to *other. NO_NODE: it is not so.
static graph_node all_but_one(const struct graph_vertex *vertex, uint32_t *value, graph_node *other)
{
    for (uint32_t i = 0; i < vertex->run_count; i++) {
        uint32_t first = vertex->runs[i].start, last = run_last(vertex, i);
        graph_node rest = vertex->runs[i ? 0 : vertex->run_count - 1].node;
        if (vertex->mask == UINT32_MAX && first == last && vertex->run_count == (first && ~first ? 3u : 2u) &&
            rest == vertex->runs[i + 1 < vertex->run_count ? vertex->run_count - 1 : 0].node) {
            *value = first;
            *other = vertex->runs[i].node;
            return rest;
        }
    }
    return NO_NODE;
}

// An argument of 64 bits of which one value alone is told apart, as NULL is.
static bool walk_one_value(struct walk *walk, const struct graph_vertex *high, unsigned argument,
                           const struct conjunction *before)
{
    uint32_t high_value, low_value;
    graph_node node, equal, differs = all_but_one(high, &high_value, &node);
    if (differs == NO_NODE || before->mask[argument])
        return false;
    const struct graph_vertex *low = graph_at(walk->graph, node), *rest = graph_at(walk->graph, differs);
    if (!low->run_count || low->word != WORD_LOW(argument) || all_but_one(low, &low_value, &equal) != differs ||
        (rest->run_count && rest->word <= WORD_LOW(argument)))
        return false;
    struct conjunction c = *before;
    c.mask[argument] = UINT64_MAX;
    c.value[argument] = (uint64_t)high_value << 32 | low_value;
    walk_graph(walk, equal, &c);
    c.differs[argument] = true;
    walk_graph(walk, differs, &c);
    return true;
}

static void walk_graph(struct walk *walk, graph_node node, const struct conjunction *before)
{
    const struct graph_vertex *vertex = graph_at(walk->graph, node);
    if (!vertex->run_count)
        add_answer(walk, vertex->value, before);
    if (!vertex->run_count || walk->list->too_many)
        return;
    unsigned argument = (vertex->word - WORD_ARGUMENTS) / 2;
    if (vertex->word == WORD_HIGH(argument) && walk_one_value(walk, vertex, argument, before))
        return;
    for (uint32_t i = 0; i < vertex->run_count; i++)
        graph_patterns(vertex->mask, vertex->runs[i].start, run_last(vertex, i), walk_pattern,
                       &(struct pattern){walk, before, argument, vertex->word == WORD_HIGH(argument) ? 32 : 0,
                                         vertex->runs[i].node});
}

// ---- rules --------------------------------------------------------------------------------------------------------

static const struct {
    const char *seccomp, *docker; // as profiles name it, and as their conditions do
} architectures[ARCH_COUNT] = {[ARCH_X86_64] = {"SCMP_ARCH_X86_64", "amd64"},
                               [ARCH_AARCH64] = {"SCMP_ARCH_AARCH64", "arm64"}};

struct profile_line { // one rule of the profile
    uint32_t answer;
    int arch; // ARCH_COUNT: all
    struct str arguments;
    bool *member; // per row of the table
    struct profile_line *next;
};

struct emitter {
    struct policy *policy;
    struct text *wider;
    struct profile_line *first, **last;
};

static void add_line(struct emitter *e, size_t call, int arch, const struct answer *answer)
{
    struct profile_line *line = e->first;
    while (line && (line->answer != answer->answer || line->arch != arch ||
                    !str_equal(line->arguments, answer->arguments)))
        line = line->next;
    if (!line) {
        line = NEW(e->policy->arena, struct profile_line);
        *line = (struct profile_line){answer->answer, arch, answer->arguments,
                                      NEW_ARRAY(e->policy->arena, bool, syscall_count()), NULL};
        *e->last = line;
        e->last = &line->next;
    }
    line->member[call] = true;
}

static bool same_answers(const struct answer_list *a, const struct answer_list *b)
{
    const struct answer *x = a->first, *y = b->first;
    while (x && y && x->answer == y->answer && str_equal(x->arguments, y->arguments)) {
        x = x->next;
        y = y->next;
    }
    return !x && !y;
}

static bool is_errno(uint32_t answer)
{
    return (answer & ~0xFFFFu) == SECCOMP_ERRNO;
}

static bool refuse_errno(struct emitter *e, const struct rule *rule)
{
    text_addf(e->wider, "%.*s: libseccomp takes no errno above %d: write another behind `with`",
              STR_ARGS(rule_place(e->policy, rule)), ERRNO_TAKEN);
    return false;
}

// The rule that gives the call this answer for some arguments.
static const struct rule *rule_behind(struct policy *policy, enum arch arch, size_t call, uint32_t answer)
{
    uint32_t words[SECCOMP_WORDS] = {0};
    struct operation_point point = {
        .domain = DOMAIN_CALLS, .arch = arch, .number = (uint32_t)syscall_row(call)->number[arch]};
    graph_find(policy->graph, policy_call(policy, arch, call), answer, words, SECCOMP_WORDS);
    for (unsigned i = 0; i < SYSCALL_ARGUMENTS; i++)
        point.arguments[i] = (uint64_t)words[WORD_HIGH(i)] << 32 | words[WORD_LOW(i)];
    return policy_verdict(policy, &point).rule;
}

static bool is_taken(struct emitter *e, enum arch arch, size_t call, const struct answer_list *list)
{
    struct policy *policy = e->policy;
    if (list->too_many) {
        text_addf(e->wider, "%.*s: `%s` takes more than %d rules of a profile: compare fewer of its values",
                  STR_ARGS(rule_place(policy, policy->calls[call]->rule)), syscall_row(call)->name, RULES_MOST);
        return false;
    }
    for (const struct answer *answer = list->first; answer; answer = answer->next)
        if (is_errno(answer->answer) && (answer->answer & 0xFFFF) > ERRNO_TAKEN)
            return refuse_errno(e, rule_behind(policy, arch, call, answer->answer));
    return true;
}

static bool add_call(struct emitter *e, size_t call)
{
    struct answer_list lists[ARCH_COUNT] = {{0}};
    const struct answer_list *other = NULL;
    bool alike = true;
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        if (syscall_row(call)->number[arch] < 0)
            continue;
        struct walk walk = {.arena = e->policy->arena,
                            .graph = e->policy->graph,
                            .row = syscall_row(call),
                            .whole = policy_call(e->policy, (enum arch)arch, call),
                            .fallback = (uint32_t)e->policy->fallback.number,
                            .list = &lists[arch]};
        walk_graph(&walk, walk.whole, &(struct conjunction){{0}, {0}, {0}});
        if (!is_taken(e, (enum arch)arch, call, &lists[arch]))
            return false;
        alike &= !other || same_answers(other, &lists[arch]);
        other = &lists[arch];
    }
    for (int arch = 0; arch < ARCH_COUNT && !alike; arch++)
        for (const struct answer *answer = lists[arch].first; answer; answer = answer->next)
            add_line(e, call, arch, answer);
    for (const struct answer *answer = alike && other ? other->first : NULL; answer; answer = answer->next)
        add_line(e, call, ARCH_COUNT, answer);
    return true;
}

// ---- writing ------------------------------------------------------------------------------------------------------

static void write_answer(struct json_writer *w, uint32_t answer, const char *action, const char *error)
{
    json_member(w, action,
                is_errno(answer)            ? STR("SCMP_ACT_ERRNO")
                : answer == SECCOMP_ALLOW   ? STR("SCMP_ACT_ALLOW")
                                            : STR("SCMP_ACT_KILL_PROCESS"));
    if (is_errno(answer))
        json_member_number(w, error, answer & 0xFFFF);
}

static void write_line(struct json_writer *w, const struct profile_line *line, bool conditional)
{
    json_open(w, '{');
    json_key(w, "names");
    json_open(w, '[');
    for (size_t call = 0; call < syscall_count(); call++)
        if (line->member[call])
            json_string(w, str_from(syscall_row(call)->name));
    json_close(w, ']');
    write_answer(w, line->answer, "action", "errnoRet");
    if (line->arguments.length) {
        json_key(w, "args");
        json_raw(w, line->arguments);
    }
    if (conditional && line->arch != ARCH_COUNT) {
        json_key(w, "includes");
        json_open(w, '{');
        json_key(w, "arches");
        json_open(w, '[');
        json_string(w, str_from(architectures[line->arch].docker));
        json_close(w, ']');
        json_close(w, '}');
    }
    json_close(w, '}');
}

static void write_profile(struct json_writer *w, const struct emitter *e, int only)
{
    bool all = only == ARCH_COUNT;
    json_open(w, '{');
    write_answer(w, (uint32_t)e->policy->fallback.number, "defaultAction", "defaultErrnoRet");
    json_key(w, all ? "archMap" : "architectures");
    json_open(w, '[');
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        if (!all && arch != only)
            continue;
        if (all) {
            json_open(w, '{');
            json_key(w, "architecture");
        }
        json_string(w, str_from(architectures[arch].seccomp));
        if (all)
            json_close(w, '}');
    }
    json_close(w, ']');
    json_key(w, "syscalls");
    json_open(w, '[');
    for (const struct profile_line *line = e->first; line; line = line->next)
        if (all || line->arch == ARCH_COUNT || line->arch == only)
            write_line(w, line, all);
    json_close(w, ']');
    json_close(w, '}');
}

static bool read_rules(struct emitter *e)
{
    uint32_t fallback = (uint32_t)e->policy->fallback.number;
    e->last = &e->first;
    if (is_errno(fallback) && (fallback & 0xFFFF) > ERRNO_TAKEN)
        return refuse_errno(e, &(struct rule){.span = e->policy->fallback.span});
    for (size_t call = 0; call < syscall_count(); call++)
        if (!add_call(e, call))
            return false;
    return true;
}

bool emit_docker_seccomp(struct text *out, struct text *wider, struct policy *policy, const struct plan *plan)
{
    struct emitter e = {.policy = policy, .wider = wider};
    struct json_writer w = {.text = out, .lines = 2};
    if (!read_rules(&e))
        return false;
    write_profile(&w, &e, ARCH_COUNT);
    emit_wider_network(wider, "", plan, "no address is compared");
    return true;
}

bool emit_oci_seccomp(struct json_writer *w, struct text *why, struct policy *policy, enum arch arch)
{
    struct emitter e = {.policy = policy, .wider = why};
    bool taken = read_rules(&e);
    if (taken)
        write_profile(w, &e, (int)arch);
    return taken;
}
