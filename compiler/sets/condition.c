// Conditions on arguments: from what was written to intervals of masked values, to decision graphs, to true or false.
//
// Every comparison is one shape: (argument & mask) lies in one of some intervals of unsigned numbers. A signed order
// becomes at most two of them; a 64-bit value becomes a question about its high half and one about its low half.
#include "compiler/sets/condition.h"

#include <stdlib.h>

#include "compiler/sets/seccomp.h"

struct resolver {
    struct arena *arena;
    const struct syscall_row *row;
    enum arch arch;
    constant_lookup *lookup;
    void *context;
    const struct constant *missing;
};

static bool constant_value(struct resolver *r, const struct constant *constant, uint64_t *value)
{
    switch (constant->kind) {
    case CONSTANT_NUMBER: *value = constant->negative ? -constant->number : constant->number; return true;
    case CONSTANT_NAME: {
        const struct constant_row *row = constant_find(constant->name);
        if (!row || !(row->architectures >> r->arch & 1)) {
            r->missing = constant;
            return false;
        }
        *value = (uint64_t)row->value[r->arch];
        return true;
    }
    case CONSTANT_REFERENCE: return r->lookup(r->context, constant, value);
    case CONSTANT_OR: {
        uint64_t left, right;
        if (!constant_value(r, constant->left, &left) || !constant_value(r, constant->right, &right))
            return false;
        *value = left | right;
        return true;
    }
    }
    return false;
}

static int compare_intervals(const void *a, const void *b)
{
    const struct test_interval *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void normalise(struct test *test)
{
    qsort(test->intervals, test->interval_count, sizeof *test->intervals, compare_intervals);
    size_t used = 0;
    for (size_t i = 0; i < test->interval_count; i++) {
        struct test_interval next = test->intervals[i];
        struct test_interval *last = used ? &test->intervals[used - 1] : NULL;
        if (last && (last->last == UINT64_MAX || next.first <= last->last + 1)) {
            if (next.last > last->last)
                last->last = next.last;
        } else {
            test->intervals[used++] = next;
        }
    }
    test->interval_count = used;
}

// Adds the values from `first` to `last` in the argument's own order.
static void add_ordered(struct test *test, uint64_t first, uint64_t last, uint64_t width, bool is_signed)
{
    uint64_t sign = is_signed ? width / 2 + 1 : 0;
    uint64_t low = (first & width) ^ sign,
             high = (last & width) ^ sign; // biased: unsigned order is the argument's order
    if (low > high)
        return;
    if (!is_signed || (low < sign) == (high < sign)) {
        test->intervals[test->interval_count++] = (struct test_interval){low ^ sign, high ^ sign};
        return;
    }
    test->intervals[test->interval_count++] = (struct test_interval){low ^ sign, width};
    test->intervals[test->interval_count++] = (struct test_interval){0, high ^ sign};
}

static void complement(struct arena *arena, struct test *test, uint64_t width)
{
    struct test_interval *outside = NEW_ARRAY(arena, struct test_interval, test->interval_count + 1);
    size_t used = 0;
    uint64_t next = 0;
    bool open = true;
    for (size_t i = 0; i < test->interval_count; i++) {
        if (test->intervals[i].first > next)
            outside[used++] = (struct test_interval){next, test->intervals[i].first - 1};
        open = test->intervals[i].last < width;
        next = test->intervals[i].last + 1;
    }
    if (open)
        outside[used++] = (struct test_interval){next, width};
    test->intervals = outside;
    test->interval_count = used;
}

static const struct test *resolve(struct resolver *r, const struct condition *condition)
{
    struct test *test = NEW(r->arena, struct test);
    test->kind = condition->kind;
    if (condition->kind == CONDITION_AND || condition->kind == CONDITION_OR || condition->kind == CONDITION_NOT) {
        test->left = resolve(r, condition->left);
        if (!test->left || condition->kind == CONDITION_NOT)
            return test->left ? test : NULL;
        test->right = resolve(r, condition->right);
        return test->right ? test : NULL;
    }
    int argument = syscall_argument(r->row, condition->argument.text);
    enum argument_type type = r->row->arguments[argument].type;
    unsigned bits = argument_bits(type);
    uint64_t width = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
    bool is_signed = argument_is_signed(type);
    uint64_t least = is_signed ? width / 2 + 1 : 0, most = is_signed ? width / 2 : width;
    test->kind = CONDITION_IN;
    test->argument = (unsigned)argument;
    test->mask = width;
    size_t ranges = 1;
    for (const struct constant_range *range = condition->ranges; range; range = range->next)
        ranges++;
    test->intervals = NEW_ARRAY(r->arena, struct test_interval, 2 * ranges);
    uint64_t value = 0;
    if (condition->value && !constant_value(r, condition->value, &value))
        return NULL;
    value &= width;
    bool negate = condition->comparison == COMPARE_NE && condition->kind != CONDITION_IN;
    switch (condition->kind) {
    case CONDITION_MASK:
        if (!constant_value(r, condition->mask, &test->mask))
            return NULL;
        test->mask &= width;
        add_ordered(test, value, value, width, false);
        break;
    case CONDITION_IN:
        for (const struct constant_range *range = condition->ranges; range; range = range->next) {
            uint64_t first, last;
            if (!constant_value(r, range->first, &first) ||
                !constant_value(r, range->last ? range->last : range->first, &last))
                return NULL;
            add_ordered(test, first, last, width, is_signed);
        }
        break;
    default:
        switch (condition->comparison) {
        case COMPARE_EQ:
        case COMPARE_NE: add_ordered(test, value, value, width, is_signed); break;
        case COMPARE_LE: add_ordered(test, least, value, width, is_signed); break;
        case COMPARE_GE: add_ordered(test, value, most, width, is_signed); break;
        case COMPARE_LT:
            if (value != least)
                add_ordered(test, least, value - 1, width, is_signed);
            break;
        case COMPARE_GT:
            if (value != most)
                add_ordered(test, value + 1, most, width, is_signed);
            break;
        }
    }
    normalise(test);
    if (negate)
        complement(r->arena, test, width);
    return test;
}

const struct test *condition_resolve(struct arena *arena, const struct condition *condition,
                                     const struct syscall_row *row, enum arch arch, constant_lookup *lookup,
                                     void *context, const struct constant **missing)
{
    struct resolver r = {arena, row, arch, lookup, context, NULL};
    const struct test *test = resolve(&r, condition);
    *missing = r.missing;
    return test;
}

bool test_holds(const struct test *test, const uint64_t arguments[SYSCALL_ARGUMENTS])
{
    if (!test)
        return true;
    switch (test->kind) {
    case CONDITION_AND: return test_holds(test->left, arguments) && test_holds(test->right, arguments);
    case CONDITION_OR: return test_holds(test->left, arguments) || test_holds(test->right, arguments);
    case CONDITION_NOT: return !test_holds(test->left, arguments);
    default: break;
    }
    uint64_t value = arguments[test->argument] & test->mask;
    for (size_t i = 0; i < test->interval_count; i++)
        if (value >= test->intervals[i].first && value <= test->intervals[i].last)
            return true;
    return false;
}

static graph_node low_test(struct graph *graph, const struct test *test, uint32_t first, uint32_t last, graph_node yes,
                           graph_node no)
{
    return graph_test(graph, WORD_LOW(test->argument), (uint32_t)test->mask, &(struct graph_interval){first, last}, 1,
                      yes, no);
}

static uint32_t either(uint32_t a, uint32_t b)
{
    return a | b;
}

static graph_node interval_graph(struct graph *graph, const struct test *test, struct test_interval interval,
                                 graph_node yes, graph_node no)
{
    uint32_t high_mask = (uint32_t)(test->mask >> 32);
    uint32_t first_high = (uint32_t)(interval.first >> 32), last_high = (uint32_t)(interval.last >> 32);
    uint32_t first_low = (uint32_t)interval.first, last_low = (uint32_t)interval.last;
    struct graph_run runs[5];
    size_t used = 0;
    if (first_high)
        runs[used++] = (struct graph_run){0, no};
    if (first_high == last_high) {
        runs[used++] = (struct graph_run){first_high, low_test(graph, test, first_low, last_low, yes, no)};
    } else {
        runs[used++] = (struct graph_run){first_high, low_test(graph, test, first_low, UINT32_MAX, yes, no)};
        if (last_high - first_high > 1)
            runs[used++] = (struct graph_run){first_high + 1, yes};
        runs[used++] = (struct graph_run){last_high, low_test(graph, test, 0, last_low, yes, no)};
    }
    if (last_high != UINT32_MAX)
        runs[used++] = (struct graph_run){last_high + 1, no};
    return graph_runs(graph, WORD_HIGH(test->argument), high_mask, runs, used);
}

// The values of 64 bits in any of several intervals; by halves, so that many cost little more than their sum.
static graph_node any_of(struct graph *graph, const struct test *test, const struct test_interval *intervals,
                         size_t count, graph_node yes, graph_node no)
{
    if (count == 0)
        return no;
    if (count == 1)
        return interval_graph(graph, test, intervals[0], yes, no);
    return graph_apply(graph, either, any_of(graph, test, intervals, count / 2, yes, no),
                       any_of(graph, test, intervals + count / 2, count - count / 2, yes, no));
}

// The same of the low half alone, which is one question.
static graph_node any_low(struct graph *graph, const struct test *test, graph_node yes, graph_node no)
{
    struct graph_interval *intervals = scratch_alloc((test->interval_count + 1) * sizeof *intervals);
    size_t count = 0;
    for (; count < test->interval_count && test->intervals[count].first <= UINT32_MAX; count++) {
        uint64_t last = test->intervals[count].last;
        intervals[count] = (struct graph_interval){(uint32_t)test->intervals[count].first,
                                                   last > UINT32_MAX ? UINT32_MAX : (uint32_t)last};
    }
    graph_node node = graph_test(graph, WORD_LOW(test->argument), (uint32_t)test->mask, intervals, count, yes, no);
    free(intervals);
    return node;
}

graph_node test_graph(struct graph *graph, const struct test *test)
{
    graph_node yes = graph_leaf(graph, 1), no = graph_leaf(graph, 0);
    if (!test)
        return yes;
    switch (test->kind) {
    case CONDITION_AND: return graph_select(graph, test_graph(graph, test->left), test_graph(graph, test->right), no);
    case CONDITION_OR: return graph_select(graph, test_graph(graph, test->left), yes, test_graph(graph, test->right));
    case CONDITION_NOT: return graph_select(graph, test_graph(graph, test->left), no, yes);
    default: break;
    }
    if (test->mask >> 32 == 0) // the kernel does not look at the high half, or the condition does not
        return any_low(graph, test, yes, no);
    return any_of(graph, test, test->intervals, test->interval_count, yes, no);
}
