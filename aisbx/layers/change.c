// The change that layers are.
#include "aisbx/layers/change.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aisbx/layers/paths.h"

static bool wrong(struct change *change, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct change *change, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(change->why, sizeof change->why, format, values);
    va_end(values);
    return false;
}

static const char *path_at(const void *list, size_t index)
{
    return ((struct change_entry *const *)list)[index]->path;
}

// Where an entry of that path is, or would be.
static size_t slot(const struct change *change, const char *path, bool *there)
{
    return path_slot(change->entries, change->count, path_at, path, there);
}

static bool is_beneath(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return !length ? *path != '\0' : strncmp(path, folder, length) == 0 && path[length] == '/';
}

static void drop(struct change_entry *entry)
{
    free(entry->path);
    free(entry->link);
    free(entry);
}

static void drop_beneath(struct change *change, const char *folder, int layer) // of the layers before that one
{
    bool there;
    size_t from = slot(change, folder, &there), to = from + there, kept = from + there;
    for (; to < change->count && is_beneath(change->entries[to]->path, folder); to++)
        if (change->entries[to]->layer < layer)
            drop(change->entries[to]);
        else
            change->entries[kept++] = change->entries[to];
    if (kept == to)
        return;
    memmove(change->entries + kept, change->entries + to, (change->count - to) * sizeof *change->entries);
    change->count -= to - kept;
}

static struct change_entry *put(struct change *change, const char *path)
{
    bool there;
    size_t at = slot(change, path, &there);
    struct change_entry *entry = calloc(1, sizeof *entry);
    if (!entry || !(entry->path = strdup(path)))
        abort();
    if (there) {
        drop(change->entries[at]);
    } else {
        if (change->count == change->room) {
            change->room = 2 * change->room + 64;
            change->entries = realloc(change->entries, change->room * sizeof *change->entries);
            if (!change->entries)
                abort();
        }
        memmove(change->entries + at + 1, change->entries + at, (change->count - at) * sizeof *change->entries);
        change->count++;
    }
    return change->entries[at] = entry;
}

// The part of a name in a layer that lies beneath the place; NULL: none of it does. "": the place itself.
static const char *within(const char *name, const char *place)
{
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    place += *place == '/';
    size_t length = strlen(place);
    if (strncmp(name, place, length) != 0 || (length && name[length] != '/' && name[length]))
        return NULL;
    name += length;
    return name + (*name == '/');
}

static bool is_plain(const char *path)
{
    for (const char *at = path; *at; at += *at == '/') {
        size_t span = strcspn(at, "/");
        if (!span || (span <= 2 && strncmp(at, "..", span) == 0))
            return false;
        at += span;
    }
    return true;
}

static struct archive *open_layer(struct change *change, const struct blobs *blobs, const char *digest, int *fd)
{
    *fd = blob_open(blobs, digest);
    if (*fd < 0)
        return wrong(change, "the layer %.12s is not in the store: %s", digest, strerror(errno)), NULL;
    struct archive *archive = archive_read_new();
    if (archive && archive_read_support_filter_zstd(archive) == ARCHIVE_OK &&
        archive_read_support_format_tar(archive) == ARCHIVE_OK &&
        archive_read_open_fd(archive, *fd, 65536) == ARCHIVE_OK)
        return archive;
    wrong(change, "the layer %.12s can't be read: %s", digest, archive ? archive_error_string(archive) : "no memory");
    archive_read_free(archive);
    close(*fd);
    return NULL;
}

static bool digest_data(struct archive *archive, struct state *state)
{
    static char data[65536];
    SHA2_CTX sha;
    SHA256Init(&sha);
    la_ssize_t n;
    int64_t size = 0;
    while ((n = archive_read_data(archive, data, sizeof data)) > 0) {
        SHA256Update(&sha, (const uint8_t *)data, (size_t)n);
        size += n;
    }
    SHA256End(&sha, state->digest);
    state->size = size;
    return n == 0;
}

// One entry of a layer, whose name in the place is `path`.
static bool add(struct change *change, struct archive *archive, struct archive_entry *entry, const char *path,
                const char *place, int layer, uint64_t number)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *same = archive_entry_hardlink(entry);
    char above[PATH_MAX], gone[2 * PATH_MAX];
    if (strlen(path) >= PATH_MAX || !is_plain(path))
        return wrong(change, "it has a name that no folder has");
    snprintf(above, sizeof above, "%.*s", slash ? (int)(slash - path) : 0, path);
    if (strcmp(name, ".wh..wh..opq") == 0) {
        drop_beneath(change, above, layer);
        bool there;
        size_t at = slot(change, above, &there);
        if (!there)
            return wrong(change, "it empties a folder that it does not have");
        change->entries[at]->replaces = true;
        return true;
    }
    if (strncmp(name, ".wh.", 4) == 0) {
        snprintf(gone, sizeof gone, "%s%s%s", above, slash ? "/" : "", name + 4);
        if (!name[4] || !is_plain(gone))
            return wrong(change, "it takes away what has no name");
        drop_beneath(change, gone, layer + 1);
        struct change_entry *to = put(change, gone);
        to->layer = layer;
        to->number = number;
        return true;
    }
    if (same) { // the same bytes under another name
        const char *other = within(same, place);
        const struct change_entry *of = other ? change_find(change, other) : NULL;
        if (!of || of->layer != layer || of->state.kind != KIND_FILE)
            return wrong(change, "it has a hard link to what is no file of it");
        const struct change_entry copy = *of;
        drop_beneath(change, path, layer + 1);
        struct change_entry *to = put(change, path);
        to->state = copy.state;
        to->layer = layer;
        to->number = copy.number;
        return true;
    }
    mode_t type = archive_entry_filetype(entry);
    bool folder = type == AE_IFDIR;
    struct state state = {.kind = type == AE_IFREG   ? KIND_FILE
                                  : folder           ? KIND_FOLDER
                                  : type == AE_IFLNK ? KIND_LINK
                                                     : KIND_OTHER,
                          .mode = type == AE_IFLNK ? 0 : archive_entry_perm(entry) & 0777,
                          .mtime = (int64_t)archive_entry_mtime(entry) * 1000000000 + archive_entry_mtime_nsec(entry)};
    const char *text = archive_entry_symlink(entry);
    if (state.kind == KIND_LINK && !text)
        return wrong(change, "it has a link without a text");
    if (state.kind == KIND_FILE && !digest_data(archive, &state))
        return wrong(change, "it can't be read to its end: %s", archive_error_string(archive));
    bool there;
    size_t at = slot(change, path, &there);
    bool replaces =
        folder && there && (change->entries[at]->replaces || change->entries[at]->state.kind != KIND_FOLDER);
    if (!folder)
        drop_beneath(change, path, layer + 1);
    struct change_entry *to = put(change, path);
    to->state = state;
    to->layer = layer;
    to->number = number;
    to->replaces = replaces;
    if (state.kind == KIND_LINK) {
        to->link = strdup(text);
        if (!to->link)
            abort();
        SHA256Data((const uint8_t *)text, strlen(text), to->state.digest);
    }
    return true;
}

bool change_add(struct change *change, const struct blobs *blobs, const char *digest, int layer, const char *place)
{
    int fd;
    struct archive *archive = open_layer(change, blobs, digest, &fd);
    struct archive_entry *entry;
    if (!archive)
        return false;
    bool fine = true;
    int result = ARCHIVE_OK;
    for (uint64_t number = 0; fine && (result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK; number++) {
        const char *name = archive_entry_pathname(entry);
        char plain[PATH_MAX];
        size_t length = name ? strlen(name) : 0;
        if (!name || length >= sizeof plain) {
            fine = wrong(change, "it has a name that is too long");
            break;
        }
        while (length && name[length - 1] == '/')
            length--;
        snprintf(plain, sizeof plain, "%.*s", (int)length, name);
        const char *path = within(plain, place);
        if (path && *path)
            fine = add(change, archive, entry, path, place, layer, number);
    }
    if (fine && result != ARCHIVE_EOF)
        fine = wrong(change, "it can't be read: %s", archive_error_string(archive));
    archive_read_free(archive);
    close(fd);
    return fine;
}

void change_free(struct change *change)
{
    for (size_t i = 0; i < change->count; i++)
        drop(change->entries[i]);
    free(change->entries);
    *change = (struct change){0};
}

const struct change_entry *change_find(const struct change *change, const char *path)
{
    bool there;
    size_t at = slot(change, path, &there);
    return there ? change->entries[at] : NULL;
}

// ---- bytes --------------------------------------------------------------------------------------------------------

static int by_number(const void *a, const void *b)
{
    const struct change_entry *x = *(const struct change_entry *const *)a, *y = *(const struct change_entry *const *)b;
    return (x->number > y->number) - (x->number < y->number);
}

bool change_bytes(struct change *change, const struct blobs *blobs, const char *digest, int layer,
                  bool (*take)(void *, const struct change_entry *, const char *, size_t), void *context)
{
    static char data[65536];
    const struct change_entry **wanted = malloc((change->count + 1) * sizeof *wanted);
    size_t count = 0, next = 0;
    if (!wanted)
        abort();
    for (size_t i = 0; i < change->count; i++)
        if (change->entries[i]->layer == layer && change->entries[i]->state.kind == KIND_FILE)
            wanted[count++] = change->entries[i];
    qsort(wanted, count, sizeof *wanted, by_number);
    int fd;
    struct archive *archive = count ? open_layer(change, blobs, digest, &fd) : NULL;
    struct archive_entry *entry;
    bool fine = !count || archive;
    for (uint64_t number = 0; fine && next < count; number++) {
        if (archive_read_next_header(archive, &entry) != ARCHIVE_OK) {
            fine = wrong(change, "the layer %.12s is not what it was", digest);
            break;
        }
        size_t first = next;
        while (next < count && wanted[next]->number == number)
            next++;
        if (first == next)
            continue;
        la_ssize_t n = 0;
        while (fine && (n = archive_read_data(archive, data, sizeof data)) > 0)
            for (size_t i = first; fine && i < next; i++)
                fine = take(context, wanted[i], data, (size_t)n);
        for (size_t i = first; fine && i < next; i++)
            fine = n == 0 ? take(context, wanted[i], NULL, 0) : wrong(change, "the layer %.12s can't be read", digest);
    }
    if (archive) {
        archive_read_free(archive);
        close(fd);
    }
    free(wanted);
    return fine;
}

void change_digest(const struct change *change, char digest[DIGEST_SIZE])
{
    SHA2_CTX sha;
    char line[64];
    SHA256Init(&sha);
    for (size_t i = 0; i < change->count; i++) {
        const struct change_entry *entry = change->entries[i];
        SHA256Update(&sha, (const uint8_t *)entry->path, strlen(entry->path) + 1);
        int n = snprintf(line, sizeof line, "%d %o %d ", (int)entry->state.kind, (unsigned)entry->state.mode,
                         entry->replaces);
        SHA256Update(&sha, (const uint8_t *)line, (size_t)n);
        SHA256Update(&sha, (const uint8_t *)entry->state.digest, strlen(entry->state.digest) + 1);
    }
    SHA256End(&sha, digest);
}
