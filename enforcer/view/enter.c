// The view is built, in the sandbox's own mount namespace, and entered.
#include "enforcer/view/view.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "compiler/sets/path_set.h"
#include "enforcer/host/kernel.h"
#include "enforcer/view/hidden.h"
#include "enforcer/view/lay.h"
#include "enforcer/view/pins.h"
#include "enforcer/view/proc.h"
#include "enforcer/view/pseudo.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/secrets.h"
#include "enforcer/view/view_source.h"

enum { OWN_FOLDERS = 1024 * 1024 };

// Room for the folders that lead to every place: a page and an inode each.
static uint64_t own_size(const struct view *view)
{
    uint64_t folders = 0;
    for (size_t i = 0; i < view->plan->view_count; i++)
        folders += view->plan->view[i].path.length / 2 + 1;
    return OWN_FOLDERS + folders * 4096;
}

// ---- building -----------------------------------------------------------------------------------------------------

struct props { // a tmpfs of ours, and what lies in it to be shown in the view
    int tree;
    int folder, file; // empty, and nobody can read them; they lie over what is denied
    int nothing;      // an empty file that may be read
};

static void secret_name(char name[32], size_t secret)
{
    snprintf(name, 32, "secret-%zu", secret);
}

static int write_secret(int tree, const struct view *view, size_t index, struct failure *failure)
{
    const struct secret *secret = &view->secrets->list[index];
    uint32_t rule = view->plan->secrets[index].rule;
    char name[32];
    secret_name(name, index);
    return lay_file(tree, name, 0400, secret->value, secret->length) == 0
               ? 0
               : fail(failure, rule, errno, "cannot make the file of a secret");
}

// Text for a place in a folder that is not the view's own, where a mount has to lie over what is there.
static bool is_text_elsewhere(const struct view *view, size_t i)
{
    return view->plan->view[i].from == PLAN_TEXT && view->places[i].above >= 0 && !proc_has(view, i);
}

static int make_props(const struct view *view, int old_root, struct props *props, struct failure *failure)
{
    bool wanted = view->hide_count > 0;
    uint64_t size = 65536;
    for (size_t i = 0; i < view->plan->view_count; i++)
        wanted |= (view_is_mask(view, i) || view_is_overlay(view, i) || is_text_elsewhere(view, i) ||
                   proc_has(view, i)) &&
                  !view->places[i].skipped;
    for (size_t i = 0; i < view->plan->view_count; i++)
        size += is_text_elsewhere(view, i) || proc_has(view, i) ? view->places[i].text.length + 8192 : 0;
    size += 8192 * view->plan->view_count * (view->layer_count + 2); // folders, where an overlay's sides are mounted
    for (size_t i = 0; i < view->secrets->count; i++) {
        wanted |= view->secrets->list[i].value != NULL;
        size += view->secrets->list[i].length + 8192;
    }
    if (!wanted)
        return 0;
    // Attached where it is left behind with the old root: only what is attached can be copied (before Linux 6.15). In a
    // folder of that one rather than upon it, they go together, and the kernel's wait for all who still look at a mount
    // comes once.
    props->tree = tmpfs_mount(size, "0755", MOUNT_ATTR_NOEXEC, NO_RULE, failure);
    if (props->tree < 0)
        return -1;
    if ((sys_move_mount_to(props->tree, old_root, "sys") != 0 && sys_move_mount(props->tree, old_root) != 0) ||
        mkdirat(props->tree, "folder", 0) != 0)
        return fail(failure, NO_RULE, errno, "cannot make what lies over denied paths");
    closing_fd int file = openat(props->tree, "file", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
    closing_fd int nothing = openat(props->tree, "nothing", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    props->file = sys_openat2(props->tree, "file", O_PATH, INSIDE);
    props->nothing = sys_openat2(props->tree, "nothing", O_PATH, INSIDE);
    props->folder = sys_openat2(props->tree, "folder", O_PATH, INSIDE);
    if (file < 0 || nothing < 0 || props->file < 0 || props->nothing < 0 || props->folder < 0)
        return fail(failure, NO_RULE, errno, "cannot make what lies over denied paths");
    for (size_t i = 0; i < view->secrets->count; i++)
        if (view->secrets->list[i].value && write_secret(props->tree, view, i, failure))
            return -1;
    secrets_wipe(view->secrets);
    return 0;
}

// True if what a place is mounted on lies in a file system of ours, where making folders leaves no trace on the host.
static bool own_ground(const struct view *view, size_t i)
{
    int above = view->places[i].above;
    while (above >= 0 && view->places[above].skipped && view->plan->view[above].from == PLAN_SANDBOX)
        above = view->places[above].above;
    enum plan_from kind = view_content_kind(view, above);
    return above < 0 || view_is_mask(view, (size_t)above) || kind == PLAN_TMPFS || kind == PLAN_DEV ||
           kind == PLAN_OVERLAY || kind == PLAN_SANDBOX ||
           (kind == PLAN_IMAGE && view_is_overlay(view, (size_t)view->places[above].content));
}

// True if it lies in an overlay, whose folders are not to show that something is made in them.
static bool in_overlay(const struct view *view, size_t i)
{
    int above = view->places[i].above, content = above < 0 ? -1 : view->places[above].content;
    return content >= 0 && view_is_overlay(view, (size_t)content);
}

// Opens what a place is mounted on, making it where that is ours to do. O_PATH, the caller's; -1 and the failure.
static int make_target(const struct view *view, size_t i, bool folder, struct failure *failure)
{
    const struct view_place *place = &view->places[i];
    uint32_t rule = view->plan->view[i].rule;
    int target = sys_openat2(view->root, place->path + 1, O_PATH, INSIDE);
    if (target >= 0 || errno != ENOENT)
        return target >= 0 ? target : fail(failure, rule, errno, "cannot reach %s in the view", place->path);
    if (!own_ground(view, i))
        return fail_with_advice(failure, rule, 0, "make it there: sbxrun leaves nothing on the host",
                                "there is no %s in the host folder that %s shows", place->path,
                                view->places[place->above].path);
    const char *name;
    struct stat before;
    bool unseen = in_overlay(view, i);
    closing_fd int parent = lay_parents(view->root, place->path + 1, unseen, &name);
    if (parent < 0 || (unseen && fstat(parent, &before) != 0))
        return fail(failure, rule, errno, "cannot make the folders above %s", place->path);
    closing_fd int file = -1;
    if (folder ? mkdirat(parent, name, LAID_FOLDER) != 0
               : (file = openat(parent, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444)) < 0)
        return fail(failure, rule, errno, "cannot make a place for %s", place->path);
    if (unseen)
        lay_unseen(parent, name, &before);
    target = sys_openat2(parent, name, O_PATH, INSIDE);
    return target < 0 ? fail(failure, rule, errno, "cannot make a place for %s", place->path) : target;
}

// The folders between a writable place and one in it.
static int pin_parents(const struct view *view, size_t i, struct failure *failure)
{
    const struct view_place *place = &view->places[i];
    if (place->above < 0 || !(view->plan->view[place->above].verbs & VERB_WRITE))
        return 0;
    size_t top = view->places[place->above].path[1] ? strlen(view->places[place->above].path) : 0;
    if (own_ground(view, i)) { // they may not be there yet
        const char *name;
        closing_fd int parent = lay_parents(view->root, place->path + 1, in_overlay(view, i), &name);
        if (parent < 0)
            return fail(failure, view->plan->view[i].rule, errno, "cannot make the folders above %s", place->path);
    }
    return pin(view, place->path, top, view->plan->view[i].rule, failure);
}

// Content that is mounted already, with other rights here than above.
static int change_rights(struct view *view, size_t i, int target, struct failure *failure)
{
    uint64_t wanted = view_attributes(view, i), ours = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC;
    struct statvfs now;
    if (is_mount(target) && fstatvfs(target, &now) == 0 &&
        !(now.f_flag & ST_RDONLY) == !(wanted & MOUNT_ATTR_RDONLY) &&
        !(now.f_flag & ST_NOEXEC) == !(wanted & MOUNT_ATTR_NOEXEC))
        return 0;
    closing_fd int tree = sys_open_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr change = {.attr_set = wanted & ours, .attr_clr = ours & ~wanted};
    if (tree < 0 || sys_mount_setattr(tree, AT_RECURSIVE, &change) != 0 || sys_move_mount(tree, target) != 0)
        return fail(failure, view->plan->view[i].rule, errno, "cannot set the rights on %s", view->places[i].path);
    return 0;
}

static int attach_mask(struct view *view, size_t i, const struct props *props, struct failure *failure)
{
    struct view_place *place = &view->places[i];
    bool folder = !place->held && (place->is_folder || own_ground(view, i)); // a placeholder is a file
    closing_fd int target = make_target(view, i, folder, failure);
    if (target < 0)
        return -1;
    struct stat status;
    folder = fstat(target, &status) == 0 && S_ISDIR(status.st_mode);
    if (place->held) {
        bool mapped, read = view->plan->view[i].verbs & VERB_READ;
        place->tree =
            tree_clone(read ? props->nothing : props->file,
                       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, -1, &mapped);
    } else if (place->has_below) { // the way to what a deny spares, and nothing else
        place->tree = tmpfs_mount(own_size(view), "0111", MOUNT_ATTR_NOEXEC, view->plan->view[i].rule, failure);
    } else {
        bool mapped;
        place->tree =
            tree_clone(folder ? props->folder : props->file,
                       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, -1, &mapped);
    }
    if (place->tree < 0 || sys_move_mount(place->tree, target) != 0)
        return fail(failure, view->plan->view[i].rule, errno, "cannot hide %s", place->path);
    return 0;
}

static int attach_link(const struct view *view, size_t i, struct failure *failure)
{
    const char *name;
    closing_fd int parent = lay_parents(view->root, view->places[i].path + 1, false, &name);
    return parent < 0 || symlinkat(view->places[i].link, parent, name) != 0
               ? fail(failure, view->plan->view[i].rule, errno, "cannot make the link %s", view->places[i].path)
               : 0;
}

// Mounts a tree on a new folder of ours that lies out of the view, and opens it there: what an overlay is made of must
// be attached.
static int attach_aside(int aside, const char *name, int tree)
{
    return mkdirat(aside, name, 0700) != 0 || sys_move_mount_to(tree, aside, name) != 0
               ? -1
               : sys_openat2(aside, name, O_PATH | O_DIRECTORY, INSIDE);
}

enum { LOWERS_ROOM = 4 * (LAYERS_MOST + 1) };

// Attaches what lies beneath an overlay: the tree that view_open made of its folder as "0", and what layers have for it
// above that. Their names, as overlay_mount takes them; how many they are, or -1 and errno.
static int attach_lowers(const struct view *view, size_t i, int aside, char lowers[LOWERS_ROOM], int *lowest)
{
    struct view_place *place = &view->places[i];
    char name[12];
    int count = 1;
    strcpy(lowers, "0");
    *lowest = attach_aside(aside, lowers, place->tree);
    for (size_t k = 0; *lowest >= 0 && place->layers && k < view->layer_count; k++) {
        if (place->layers[k].tree < 0)
            continue;
        snprintf(name, sizeof name, "%d", count++);
        closing_fd int attached = attach_aside(aside, name, place->layers[k].tree);
        if (attached < 0)
            return -1;
        close(place->layers[k].tree);
        place->layers[k].tree = -1;
        size_t length = strlen(name);
        memmove(lowers + length + 1, lowers, strlen(lowers) + 1);
        memcpy(lowers, name, length);
        lowers[length] = ':';
    }
    return *lowest < 0 ? -1 : count;
}

// The folder in which an overlay's top folder lies as it was before: of that mode and time.
static int make_upper(const struct view_place *place, int lowest, int own)
{
    struct stat status;
    if (fstat(lowest, &status) != 0 || mkdirat(own, "upper", 0700) != 0)
        return -1;
    mode_t mode = place->has_top ? place->top_mode : status.st_mode;
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, place->has_top ? place->top_time : status.st_mtim};
    return fchmodat(own, "upper", mode & 07777, 0) != 0 || utimensat(own, "upper", times, 0) != 0
               ? -1
               : sys_openat2(own, "upper", O_PATH | O_DIRECTORY, INSIDE);
}

// Puts an overlay in the place of the tree that view_open made of its folder.
static int make_overlay(struct view *view, size_t i, const struct props *props, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    struct view_place *place = &view->places[i];
    char name[32], lowers[LOWERS_ROOM];
    closing_fd int memory = tmpfs_mount(p->size, "0700", 0, p->rule, failure);
    if (memory < 0)
        return -1;
    snprintf(name, sizeof name, "overlay-%zu", i);
    closing_fd int aside = mkdirat(props->tree, name, 0700) != 0
                               ? -1
                               : sys_openat2(props->tree, name, O_RDONLY | O_DIRECTORY, INSIDE);
    closing_fd int lowest = -1;
    int count = aside < 0 ? -1 : attach_lowers(view, i, aside, lowers, &lowest);
    closing_fd int own = count < 0 ? -1 : attach_aside(aside, "own", memory);
    closing_fd int work = own < 0 || mkdirat(own, "work", 0700) != 0
                              ? -1
                              : sys_openat2(own, "work", O_PATH | O_DIRECTORY, INSIDE);
    place->upper = work < 0 ? -1 : make_upper(place, lowest, own);
    if (place->upper < 0 || fchdir(aside) != 0) // where the names of the lowers are
        return fail(failure, p->rule, errno, "cannot make the two sides of the overlay %s", place->path);
    close(place->tree);
    place->tree = overlay_mount(lowers, place->upper, work, view_attributes(view, i), p->rule, failure);
    if (place->tree < 0 || !view->is_compared)
        return place->tree < 0 ? -1 : 0;
    place->lower =
        count == 1 ? take_fd(lowest) : overlay_mount(lowers, -1, -1, view_attributes(view, i), p->rule, failure);
    return place->lower < 0 ? -1 : 0;
}

static int clone_secret(const struct view *view, size_t i, const struct props *props, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    size_t index = (size_t)(plan_secret_find(view->plan, p->secret) - view->plan->secrets);
    char name[32];
    secret_name(name, index);
    closing_fd int file = sys_openat2(props->tree, name, O_PATH, INSIDE);
    bool mapped;
    int tree = file < 0 ? -1 : tree_clone(file, view_attributes(view, i), -1, &mapped);
    return tree < 0 ? fail(failure, p->rule, errno, "cannot show the secret %.*s", STR_ARGS(p->secret)) : tree;
}

static int clone_text(const struct view *view, size_t i, const struct props *props, struct failure *failure)
{
    const struct view_place *place = &view->places[i];
    char name[32];
    snprintf(name, sizeof name, "text-%zu", i);
    bool mapped, made = lay_file(props->tree, name, 0444, place->text.text, place->text.length) == 0;
    closing_fd int file = made ? sys_openat2(props->tree, name, O_PATH, INSIDE) : -1;
    int tree = file < 0 ? -1 : tree_clone(file, view_attributes(view, i), -1, &mapped);
    return tree < 0 ? fail(failure, view->plan->view[i].rule, errno, "cannot make %s", place->path) : tree;
}

struct made_in { // the folder in which the last file was made: others of it follow
    int folder;  // -1: none
    const char *path;
    size_t length; // of the folder's, with its slash
};

// What is made lies in folders of the view's own as a file of theirs. Where the policy shows a folder above, what
// `from sandbox` would make gives way to what is, or is not, there.
static int attach_made(struct view *view, size_t i, struct made_in *in, struct failure *failure)
{
    struct view_place *place = &view->places[i];
    const char *name = strrchr(place->path, '/') + 1;
    size_t above = (size_t)(name - place->path);
    if (place->above >= 0 && !own_ground(view, i)) {
        place->skipped = true;
        return 0;
    }
    bool unseen = in_overlay(view, i);
    if (in->folder < 0 || in->length != above || memcmp(in->path, place->path, above) != 0) {
        close_scoped(&in->folder);
        in->folder = lay_parents(view->root, place->path + 1, unseen, &name);
        in->path = place->path;
        in->length = above;
    }
    int parent = in->folder;
    struct stat before;
    if (parent >= 0 && (!unseen || fstat(parent, &before) == 0) && lay_made(parent, name, place) == 0) {
        if (unseen)
            lay_unseen(parent, name, &before);
        return 0;
    }
    if (parent >= 0 && errno == EEXIST && place->above >= 0) {
        place->skipped = true;
        return 0;
    }
    return fail(failure, view->plan->view[i].rule, errno, "cannot make %s", place->path);
}

static int make_content(const struct view *view, size_t i, const struct props *props, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    bool temporary = strcmp(view->places[i].path, "/tmp") == 0 || strcmp(view->places[i].path, "/var/tmp") == 0;
    uint64_t attributes = view_attributes(view, i) & ~(uint64_t)MOUNT_ATTR_RDONLY; // until it is filled
    switch (p->from) {
    case PLAN_TMPFS: return tmpfs_mount(p->size, temporary ? "1777" : "0755", attributes, p->rule, failure);
    case PLAN_DEV: return tmpfs_mount(OWN_FOLDERS, "0755", attributes, p->rule, failure);
    case PLAN_PROC: return proc_mount(proc_is_filled(view, i), view_attributes(view, i), p->rule, failure);
    case PLAN_SECRET: return clone_secret(view, i, props, failure);
    case PLAN_TEXT: return clone_text(view, i, props, failure);
    default:
        return fail(failure, p->rule, 0, "nothing makes the content of %s",
                    view->places[i].path); // claim.c lets none through
    }
}

static int attach(struct view *view, size_t i, const struct props *props, struct made_in *in, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    struct view_place *place = &view->places[i];
    if (place->path[1] == '\0' || place->skipped || proc_has(view, i))
        return 0; // the root itself is there already, and what a /proc has came with it
    if (proc_lacks(view, i)) {
        place->skipped = true;
        return 0;
    }
    if (view_place_is_link(place))
        return attach_link(view, i, failure);
    if (!view_is_mask(view, i) && (p->from == PLAN_SANDBOX || (p->from == PLAN_TEXT && !is_text_elsewhere(view, i))))
        return attach_made(view, i, in, failure);
    if (place->blocked || (place->above >= 0 && own_ground(view, i))) {
        int pinned = pin_obstacle(view, i, failure);
        place->skipped = pinned == 1;
        if (pinned)
            return pinned < 0 ? -1 : 0;
        if (place->blocked)
            return fail_with_advice(failure, p->rule, 0, "name what it points to",
                                    "%s is a symbolic link, and a path is kept apart from the folder it lies in by a "
                                    "mount, which can't lie on one",
                                    place->path);
    }
    if (pin_parents(view, i, failure))
        return -1;
    if (view_is_mask(view, i))
        return attach_mask(view, i, props, failure);
    bool inherits = p->from == PLAN_INHERIT && place->tree < 0;
    closing_fd int target = make_target(
        view, i, p->from != PLAN_SECRET && p->from != PLAN_TEXT && (place->tree < 0 || place->is_folder), failure);
    if (target < 0)
        return -1;
    if (inherits)
        return change_rights(view, i, target, failure);
    if (place->tree < 0)
        place->tree = make_content(view, i, props, failure);
    if (place->tree < 0 || (view_is_overlay(view, i) && make_overlay(view, i, props, failure)))
        return -1;
    if (sys_move_mount(place->tree, target) != 0)
        return fail(failure, p->rule, errno, "cannot attach %s", place->path);
    if (p->from == PLAN_PROC)
        return proc_is_filled(view, i) ? proc_fill(view, i, props->tree, failure) : 0;
    if (p->from == PLAN_DEV) {
        char path[4096];
        size_t length = (size_t)snprintf(path, sizeof path, "%s/shm", place->path);
        return dev_fill(place->tree, plan_verbs(view->plan, (struct str){path, length}) & VERB_CREATE, p->rule,
                        failure);
    }
    return 0;
}

// True if what is there in the view is what is to be hidden. An overlay gives what it shows numbers of its own.
static bool is_hidden(const struct view *view, const struct hide *hide, const struct stat *there)
{
    const struct hidden *hidden = &view->hidden[hide->hidden];
    struct stat overlay;
    if (view_content_kind(view, (int)hide->place) != PLAN_OVERLAY)
        return there->st_dev == hidden->device && there->st_ino == hidden->inode;
    return fstat(view->places[hide->place].tree, &overlay) != 0 || there->st_dev == overlay.st_dev;
}

// Over what no sandbox sees lies a mask, and what none changes is mounted over itself; wherever the view as it stands
// shows it.
static int attach_hidden(struct view *view, const struct props *props, struct failure *failure)
{
    enum { FIXED = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
    for (size_t i = 0; i < view->hide_count; i++) {
        const struct hide *hide = &view->hides[i];
        const struct view_place *place = &view->places[hide->place];
        bool kept = view->hidden[hide->hidden].kept;
        const char *what = kept ? "keep what this run is made of" : "hide the caches of sbxrun";
        uint32_t rule = view->plan->view[hide->place].rule;
        char path[4096];
        size_t top = place->path[1] ? strlen(place->path) : 0;
        if (snprintf(path, sizeof path, "%.*s%.*s", (int)top, place->path, STR_ARGS(hide->beneath)) >= (int)sizeof path)
            return fail(failure, rule, ENAMETOOLONG, "cannot %s", what);
        closing_fd int target = sys_openat2(view->root, path + 1, O_PATH, INSIDE);
        struct stat status;
        if (target < 0 && (errno == ENOENT || errno == ENOTDIR)) // something else lies over it
            continue;
        if (target < 0 || fstat(target, &status) != 0)
            return fail(failure, rule, errno, "cannot %s at %s", what, path);
        if (!is_hidden(view, hide, &status)) // something else lies over it
            continue;
        if (hide->beneath.length && pin(view, path, top, rule, failure))
            return -1;
        closing_fd int pinned = sys_openat2(view->root, path + 1, O_PATH, INSIDE);
        int source = kept ? pinned : S_ISDIR(status.st_mode) ? props->folder : props->file;
        bool mapped;
        closing_fd int tree =
            pinned < 0 ? -1 : tree_clone(source, kept ? FIXED : FIXED | MOUNT_ATTR_NOEXEC, -1, &mapped);
        if (tree < 0 || sys_move_mount(tree, pinned) != 0)
            return fail(failure, rule, errno, "cannot %s at %s", what, path);
    }
    return 0;
}

// What had to be writable until everything in it stood.
static int seal(const struct view *view, bool own_root, struct failure *failure)
{
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    for (size_t i = 0; i < view->plan->view_count; i++) {
        const struct view_place *place = &view->places[i];
        bool filled = view_is_mask(view, i)
                          ? place->has_below && !place->held
                          : view->plan->view[i].from == PLAN_TMPFS || view->plan->view[i].from == PLAN_DEV;
        if (place->tree >= 0 && filled && view_attributes(view, i) & MOUNT_ATTR_RDONLY &&
            sys_mount_setattr(place->tree, 0, &read_only) != 0)
            return fail(failure, view->plan->view[i].rule, errno, "cannot make %s read-only", place->path);
    }
    if (own_root && sys_mount_setattr(view->root, 0, &read_only) != 0)
        return fail(failure, NO_RULE, errno, "cannot make the view's own folders read-only");
    return 0;
}

static uint64_t mount_of(const char *path)
{
    struct statx status;
    return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_MNT_ID, &status) == 0 && status.stx_mask & STATX_MNT_ID
               ? status.stx_mnt_id
               : 0;
}

// After pivot_root(".", ".") the old root, and whatever lay on it, is mounted on top of the new one: out of sight of
// `/`, but within reach of `/..`, which goes to the topmost mount. All of it goes, or the sandbox has a way out.
static int drop_old_root(struct failure *failure)
{
    enum { MOUNTS_MOST = 16 };
    for (int layer = 0; layer < MOUNTS_MOST; layer++) {
        uint64_t root = mount_of("/"), above = mount_of("/..");
        if (root && root == above)
            return layer
                       ? 0
                       : fail(failure, NO_RULE, 0, "the old root was not where it should be, so the view is not safe");
        if (!root || !above || umount2("/..", MNT_DETACH) != 0)
            break;
    }
    return fail(failure, NO_RULE, errno, "cannot leave the old root behind");
}

int view_enter(struct view *view, struct failure *failure)
{
    struct props props = {-1, -1, -1, -1};
    closing_fd int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old_root < 0)
        return fail(failure, NO_RULE, errno, "cannot open /");
    if (make_props(view, old_root, &props, failure))
        return -1;
    struct view_place *first = &view->places[0];
    bool own_root = first->path[0] == '\0' || first->path[1] != '\0';
    if (!own_root && first->tree < 0)
        first->tree = make_content(view, 0, &props, failure);
    if (!own_root && first->tree >= 0 && view_is_overlay(view, 0) && make_overlay(view, 0, &props, failure))
        return -1;
    closing_fd int own = own_root ? tmpfs_mount(own_size(view), "0755", MOUNT_ATTR_NOEXEC, NO_RULE, failure) : -1;
    view->root = own_root ? own : first->tree;
    if (view->root < 0)
        return -1;
    if (sys_move_mount(view->root, old_root) != 0)
        return fail(failure, NO_RULE, errno, "cannot attach the root of the view");
    struct made_in in = {.folder = -1};
    for (size_t i = 0; i < view->plan->view_count; i++)
        if (attach(view, i, &props, &in, failure))
            return -1;
    close_scoped(&in.folder);
    if (attach_hidden(view, &props, failure) || seal(view, own_root, failure))
        return -1;
    if (fchdir(view->root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || chdir("/") != 0)
        return fail_with_advice(failure, NO_RULE, errno, "the root of the machine must not be an initial ramdisk",
                                "cannot enter the view");
    return drop_old_root(failure);
}
