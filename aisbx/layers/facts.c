// What a base held.
#include "aisbx/layers/facts.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aisbx/layers/paths.h"

static struct fact *more(struct facts *facts)
{
    if (facts->count == facts->room) {
        facts->room = 2 * facts->room + 64;
        facts->list = realloc(facts->list, facts->room * sizeof *facts->list);
        if (!facts->list)
            abort();
    }
    return &facts->list[facts->count++];
}

static char *copy(const void *text, size_t length)
{
    char *own = strndup(text, length);
    if (!own)
        abort();
    return own;
}

static int by_path(const void *a, const void *b)
{
    const struct fact *x = a, *y = b;
    return paths_order(x->path, y->path);
}

static bool take(void *context, sqlite3_stmt *row)
{
    struct facts *facts = context;
    const void *path = sqlite3_column_blob(row, 0);
    size_t length = (size_t)sqlite3_column_bytes(row, 0);
    const struct fact *last = facts->count ? &facts->list[facts->count - 1] : NULL;
    if (last && strlen(last->path) == length && memcmp(last->path, path, length) == 0)
        return true; // the first that is known is what the base held
    struct fact *fact = more(facts);
    const char *digest = (const char *)sqlite3_column_text(row, 5);
    *fact = (struct fact){.path = copy(path, length),
                          .state = {.kind = (enum kind)sqlite3_column_int(row, 1),
                                    .mode = (mode_t)sqlite3_column_int(row, 2),
                                    .size = sqlite3_column_int64(row, 3),
                                    .mtime = sqlite3_column_int64(row, 4)},
                          .unsure = sqlite3_column_int(row, 6)};
    snprintf(fact->state.digest, DIGEST_SIZE, "%s", digest ? digest : "");
    return true;
}

bool facts_load(struct store *store, const char *snapshot, struct facts *facts)
{
    *facts = (struct facts){0};
    bool fine = store_each(store, take, facts,
                           "WITH RECURSIVE chain(id) AS (SELECT ? UNION ALL SELECT parent FROM snapshots JOIN chain"
                           " USING (id) WHERE parent IS NOT NULL)"
                           " SELECT path, kind, mode, size, mtime, digest, unsure FROM facts JOIN chain"
                           " ON snapshot = chain.id ORDER BY path, snapshot",
                           "t", snapshot);
    if (facts->count)
        qsort(facts->list, facts->count, sizeof *facts->list, by_path);
    return fine;
}

void facts_free(struct facts *facts)
{
    for (size_t i = 0; i < facts->count; i++)
        free(facts->list[i].path);
    free(facts->list);
    *facts = (struct facts){0};
}

static const char *path_at(const void *list, size_t index)
{
    return ((const struct fact *)list)[index].path;
}

const struct fact *facts_find(const struct facts *facts, const char *path)
{
    bool there;
    size_t at = path_slot(facts->list, facts->count, path_at, path, &there);
    return there ? &facts->list[at] : NULL;
}

// ---- keeping ------------------------------------------------------------------------------------------------------

struct keeping {
    struct store *store;
    const char *snapshot;
    int root;
    const struct facts *known;
    int64_t since;
};

static bool keep(const struct keeping *k, const char *path, struct state *state)
{
    if (!state_of_host(k->root, path, state))
        return warn("%s cannot be read on the host", path), false;
    if (facts_find(k->known, path))
        return true;
    bool unsure = state->kind != KIND_NOTHING && state->kind != KIND_FOLDER && state->ctime >= k->since;
    return store_do(k->store,
                    "INSERT INTO facts (snapshot, path, kind, mode, size, mtime, digest, unsure)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    "tbiiiiti", k->snapshot, (const void *)path, strlen(path), (int64_t)state->kind,
                    (int64_t)state->mode, state->size, state->mtime, state->digest, (int64_t)unsure);
}

static bool keep_beneath(const struct keeping *k, const char *folder)
{
    int fd = state_open(k->root, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list)
        return warn("%s cannot be read on the host", folder), false;
    bool fine = true;
    for (struct dirent *entry; fine && (entry = readdir(list));) {
        char path[PATH_MAX];
        struct state state;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            fine = (warnx("%s has longer paths in it than the host takes", folder), false);
        else
            fine = keep(k, path, &state) && (state.kind != KIND_FOLDER || keep_beneath(k, path));
    }
    closedir(list);
    return fine;
}

bool facts_keep(struct store *store, const char *snapshot, int root, const struct change *change,
                const struct facts *known, int64_t since)
{
    const struct keeping k = {store, snapshot, root, known, since};
    for (size_t i = 0; i < change->count; i++) {
        const struct change_entry *entry = change->entries[i];
        const struct fact *fact = facts_find(known, entry->path);
        struct state state;
        bool empties = entry->replaces || entry->state.kind != KIND_FOLDER;
        if (fact ? empties && fact->state.kind == KIND_FOLDER : true) {
            if (!keep(&k, entry->path, &state))
                return false;
            if (empties && state.kind == KIND_FOLDER && !keep_beneath(&k, entry->path))
                return false;
        }
    }
    return true;
}

// ---- differences --------------------------------------------------------------------------------------------------

struct list {
    struct difference *entries;
    size_t count, room;
};

static void note(struct list *list, struct difference difference)
{
    if (list->count == list->room) {
        list->room = 2 * list->room + 64;
        list->entries = realloc(list->entries, list->room * sizeof *list->entries);
        if (!list->entries)
            abort();
    }
    list->entries[list->count++] = difference;
}

// What the base had in a folder, and the change has not.
static void note_beneath(struct list *list, const struct change *change, const struct facts *facts, const char *folder)
{
    bool there;
    size_t length = strlen(folder);
    for (size_t at = path_slot(facts->list, facts->count, path_at, folder, &there); at < facts->count; at++) {
        const struct fact *fact = &facts->list[at];
        if (strncmp(fact->path, folder, length) != 0 || (fact->path[length] && fact->path[length] != '/'))
            break;
        if (fact->path[length] && fact->state.kind != KIND_NOTHING && !change_find(change, fact->path))
            note(list, (struct difference){.path = fact->path, .before = fact->state, .unsure = fact->unsure});
    }
}

static int by_difference(const void *a, const void *b)
{
    const struct difference *x = a, *y = b;
    return paths_order(x->path, y->path);
}

static const char *difference_at(const void *list, size_t index)
{
    return ((const struct difference *)list)[index].path;
}

const struct difference *difference_find(const struct difference *list, size_t count, const char *path)
{
    bool there;
    size_t at = path_slot(list, count, difference_at, path, &there);
    return there ? &list[at] : NULL;
}

struct difference *differences(const struct change *change, const struct facts *facts, size_t *count)
{
    struct list list = {0};
    for (size_t i = 0; i < change->count; i++) {
        const struct change_entry *entry = change->entries[i];
        const struct fact *fact = facts_find(facts, entry->path);
        struct difference d = {.path = entry->path, .after = entry->state, .entry = entry};
        if (fact) {
            d.before = fact->state;
            d.unsure = fact->unsure;
        }
        if (!state_equal(&d.before, &d.after))
            note(&list, d);
        if (d.before.kind == KIND_FOLDER && (entry->replaces || d.after.kind != KIND_FOLDER))
            note_beneath(&list, change, facts, entry->path);
    }
    if (list.count)
        qsort(list.entries, list.count, sizeof *list.entries, by_difference);
    *count = list.count;
    return list.entries ? list.entries : calloc(1, sizeof(struct difference));
}
