// What differs in the overlays of a run.
//
// A command may make as many names as its memory holds, as long and as deep as it likes, so this takes the same memory
// whatever there is: it goes through the folders in the order of their names, depth first, and tells each change as it
// meets it. Of a folder it holds a batch of names, and reads the folder again for the next; of those that lie above it
// it holds what it can.
#include "enforcer/view/differs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "compiler/sets/path_set.h"
#include "enforcer/host/handover.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/lay.h"

int differs_send(const struct view *view, int socket, struct failure *failure)
{
    for (size_t i = 0; i < view->plan->view_count; i++)
        if (view->places[i].upper >= 0 &&
            handover_send(socket, i, (int[]){view->places[i].upper, view->places[i].lower}, 2) != 0)
            return fail(failure, view->plan->view[i].rule, errno, "cannot hand out what the overlay %s will hold",
                        view->places[i].path);
    return 0;
}

void differs_take(struct uppers *uppers, const struct view *view, int socket)
{
    uint64_t place = 0;
    *uppers = (struct uppers){0};
    if (!view->plan) // refused before it was laid out
        return;
    *uppers = (struct uppers){NEW_ARRAY(view->plan->arena, struct upper, view->plan->view_count), 0};
    for (int fds[HANDOVER_MOST]; uppers->count < view->plan->view_count &&
                                 handover_receive(socket, &place, fds) == 2 && place < view->plan->view_count;)
        uppers->list[uppers->count++] = (struct upper){(size_t)place, fds[0], fds[1]};
}

void differs_release(struct uppers *uppers)
{
    for (size_t i = 0; i < uppers->count; i++) {
        close_scoped(&uppers->list[i].folder);
        close_scoped(&uppers->list[i].below);
    }
    uppers->count = 0;
}

enum {
    PATH_LONGEST = 256 * 1024,
    DEPTH_MOST = 8 * 1024,
    NAME_LONGEST = 256,
    BATCH_BYTES = 1024 * 1024, // of names, and
    BATCH_NAMES = 64 * 1024,
    HELD_MOST = 2 * 1024 * 1024, // of all batches
};

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
    bool has_below; // there is a folder beneath it, and both are shown as one
    bool told;      // it, or that it is passed
    mode_t mode;
    struct timespec modified;
};

struct way { // a folder of one overlay that leads to another
    const struct upper *outer, *inner;
    struct str path;
    bool told;
};

struct walk {
    const struct view *view;
    const struct uppers *uppers;
    struct way *ways; // the shorter ones of an overlay first
    size_t way_count;
    differs_visit *visit;
    void *context;
    bool goes_on;
    size_t place;
    char *path; // of the current entry
    size_t length;
    struct gathering *gathering;
    struct level *levels;
    size_t depth, held;
    int upper, lower;   // the current folder; the one beneath in the deepest level that has one
    size_t lower_depth; // that level
    int base, base_below;
};

enum {
    FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    BELOW = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, // nothing is read there
};

// A folder is told of: perhaps it leads to another overlay.
static void note_told(struct walk *w, struct str path)
{
    for (size_t i = 0; i < w->way_count; i++)
        w->ways[i].told |= str_equal(w->ways[i].path, path);
}

static void tell_passed(struct walk *w, struct str path, const struct stat *status)
{
    struct difference difference = {
        .what = DIFFERS_PASSED, .place = w->place, .path = path, .status = status, .folder = -1};
    if (w->goes_on)
        w->goes_on = w->visit(&difference, w->context);
    note_told(w, path);
}

// Tells the folders of another overlay that lead to this one, as they are there.
static void tell_outer_way(struct walk *w)
{
    for (size_t i = 0; i < w->way_count; i++) {
        const struct way *way = &w->ways[i];
        if (way->inner->place != w->place || way->told)
            continue;
        struct str top = w->view->plan->view[way->outer->place].path;
        char beneath[4096];
        snprintf(beneath, sizeof beneath, "%.*s", STR_ARGS(way->path));
        const char *rest = beneath + (top.length == 1 ? 1 : top.length + 1);
        closing_fd int upper = sys_openat2(way->outer->folder, rest, BELOW, INSIDE);
        closing_fd int below = upper >= 0 ? -1 : sys_openat2(way->outer->below, rest, BELOW, INSIDE);
        struct stat status;
        if (fstat(upper >= 0 ? upper : below, &status) == 0)
            tell_passed(w, way->path, &status);
    }
}

// Tells the folders that lead to the current one, those that were not told of.
static void tell_way(struct walk *w)
{
    for (size_t i = 0; i <= w->depth; i++) {
        struct level *level = &w->levels[i];
        if (level->told)
            continue;
        level->told = true;
        if (i == 0)
            tell_outer_way(w);
        tell_passed(w, (struct str){w->path, level->length},
                    &(struct stat){.st_mode = level->mode, .st_mtim = level->modified});
    }
}

// *status: of what is there now; of what is deleted, of what was there.
static void tell(struct walk *w, enum differs what, const struct stat *status, const char *name, bool opaque)
{
    tell_way(w);
    struct difference difference = {.what = what,
                                    .place = w->place,
                                    .path = {w->path, w->length},
                                    .status = status,
                                    .folder = w->upper,
                                    .name = name,
                                    .opaque = opaque};
    if (w->goes_on)
        w->goes_on = w->visit(&difference, w->context);
    note_told(w, difference.path);
}

// That what lies at the current path, or beneath it, can't be told.
static void tell_unlisted(struct walk *w, mode_t type, const char *why)
{
    struct stat status = {.st_mode = type};
    struct difference difference = {.what = DIFFERS_UNLISTED,
                                    .place = w->place,
                                    .path = {w->path, w->length},
                                    .status = &status,
                                    .folder = -1,
                                    .why = why};
    w->goes_on &= w->visit(&difference, w->context);
}

// A folder that hides what lies beneath it.
static bool is_opaque(int folder)
{
    char value;
    return fgetxattr(folder, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// Folders that the view made, for what is mounted in the overlay.
static bool is_of_view(const struct walk *w)
{
    struct str path = {w->path, w->length};
    for (size_t i = 0; i < w->view->plan->view_count; i++)
        if (w->view->plan->view[i].path.length >= path.length && path_covers(path, w->view->plan->view[i].path))
            return true;
    return false;
}

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
static int open_above(struct walk *w, int how, int from, int base, size_t depth, dev_t device, ino_t inode)
{
    closing_fd int fd = openat(from, "..", how);
    if (is_same(fd, device, inode))
        return take_fd(fd);
    close_scoped(&fd);
    fd = openat(base, ".", how);
    for (size_t i = 1; i <= depth && fd >= 0; i++) {
        char name[NAME_LONGEST];
        size_t start = w->levels[i - 1].length + 1, length = w->levels[i].length - start;
        snprintf(name, sizeof name, "%.*s", (int)length, w->path + start);
        int next = openat(fd, name, how);
        close(fd);
        fd = next;
    }
    return is_same(fd, device, inode) ? take_fd(fd) : -1;
}

// What is held of folders far above gives way: they are read again, from where they were.
static void make_room(struct walk *w)
{
    for (size_t i = 0; i < w->depth && w->held > HELD_MOST; i++) {
        if (!w->levels[i].batch.names)
            continue;
        struct batch *batch = &w->levels[i].batch;
        bool more = batch->more || batch->next < batch->bytes;
        w->held -= held_by(batch);
        batch_free(batch);
        batch->more = more;
    }
}

// Goes into a folder that is open as `upper`, and as `lower` where what is beneath is shown with it; takes both.
static void enter(struct walk *w, int upper, int lower, const struct stat *now, bool told)
{
    struct stat status;
    struct batch *above = w->depth + 1 ? &w->levels[w->depth].batch : NULL;
    if (above && above->next == above->bytes && !above->more) { // it has no more to give
        w->held -= held_by(above);
        batch_free(above);
    }
    struct level *level = &w->levels[++w->depth];
    *level = (struct level){.batch.more = true, .length = w->length,
                             .has_below = lower >= 0,
                             .told = told,
                             .mode = now->st_mode,
                             .modified = now->st_mtim};
    if (fstat(upper, &status) == 0) {
        level->device = status.st_dev;
        level->inode = status.st_ino;
    }
    if (lower >= 0 && fstat(lower, &status) == 0) {
        level->below_device = status.st_dev;
        level->below_inode = status.st_ino;
        close_scoped(&w->lower);
        w->lower = lower;
        w->lower_depth = w->depth;
    }
    close_scoped(&w->upper);
    w->upper = upper;
    make_room(w);
}

// Goes back. False when that can't be done: then the rest is not listed.
static bool leave(struct walk *w)
{
    struct level *level = &w->levels[w->depth], *above = level - 1;
    w->held -= held_by(&level->batch);
    batch_free(&level->batch);
    w->depth--;
    int upper = open_above(w, FOLDER, w->upper, w->base, w->depth, above->device, above->inode);
    close_scoped(&w->upper);
    w->upper = upper;
    if (w->lower >= 0 && w->lower_depth > w->depth) {
        int lower = open_above(w, BELOW, w->lower, w->base_below, w->depth, above->below_device, above->below_inode);
        close_scoped(&w->lower);
        w->lower = lower;
        w->lower_depth = w->depth;
    }
    return w->upper >= 0 && (!above->has_below || w->lower >= 0);
}

// The next name in the current folder, or NULL. `last` is the one before, or "".
static const char *next_name(struct walk *w, const char *last)
{
    struct batch *batch = &w->levels[w->depth].batch;
    if (batch->next == batch->bytes && batch->more) {
        w->held -= held_by(batch);
        int error = batch_fill(batch, w->gathering, w->upper, last);
        w->held += held_by(batch);
        if (error)
            tell_unlisted(w, S_IFDIR, strerror(error));
    }
    if (batch->next == batch->bytes)
        return NULL;
    const char *name = batch->names + batch->next;
    batch->next += strlen(name) + 1;
    return name;
}

static bool same_time(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void walk_folder(struct walk *w, const char *name, int lower, const struct stat *now,
                        const struct stat *before) // NULL: there was none
{
    closing_fd int inner = open_folder(w->upper, name);
    int error = errno;
    closing_fd int below = before && S_ISDIR(before->st_mode) ? openat(lower, name, BELOW) : -1;
    bool merged = inner >= 0 && below >= 0 && !is_opaque(inner), told = true;
    mode_t mode = merged ? before->st_mode : S_IFDIR | LAID_FOLDER; // of what was there, or what the view made
    if (before && !merged)
        tell(w, DIFFERS_REPLACED, before, name, false);
    if (!merged && !is_of_view(w))
        tell(w, DIFFERS_CREATED, now, name, before && S_ISDIR(before->st_mode));
    else if (mode != now->st_mode)
        tell(w, DIFFERS_MODIFIED, now, name, false);
    else
        told = false;
    if (inner < 0)
        tell_unlisted(w, S_IFDIR, strerror(error));
    else if (w->depth + 1 == DEPTH_MOST)
        tell_unlisted(w, S_IFDIR, "it lies too deep");
    else {
        enter(w, take_fd(inner), merged ? take_fd(below) : -1, now, told);
        if (merged && !same_time(before, now))
            tell_way(w);
    }
}

static void walk_entry(struct walk *w, const char *name)
{
    struct stat now, before;
    int lower = w->levels[w->depth].has_below ? w->lower : -1;
    if (fstatat(w->upper, name, &now, AT_SYMLINK_NOFOLLOW) != 0) {
        tell_unlisted(w, S_IFREG, strerror(errno));
        return;
    }
    bool was = lower >= 0 && fstatat(lower, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
    if (lower >= 0 && !was && errno != ENOENT) { // as in a folder that its own mode closes, and the command opened
        tell_unlisted(w, now.st_mode & S_IFMT, "what was there before can't be looked at");
        return;
    }
    if (S_ISDIR(now.st_mode)) {
        walk_folder(w, name, lower, &now, was ? &before : NULL);
        return;
    }
    if (S_ISCHR(now.st_mode) && now.st_rdev == 0) { // a whiteout
        if (was)
            tell(w, DIFFERS_DELETED, &before, name, false);
        return;
    }
    bool same_type = was && (before.st_mode & S_IFMT) == (now.st_mode & S_IFMT);
    if (was && !same_type)
        tell(w, DIFFERS_REPLACED, &before, name, false);
    if (was || !is_of_view(w))
        tell(w, same_type ? DIFFERS_MODIFIED : DIFFERS_CREATED, &now, name, false);
}

// Tells of a place's own folder, but for the root, whose attributes are nobody's to keep.
static void walk_top(struct walk *w, const struct stat *now, const struct stat *before)
{
    struct level *top = &w->levels[0];
    if (!w->length || (before->st_mode == now->st_mode && same_time(before, now)))
        return;
    if (before->st_mode == now->st_mode) {
        tell_way(w);
        return;
    }
    tell_outer_way(w);
    top->told = true;
    tell(w, DIFFERS_MODIFIED, now, ".", false);
}

// Goes through a place: `upper` holds what differs from `lower`.
static void walk_place(struct walk *w, struct str path, int upper, int lower)
{
    char last[NAME_LONGEST] = "";
    struct stat now, before;
    w->length = path.length == 1 ? 0 : path.length;
    memcpy(w->path, path.text, w->length);
    w->depth = (size_t)-1;
    w->upper = w->lower = -1;
    w->base = upper;
    w->base_below = lower;
    if (fstat(upper, &now) != 0 || fstat(lower, &before) != 0) {
        tell_unlisted(w, S_IFDIR, strerror(errno));
        return;
    }
    enter(w, openat(upper, ".", FOLDER), openat(lower, ".", BELOW), &now, w->length == 0);
    walk_top(w, &now, &before);
    for (bool inside = true; inside && w->goes_on;) {
        const struct level *level = &w->levels[w->depth];
        w->length = level->length;
        const char *name = next_name(w, last);
        if (!name) {
            if (w->depth == 0)
                break;
            size_t start = w->levels[w->depth - 1].length + 1;
            snprintf(last, sizeof last, "%.*s", (int)(level->length - start), w->path + start);
            if (!(inside = leave(w)))
                tell_unlisted(w, S_IFDIR, "the way back from here is gone");
            continue;
        }
        snprintf(last, sizeof last, "%s", name);
        size_t length = strlen(last), depth = w->depth;
        if (level->length + 1 + length > PATH_LONGEST) {
            tell_unlisted(w, S_IFDIR, "paths in it are too long");
            continue;
        }
        w->path[level->length] = '/';
        memcpy(w->path + level->length + 1, last, length);
        w->length = level->length + 1 + length;
        walk_entry(w, last);
        if (w->depth > depth)
            last[0] = '\0';
    }
    for (size_t i = 0; i <= w->depth && i < DEPTH_MOST; i++)
        batch_free(&w->levels[i].batch);
    w->held = 0;
    close_scoped(&w->upper);
    close_scoped(&w->lower);
}

// The folders between overlays of which one lies in the other.
static void find_ways(struct walk *w)
{
    const struct plan_view *places = w->view->plan->view;
    size_t room = 0;
    for (size_t i = 0; i < w->uppers->count; i++)
        room += places[w->uppers->list[i].place].path.length;
    w->ways = scratch_alloc(room * sizeof *w->ways + 1);
    for (size_t i = 0; i < w->uppers->count; i++) {
        const struct upper *inner = &w->uppers->list[i], *outer = NULL;
        struct str path = places[inner->place].path;
        for (size_t k = 0; k < i; k++) // those above come before, the closest last
            if (path_covers(places[w->uppers->list[k].place].path, path))
                outer = &w->uppers->list[k];
        for (size_t at = outer ? places[outer->place].path.length + 1 : path.length; at < path.length; at++)
            if (path.text[at] == '/')
                w->ways[w->way_count++] = (struct way){outer, inner, {path.text, at}, false};
    }
}

bool differs_walk(const struct view *view, const struct uppers *uppers, differs_visit *visit, void *context)
{
    if (!uppers->count) // nor need there be a plan
        return true;
    struct walk *w = scratch_alloc(sizeof *w);
    *w = (struct walk){.view = view,
                       .uppers = uppers,
                       .visit = visit,
                       .context = context,
                       .goes_on = true,
                       .path = scratch_alloc(PATH_LONGEST + 1),
                       .levels = scratch_alloc(DEPTH_MOST * sizeof *w->levels),
                       .gathering = scratch_alloc(sizeof *w->gathering)};
    find_ways(w);
    for (size_t i = 0; i < uppers->count && w->goes_on; i++) {
        w->place = uppers->list[i].place;
        walk_place(w, view->plan->view[w->place].path, uppers->list[i].folder, uppers->list[i].below);
    }
    bool whole = w->goes_on;
    free(w->ways);
    free(w->path);
    free(w->levels);
    free(w->gathering);
    free(w);
    return whole;
}
