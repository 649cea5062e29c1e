// Looking for short code for one call.
//
// The ordered graph of policy_call is best where conditions compare whole values: equal parts exist once, values become
// a balanced tree. Where they mask one word in several ways, or join many arguments, an order that is fixed beforehand
// can make it large. So two more are built from the rules themselves, as alternatives of conjunctions of tests on
// words. One asks the test that most of them share, drops what that decides, and goes on with the rest either way. The
// other tries the alternatives one after the other, those that share a test behind that test; it never asks anything
// twice for one alternative. The one that gives the least code is taken.
#include "compiler/code/call_code.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/meaning/broker.h"
#include "compiler/code/cbpf.h"

enum { ALTERNATIVES_MOST = 96, ATOMS_MOST = 12, STEPS_MOST = 20000 };

struct atom { // (word & mask) lies in [first, last]
    uint32_t word, mask, first, last;
};

struct alternative { // all its tests hold: the answer
    struct atom atoms[ATOMS_MOST];
    size_t count;
    uint32_t answer;
};

struct search_state {
    struct arena *arena;
    struct graph *graph;
    struct alternative *list;
    size_t count;
    bool too_many;
    uint32_t fallback;
    long steps;
};

// ---- rules as alternatives ----------------------------------------------------------------------------------------

struct conjunctions {
    struct alternative *list;
    size_t count;
};

static bool add_atom(struct alternative *a, struct atom atom)
{
    if (atom.mask == 0 || (atom.first == 0 && atom.last >= atom.mask))
        return true; // always holds
    if (a->count == ATOMS_MOST)
        return false;
    a->atoms[a->count++] = atom;
    return true;
}

// Appends one interval of a test to `base`, as one alternative or, where it crosses blocks of 2^32, as up to three.
static bool add_interval(struct conjunctions *out, const struct alternative *base, const struct test *test,
                         struct test_interval interval)
{
    uint32_t high_mask = (uint32_t)(test->mask >> 32), low_mask = (uint32_t)test->mask,
             high = WORD_HIGH(test->argument), low = WORD_LOW(test->argument);
    uint32_t high_first = (uint32_t)(interval.first >> 32), high_last = (uint32_t)(interval.last >> 32);
    struct {
        uint32_t high_first, high_last, low_first, low_last;
    } blocks[3];
    size_t count = 0;
    if (high_first == high_last) {
        blocks[count++] =
            (typeof(blocks[0])){high_first, high_first, (uint32_t)interval.first, (uint32_t)interval.last};
    } else {
        uint32_t from = (uint32_t)interval.first ? high_first + 1 : high_first;
        uint32_t to = (uint32_t)interval.last == UINT32_MAX ? high_last : high_last - 1;
        if ((uint32_t)interval.first)
            blocks[count++] = (typeof(blocks[0])){high_first, high_first, (uint32_t)interval.first, UINT32_MAX};
        if (from <= to)
            blocks[count++] = (typeof(blocks[0])){from, to, 0, UINT32_MAX};
        if ((uint32_t)interval.last != UINT32_MAX)
            blocks[count++] = (typeof(blocks[0])){high_last, high_last, 0, (uint32_t)interval.last};
    }
    for (size_t i = 0; i < count; i++) {
        if (out->count == ALTERNATIVES_MOST)
            return false;
        struct alternative *a = &out->list[out->count++];
        *a = *base;
        if (!add_atom(a, (struct atom){high, high_mask, blocks[i].high_first, blocks[i].high_last}) ||
            !add_atom(a, (struct atom){low, low_mask, blocks[i].low_first, blocks[i].low_last}))
            return false;
    }
    return true;
}

static bool add_test(struct search_state *s, struct conjunctions *out, const struct alternative *base,
                     const struct test *test, bool negated);

static bool add_both(struct search_state *s, struct conjunctions *out, const struct alternative *base,
                     const struct test *test, bool negated)
{
    struct conjunctions left = {NEW_ARRAY(s->arena, struct alternative, ALTERNATIVES_MOST), 0};
    if (!add_test(s, &left, base, test->left, negated))
        return false;
    for (size_t i = 0; i < left.count; i++)
        if (!add_test(s, out, &left.list[i], test->right, negated))
            return false;
    return true;
}

// All the ways in which `base` and the test (or its opposite) hold together. False when they are too many.
static bool add_test(struct search_state *s, struct conjunctions *out, const struct alternative *base,
                     const struct test *test, bool negated)
{
    switch (test->kind) {
    case CONDITION_NOT: return add_test(s, out, base, test->left, !negated);
    case CONDITION_AND:
    case CONDITION_OR:
        if ((test->kind == CONDITION_AND) != negated)
            return add_both(s, out, base, test, negated);
        return add_test(s, out, base, test->left, negated) && add_test(s, out, base, test->right, negated);
    default: break;
    }
    uint64_t next = 0;
    bool open = true;
    for (size_t i = 0; i < test->interval_count; i++) {
        struct test_interval interval = test->intervals[i];
        if (!negated && !add_interval(out, base, test, interval))
            return false;
        if (negated && interval.first > next &&
            !add_interval(out, base, test, (struct test_interval){next, interval.first - 1}))
            return false;
        open = interval.last < test->mask;
        next = interval.last + 1;
    }
    return !negated || !open || add_interval(out, base, test, (struct test_interval){next, test->mask});
}

// The alternatives of one rule, in front of those that come after it.
static bool add_rule(struct search_state *s, const struct call_rule *entry, enum arch arch)
{
    struct alternative base = {.answer = entry->rule->effect == EFFECT_ALLOW ? SECCOMP_ALLOW : entry->rule->action};
    struct conjunctions matches = {NEW_ARRAY(s->arena, struct alternative, ALTERNATIVES_MOST), 0},
                        out = {s->list, s->count};
    const struct test *test = entry->match->tests[arch];
    const struct test *except =
        entry->except && entry->except->architectures >> arch & 1 ? entry->except->tests[arch] : NULL;
    if (entry->except && entry->except->architectures >> arch & 1 && !except)
        return true; // wholly excepted
    if (!test)
        matches.list[matches.count++] = base;
    else if (!add_test(s, &matches, &base, test, false))
        return false;
    for (size_t i = 0; i < matches.count; i++) {
        if (except ? !add_test(s, &out, &matches.list[i], except, true) : out.count == ALTERNATIVES_MOST)
            return false;
        if (!except)
            out.list[out.count++] = matches.list[i];
    }
    s->count = out.count;
    return true;
}

// ---- a graph from alternatives ------------------------------------------------------------------------------------

static bool same_atom(const struct atom *a, const struct atom *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static void drop_atom(struct alternative *a, size_t index)
{
    memmove(&a->atoms[index], &a->atoms[index + 1], (--a->count - index) * sizeof *a->atoms);
}

// What is left of an alternative when a test is known to hold, or not to. False: it can't hold any more.
static bool simplify(struct alternative *a, const struct atom *known, bool holds)
{
    for (size_t i = 0; i < a->count;) {
        const struct atom *atom = &a->atoms[i];
        bool same_question = atom->word == known->word && atom->mask == known->mask;
        bool apart = same_question && (atom->first > known->last || atom->last < known->first);
        bool inside = same_question && atom->first >= known->first && atom->last <= known->last;
        bool around = same_question && atom->first <= known->first && atom->last >= known->last;
        // One bit or more of a mask is wanted where a whole word is known, and the like: decided by its one value.
        if (!same_question && atom->word == known->word && (atom->mask & known->mask) == atom->mask &&
            known->first == known->last) {
            bool in = (known->first & atom->mask) >= atom->first && (known->first & atom->mask) <= atom->last;
            if (holds && !in)
                return false;
            if (holds) {
                drop_atom(a, i);
                continue;
            }
        }
        if (holds ? apart : inside)
            return false;
        if (holds && around)
            drop_atom(a, i);
        else
            i++;
    }
    return true;
}

// The test that most alternatives share; of equals one that asks the word at hand, else the earliest.
static struct atom best_atom(const struct alternative *list, size_t count, uint32_t word)
{
    struct atom best = list[0].atoms[0];
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < list[i].count; k++) {
            size_t shared = 0;
            for (size_t n = 0; n < count; n++)
                for (size_t m = 0; m < list[n].count; m++)
                    shared += same_atom(&list[i].atoms[k], &list[n].atoms[m]);
            shared = 2 * shared + (list[i].atoms[k].word == word && list[i].atoms[k].mask == UINT32_MAX);
            if (shared > most) {
                most = shared;
                best = list[i].atoms[k];
            }
        }
    return best;
}

static graph_node build(struct search_state *s, const struct alternative *list, size_t count, uint32_t word)
{
    if (count == 0)
        return graph_leaf(s->graph, s->fallback);
    if (list[0].count == 0) // the first that holds decides
        return graph_leaf(s->graph, list[0].answer);
    s->steps -= (long)count;
    if (s->steps < 0) {
        s->too_many = true;
        return graph_leaf(s->graph, s->fallback);
    }
    struct atom atom = best_atom(list, count, word);
    struct alternative *next = malloc(count * sizeof *next);
    if (!next)
        abort();
    graph_node nodes[2];
    for (int holds = 0; holds < 2; holds++) {
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            next[left] = list[i];
            left += simplify(&next[left], &atom, holds);
        }
        nodes[holds] = build(s, next, left, atom.word);
    }
    free(next);
    struct graph_interval interval = {atom.first, atom.last};
    return graph_test(s->graph, atom.word, atom.mask, &interval, 1, nodes[1], nodes[0]);
}

// All of one answer, in any order; where none holds, `rest`.
static graph_node build_chain(struct search_state *s, struct alternative *list, size_t count, graph_node rest)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].count == 0)
            return graph_leaf(s->graph, list[i].answer);
    if (count == 0)
        return rest;
    struct atom atom = best_atom(list, count, WORD_NUMBER);
    struct alternative *others = NEW_ARRAY(s->arena, struct alternative, count);
    size_t with = 0, without = 0;
    for (size_t i = 0; i < count; i++) {
        size_t index = 0;
        while (index < list[i].count && !same_atom(&list[i].atoms[index], &atom))
            index++;
        struct alternative one = list[i];
        if (index == one.count) {
            others[without++] = one;
            continue;
        }
        drop_atom(&one, index);
        list[with++] = one;
    }
    graph_node otherwise = build_chain(s, others, without, rest);
    struct graph_interval interval = {atom.first, atom.last};
    return graph_test(s->graph, atom.word, atom.mask, &interval, 1, build_chain(s, list, with, otherwise), otherwise);
}

static graph_node build_chains(struct search_state *s)
{
    struct alternative *copy = NEW_ARRAY(s->arena, struct alternative, s->count);
    memcpy(copy, s->list, s->count * sizeof *copy);
    graph_node node = graph_leaf(s->graph, s->fallback);
    for (size_t end = s->count, start; end > 0; end = start) { // from the last answer to the first
        start = end - 1;
        while (start > 0 && copy[start - 1].answer == copy[end - 1].answer)
            start--;
        node = build_chain(s, copy + start, end - start, node);
    }
    return node;
}

// ---- the choice ---------------------------------------------------------------------------------------------------

static size_t code_length(struct policy *policy, graph_node node)
{
    return cbpf_emit(policy->arena, policy->graph, node, 0).length;
}

struct census {   // of the comparisons in some conditions
    size_t steps; // instructions that they take, one after the other: loads, masks, tests
    size_t masks; // those that leave out bits
};

// A comparison of an argument under a mask takes others six instructions: both halves, masked. Here it is three, of the
// half that matters. Half an instruction of each is what a balanced tree of numbers may cost: so much that most are
// balanced, so little that filters stay the shorter ones.
static void count_tests(struct census *census, const struct test *test)
{
    if (!test)
        return;
    if (test->kind != CONDITION_IN) {
        count_tests(census, test->left);
        count_tests(census, test->right);
        return;
    }
    uint32_t high = (uint32_t)(test->mask >> 32), low = (uint32_t)test->mask;
    size_t words = (high != 0) + (low != 0), masks = (high && high != UINT32_MAX) + (low && low != UINT32_MAX);
    census->masks += masks;
    census->steps += 2 * words + masks;
}

// About how many instructions a graph takes, counted as far as `most` and one more.
static size_t steps_in(const struct graph *graph, graph_node root, size_t most)
{
    enum { SEEN_MOST = 64 };
    graph_node seen[SEEN_MOST], stack[SEEN_MOST];
    size_t count = 0, depth = 0, steps = 0;
    stack[depth++] = root;
    while (depth) {
        graph_node node = stack[--depth];
        const struct graph_vertex *vertex = graph_at(graph, node);
        bool known = vertex->run_count == 0;
        for (size_t i = 0; i < count && !known; i++)
            known = seen[i] == node;
        if (known)
            continue;
        steps += 1 + (vertex->mask != UINT32_MAX) + vertex->run_count / 2;
        if (count == SEEN_MOST || steps > most)
            return most + 1;
        seen[count++] = node;
        for (uint32_t i = 0; i < vertex->run_count; i++) {
            bool leaf = graph_at(graph, vertex->runs[i].node)->run_count == 0;
            if (!leaf && depth == SEEN_MOST)
                return most + 1;
            if (!leaf)
                stack[depth++] = vertex->runs[i].node;
        }
    }
    return steps;
}

graph_node call_code(struct policy *policy, enum arch arch, size_t call, size_t *spared)
{
    graph_node ordered = policy_call(policy, arch, call);
    *spared = 0;
    if (graph_at(policy->graph, ordered)->run_count == 0 || graph_is_exhausted(policy->graph))
        return ordered;
    struct census census = {0};
    for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next) {
        count_tests(&census, entry->match->tests[arch]);
        count_tests(&census, entry->except ? entry->except->tests[arch] : NULL);
    }
    *spared = census.masks / 2;
    if (steps_in(policy->graph, ordered, census.steps) <= census.steps)
        return ordered; // it asks nothing twice, so there is nothing to gain
    struct search_state s = {
        .arena = policy->arena, .graph = policy->graph, .fallback = policy_fallback(policy, call), .steps = STEPS_MOST};
    s.list = NEW_ARRAY(policy->arena, struct alternative, ALTERNATIVES_MOST);
    size_t count;
    const struct call_rule **rules = call_rules_in_order(policy, arch, call, NULL, &count);
    for (size_t i = 0; i < count; i++)
        if (!add_rule(&s, rules[i], arch))
            return ordered;
    graph_node best = ordered, chains = build_chains(&s), built = build(&s, s.list, s.count, WORD_NUMBER);
    size_t shortest = code_length(policy, ordered), length = code_length(policy, chains);
    if (length < shortest) {
        shortest = length;
        best = chains;
    }
    return !s.too_many && code_length(policy, built) < shortest ? built : best;
}

static uint32_t handed_over(uint32_t verdict, uint32_t broker)
{
    return verdict == SECCOMP_ALLOW ? broker : verdict;
}

graph_node call_handed_over(struct graph *graph, graph_node answers, int unless_null)
{
    static const struct graph_interval zero = {0, 0};
    graph_node node = graph_leaf(graph, SECCOMP_NOTIFY), allow = graph_leaf(graph, SECCOMP_ALLOW);
    if (unless_null >= 0) {
        graph_node low = graph_test(graph, WORD_LOW(unless_null), UINT32_MAX, &zero, 1, allow, node);
        node = graph_test(graph, WORD_HIGH(unless_null), UINT32_MAX, &zero, 1, low, node);
    }
    return graph_apply(graph, handed_over, answers, node);
}

graph_node policy_code(struct policy *policy, enum arch arch, size_t *spare)
{
    graph_node *calls = NEW_ARRAY(policy->arena, graph_node, syscall_count());
    unsigned broker = policy_broker(policy);
    int unless_null;
    *spare = 0;
    for (size_t call = 0; call < syscall_count(); call++)
        if (syscall_row(call)->number[arch] >= 0) {
            size_t spared = 0;
            calls[call] = broker_takes(broker, call, &unless_null)
                              ? call_handed_over(policy->graph, policy_call(policy, (enum arch)arch, call), unless_null)
                              : call_code(policy, (enum arch)arch, call, &spared);
            *spare += spared;
        }
    return calls_filter(policy->graph, policy->arena, arch, calls);
}
