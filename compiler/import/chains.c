// libseccomp's tree of comparisons (its db.c and gen_bpf.c, version 2.5).
//
// A 64-bit argument is compared by words, the high one first. Nodes of a level are sorted; equal ones are one node,
// whose ways on are joined. A node that leads nowhere for some words passes them on to the next of its level, and a
// level to what follows the node above it.
#include "compiler/import/chains.h"

#include "compiler/code/cbpf.h"

enum chain_test { EQUAL, MASKED_EQUAL, GREATER, GREATER_EQUAL };

struct level {
    struct node *first;
};

struct node {
    unsigned argument;
    bool high;
    enum chain_test operation;
    enum profile_comparison comparison; // of the condition that it is a part of
    uint32_t mask, value;
    uint64_t whole; // the condition's number
    struct way {
        bool answers;
        uint32_t answer;
        struct level *level;
    } ways[2]; // where it does not hold, where it does
    struct node *next;
};

struct chains {
    struct arena *arena;
    struct graph *graph;
    const struct syscall_row *row;
    graph_node fallback;
    struct level *level;
    bool unconditional;
    uint32_t answer;         // of a rule without conditions
    bool entangled, several; // several: a rule has more than one condition
    unsigned arguments;      // of the rules so far, bits
};

struct chains *chains_new(struct arena *arena, struct graph *graph, const struct syscall_row *row, uint32_t fallback)
{
    struct chains *chains = NEW(arena, struct chains);
    *chains = (struct chains){.arena = arena, .graph = graph, .row = row, .fallback = graph_leaf(graph, fallback)};
    return chains;
}

// ---- order --------------------------------------------------------------------------------------------------------

static unsigned argument_rank(const struct node *node)
{
    return 2 * node->argument + node->high;
}

static unsigned comparison_rank(const struct node *node)
{
    switch (node->comparison) {
    case COMPARISON_GE:
    case COMPARISON_GT: return 1;
    case COMPARISON_LE:
    case COMPARISON_LT: return 2;
    default: return 3;
    }
}

// Later arguments come first, high words before low ones, then equality, then what is less, then what is greater; the
// larger number first, of what is less the smaller.
static bool comes_before(const struct node *a, const struct node *b)
{
    if (argument_rank(a) != argument_rank(b))
        return argument_rank(a) > argument_rank(b);
    if (comparison_rank(a) != comparison_rank(b))
        return comparison_rank(a) > comparison_rank(b);
    return comparison_rank(a) == 2 ? a->value < b->value : a->value > b->value;
}

static bool same_test(const struct node *a, const struct node *b)
{
    return argument_rank(a) == argument_rank(b) && a->operation == b->operation && a->value == b->value &&
           a->mask == b->mask;
}

// ---- a rule's own tree --------------------------------------------------------------------------------------------

static struct level *level_of(struct arena *arena, struct node *node)
{
    struct level *level = NEW(arena, struct level);
    level->first = node;
    return level;
}

static struct node *new_node(struct arena *arena, const struct profile_argument *argument, bool high,
                             enum chain_test operation)
{
    bool masked = argument->comparison == COMPARISON_MASKED_EQ;
    uint64_t mask = masked ? argument->value : UINT64_MAX, value = masked ? argument->value_two : argument->value;
    struct node *node = NEW(arena, struct node);
    *node = (struct node){.argument = argument->index,
                          .high = high,
                          .operation = operation,
                          .comparison = argument->comparison,
                          .mask = (uint32_t)(high ? mask >> 32 : mask),
                          .whole = value};
    node->value = (uint32_t)(high ? value >> 32 : value) & node->mask;
    return node;
}

// The comparison of one argument: where it holds the way goes on as `holds` says.
static struct node *compare(struct arena *arena, const struct profile_argument *argument, struct way holds)
{
    enum profile_comparison comparison = argument->comparison;
    enum chain_test equal = comparison == COMPARISON_MASKED_EQ ? MASKED_EQUAL : EQUAL;
    if (comparison == COMPARISON_EQ || comparison == COMPARISON_NE || comparison == COMPARISON_MASKED_EQ) {
        struct node *high = new_node(arena, argument, true, equal), *low = new_node(arena, argument, false, equal);
        high->ways[true].level = level_of(arena, low);
        low->ways[comparison != COMPARISON_NE] = holds;
        if (comparison == COMPARISON_NE)
            high->ways[false] = holds;
        return high;
    }
    bool greater = comparison == COMPARISON_GT || comparison == COMPARISON_GE;
    struct node *above = new_node(arena, argument, true, GREATER), *high = new_node(arena, argument, true, EQUAL),
                *low = new_node(arena, argument, false,
                                comparison == COMPARISON_GT || comparison == COMPARISON_LE ? GREATER : GREATER_EQUAL);
    above->ways[false].level = level_of(arena, high);
    high->ways[true].level = level_of(arena, low);
    low->ways[greater] = holds;
    if (greater)
        above->ways[true] = holds;
    else
        high->ways[false] = holds;
    return above;
}

// ---- joining ------------------------------------------------------------------------------------------------------

static bool all_answer(const struct level *level, uint32_t answer)
{
    for (const struct node *node = level ? level->first : NULL; node; node = node->next)
        for (int way = 0; way < 2; way++)
            if ((node->ways[way].answers && node->ways[way].answer != answer) ||
                !all_answer(node->ways[way].level, answer))
                return false;
    return true;
}

static bool is_leaf(const struct node *node)
{
    return !node->ways[false].level && !node->ways[true].level;
}

static bool join_answer(struct node *node, const struct node *with, bool way)
{
    struct way *mine = &node->ways[way];
    const struct way *theirs = &with->ways[way];
    if (!theirs->answers)
        return true;
    if (!mine->answers) {
        if (!all_answer(mine->level, theirs->answer))
            return false;
        *mine = *theirs;
        return true;
    }
    if (mine->answer == theirs->answer)
        return true;
    // Of two that compare high words with the same number, the rule with the larger number decides.
    if (way && with->high && with->whole > node->whole)
        mine->answer = theirs->answer;
    return !is_leaf(node) && !is_leaf(with);
}

static bool join(struct level *level, struct node *with)
{
    struct node **at = &level->first;
    while (*at && !same_test(*at, with) && !comes_before(with, *at))
        at = &(*at)->next;
    struct node *node = *at;
    if (!node || !same_test(node, with)) {
        with->next = node;
        *at = with;
        return true;
    }
    if (!join_answer(node, with, true) || !join_answer(node, with, false))
        return false;
    for (int way = 1; way >= 0; way--) {
        struct way *mine = &node->ways[way];
        const struct level *theirs = with->ways[way].level;
        if (theirs && mine->answers)
            return true; // a rule with fewer conditions decides already
        if (theirs && mine->level && !join(mine->level, theirs->first))
            return false;
        if (theirs && !mine->level)
            mine->level = with->ways[way].level;
    }
    return true;
}

bool chains_are_entangled(const struct chains *chains)
{
    return chains->entangled;
}

bool chains_add(struct chains *chains, const struct profile_argument *arguments, size_t count, uint32_t answer)
{
    struct way way = {.answers = true, .answer = answer};
    struct node *first = NULL;
    unsigned about = 0;
    for (size_t i = 0; i < count; i++)
        about |= 1u << arguments[i].index;
    chains->several |= count > 1;
    chains->entangled |= chains->arguments && chains->arguments != about && chains->several;
    chains->arguments |= about;
    for (unsigned index = SYSCALL_ARGUMENTS; index-- > 0;) // the first argument is asked about first
        for (size_t i = 0; i < count; i++) {
            bool tautology = arguments[i].comparison == COMPARISON_MASKED_EQ && arguments[i].value == 0;
            if (arguments[i].index != index || tautology)
                continue;
            bool equality = arguments[i].comparison == COMPARISON_EQ || arguments[i].comparison == COMPARISON_MASKED_EQ;
            chains->entangled |= first && !equality;
            first = compare(chains->arena, &arguments[i], way);
            way = (struct way){.level = level_of(chains->arena, first)};
        }
    if (chains->entangled || chains->unconditional)
        return true; // the first without conditions decides
    if (!first) {
        chains->unconditional = true;
        chains->answer = answer;
        return true;
    }
    if (!chains->level) {
        chains->level = level_of(chains->arena, first);
        return true;
    }
    return join(chains->level, first);
}

// ---- as a graph ---------------------------------------------------------------------------------------------------

static bool constant_holds(const struct node *node, uint32_t word)
{
    switch (node->operation) {
    case GREATER: return (word & node->mask) > node->value;
    case GREATER_EQUAL: return (word & node->mask) >= node->value;
    default: return (word & node->mask) == node->value;
    }
}

static graph_node test_of(const struct chains *chains, const struct node *node)
{
    struct graph *graph = chains->graph;
    graph_node yes = graph_leaf(graph, 1), no = graph_leaf(graph, 0);
    enum argument_type type = chains->row->arguments[node->argument].type;
    unsigned bits = argument_bits(type);
    uint64_t width = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
    bool negative = bits < 64 && argument_is_signed(type) && node->whole > ~(width >> 1);
    if (bits < 64 && node->high)
        return constant_holds(node, negative ? UINT32_MAX : 0) ? yes : no;
    uint32_t seen = (uint32_t)width, mask = node->mask & seen, value = negative ? node->value & seen : node->value;
    struct graph_interval inside = {value, value};
    if (node->operation == GREATER || node->operation == GREATER_EQUAL) {
        if (value > seen || (node->operation == GREATER && value == seen))
            return no;
        inside = (struct graph_interval){value + (node->operation == GREATER), seen};
    } else if (value & ~mask) {
        return no;
    }
    if (mask == 0)
        return yes;
    uint32_t free = seen & ~mask;
    if (inside.first == inside.last && !(free & (free + 1))) { // only low bits are left out: an interval of the whole
        inside.last |= free;
        mask = seen;
    }
    return graph_test(graph, node->high ? WORD_HIGH(node->argument) : WORD_LOW(node->argument), mask, &inside, 1, yes,
                      no);
}

static graph_node level_graph(struct chains *chains, const struct node *node, graph_node rest);

static graph_node way_graph(struct chains *chains, const struct way *way, graph_node next)
{
    return way->answers ? graph_leaf(chains->graph, way->answer)
           : way->level ? level_graph(chains, way->level->first, next)
                        : next;
}

// What no node of the level answers, `rest` does.
static graph_node level_graph(struct chains *chains, const struct node *first, graph_node rest)
{
    size_t count = 0;
    for (const struct node *node = first; node; node = node->next)
        count++;
    const struct node **list = NEW_ARRAY(chains->arena, const struct node *, count);
    for (const struct node *node = first; node; node = node->next)
        list[--count] = node;
    for (const struct node *node = first; node; node = node->next)
        count++;
    graph_node graph = rest;
    for (size_t i = 0; i < count; i++)
        graph = graph_select(chains->graph, test_of(chains, list[i]), way_graph(chains, &list[i]->ways[true], graph),
                             way_graph(chains, &list[i]->ways[false], graph));
    return graph;
}

graph_node chains_graph(struct chains *chains)
{
    if (chains->unconditional)
        return graph_leaf(chains->graph, chains->answer);
    return level_graph(chains, chains->level ? chains->level->first : NULL, chains->fallback);
}
