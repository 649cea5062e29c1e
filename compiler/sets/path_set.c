// Path sets: regions of a tree of paths.
#include "compiler/sets/path_set.h"

#include <stdlib.h>
#include <string.h>

bool path_covers(struct str ancestor, struct str path)
{
    if (ancestor.length == 1)
        return true;
    return str_starts(path, ancestor) && (path.length == ancestor.length || path.text[ancestor.length] == '/');
}

int path_compare(struct str a, struct str b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    for (size_t i = 0; i < common; i++)
        if (a.text[i] != b.text[i]) { // `/` sorts before everything else, so that "/a/b" stands before "/a-b"
            unsigned x = a.text[i] == '/' ? 0 : (unsigned char)a.text[i],
                     y = b.text[i] == '/' ? 0 : (unsigned char)b.text[i];
            return x < y ? -1 : 1;
        }
    return (a.length > b.length) - (a.length < b.length);
}

// Of "/a" it is "/"; of "/" an empty str.
static struct str parent(struct str path)
{
    if (path.length <= 1)
        return (struct str){0};
    size_t end = path.length - 1;
    while (path.text[end] != '/')
        end--;
    return (struct str){path.text, end ? end : 1};
}

static int compare_entries(const void *a, const void *b)
{
    const struct path_entry *x = a, *y = b;
    int order = path_compare(x->path, y->path);
    return order ? order : (x->rule > y->rule) - (x->rule < y->rule);
}

enum { VERBS = 5 };

static void add_region(struct path_set *set, struct str path, unsigned verbs, unsigned above)
{
    if (verbs != above)
        set->regions[set->count++] = (struct path_region){path, verbs};
}

// Walks the sorted entries with a stack of those that cover the current path. For each verb it counts what adds and
// what removes. A SPARES entry takes back the removals of its own rule while it covers, and beneath it that rule
// removes nothing more.
struct open_entry {
    const struct path_entry *entry;
    int removals[VERBS]; // what it adds to the count; negative for SPARES
};

struct tally { // of the open entries of one rule
    int removals[VERBS], spares[VERBS];
};

static int removals_of(enum path_part part, const struct tally *tally, int verb)
{
    return part == PATH_SPARES ? -tally->removals[verb] : part == PATH_REMOVES && tally->spares[verb] == 0;
}

static unsigned verbs_of(const int *adds, const int *removes)
{
    unsigned verbs = 0;
    for (int v = 0; v < VERBS; v++)
        if (adds[v] > 0 && removes[v] == 0)
            verbs |= 1u << v;
    return verbs;
}

struct path_set *path_set_build(struct arena *arena, const struct path_entry *entries, size_t count)
{
    struct path_set *set = NEW(arena, struct path_set);
    *set = (struct path_set){arena, NEW_ARRAY(arena, struct path_region, count + 1), 0};
    struct path_entry *sorted =
        arena_grow(arena, (void *)entries, count * sizeof *sorted, (count + 1) * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_entries);
    struct open_entry *stack = NEW_ARRAY(arena, struct open_entry, count + 1);
    struct str *region_paths = NEW_ARRAY(arena, struct str, count + 1); // open regions, to know what holds above
    unsigned *region_verbs = NEW_ARRAY(arena, unsigned, count + 1);
    uint32_t last_rule = 0;
    for (size_t i = 0; i < count; i++)
        last_rule = sorted[i].rule > last_rule ? sorted[i].rule : last_rule;
    struct tally *tallies = NEW_ARRAY(arena, struct tally, (size_t)last_rule + 1);
    size_t depth = 0, regions = 0;
    int adds[VERBS] = {0}, removes[VERBS] = {0};
    for (size_t i = 0; i < count;) {
        struct str path = sorted[i].path;
        while (depth && !path_covers(stack[depth - 1].entry->path, path)) {
            const struct open_entry *open = &stack[--depth];
            struct tally *tally = &tallies[open->entry->rule];
            for (int v = 0; v < VERBS; v++) {
                bool about = open->entry->verbs >> v & 1;
                adds[v] -= about && open->entry->part == PATH_ADDS;
                tally->spares[v] -= about && open->entry->part == PATH_SPARES;
                tally->removals[v] -= open->removals[v];
                removes[v] -= open->removals[v];
            }
        }
        while (regions && !path_covers(region_paths[regions - 1], path))
            regions--;
        // Entries of one path: additions and removals first, then exceptions, which look at the removals that are open.
        size_t end = i;
        while (end < count && str_equal(sorted[end].path, path))
            end++;
        for (int pass = 0; pass < 2; pass++)
            for (size_t k = i; k < end; k++) {
                const struct path_entry *entry = &sorted[k];
                if ((entry->part == PATH_SPARES) != (pass == 1))
                    continue;
                struct open_entry open = {.entry = entry};
                struct tally *tally = &tallies[entry->rule];
                for (int v = 0; v < VERBS; v++) {
                    if (!(entry->verbs >> v & 1))
                        continue;
                    open.removals[v] = removals_of(entry->part, tally, v);
                    adds[v] += entry->part == PATH_ADDS;
                    tally->spares[v] += entry->part == PATH_SPARES;
                    tally->removals[v] += open.removals[v];
                    removes[v] += open.removals[v];
                }
                stack[depth++] = open;
            }
        i = end;
        unsigned above = regions ? region_verbs[regions - 1] : 0, now = verbs_of(adds, removes);
        add_region(set, path, now, above);
        region_paths[regions] = path;
        region_verbs[regions++] = now;
    }
    return set;
}

unsigned path_set_verbs(const struct path_set *set, struct str path)
{
    // The deepest region that covers the path: the last one not after it, or an ancestor of that one.
    for (struct str at = path; at.length; at = parent(at)) {
        size_t low = 0, high = set->count;
        while (low < high) {
            size_t middle = (low + high) / 2;
            int order = path_compare(set->regions[middle].path, at);
            if (order == 0)
                return set->regions[middle].verbs;
            if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
    }
    return 0;
}

// The first region that does not stand before `path`.
static size_t region_from(const struct path_set *set, struct str path)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (path_compare(set->regions[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// What `set` says beneath the regions of `frame`. A question about one path costs little then, however many the policy
// has.
static struct path_set within_frame(struct arena *arena, const struct path_set *set, const struct path_set *frame)
{
    struct path_set part = {arena, NULL, 0};
    for (int pass = 0; pass < 2; pass++) {
        size_t count = 0;
        struct str top = {0};
        for (size_t i = 0; i < frame->count; i++) {
            if (top.length && path_covers(top, frame->regions[i].path))
                continue;
            top = frame->regions[i].path;
            size_t k = region_from(set, top);
            if (k == set->count || !str_equal(set->regions[k].path, top)) { // what holds there comes from above
                if (pass)
                    part.regions[count] = (struct path_region){top, path_set_verbs(set, top)};
                count++;
            }
            for (; k < set->count && path_covers(top, set->regions[k].path); k++, count++)
                if (pass)
                    part.regions[count] = set->regions[k];
        }
        if (!pass)
            part.regions = NEW_ARRAY(arena, struct path_region, count + 1);
        part.count = count;
    }
    return part;
}

struct path_set *path_set_minus(struct arena *arena, const struct path_set *a, const struct path_set *all)
{
    struct path_set b = within_frame(arena, all, a), *set = NEW(arena, struct path_set);
    *set = (struct path_set){arena, NEW_ARRAY(arena, struct path_region, a->count + b.count + 1), 0};
    struct path_region *open = NEW_ARRAY(arena, struct path_region, a->count + b.count + 1);
    size_t i = 0, k = 0, depth = 0;
    while (i < a->count || k < b.count) {
        int order = i == a->count ? 1 : k == b.count ? -1 : path_compare(a->regions[i].path, b.regions[k].path);
        struct str path = order <= 0 ? a->regions[i].path : b.regions[k].path;
        i += order <= 0;
        k += order >= 0;
        while (depth && !path_covers(open[depth - 1].path, path))
            depth--;
        unsigned above = depth ? open[depth - 1].verbs : 0, now = path_set_verbs(a, path) & ~path_set_verbs(&b, path);
        add_region(set, path, now, above);
        open[depth++] = (struct path_region){path, now};
    }
    return set;
}

bool path_set_first(const struct path_set *set, struct path_witness *witness)
{
    bool found = false;
    for (size_t i = 0; i < set->count; i++)
        if (set->regions[i].verbs && (!found || set->regions[i].path.length < witness->path.length)) {
            *witness = (struct path_witness){set->regions[i].path, set->regions[i].verbs};
            found = true;
        }
    return found;
}

bool path_set_subset(const struct path_set *a, const struct path_set *b, struct path_witness *witness)
{
    return !path_set_first(path_set_minus(a->arena, a, b), witness);
}

void path_verbs_print(struct text *text, unsigned verbs)
{
    static const struct {
        unsigned verbs;
        const char *name;
    } names[] = {
        {VERB_READ, "read"},       {VERB_WRITE, "write"},   {VERB_MODIFY, "modify"},
        {VERB_CREATE, "create"},   {VERB_DELETE, "delete"}, {VERB_EXEC, "exec"},
        {VERB_CONNECT, "connect"}, {VERB_BIND, "bind"},     {VERB_LISTEN, "listen"},
    };
    const char *separator = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((verbs & names[i].verbs) == names[i].verbs) {
            text_addf(text, "%s%s", separator, names[i].name);
            separator = ", ";
            verbs &= ~names[i].verbs;
        }
}
