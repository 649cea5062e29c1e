// What a run changed in its overlays.
//
// A command may make as many names as its memory holds, as long and as deep as it likes, so this takes the same memory
// whatever there is: it goes through the folders in the order of their names, depth first, and writes each change as it
// meets it. Of a folder it holds a batch of names, and reads the folder again for the next; of those that lie above it
// it holds what it can.
#include "enforcer/view/changes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "compiler/plan/json.h"
#include "compiler/sets/path_set.h"
#include "enforcer/host/handover.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/view_source.h"

int changes_send(const struct view *view, int socket, struct failure *failure)
{
    for (size_t i = 0; i < view->plan->view_count; i++)
        if (view->places[i].upper >= 0 && handover_send(socket, i, &view->places[i].upper, 1) != 0)
            return fail(failure, view->plan->view[i].rule, errno, "cannot hand out what the overlay %s will hold",
                        view->places[i].path);
    return 0;
}

enum {
    PATH_LONGEST = 256 * 1024,
    DEPTH_MOST = 8 * 1024,
    NAME_LONGEST = 256,
    BATCH_BYTES = 1024 * 1024, // of names, and
    BATCH_NAMES = 64 * 1024,
    HELD_MOST = 2 * 1024 * 1024, // of all batches
};
#define WRITTEN_MOST ((uint64_t)256 << 20)

// ---- names --------------------------------------------------------------------------------------------------------

struct batch { // names of one folder, in order
    char *names;
    size_t bytes, next; // of them; where the next one begins
    bool more;          // there are names after these
};

struct gathering { // of names, in whatever order
    char names[BATCH_BYTES], kept[BATCH_BYTES];
    uint32_t at[BATCH_NAMES];
    size_t bytes, count;
};

static int by_name(const void *a, const void *b, void *names)
{
    return strcmp((char *)names + *(const uint32_t *)a, (char *)names + *(const uint32_t *)b);
}

// Writes the first `count` of them in order.
static size_t put_in_order(struct gathering *g, size_t count, char *to)
{
    size_t bytes = 0;
    qsort_r(g->at, g->count, sizeof *g->at, by_name, g->names);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(g->names + g->at[i]) + 1;
        memcpy(to + bytes, g->names + g->at[i], length);
        g->at[i] = (uint32_t)bytes;
        bytes += length;
    }
    return bytes;
}

static void batch_free(struct batch *batch)
{
    free(batch->names);
    *batch = (struct batch){0};
}

// The first names of a folder that stand after `last`. 0, or an errno.
static int batch_fill(struct batch *batch, struct gathering *g, int folder, const char *last)
{
    char bound[NAME_LONGEST] = "", after[NAME_LONGEST];
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    snprintf(after, sizeof after, "%s", last);
    batch_free(batch);
    if (!entries) {
        int error = errno;
        close_scoped(&again);
        return error;
    }
    int error = 0;
    g->bytes = g->count = 0;
    for (struct dirent *entry; errno = 0, entry = readdir(entries), error = errno, entry;) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, after) <= 0 ||
            (batch->more && strcmp(name, bound) > 0))
            continue;
        size_t length = strlen(name) + 1;
        if (g->count == BATCH_NAMES || g->bytes + length > BATCH_BYTES) { // the later half is for another time
            batch->more = true;
            g->bytes = put_in_order(g, g->count / 2, g->kept);
            g->count /= 2;
            memcpy(g->names, g->kept, g->bytes);
            strcpy(bound, g->names + g->at[g->count - 1]);
            if (strcmp(name, bound) > 0)
                continue;
        }
        memcpy(g->names + g->bytes, name, length);
        g->at[g->count++] = (uint32_t)g->bytes;
        g->bytes += length;
    }
    closedir(entries);
    if (g->count) {
        batch->names = scratch_alloc(g->bytes);
        batch->bytes = put_in_order(g, g->count, batch->names);
    }
    return error;
}

static size_t held_by(const struct batch *batch)
{
    enum { OVERHEAD = 32 };
    return batch->names ? batch->bytes + OVERHEAD : 0;
}

// ---- walking ------------------------------------------------------------------------------------------------------

struct level { // a folder on the way to the current one
    struct batch batch;
    size_t length; // of its path
    dev_t device, below_device;
    ino_t inode, below_inode;
    bool has_below; // the host has a folder there too, and both are shown as one
};

struct listing {
    FILE *out;
    const struct view *view;
    struct arena *arena; // of what is written next
    struct text text;
    struct json_writer writer;
    uint64_t written, omitted, unlisted;
    char *path; // of the current entry
    size_t length;
    struct gathering *gathering;
    struct level *levels;
    size_t depth, held;
    int upper, lower;   // the current folder; that of the host in the deepest level that has one
    size_t lower_depth; // that level
    int base, base_below;
};

static const char *type_of(mode_t mode)
{
    return S_ISREG(mode)    ? "file"
           : S_ISDIR(mode)  ? "folder"
           : S_ISLNK(mode)  ? "link"
           : S_ISFIFO(mode) ? "fifo"
           : S_ISSOCK(mode) ? "socket"
                            : "device";
}

// Names are bytes; JSON is text. What is not UTF-8 gets its bytes in hex beside it.
static void write_path(struct listing *l)
{
    struct str path = {l->path, l->length};
    if (text_is_utf8(path)) {
        json_member(&l->writer, "path", path);
        return;
    }
    struct arena *arena = arena_new();
    struct text shown = {.arena = arena}, hex = {.arena = arena};
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.text[i];
        if (c < 0x80)
            text_add(&shown, path.text + i, 1);
        else
            text_addf(&shown, "\xEF\xBF\xBD"); // U+FFFD
        text_addf(&hex, "%02x", c);
    }
    json_member(&l->writer, "path", text_str(&shown));
    json_member(&l->writer, "bytes", text_str(&hex));
    arena_free(arena);
}

static void flush(struct listing *l)
{
    fwrite(l->text.data, 1, l->text.length, l->out);
    l->written += l->text.length;
    l->text.length = 0;
}

static void tell(struct listing *l, const char *what, mode_t mode, uint64_t size, const char *why)
{
    struct json_writer *w = &l->writer;
    l->unlisted += why != NULL;
    if (l->written >= WRITTEN_MOST) {
        l->omitted += why == NULL;
        return;
    }
    json_open(w, '{');
    json_member(w, "what", str_from(what));
    write_path(l);
    json_member(w, "type", str_from(type_of(mode)));
    if (S_ISREG(mode) && !why)
        json_member_number(w, "size", size);
    if (why)
        json_member(w, "why", str_from(why));
    json_close(w, '}');
    flush(l);
}

static void add(struct listing *l, const char *what, const struct stat *status)
{
    tell(l, what, status->st_mode, (uint64_t)status->st_size, NULL);
}

// That what lies at the current path, or beneath it, is not listed.
static void add_unlisted(struct listing *l, mode_t type, const char *why)
{
    tell(l, "unlisted", type, 0, why);
}

// A folder that hides what the host has at its place.
static bool is_opaque(int folder)
{
    char value;
    return fgetxattr(folder, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// Folders that the view made, for what is mounted in the overlay.
static bool is_of_view(const struct listing *l)
{
    struct str path = {l->path, l->length};
    for (size_t i = 0; i < l->view->plan->view_count; i++)
        if (l->view->plan->view[i].path.length >= path.length && path_covers(path, l->view->plan->view[i].path))
            return true;
    return false;
}

enum { FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static int open_folder(int at, const char *name)
{
    int fd = openat(at, name, FOLDER);
    if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
        fd = openat(at, name, FOLDER);
    struct stat status; // the command took its own right to it; it is dead
    if (fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0500) != 0500)
        fchmod(fd, 0700);
    return fd;
}

static bool is_same(int fd, dev_t device, ino_t inode)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

// The folder of a level, from one beneath it: by its "..", or where that is another by now, from the top. -1.
static int open_above(struct listing *l, int from, int base, size_t depth, dev_t device, ino_t inode)
{
    closing_fd int fd = openat(from, "..", FOLDER);
    if (is_same(fd, device, inode))
        return take_fd(fd);
    close_scoped(&fd);
    fd = openat(base, ".", FOLDER);
    for (size_t i = 1; i <= depth && fd >= 0; i++) {
        char name[NAME_LONGEST];
        size_t start = l->levels[i - 1].length + 1, length = l->levels[i].length - start;
        snprintf(name, sizeof name, "%.*s", (int)length, l->path + start);
        int next = openat(fd, name, FOLDER);
        close(fd);
        fd = next;
    }
    return is_same(fd, device, inode) ? take_fd(fd) : -1;
}

// What is held of folders far above gives way: they are read again, from where they were.
static void make_room(struct listing *l)
{
    for (size_t i = 0; i < l->depth && l->held > HELD_MOST; i++) {
        if (!l->levels[i].batch.names)
            continue;
        struct batch *batch = &l->levels[i].batch;
        bool more = batch->more || batch->next < batch->bytes;
        l->held -= held_by(batch);
        batch_free(batch);
        batch->more = more;
    }
}

// Goes into a folder that is open as `upper`, and as `lower` where the host's is shown with it; takes both.
static void enter(struct listing *l, int upper, int lower)
{
    struct stat status;
    struct batch *above = l->depth + 1 ? &l->levels[l->depth].batch : NULL;
    if (above && above->next == above->bytes && !above->more) { // it has no more to give
        l->held -= held_by(above);
        batch_free(above);
    }
    struct level *level = &l->levels[++l->depth];
    *level = (struct level){.batch.more = true, .length = l->length, .has_below = lower >= 0};
    if (fstat(upper, &status) == 0) {
        level->device = status.st_dev;
        level->inode = status.st_ino;
    }
    if (lower >= 0 && fstat(lower, &status) == 0) {
        level->below_device = status.st_dev;
        level->below_inode = status.st_ino;
        close_scoped(&l->lower);
        l->lower = lower;
        l->lower_depth = l->depth;
    }
    close_scoped(&l->upper);
    l->upper = upper;
    make_room(l);
}

// Goes back. False when that can't be done: then the rest is not listed.
static bool leave(struct listing *l)
{
    struct level *level = &l->levels[l->depth], *above = level - 1;
    l->held -= held_by(&level->batch);
    batch_free(&level->batch);
    l->depth--;
    int upper = open_above(l, l->upper, l->base, l->depth, above->device, above->inode);
    close_scoped(&l->upper);
    l->upper = upper;
    if (l->lower >= 0 && l->lower_depth > l->depth) {
        int lower = open_above(l, l->lower, l->base_below, l->depth, above->below_device, above->below_inode);
        close_scoped(&l->lower);
        l->lower = lower;
        l->lower_depth = l->depth;
    }
    return l->upper >= 0 && (!above->has_below || l->lower >= 0);
}

// The next name in the current folder, or NULL. `last` is the one before, or "".
static const char *next_name(struct listing *l, const char *last)
{
    struct batch *batch = &l->levels[l->depth].batch;
    if (batch->next == batch->bytes && batch->more) {
        l->held -= held_by(batch);
        int error = batch_fill(batch, l->gathering, l->upper, last);
        l->held += held_by(batch);
        if (error)
            add_unlisted(l, S_IFDIR, strerror(error));
    }
    if (batch->next == batch->bytes)
        return NULL;
    const char *name = batch->names + batch->next;
    batch->next += strlen(name) + 1;
    return name;
}

static void list_folder(struct listing *l, const char *name, int lower, const struct stat *now,
                        const struct stat *before) // NULL: the host has none
{
    closing_fd int inner = open_folder(l->upper, name);
    int error = errno;
    closing_fd int below = before && S_ISDIR(before->st_mode) ? openat(lower, name, FOLDER) : -1;
    bool merged = inner >= 0 && below >= 0 && !is_opaque(inner);
    if (before && !merged)
        add(l, "deleted", before);
    if (!merged && !is_of_view(l))
        add(l, "created", now);
    else if (merged && before->st_mode != now->st_mode)
        add(l, "modified", now);
    if (inner < 0)
        add_unlisted(l, S_IFDIR, strerror(error));
    else if (l->depth + 1 == DEPTH_MOST)
        add_unlisted(l, S_IFDIR, "it lies too deep");
    else
        enter(l, take_fd(inner), merged ? take_fd(below) : -1);
}

static void list_entry(struct listing *l, const char *name)
{
    struct stat now, before;
    int lower = l->levels[l->depth].has_below ? l->lower : -1;
    if (fstatat(l->upper, name, &now, AT_SYMLINK_NOFOLLOW) != 0) {
        add_unlisted(l, S_IFREG, strerror(errno));
        return;
    }
    bool was = lower >= 0 && fstatat(lower, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
    if (S_ISDIR(now.st_mode)) {
        list_folder(l, name, lower, &now, was ? &before : NULL);
        return;
    }
    if (S_ISCHR(now.st_mode) && now.st_rdev == 0) { // a whiteout
        if (was)
            add(l, "deleted", &before);
        return;
    }
    bool same_type = was && (before.st_mode & S_IFMT) == (now.st_mode & S_IFMT);
    if (was && !same_type)
        add(l, "deleted", &before);
    if (was || !is_of_view(l))
        add(l, same_type ? "modified" : "created", &now);
}

// Lists a place: `upper` holds what differs from `lower`, which may be -1.
static void list_place(struct listing *l, struct str path, int upper, int lower)
{
    char last[NAME_LONGEST] = "";
    l->length = path.length == 1 ? 0 : path.length;
    memcpy(l->path, path.text, l->length);
    l->depth = (size_t)-1;
    l->upper = l->lower = -1;
    l->base = upper;
    l->base_below = lower;
    enter(l, openat(upper, ".", FOLDER), lower < 0 ? -1 : openat(lower, ".", FOLDER));
    for (bool inside = true; inside;) {
        const struct level *level = &l->levels[l->depth];
        l->length = level->length;
        const char *name = next_name(l, last);
        if (!name) {
            if (l->depth == 0)
                break;
            size_t start = l->levels[l->depth - 1].length + 1;
            snprintf(last, sizeof last, "%.*s", (int)(level->length - start), l->path + start);
            if (!(inside = leave(l)))
                add_unlisted(l, S_IFDIR, "the way back from here is gone");
            continue;
        }
        snprintf(last, sizeof last, "%s", name);
        size_t length = strlen(last), depth = l->depth;
        if (level->length + 1 + length > PATH_LONGEST) {
            add_unlisted(l, S_IFDIR, "paths in it are too long");
            continue;
        }
        l->path[level->length] = '/';
        memcpy(l->path + level->length + 1, last, length);
        l->length = level->length + 1 + length;
        list_entry(l, last);
        if (l->depth > depth)
            last[0] = '\0';
    }
    for (size_t i = 0; i <= l->depth && i < DEPTH_MOST; i++)
        batch_free(&l->levels[i].batch);
    l->held = 0;
    close_scoped(&l->upper);
    close_scoped(&l->lower);
}

bool changes_write(FILE *out, const struct view *view, int socket, uint64_t *unlisted)
{
    struct arena *arena = arena_new();
    struct listing *l = NEW(arena, struct listing);
    *l = (struct listing){.out = out, .view = view, .arena = arena, .text.arena = arena, .writer.text = &l->text};
    l->path = scratch_alloc(PATH_LONGEST + 1);
    l->levels = scratch_alloc(DEPTH_MOST * sizeof *l->levels);
    l->gathering = scratch_alloc(sizeof *l->gathering);
    json_open(&l->writer, '{');
    json_member_number(&l->writer, "sbx_changes", 1);
    json_key(&l->writer, "changes");
    json_open(&l->writer, '[');
    uint64_t place = 0;
    for (int fds[HANDOVER_MOST]; handover_receive(socket, &place, fds) == 1 && place < view->plan->view_count;) {
        closing_fd int upper = fds[0];
        closing_fd int path = host_open(view, view->places[place].host);
        closing_fd int lower = path < 0 ? -1 : openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        list_place(l, view->plan->view[place].path, upper, lower);
    }
    json_close(&l->writer, ']');
    json_member_number(&l->writer, "unlisted", l->unlisted + l->omitted);
    json_close(&l->writer, '}');
    flush(l);
    *unlisted = l->unlisted + l->omitted;
    free(l->path);
    free(l->levels);
    free(l->gathering);
    arena_free(arena);
    return fflush(out) == 0 && !ferror(out);
}
