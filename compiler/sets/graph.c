// Decision graphs: hash-consed, ordered, with exact search for a word.
#include "compiler/sets/graph.h"

#include <stdlib.h>
#include <string.h>

struct memo {
    graph_operation *operation;
    graph_node a, b, c, result;
};

struct graph {
    struct arena *arena;
    struct graph_vertex *vertices;
    size_t count, capacity;
    graph_node *unique; // open addressing; 0 is empty, else node + 1
    size_t unique_capacity;
    struct memo *memo; // a cache: a newer entry may replace an older one
    size_t memo_capacity;
    uint32_t merges;       // how many were needed so far
    struct search *search; // of graph_find, kept from one to the next
    uint32_t *reaches;     // per node, for the search at hand: see reaches()
    size_t reaches_capacity;
    uint32_t searches;
};

// A real policy needs thousands. Conditions that join many masks of many words would need more than any machine has.
enum { MERGES_MOST = 2000000 };

bool graph_is_exhausted(const struct graph *graph)
{
    return graph->merges > MERGES_MOST;
}

struct graph *graph_new(struct arena *arena)
{
    struct graph *graph = NEW(arena, struct graph);
    graph->arena = arena;
    graph->unique_capacity = 1024;
    graph->unique = NEW_ARRAY(arena, graph_node, graph->unique_capacity);
    graph->memo_capacity = 1024;
    graph->memo = NEW_ARRAY(arena, struct memo, graph->memo_capacity);
    return graph;
}

const struct graph_vertex *graph_at(const struct graph *graph, graph_node node)
{
    return &graph->vertices[node];
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

static uint64_t hash_vertex(const struct graph_vertex *v)
{
    uint64_t hash = mix(mix(v->word, v->mask), v->run_count);
    if (v->run_count == 0)
        return mix(hash, v->value);
    for (uint32_t i = 0; i < v->run_count; i++)
        hash = mix(hash, (uint64_t)v->runs[i].start << 32 | v->runs[i].node);
    return hash;
}

static bool same_vertex(const struct graph_vertex *a, const struct graph_vertex *b)
{
    if (a->word != b->word || a->mask != b->mask || a->run_count != b->run_count)
        return false;
    if (a->run_count == 0)
        return a->value == b->value;
    return memcmp(a->runs, b->runs, a->run_count * sizeof *a->runs) == 0;
}

static graph_node *unique_slot(struct graph *graph, const struct graph_vertex *vertex)
{
    size_t mask = graph->unique_capacity - 1;
    for (size_t i = hash_vertex(vertex) & mask;; i = (i + 1) & mask)
        if (!graph->unique[i] || same_vertex(&graph->vertices[graph->unique[i] - 1], vertex))
            return &graph->unique[i];
}

static graph_node intern(struct graph *graph, const struct graph_vertex *vertex)
{
    graph_node *slot = unique_slot(graph, vertex);
    if (*slot)
        return *slot - 1;
    if (graph->count == graph->capacity) {
        size_t capacity = graph->capacity ? graph->capacity * 2 : 256;
        graph->vertices = arena_grow(graph->arena, graph->vertices, graph->count * sizeof *graph->vertices,
                                     capacity * sizeof *graph->vertices);
        graph->capacity = capacity;
    }
    graph->vertices[graph->count] = *vertex;
    if (vertex->run_count) {
        size_t bytes = vertex->run_count * sizeof *vertex->runs;
        graph->vertices[graph->count].runs = arena_grow(graph->arena, vertex->runs, bytes, bytes);
    }
    graph_node node = (graph_node)graph->count++;
    *slot = node + 1;
    if (graph->count * 2 > graph->unique_capacity) {
        graph->unique_capacity *= 2;
        graph->unique = NEW_ARRAY(graph->arena, graph_node, graph->unique_capacity);
        for (size_t i = 0; i < graph->count; i++)
            *unique_slot(graph, &graph->vertices[i]) = (graph_node)i + 1;
    }
    return node;
}

graph_node graph_leaf(struct graph *graph, uint32_t value)
{
    return intern(graph, &(struct graph_vertex){.value = value});
}

graph_node graph_runs(struct graph *graph, uint32_t word, uint32_t mask, const struct graph_run *runs, size_t count)
{
    struct graph_run small[64], *joined = count <= 64 ? small : scratch_alloc(count * sizeof *joined);
    uint32_t used = 0;
    for (size_t i = 0; i < count; i++)
        if ((used == 0 || joined[used - 1].node != runs[i].node) &&
            runs[i].start <= mask) // a masked word is never above its mask
            joined[used++] = runs[i];
    if (used > 1 && (mask & (mask - 1)) == 0) { // one bit: it is 0 or it is the bit
        graph_node clear = joined[0].node, set = clear;
        for (uint32_t i = 0; i < used && joined[i].start <= mask; i++)
            set = joined[i].node;
        joined[1] = (struct graph_run){1, set};
        used = clear == set ? 1 : 2;
    }
    graph_node node = joined[0].node;
    if (used > 1)
        node = intern(graph, &(struct graph_vertex){.word = word, .mask = mask, .run_count = used, .runs = joined});
    if (joined != small)
        free(joined);
    return node;
}

graph_node graph_test(struct graph *graph, uint32_t word, uint32_t mask, const struct graph_interval *intervals,
                      size_t count, graph_node inside, graph_node outside)
{
    struct graph_run *runs = scratch_alloc((2 * count + 1) * sizeof *runs);
    size_t used = 0;
    uint64_t next = 0; // the first value not yet covered
    for (size_t i = 0; i < count; i++) {
        if (intervals[i].first > next)
            runs[used++] = (struct graph_run){(uint32_t)next, outside};
        runs[used++] = (struct graph_run){intervals[i].first, inside};
        next = (uint64_t)intervals[i].last + 1;
    }
    if (next <= UINT32_MAX)
        runs[used++] = (struct graph_run){(uint32_t)next, outside};
    graph_node node = graph_runs(graph, word, mask, runs, used);
    free(runs);
    return node;
}

// Which of two vertices asks first: leaves last, then by word, then the wider mask.
static bool asks_before(const struct graph_vertex *a, const struct graph_vertex *b)
{
    if (a->run_count == 0 || b->run_count == 0)
        return a->run_count != 0;
    return a->word != b->word ? a->word < b->word : a->mask > b->mask;
}

static bool same_question(const struct graph_vertex *a, const struct graph_vertex *b)
{
    return a->run_count && b->run_count && a->word == b->word && a->mask == b->mask;
}

static struct memo *memo_slot(struct graph *graph, graph_operation *operation, graph_node a, graph_node b, graph_node c)
{
    uint64_t hash = mix(mix(mix((uintptr_t)operation, a), b), c);
    return &graph->memo[hash & (graph->memo_capacity - 1)];
}

static bool memo_hit(const struct memo *memo, graph_operation *operation, graph_node a, graph_node b, graph_node c)
{
    return memo->operation == operation && memo->a == a && memo->b == b && memo->c == c && (a | b | c);
}

// The function every combination goes through: `condition` non-zero picks from `a`, else from `b` (select); apply is
// built on the same walk. Three operands are merged run by run.
static graph_node merge(struct graph *graph, graph_operation *operation, graph_node condition, graph_node a,
                        graph_node b);

static graph_node merge_runs(struct graph *graph, graph_operation *operation, graph_node condition, graph_node a,
                             graph_node b)
{
    const struct graph_vertex *operands[3] = {graph_at(graph, condition), graph_at(graph, a), graph_at(graph, b)};
    const struct graph_vertex *first = operands[0];
    for (int i = 1; i < 3; i++)
        if (asks_before(operands[i], first))
            first = operands[i];
    struct graph_vertex question = *first;
    graph_node nodes[3] = {condition, a, b};
    struct graph_run *runs[3];
    uint32_t counts[3], at[3] = {0}, total = 0;
    for (int i = 0; i < 3; i++) {
        bool asks = same_question(operands[i], &question);
        counts[i] = asks ? operands[i]->run_count : 0;
        runs[i] = asks ? operands[i]->runs : NULL;
        total += counts[i];
    }
    struct graph_run small[32], *merged = total <= 32 ? small : scratch_alloc(total * sizeof *merged);
    size_t used = 0;
    for (uint64_t start = 0;;) {
        graph_node now[3];
        for (int i = 0; i < 3; i++)
            now[i] = counts[i] ? runs[i][at[i]].node : nodes[i];
        merged[used++] = (struct graph_run){(uint32_t)start, merge(graph, operation, now[0], now[1], now[2])};
        uint64_t next = UINT64_MAX;
        for (int i = 0; i < 3; i++)
            if (counts[i] && at[i] + 1 < counts[i] && runs[i][at[i] + 1].start < next)
                next = runs[i][at[i] + 1].start;
        if (next == UINT64_MAX)
            break;
        for (int i = 0; i < 3; i++)
            if (counts[i] && at[i] + 1 < counts[i] && runs[i][at[i] + 1].start == next)
                at[i]++;
        start = next;
    }
    graph_node node = graph_runs(graph, question.word, question.mask, merged, used);
    if (merged != small)
        free(merged);
    return node;
}

static graph_node merge(struct graph *graph, graph_operation *operation, graph_node condition, graph_node a,
                        graph_node b)
{
    const struct graph_vertex *c = graph_at(graph, condition), *va = graph_at(graph, a), *vb = graph_at(graph, b);
    if (operation) {
        if (va->run_count == 0 && vb->run_count == 0)
            return graph_leaf(graph, operation(va->value, vb->value));
    } else {
        if (a == b)
            return a;
        if (c->run_count == 0)
            return c->value ? a : b;
    }
    struct memo *memo = memo_slot(graph, operation, condition, a, b);
    if (memo_hit(memo, operation, condition, a, b))
        return memo->result;
    if (graph_is_exhausted(graph))
        return graph_leaf(graph, 0);
    graph->merges++;
    arena_spend(graph->arena, 16);
    graph_node result = merge_runs(graph, operation, condition, a, b);
    if (graph->count > graph->memo_capacity) {
        graph->memo_capacity *= 4;
        graph->memo = NEW_ARRAY(graph->arena, struct memo, graph->memo_capacity);
    }
    memo = memo_slot(graph, operation, condition, a, b);
    *memo = (struct memo){operation, condition, a, b, result};
    return result;
}

graph_node graph_apply(struct graph *graph, graph_operation *operation, graph_node a, graph_node b)
{
    return merge(graph, operation, graph_leaf(graph, 0), a, b);
}

graph_node graph_select(struct graph *graph, graph_node condition, graph_node then, graph_node otherwise)
{
    return merge(graph, NULL, condition, then, otherwise);
}

static graph_node run_for(const struct graph_vertex *vertex, uint32_t value)
{
    uint32_t low = 0, high = vertex->run_count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (vertex->runs[middle].start <= value)
            low = middle;
        else
            high = middle;
    }
    return vertex->runs[low].node;
}

uint32_t graph_evaluate(const struct graph *graph, graph_node node, const uint32_t *words)
{
    const struct graph_vertex *vertex = graph_at(graph, node);
    while (vertex->run_count)
        vertex = graph_at(graph, run_for(vertex, words[vertex->word] & vertex->mask));
    return vertex->value;
}

// ---- search -------------------------------------------------------------------------------------------------------

enum { SEARCH_BUDGET = 2000000, PATH_MOST = 256 };

struct constraint {
    uint32_t word, mask, first, last; // first <= (word & mask) <= last
};

struct search {
    const struct graph *graph;
    uint32_t value;
    uint32_t *reaches; // per node: searches << 2 | 1 no, 2 yes; of another search: not asked
    uint32_t stamp;    // searches << 2
    struct constraint path[PATH_MOST];
    size_t depth;
    long budget;
};

// Finds a word that meets the constraints on it, bit by bit from the top. For each constraint a pair of flags says
// whether the bits so far still lie on its lower or its upper border.
static bool solve_bits(const struct constraint *const *constraints, size_t count, int bit, uint32_t low, uint32_t high,
                       uint32_t *word, long *budget)
{
    if (bit < 0)
        return true;
    if (--*budget < 0)
        return false;
    bool matters = false; // to a constraint that is not met already, whatever follows
    for (size_t i = 0; i < count; i++)
        matters |= constraints[i]->mask >> bit & 1 && ((low | high) >> i & 1);
    for (uint32_t choice = 0; choice < (matters ? 2u : 1u); choice++) {
        uint32_t next_low = low, next_high = high;
        bool possible = true;
        for (size_t i = 0; i < count && possible; i++) {
            const struct constraint *c = constraints[i];
            uint32_t b = c->mask >> bit & 1 ? choice : 0, first = c->first >> bit & 1, last = c->last >> bit & 1;
            bool on_low = low >> i & 1, on_high = high >> i & 1;
            possible = !(on_low && b < first) && !(on_high && b > last);
            if (on_low && b > first)
                next_low &= ~(1u << i);
            if (on_high && b < last)
                next_high &= ~(1u << i);
        }
        if (!possible)
            continue;
        *word = (*word & ~(1u << bit)) | choice << bit;
        if (solve_bits(constraints, count, bit - 1, next_low, next_high, word, budget))
            return true;
    }
    *word &= ~(1u << bit);
    return false;
}

static bool solve(struct search *search, uint32_t word, uint32_t *value)
{
    const struct constraint *about[32];
    size_t count = 0;
    for (size_t i = 0; i < search->depth; i++)
        if (search->path[i].word == word) {
            if (count == 32) { // beyond what the flags hold
                search->budget = -1;
                return false;
            }
            about[count++] = &search->path[i];
        }
    *value = 0;
    if (count == 0)
        return true;
    uint32_t all = count == 32 ? UINT32_MAX : (1u << count) - 1;
    return solve_bits(about, count, 31, all, all, value, &search->budget);
}

static bool reaches(struct search *search, graph_node node)
{
    if (search->reaches[node] >= search->stamp)
        return search->reaches[node] == (search->stamp | 2);
    const struct graph_vertex *vertex = graph_at(search->graph, node);
    bool found = vertex->run_count == 0 && vertex->value == search->value;
    for (uint32_t i = 0; i < vertex->run_count && !found; i++)
        found = reaches(search, vertex->runs[i].node);
    search->reaches[node] = search->stamp | (found ? 2 : 1);
    return found;
}

static bool walk(struct search *search, graph_node node)
{
    if (!reaches(search, node) || --search->budget < 0)
        return false;
    arena_spend(search->graph->arena, 4);
    const struct graph_vertex *vertex = graph_at(search->graph, node);
    if (vertex->run_count == 0)
        return true;
    if (search->depth == PATH_MOST) {
        search->budget = -1;
        return false;
    }
    for (uint32_t i = 0; i < vertex->run_count; i++) {
        uint32_t last = i + 1 < vertex->run_count ? vertex->runs[i + 1].start - 1 : UINT32_MAX;
        if (!reaches(search, vertex->runs[i].node))
            continue;
        search->path[search->depth++] = (struct constraint){vertex->word, vertex->mask, vertex->runs[i].start, last};
        uint32_t ignored;
        if (solve(search, vertex->word, &ignored) && walk(search, vertex->runs[i].node))
            return true;
        search->depth--;
    }
    return false;
}

int graph_find(struct graph *graph, graph_node node, uint32_t value, uint32_t *words, size_t word_count)
{
    if (!graph->search)
        graph->search = NEW(graph->arena, struct search);
    if (graph->reaches_capacity < (size_t)node + 1) {
        graph->reaches_capacity = graph->capacity;
        graph->reaches = NEW_ARRAY(graph->arena, uint32_t, graph->reaches_capacity);
    }
    struct search *search = graph->search;
    search->graph = graph;
    search->value = value;
    search->reaches = graph->reaches;
    search->stamp = ++graph->searches << 2;
    search->depth = 0;
    search->budget = graph_is_exhausted(graph) ? -1 : SEARCH_BUDGET;
    bool found = walk(search, node);
    for (size_t i = 0; i < word_count && found; i++)
        found = solve(search, (uint32_t)i, &words[i]);
    return found ? 1 : search->budget < 0 ? -1 : 0;
}

// ---- patterns -----------------------------------------------------------------------------------------------------

// The least masked word after `word`; 0 when there is none.
static uint32_t next_masked(uint32_t mask, uint32_t word)
{
    return ((word | ~mask) + 1) & mask;
}

// Each time the largest aligned block that fits.
void graph_patterns(uint32_t mask, uint32_t first, uint32_t last, void (*visit)(uint32_t mask, uint32_t value, void *),
                    void *context)
{
    uint32_t at = first;
    if (first & ~mask) { // not a masked word itself
        uint32_t below = UINT32_MAX >> __builtin_clz(first & ~mask);
        at = next_masked(mask, first | below);
        if (at < first)
            return;
    }
    while (at <= last) {
        uint32_t block = 0; // bits of the mask that are free in it
        for (uint32_t rest = mask; rest; rest &= rest - 1) {
            uint32_t wider = block | (rest & -rest);
            if (at & wider || (at | wider) > last)
                break;
            block = wider;
        }
        visit(mask & ~block, at, context);
        uint32_t next = next_masked(mask, at | block);
        if (next <= at)
            return;
        at = next;
    }
}
