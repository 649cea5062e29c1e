// Files of two policies: subtrees less subtrees, and content.
#include "compiler/diff/compare_files.h"

#include "compiler/sets/quantity.h"

struct subtree { // of a path set, for one or more verbs
    struct str path;
    unsigned verbs;
    struct str *excepts;
    size_t except_count;
};

static bool same_subtree(const struct subtree *a, const struct subtree *b)
{
    bool same = str_equal(a->path, b->path) && a->except_count == b->except_count;
    for (size_t i = 0; i < a->except_count && same; i++)
        same = str_equal(a->excepts[i], b->excepts[i]);
    return same;
}

// The region above each region; itself when there is none.
static size_t *regions_above(struct arena *arena, const struct path_set *set)
{
    size_t *above = NEW_ARRAY(arena, size_t, set->count + 1);
    for (size_t i = 0; i < set->count; i++) {
        size_t k = i ? i - 1 : 0;
        while (i && !path_covers(set->regions[k].path, set->regions[i].path) && above[k] != k)
            k = above[k];
        above[i] = i && path_covers(set->regions[k].path, set->regions[i].path) ? k : i;
    }
    return above;
}

// A path set as subtrees less subtrees. Returns how many were written to *list.
static size_t subtrees_of(struct arena *arena, const struct path_set *set, struct subtree **list)
{
    size_t *above = regions_above(arena, set), count = 0;
    *list = NEW_ARRAY(arena, struct subtree, set->count * 5 + 1);
    for (size_t i = 0; i < set->count; i++)
        for (unsigned verb = VERB_READ; verb <= VERB_EXEC; verb <<= 1) {
            if (!(set->regions[i].verbs & verb) || (above[i] != i && set->regions[above[i]].verbs & verb))
                continue;
            struct subtree subtree = {set->regions[i].path, verb, NULL, 0};
            size_t capacity = 0;
            for (size_t k = i + 1; k < set->count && path_covers(subtree.path, set->regions[k].path); k++) {
                size_t known = subtree.except_count;
                if (set->regions[k].verbs & verb || !(set->regions[above[k]].verbs & verb) ||
                    (known && path_covers(subtree.excepts[known - 1], set->regions[k].path)))
                    continue; // none, or beneath an exception already: subtrees are contiguous
                if (known == capacity) {
                    capacity = capacity ? 2 * capacity : 4;
                    subtree.excepts = arena_grow(arena, subtree.excepts, known * sizeof *subtree.excepts,
                                                 capacity * sizeof *subtree.excepts);
                }
                subtree.excepts[subtree.except_count++] = set->regions[k].path;
            }
            bool merged = false;
            for (size_t k = count; k-- > 0 && str_equal((*list)[k].path, subtree.path) && !merged;)
                if (same_subtree(&(*list)[k], &subtree)) {
                    (*list)[k].verbs |= verb;
                    merged = true;
                }
            if (!merged)
                (*list)[count++] = subtree;
        }
    return count;
}

static void compare_paths(struct comparing *c, const struct path_set *more, enum difference_kind kind)
{
    struct subtree *list;
    size_t count = subtrees_of(c->arena, more, &list);
    for (size_t i = 0; i < count; i++) {
        struct text text = {.arena = c->arena};
        text_addf(&text, "%s ", diff_effect(kind));
        path_verbs_print(&text, list[i].verbs);
        text_addf(&text, " \"%.*s\"", STR_ARGS(list[i].path));
        for (size_t e = 0; e < list[i].except_count; e++)
            text_addf(&text, "%s \"%.*s\"", e ? "," : " except", STR_ARGS(list[i].excepts[e]));
        struct difference *d = diff_add(c, "files", kind, text_str(&text));
        diff_explain(c, d,
                     &(struct operation_point){
                         .domain = DOMAIN_FILES, .verb = list[i].verbs & -list[i].verbs, .path = list[i].path});
    }
}

struct contents { // of a plan, along paths in their order
    const struct plan *plan;
    size_t next;
    const struct plan_view **above; // the places above that bring some
    size_t depth;
};

static struct contents contents_of(struct arena *arena, const struct plan *plan)
{
    return (struct contents){plan, 0, NEW_ARRAY(arena, const struct plan_view *, plan->view_count + 1), 0};
}

// Where the content of a path comes from: the deepest place at or above it that brings some.
static const struct plan_view *content_at(struct contents *c, struct str path)
{
    for (; c->next < c->plan->view_count && path_compare(c->plan->view[c->next].path, path) <= 0; c->next++) {
        const struct plan_view *place = &c->plan->view[c->next];
        while (c->depth && !path_covers(c->above[c->depth - 1]->path, place->path))
            c->depth--;
        if (place->from != PLAN_INHERIT)
            c->above[c->depth++] = place;
    }
    while (c->depth && !path_covers(c->above[c->depth - 1]->path, path))
        c->depth--;
    return c->depth ? c->above[c->depth - 1] : NULL;
}

// "from "./src/lib"", for a path beneath a place.
static struct str content_text(struct arena *arena, const struct plan_view *place, struct str path)
{
    struct text text = {.arena = arena};
    struct str rest = {path.text + place->path.length, path.length - place->path.length};
    if (place->path.length == 1)
        rest = path.length == 1 ? STR("") : path;
    const char *base = place->base == PLAN_CWD ? "cwd " : place->base == PLAN_HOME ? "home " : "";
    bool root = str_is(place->host, "/") && rest.length;
    switch (place->from) {
    case PLAN_HOST:
    case PLAN_OVERLAY:
    case PLAN_IMAGE:
        text_addf(&text, "%s%s\"%.*s%.*s\"",
                  place->from == PLAN_OVERLAY ? "overlay "
                  : place->from == PLAN_IMAGE ? "image "
                                              : "",
                  base, STR_ARGS(root ? STR("") : place->host), STR_ARGS(rest));
        if (place->from == PLAN_OVERLAY || place->from == PLAN_IMAGE)
            text_addf(&text, " size %.*s", STR_ARGS(size_text(arena, place->size)));
        break;
    case PLAN_TMPFS: text_addf(&text, "tmpfs size %.*s", STR_ARGS(size_text(arena, place->size))); break;
    case PLAN_SANDBOX: text_addf(&text, "sandbox %.*s", STR_ARGS(place->text)); break;
    case PLAN_TEXT: text_addf(&text, "text of %zu bytes", place->text.length); break;
    default: text_addf(&text, "%s", plan_from_names[place->from]);
    }
    return text_str(&text);
}

static void compare_content(struct comparing *c, const struct plan *before, const struct plan *after)
{
    struct str reported = {0};
    struct contents contents_before = contents_of(c->arena, before), contents_after = contents_of(c->arena, after);
    for (size_t i = 0, k = 0; i < before->view_count || k < after->view_count;) {
        int order = i == before->view_count  ? 1
                    : k == after->view_count ? -1
                                             : path_compare(before->view[i].path, after->view[k].path);
        struct str path = order <= 0 ? before->view[i].path : after->view[k].path;
        bool brought =
            (order <= 0 && before->view[i].from != PLAN_INHERIT) || (order >= 0 && after->view[k].from != PLAN_INHERIT);
        i += order <= 0;
        k += order >= 0;
        const struct plan_view *old = content_at(&contents_before, path), *new = content_at(&contents_after, path);
        if (!brought || !old || !new || !path_set_verbs(policy_paths(c->before), path) ||
            !path_set_verbs(policy_paths(c->after), path))
            continue; // what is new or gone is said by its verbs
        struct str was = content_text(c->arena, old, path), is = content_text(c->arena, new, path);
        if (str_equal(was, is) || (reported.length && path_covers(reported, path) && path_covers(old->path, reported) &&
                                   path_covers(new->path, reported)))
            continue;
        reported = path;
        enum difference_kind kind = BECOMES_ALLOWED; // other content: nobody can say that there is less of it
        if (old->from == PLAN_TMPFS && new->from == PLAN_TMPFS)
            kind = new->size > old->size ? BECOMES_ALLOWED : BECOMES_DENIED;
        else if (new->from == PLAN_TMPFS)
            kind = OTHERWISE; // memory holds nothing of the host's
        diff_add(
            c, "files", kind,
            str_format(c->arena, "\"%.*s\" is from %.*s, was from %.*s", STR_ARGS(path), STR_ARGS(is), STR_ARGS(was)));
    }
}

void compare_files(struct comparing *c, const struct plan *before, const struct plan *after)
{
    const struct path_set *old = policy_paths(c->before), *new = policy_paths(c->after);
    compare_paths(c, path_set_minus(c->arena, new, old), BECOMES_ALLOWED);
    compare_paths(c, path_set_minus(c->arena, old, new), BECOMES_DENIED);
    compare_content(c, before, after);
}
