// What a run changed in its overlays.
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

// ---- comparing ----------------------------------------------------------------------------------------------------

struct change {
    struct str path;
    const char *what, *type;
    uint64_t size;
};

struct listing {
    struct arena *arena;
    const struct view *view;
    struct change *list;
    size_t count, capacity;
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

static void add(struct listing *l, struct str path, const char *what, const struct stat *status)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 64;
        l->list = arena_grow(l->arena, l->list, l->count * sizeof *l->list, capacity * sizeof *l->list);
        l->capacity = capacity;
    }
    l->list[l->count++] =
        (struct change){path, what, type_of(status->st_mode), S_ISREG(status->st_mode) ? (uint64_t)status->st_size : 0};
}

// A folder that hides what the host has at its place.
static bool is_opaque(int folder)
{
    char value;
    return fgetxattr(folder, "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// Folders that the view made, for what is mounted in the overlay.
static bool is_of_view(const struct view *view, struct str path)
{
    for (size_t i = 0; i < view->plan->view_count; i++)
        if (view->plan->view[i].path.length >= path.length && path_covers(path, view->plan->view[i].path))
            return true;
    return false;
}

static int open_folder(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES &&
        fchmodat(at, name, 0700, 0) == 0) // the command took its own right to read it; it is dead
        fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd;
}

enum { DEPTH_MOST = 512 };

// All of a folder of the host that is gone.
static void list_folder(struct listing *l, int upper, int lower, struct str path, int depth);

static void list_entry(struct listing *l, int upper, int lower, const char *name, struct str path, int depth)
{
    struct stat now, before;
    if (fstatat(upper, name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    bool was = lower >= 0 && fstatat(lower, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
    if (S_ISCHR(now.st_mode) && now.st_rdev == 0) { // a whiteout
        if (was)
            add(l, path, "deleted", &before);
        return;
    }
    if (!S_ISDIR(now.st_mode)) {
        bool same_type = was && (before.st_mode & S_IFMT) == (now.st_mode & S_IFMT);
        if (was && !same_type)
            add(l, path, "deleted", &before);
        if (was || !is_of_view(l->view, path))
            add(l, path, same_type ? "modified" : "created", &now);
        return;
    }
    closing_fd int inner = open_folder(upper, name),
                   below = was && S_ISDIR(before.st_mode)
                               ? openat(lower, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                               : -1;
    bool merged = inner >= 0 && below >= 0 && !is_opaque(inner);
    if (was && !merged)
        add(l, path, "deleted", &before);
    if (!merged && !is_of_view(l->view, path))
        add(l, path, "created", &now);
    else if (merged && before.st_mode != now.st_mode)
        add(l, path, "modified", &now);
    if (inner >= 0 && depth < DEPTH_MOST)
        list_folder(l, inner, merged ? below : -1, path, depth + 1);
}

static void list_folder(struct listing *l, int upper, int lower, struct str path, int depth)
{
    int again = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again < 0 ? NULL : fdopendir(again);
    if (!folder && again >= 0)
        close(again);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            list_entry(l, upper, lower, entry->d_name,
                       str_format(l->arena, "%.*s/%s", STR_ARGS(path.length == 1 ? STR("") : path), entry->d_name),
                       depth);
    if (folder)
        closedir(folder);
}

// ---- writing ------------------------------------------------------------------------------------------------------

static int by_path(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    int order = path_compare(x->path, y->path);
    return order ? order : strcmp(y->what, x->what); // deleted stands before created
}

// Names are bytes; JSON is text. What is not UTF-8 gets its bytes in hex beside it.
static void write_path(struct json_writer *w, struct arena *arena, struct str path)
{
    if (text_is_utf8(path)) {
        json_member(w, "path", path);
        return;
    }
    struct text shown = {.arena = arena}, hex = {.arena = arena};
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.text[i];
        if (c < 0x80)
            text_add(&shown, path.text + i, 1);
        else
            text_addf(&shown, "\xEF\xBF\xBD"); // U+FFFD
        text_addf(&hex, "%02x", c);
    }
    json_member(w, "path", text_str(&shown));
    json_member(w, "bytes", text_str(&hex));
}

bool changes_write(FILE *out, const struct view *view, int socket)
{
    struct arena *arena = arena_new();
    struct listing listing = {.arena = arena, .view = view};
    uint64_t place = 0;
    for (int fds[HANDOVER_MOST]; handover_receive(socket, &place, fds) == 1 && place < view->plan->view_count;) {
        closing_fd int upper = fds[0];
        closing_fd int path = host_open(view, view->places[place].host);
        closing_fd int lower = path < 0 ? -1 : openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        list_folder(&listing, upper, lower, view->plan->view[place].path, 0);
    }
    if (listing.count)
        qsort(listing.list, listing.count, sizeof *listing.list, by_path);
    struct text text = {.arena = arena};
    struct json_writer writer = {.text = &text}, *w = &writer;
    json_open(w, '{');
    json_member_number(w, "sbx_changes", 1);
    json_key(w, "changes");
    json_open(w, '[');
    for (size_t i = 0; i < listing.count; i++) {
        const struct change *change = &listing.list[i];
        json_open(w, '{');
        json_member(w, "what", str_from(change->what));
        write_path(w, arena, change->path);
        json_member(w, "type", str_from(change->type));
        if (strcmp(change->type, "file") == 0)
            json_member_number(w, "size", change->size);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
    bool written = fwrite(text.data, 1, text.length, out) == text.length && fflush(out) == 0;
    arena_free(arena);
    return written;
}
