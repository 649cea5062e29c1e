// Conditions as text: a decision graph, read back as comparisons of arguments.
//
// The values of one argument fall into parts, each with what is asked next: intervals of the whole value, or patterns
// (argument & mask == value) where only some bits were asked. Parts with the same sequel are written together.
#include "compiler/sets/condition_text.h"

#include <string.h>

#include "compiler/sets/seccomp.h"

// ---- values -------------------------------------------------------------------------------------------------------

static const struct {
    const char *call, *argument, *prefixes[4];
    uint64_t from;          // smaller values are plain numbers
    const char *other_than; // names that start so are values of another argument
} value_names[] = {
    {"socket", "family", {"AF_"}, 0, NULL},
    {"socketpair", "family", {"AF_"}, 0, NULL},
    {"ioctl", "request", {"TIOC", "TC", "FIO"}, 0x100, NULL},
    {"ptrace", "request", {"PTRACE_"}, 0, NULL},
    {"prctl", "option", {"PR_SET_", "PR_GET_", "PR_CAP", "PR_"}, 1, "PR_SET_MM_"},
    {"arch_prctl", "option", {"ARCH_"}, 1, NULL},
    {"keyctl", "option", {"KEYCTL_"}, 0, NULL},
    {"fcntl", "cmd", {"F_"}, 0, NULL},
    {"madvise", "advice", {"MADV_"}, 0, NULL},
    {"bpf", "cmd", {"BPF_"}, 0, NULL},
    {"clone", "flags", {"CLONE_"}, 1, NULL},
    {"unshare", "flags", {"CLONE_"}, 1, NULL},
    {"setns", "nstype", {"CLONE_"}, 1, NULL},
    {"mmap", "prot", {"PROT_"}, 1, NULL},
    {"mprotect", "prot", {"PROT_"}, 1, NULL},
    {"pkey_mprotect", "prot", {"PROT_"}, 1, NULL},
    {"mmap", "flags", {"MAP_"}, 1, NULL},
    {"openat", "flags", {"O_"}, 1, NULL},
    {"open", "flags", {"O_"}, 1, NULL},
    {"mount", "mountflags", {"MS_"}, 1, NULL},
};

static const char *value_name(const char *call, const char *argument, uint64_t value, enum arch arch)
{
    for (size_t i = 0; i < sizeof value_names / sizeof *value_names; i++) {
        if (value < value_names[i].from || strcmp(value_names[i].call, call) != 0 ||
            strcmp(value_names[i].argument, argument) != 0)
            continue;
        for (size_t k = 0; k < 4 && value_names[i].prefixes[k]; k++) {
            const char *name =
                constant_name_of(value_names[i].prefixes[k], value_names[i].other_than, (int64_t)value, arch);
            if (name)
                return strcmp(name, "AF_FILE") == 0 ? "AF_UNIX" : name; // one number, an older name
        }
    }
    return NULL;
}

int argument_takes_name(const struct syscall_row *row, unsigned argument, const char *constant)
{
    int takes = -1;
    for (size_t i = 0; i < sizeof value_names / sizeof *value_names; i++) {
        if (strcmp(value_names[i].call, row->name) != 0 ||
            strcmp(value_names[i].argument, row->arguments[argument].name) != 0)
            continue;
        takes = 0;
        for (size_t k = 0; k < 4 && value_names[i].prefixes[k]; k++)
            if (str_starts(str_from(constant), str_from(value_names[i].prefixes[k])))
                return 1;
    }
    return takes;
}

static bool is_mask(enum argument_type type)
{
    return type == ARGUMENT_MASK16 || type == ARGUMENT_MASK32 || type == ARGUMENT_MASK64;
}

void argument_value_print(struct text *text, const struct syscall_row *row, unsigned argument, uint64_t value,
                          enum arch arch)
{
    const char *call = row->name, *name = value_name(call, row->arguments[argument].name, value, arch);
    if (name) {
        text_addf(text, "%s", name);
        return;
    }
    bool flags = is_mask(row->arguments[argument].type) && value;
    for (uint64_t rest = value; rest && flags; rest &= rest - 1)
        flags = value_name(call, row->arguments[argument].name, rest & -rest, arch);
    for (uint64_t rest = value; rest && flags; rest &= rest - 1)
        text_addf(text, "%s%s", rest == value ? "" : " | ",
                  value_name(call, row->arguments[argument].name, rest & -rest, arch));
    if (!flags)
        text_addf(text, value < 10 ? "%llu" : "0x%llx", (unsigned long long)value);
}

// ---- parts of an argument's values --------------------------------------------------------------------------------

struct part {
    bool pattern;         // (argument & first) == last; else first <= argument <= last
    uint64_t first, last; // of a pattern: mask, value
    graph_node next;
};

struct printer {
    struct text *text;
    struct arena *arena;
    const struct graph *graph;
    const struct syscall_row *row;
    enum arch arch;
};

struct parts {
    struct arena *arena;
    struct part *list;
    size_t count, capacity;
};

static void push_part(struct parts *parts, struct part part)
{
    if (parts->count == parts->capacity) {
        size_t capacity = parts->capacity ? 2 * parts->capacity : 16;
        parts->list = arena_grow(parts->arena, parts->list, parts->count * sizeof part, capacity * sizeof part);
        parts->capacity = capacity;
    }
    parts->list[parts->count++] = part;
}

static void add_part(struct parts *parts, struct part part) // what touches and leads to the same is one interval
{
    struct part *before = parts->count ? &parts->list[parts->count - 1] : NULL;
    if (before && !before->pattern && !part.pattern && before->next == part.next && before->last + 1 == part.first)
        before->last = part.last;
    else
        push_part(parts, part);
}

static uint32_t run_last(const struct graph_vertex *vertex, uint32_t run)
{
    return run + 1 < vertex->run_count ? vertex->runs[run + 1].start - 1 : vertex->mask;
}

enum { FEW = 16 };

struct pattern_context {
    struct parts *parts;
    graph_node next;
    uint64_t high_mask, high_value; // what the patterns of a low half add to
    unsigned shift;
};

static void visit_pattern(uint32_t mask, uint32_t value, void *context)
{
    const struct pattern_context *c = context;
    add_part(c->parts, (struct part){true, c->high_mask | (uint64_t)mask << c->shift,
                                     c->high_value | (uint64_t)value << c->shift, c->next});
}

static uint64_t width_of(const struct printer *p, unsigned argument)
{
    unsigned bits = argument_bits(p->row->arguments[argument].type);
    return bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
}

// Whether the high half's sequels can be said in the same breath, as intervals of the whole value: the whole of both
// halves is asked, and the low one only where one high value is left.
static bool joins_halves(const struct printer *p, const struct graph_vertex *vertex, unsigned argument)
{
    for (uint32_t i = 0; i < vertex->run_count; i++) {
        const struct graph_vertex *low = graph_at(p->graph, vertex->runs[i].node);
        if (low->run_count && low->word == WORD_LOW(argument) &&
            (low->mask != UINT32_MAX || run_last(vertex, i) != vertex->runs[i].start))
            return false;
    }
    return true;
}

static void find_parts(const struct printer *p, const struct graph_vertex *vertex, unsigned argument,
                       struct parts *parts)
{
    bool high = vertex->word == WORD_HIGH(argument);
    bool whole = high ? vertex->mask == UINT32_MAX : vertex->mask == width_of(p, argument);
    bool joins = whole && high && joins_halves(p, vertex, argument);
    for (uint32_t i = 0; i < vertex->run_count; i++) {
        uint32_t first = vertex->runs[i].start, last = run_last(vertex, i);
        graph_node next = vertex->runs[i].node;
        const struct graph_vertex *low = graph_at(p->graph, next);
        if (!whole) {
            graph_patterns(vertex->mask, first, last, visit_pattern,
                           &(struct pattern_context){.parts = parts, .next = next, .shift = high ? 32 : 0});
        } else if (!high) {
            add_part(parts, (struct part){false, first, last, next});
        } else if (!joins || !low->run_count || low->word != WORD_LOW(argument)) {
            add_part(parts, (struct part){false, (uint64_t)first << 32, (uint64_t)last << 32 | UINT32_MAX, next});
        } else {
            for (uint32_t k = 0; k < low->run_count; k++)
                add_part(parts, (struct part){false, (uint64_t)first << 32 | low->runs[k].start,
                                              (uint64_t)first << 32 | run_last(low, k), low->runs[k].node});
        }
    }
}

// ---- writing ------------------------------------------------------------------------------------------------------

static bool is_no(const struct printer *p, graph_node node)
{
    const struct graph_vertex *vertex = graph_at(p->graph, node);
    return vertex->run_count == 0 && vertex->value == 0;
}

static void print_value(const struct printer *p, unsigned argument, uint64_t value)
{
    enum argument_type type = p->row->arguments[argument].type;
    uint64_t width = width_of(p, argument);
    if (argument_is_signed(type) && value > width / 2)
        text_addf(p->text, "-%llu", (unsigned long long)(width - value + 1));
    else
        argument_value_print(p->text, p->row, argument, value, p->arch);
}

// Intervals of an argument whose values have no order are a few single values, or all but a few.
static void print_intervals(const struct printer *p, unsigned argument, const struct part *parts, size_t count)
{
    const char *name = p->row->arguments[argument].name;
    if (count == 1 && parts->first == parts->last) {
        text_addf(p->text, "%s == ", name);
        print_value(p, argument, parts->first);
        return;
    }
    enum argument_type type = p->row->arguments[argument].type;
    uint64_t width = width_of(p, argument), least = argument_is_signed(type) ? width / 2 + 1 : 0,
             most = argument_is_signed(type) ? width / 2 : width;
    if (count == 1 && argument_is_ordered(type) && (parts->first == least || parts->last == most)) {
        text_addf(p->text, "%s %s ", name, parts->first == least ? "<=" : ">=");
        print_value(p, argument, parts->first == least ? parts->last : parts->first);
        return;
    }
    text_addf(p->text, "%s in ", name);
    bool single = count == 1; // one range needs no braces
    text_addf(p->text, single ? "" : "{ ");
    for (size_t i = 0; i < count; i++) {
        text_addf(p->text, i ? ", " : "");
        if (parts[i].first == parts[i].last) {
            print_value(p, argument, parts[i].first);
        } else {
            print_value(p, argument, parts[i].first);
            text_addf(p->text, "..");
            print_value(p, argument, parts[i].last);
        }
    }
    text_addf(p->text, single ? "" : " }");
}

static void print_pattern(const struct printer *p, unsigned argument, const struct part *part)
{
    bool several = false;
    struct text mask = {.arena = p->arena};
    argument_value_print(&mask, p->row, argument, part->first, p->arch);
    for (size_t i = 0; i < mask.length; i++)
        several |= mask.data[i] == '|';
    text_addf(p->text, "%s & %s%.*s%s == ", p->row->arguments[argument].name, several ? "(" : "",
              STR_ARGS(text_str(&mask)), several ? ")" : "");
    argument_value_print(p->text, p->row, argument, part->last, p->arch);
}

// A range of values that have no order, as patterns.
static void spell_out(struct parts *parts, const struct part *part, uint64_t width)
{
    uint32_t high_first = (uint32_t)(part->first >> 32), high_last = (uint32_t)(part->last >> 32);
    uint32_t low_first = (uint32_t)part->first, low_last = (uint32_t)part->last;
    struct pattern_context low = {.parts = parts,
                                  .next = part->next,
                                  .high_mask = width & ~(uint64_t)UINT32_MAX,
                                  .high_value = (uint64_t)high_first << 32};
    struct pattern_context high = {.parts = parts, .next = part->next, .shift = 32};
    if (high_first == high_last) {
        graph_patterns((uint32_t)width, low_first, low_last, visit_pattern, &low);
        return;
    }
    // The end of the first block of 2^32, whole blocks, the start of the last.
    if (low_first)
        graph_patterns(UINT32_MAX, low_first, UINT32_MAX, visit_pattern, &low);
    uint32_t from = low_first ? high_first + 1 : high_first, to = low_last == UINT32_MAX ? high_last : high_last - 1;
    if (from <= to)
        graph_patterns(UINT32_MAX, from, to, visit_pattern, &high);
    low.high_value = (uint64_t)high_last << 32;
    if (low_last != UINT32_MAX)
        graph_patterns(UINT32_MAX, 0, low_last, visit_pattern, &low);
}

// Splits what crosses from the positive to the negative numbers, and spells out ranges of values that have no order.
static struct parts writable_parts(const struct printer *p, unsigned argument, const struct part *list, size_t count)
{
    enum argument_type type = p->row->arguments[argument].type;
    uint64_t width = width_of(p, argument), sign = width / 2;
    struct parts parts = {.arena = p->arena};
    for (size_t i = 0; i < count; i++) {
        struct part part = list[i];
        bool unordered = !part.pattern && part.first != part.last && !argument_is_ordered(type);
        if (unordered && part.last - part.first < FEW) { // by name, one by one
            for (uint64_t value = part.first; value <= part.last; value++)
                push_part(&parts, (struct part){false, value, value, part.next});
            continue;
        }
        if (unordered) {
            spell_out(&parts, &part, width);
            continue;
        }
        if (!part.pattern && argument_is_signed(type) && part.first <= sign && part.last > sign) {
            push_part(&parts, (struct part){false, part.first, sign, part.next});
            push_part(&parts, (struct part){false, sign + 1, part.last, part.next});
            continue;
        }
        add_part(&parts, part);
    }
    return parts;
}

// The values of one sequel: "a in { 1, 5..7 }", "a & M == V or …". Returns how many conditions stand side by side.
static size_t print_parts(const struct printer *p, unsigned argument, const struct part *list, size_t count)
{
    struct parts parts = writable_parts(p, argument, list, count);
    size_t intervals = 0, pieces = 0;
    struct part *plain = NEW_ARRAY(p->arena, struct part, parts.count + 1);
    for (size_t i = 0; i < parts.count; i++)
        if (!parts.list[i].pattern)
            plain[intervals++] = parts.list[i];
    if (intervals) {
        print_intervals(p, argument, plain, intervals);
        pieces++;
    }
    for (size_t i = 0; i < parts.count; i++)
        if (parts.list[i].pattern) {
            text_addf(p->text, pieces ? " or " : "");
            print_pattern(p, argument, &parts.list[i]);
            pieces++;
        }
    return pieces;
}

struct extent { // how long a list of parts is when written
    size_t pieces, length;
};

static struct extent extent_of(const struct printer *p, unsigned argument, const struct part *list, size_t count)
{
    struct text measured = {.arena = p->arena};
    struct printer quiet = *p;
    quiet.text = &measured;
    size_t pieces = print_parts(&quiet, argument, list, count);
    return (struct extent){pieces, measured.length};
}

// "not in { … }", where that says it shorter.
static void print_complement(const struct printer *p, unsigned argument, const struct part *list, size_t count)
{
    struct parts parts = writable_parts(p, argument, list, count);
    if (parts.count == 1 && !parts.list[0].pattern && parts.list[0].first == parts.list[0].last) {
        text_addf(p->text, "%s != ", p->row->arguments[argument].name);
        print_value(p, argument, parts.list[0].first);
        return;
    }
    if (parts.count == 1 && parts.list[0].pattern) { // a & M != V
        struct text equal = {.arena = p->arena};
        struct printer quiet = *p;
        quiet.text = &equal;
        print_pattern(&quiet, argument, &parts.list[0]);
        const char *sign = memmem(equal.data, equal.length, " == ", 4);
        text_addf(p->text, "%.*s != %.*s", (int)(sign - equal.data), equal.data,
                  (int)(equal.data + equal.length - sign - 4), sign + 4);
        return;
    }
    text_addf(p->text, "not (");
    print_parts(p, argument, list, count);
    text_addf(p->text, ")");
}

// The values in one list of parts, by what they are or by what they are not.
static void print_values(const struct printer *p, unsigned argument, const struct part *list, size_t count,
                         const struct part *others, size_t other_count, bool inside_and)
{
    struct extent said = extent_of(p, argument, list, count), unsaid = extent_of(p, argument, others, other_count);
    if (other_count != 1 || (!others->pattern && others->first != others->last))
        unsaid.length += sizeof "not ()" - 1;
    if (unsaid.pieces < said.pieces || (unsaid.pieces == said.pieces && unsaid.length < said.length)) {
        print_complement(p, argument, others, other_count);
        return;
    }
    bool brackets = said.pieces > 1 && inside_and;
    text_addf(p->text, brackets ? "(" : "");
    print_parts(p, argument, list, count);
    text_addf(p->text, brackets ? ")" : "");
}

static void print_node(const struct printer *p, graph_node node, bool inside_and)
{
    const struct graph_vertex *vertex = graph_at(p->graph, node);
    unsigned argument = (vertex->word - WORD_ARGUMENTS) / 2;
    struct parts parts = {.arena = p->arena};
    find_parts(p, vertex, argument, &parts);
    graph_node *sequels = NEW_ARRAY(p->arena, graph_node,
                                    parts.count); // in the order in which they first appear, but what just holds first
    size_t count = 0;
    bool all = true;    // no value is left out
    bool holds = false; // some values need nothing more
    for (size_t i = 0; i < parts.count; i++) {
        graph_node next = parts.list[i].next;
        bool known = is_no(p, next), leaf = graph_at(p->graph, next)->run_count == 0;
        all &= !known;
        for (size_t k = 0; k < count && !known; k++)
            known = sequels[k] == next;
        if (known)
            continue;
        sequels[count++] = next;
        if (leaf) {
            sequels[count - 1] = sequels[0];
            sequels[0] = next;
            holds = true;
        }
    }
    bool brackets = count > 1 && inside_and;
    text_addf(p->text, brackets ? "(" : "");
    struct part *same = NEW_ARRAY(p->arena, struct part, parts.count),
                *others = NEW_ARRAY(p->arena, struct part, parts.count);
    for (size_t i = 0; i < count; i++) {
        bool leaf = graph_at(p->graph, sequels[i])->run_count == 0;
        size_t same_count = 0, other_count = 0;
        for (size_t k = 0; k < parts.count; k++)
            if (parts.list[k].next == sequels[i])
                same[same_count++] = parts.list[k];
            else
                others[other_count++] = parts.list[k];
        text_addf(p->text, i ? " or " : "");
        if (count == 2 && all && holds && i == 1) { // "A or not A and B" is "A or B"
            print_node(p, sequels[i], false);
            continue;
        }
        print_values(p, argument, same, same_count, others, other_count, !leaf || (inside_and && count == 1));
        if (!leaf) {
            text_addf(p->text, " and ");
            print_node(p, sequels[i], true);
        }
    }
    text_addf(p->text, brackets ? ")" : "");
}

void condition_print(struct text *text, const struct graph *graph, graph_node node, const struct syscall_row *row,
                     enum arch arch)
{
    struct printer printer = {text, text->arena, graph, row, arch};
    print_node(&printer, node, false);
}
