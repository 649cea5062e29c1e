// Learning: which files a policy shows, and as what.
#include "compiler/learn/learner.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/meaning/search.h"

static int by_path(const void *a, const void *b)
{
    return str_compare(((const struct place *)a)->path, ((const struct place *)b)->path);
}

static bool allows(struct policy *policy, struct str path, unsigned verbs)
{
    for (unsigned verb = 1; verb <= VERB_EXEC; verb <<= 1)
        if (verbs & verb &&
            !policy_verdict(policy, &(struct operation_point){.domain = DOMAIN_FILES, .verb = verb, .path = path})
                 .allowed)
            return false;
    return true;
}

static struct place *add_place(struct learner *l, struct str path, unsigned verbs, uint64_t count, size_t entries)
{
    for (size_t i = 0; i < l->place_count; i++)
        if (str_equal(l->places[i].path, path)) {
            l->places[i].verbs |= verbs;
            l->places[i].count += count;
            l->places[i].entries += entries;
            l->places[i].gone = false;
            return &l->places[i];
        }
    if ((l->place_count & (l->place_count - 1)) == 0)
        l->places = arena_grow(l->arena, l->places, l->place_count * sizeof *l->places,
                               (l->place_count ? 2 * l->place_count : 4) * sizeof *l->places);
    l->places[l->place_count] = (struct place){.path = path, .verbs = verbs, .count = count, .entries = entries};
    return &l->places[l->place_count++];
}

struct str learner_file_operation(struct learner *l, const char *verb, struct str path)
{
    struct text text = {.arena = l->arena};
    text_addf(&text, "%s ", verb);
    text_quote(&text, path);
    return text_str(&text);
}

struct str learner_made_in(const struct learner *l, struct str path)
{
    struct str folder = known_folder(path);
    for (const struct seen_path *above;
         folder.length > 1 && (above = map_get(&l->seen->path_index, folder)) && above->made;)
        folder = known_folder(folder);
    return folder;
}

struct str learner_beneath_home(const struct learner *l, struct str path)
{
    struct str home = l->seen->home;
    if (home.length < 2 || !path_covers(home, path) || path.length < home.length + 2 ||
        path.text[home.length + 1] != '.' ||
        (path_covers(l->seen->cwd, path) && !known_is_common(l->seen, l->seen->cwd)))
        return STR("");
    struct str below = {path.text + home.length + 1, path.length - home.length - 1};
    const char *slash = memchr(below.text, '/', below.length);
    struct str top = {path.text, slash ? (size_t)(slash - path.text) : path.length};
    for (size_t i = 0; i < l->seen->path_count; i++)
        if (l->seen->paths[i]->verbs & VERB_EXEC && path_covers(top, l->seen->paths[i]->path))
            return STR("");
    for (size_t i = 0; i < l->seen->command_count; i++)
        if (memmem(l->seen->command[i].text, l->seen->command[i].length, top.text, top.length))
            return STR("");
    return below;
}

struct str learner_inside(const struct learner *l, struct str path)
{
    struct str below = learner_beneath_home(l, path);
    return below.length ? str_format(l->arena, "%.*s/%.*s", STR_ARGS(l->home), STR_ARGS(below)) : path;
}

// The HOME of the sandbox: the policy's, or a place for temporary files where nothing can be made in that one.
static void choose_home(struct learner *l, struct policy *usual)
{
    struct str home = STR("/");
    for (size_t i = 0; i < usual->env_count; i++)
        if (str_is(usual->env[i].name, "HOME"))
            home = usual->env[i].keep ? l->seen->home : usual->env[i].value;
    bool fits = known_temporary(home).length || allows(usual, home, VERB_WRITE);
    l->home = fits ? home : STR("/tmp");
    if (fits)
        return;
    for (size_t i = 0; i < l->seen->path_count && !l->sets_home; i++)
        l->sets_home = (l->seen->paths[i]->verbs || l->seen->paths[i]->made) &&
                       learner_beneath_home(l, l->seen->paths[i]->path).length;
}

// Is something changed in this folder?
static bool is_changed(const struct learner *l, struct str folder)
{
    for (size_t i = 0; i < l->seen->path_count; i++)
        if ((l->seen->paths[i]->made || l->seen->paths[i]->verbs & VERB_WRITE) &&
            path_covers(folder, l->seen->paths[i]->path))
            return true;
    return false;
}

// A folder of a home in which many programs have theirs.
static bool is_wide(struct str below)
{
    return !memchr(below.text, '/', below.length) || str_is(below, ".local/share") || str_is(below, ".local/state");
}

static void place_path(struct learner *l, struct policy *usual, const struct seen_path *seen)
{
    struct str below = learner_beneath_home(l, seen->path), path = learner_inside(l, seen->path);
    struct str root = known_temporary(path);
    unsigned verbs = seen->verbs;
    if (str_equal(root, path)) {
        if (verbs)
            add_place(l, path, VERB_READ | VERB_WRITE, seen->count, 1)->is_memory = true;
        return;
    }
    if (allows(usual, path, verbs ? verbs : VERB_READ) || (!verbs && seen->folder && !path_covers(l->seen->cwd, path)))
        return;
    if (path_covers(STR("/proc"), path) || path_covers(STR("/dev"), path)) {
        if (verbs)
            learner_note(l, learner_file_operation(l, verbs & VERB_WRITE ? "write" : "read", path),
                         "the sandbox has a /proc and a /dev of its own", seen->count);
        return;
    }
    if (path_covers(STR("/sys/fs/cgroup"), path)) {
        if (verbs)
            learner_note(l, learner_file_operation(l, verbs & VERB_WRITE ? "write" : "read", path),
                         "the sandbox is in control groups of its own", seen->count);
        return;
    }
    if (known_is_secret(seen->path) && !seen->made) {
        if (verbs)
            learner_note(l, learner_file_operation(l, "read", seen->path), "it looks like a secret", seen->count)
                ->path = path;
        return;
    }
    if (below.length && root.length && !seen->made && !(verbs & VERB_WRITE)) {
        if (!(verbs & VERB_READ) || is_changed(l, seen->path))
            return;
        if (seen->folder && is_wide(below))
            learner_note(l, learner_file_operation(l, "read", seen->path), "it holds much else", seen->count);
        else
            add_place(l, path, VERB_READ, seen->count, 1)->home = below;
        return;
    }
    if (root.length && (seen->made || below.length) && !path_covers(l->seen->cwd, seen->path)) {
        struct place *place = add_place(l, root, VERB_READ | VERB_WRITE | (verbs & VERB_EXEC), seen->count, 1);
        place->is_memory = true;
        return;
    }
    bool makes = seen->made || verbs & (VERB_CREATE | VERB_DELETE);
    if (verbs & VERB_WRITE || seen->made) {
        struct str target = makes ? learner_made_in(l, path) : path;
        if (known_is_system(path)) {
            learner_note(l, learner_file_operation(l, "write", path), "it would change the system", seen->count);
            return;
        }
        if (makes && known_is_common(l->seen, target)) {
            learner_note(l, learner_file_operation(l, "write", path),
                         "its folder holds much else: make one for it, and allow that", seen->count);
            return;
        }
        if (makes && str_equal(known_temporary(target), target))
            return;
        add_place(l, target, VERB_READ | VERB_WRITE | (verbs & VERB_EXEC), seen->count, 1);
        return;
    }
    if (verbs & VERB_EXEC && !seen->folder) {
        add_place(l, path, VERB_READ | VERB_EXEC, seen->count, 1);
        return;
    }
    if (seen->folder && known_is_common(l->seen, path)) { // the way to others, at most
        if (verbs)
            learner_note(l, learner_file_operation(l, "read", path), "it holds much else", seen->count);
        return;
    }
    if (path_covers(l->seen->cwd, path) && !known_is_common(l->seen, l->seen->cwd))
        path = l->seen->cwd;
    add_place(l, path, VERB_READ, seen->count, 1);
}

static bool is_beside(const struct place *place, const struct place *other, struct str folder)
{
    return place->verbs == other->verbs && !place->home.length == !other->home.length && !place->is_memory &&
           path_covers(folder, place->path);
}

// Several places of one kind beside each other become their folder; what another one allows already goes.
static void fold(struct learner *l, size_t least)
{
    for (bool changed = true; changed;) {
        changed = false;
        qsort(l->places, l->place_count, sizeof *l->places, by_path);
        for (size_t i = 0; i < l->place_count; i++) {
            struct place *place = &l->places[i];
            for (size_t k = 0; k < l->place_count && !place->gone; k++) {
                struct place *above = &l->places[k];
                if (k != i && !above->gone && path_covers(above->path, place->path) &&
                    !(place->verbs & ~above->verbs) && place->is_memory == above->is_memory &&
                    !place->home.length == !above->home.length) {
                    above->count += place->count;
                    above->entries += place->entries;
                    place->gone = true;
                }
            }
        }
        for (size_t i = 0; i < l->place_count && !changed; i++) {
            struct str folder = known_folder(l->places[i].path), home = l->places[i].home;
            size_t beside = 0, entries = 0;
            uint64_t count = 0;
            home.length -= home.length ? l->places[i].path.length - folder.length : 0;
            if (l->places[i].gone || l->places[i].is_memory || known_is_common(l->seen, folder) ||
                (l->places[i].home.length && is_wide(home)))
                continue;
            for (size_t k = 0; k < l->place_count; k++)
                if (is_beside(&l->places[k], &l->places[i], folder) && !l->places[k].gone) {
                    beside++;
                    count += l->places[k].count;
                    entries += l->places[k].entries;
                }
            if (beside < least)
                continue;
            struct place like = l->places[i];
            for (size_t k = 0; k < l->place_count; k++)
                if (is_beside(&l->places[k], &like, folder))
                    l->places[k].gone = true;
            add_place(l, folder, like.verbs, count, entries)->home = home;
            changed = true;
        }
    }
}

void learner_files(struct learner *l, struct policy *modules)
{
    enum { MANY = 20 };
    size_t left = 0;
    choose_home(l, modules);
    for (size_t i = 0; i < l->seen->path_count; i++)
        place_path(l, modules, l->seen->paths[i]);
    fold(l, 3);
    for (size_t i = 0; i < l->place_count; i++)
        left += !l->places[i].gone;
    if (left > MANY)
        fold(l, 2);
}

void learner_ask_files(struct learner *l, struct policy *policy, bool last, struct learned *learned)
{
    static const char *const verbs[] = {"read", "write", "exec"};
    for (size_t i = 0; i < l->seen->path_count; i++) {
        const struct seen_path *path = l->seen->paths[i];
        struct str inside = learner_inside(l, path->path);
        if (!path->verbs)
            continue;
        learned->operations++;
        if (allows(policy, inside, path->verbs)) {
            learned->allowed++;
            continue;
        }
        struct note *told = NULL;
        for (size_t k = 0; k < sizeof verbs / sizeof *verbs && !told; k++)
            told = map_get(&l->noted, learner_file_operation(l, verbs[k], path->path));
        const char *verb = path->verbs & VERB_WRITE ? "write" : path->verbs & VERB_EXEC ? "exec" : "read";
        if (last && !told)
            told = learner_note(l, learner_file_operation(l, verb, path->path), "no rule for it could be found",
                                path->count);
        if (last)
            told->things++;
        else if (!told && !path->made && !known_is_common(l->seen, path->path))
            add_place(l, inside,
                      (path->verbs & VERB_WRITE ? VERB_WRITE : 0) | VERB_READ | (path->verbs & VERB_EXEC), path->count,
                      1)
                ->home = learner_beneath_home(l, path->path);
    }
    qsort(l->places, l->place_count, sizeof *l->places, by_path);
}
