// What no sandbox sees.
#include "enforcer/view/hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "compiler/sets/path_set.h"
#include "enforcer/host/cache_folder.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/view_source.h"

enum { CACHES_MOST = 64, PLACES_OF_FILE = 4 };

static int too_many(const struct view *view, struct failure *failure)
{
    return fail(failure, NO_RULE, 0,
                "the caches of sbxrun, or files that this run is made of, are mounted in more than %zu places",
                view->hidden_most);
}

struct found { // a cache, or what it would lie in; or what this run is made of
    struct stat status;
    bool there, kept;
};

static int add(struct view *view, struct str path, const struct found *found, struct failure *failure)
{
    if (view->hidden_count == view->hidden_most)
        return too_many(view, failure);
    view->hidden[view->hidden_count++] = (struct hidden){str_copy(view->plan->arena, path), found->status.st_dev,
                                                         found->status.st_ino, !found->there, found->kept};
    return 0;
}

// ---- mounts -------------------------------------------------------------------------------------------------------

// A field of mountinfo, with its \\ooo undone.
static struct str field(struct arena *arena, char **rest)
{
    char *at = *rest + strspn(*rest, " ");
    size_t length = strcspn(at, " \n"), to = 0;
    char *text = arena_alloc(arena, length + 1);
    for (size_t i = 0; i < length; i++)
        if (at[i] == '\\' && i + 3 < length && at[i + 1] >= '0' && at[i + 1] <= '3') {
            text[to++] = (char)((at[i + 1] - '0') << 6 | (at[i + 2] - '0') << 3 | (at[i + 3] - '0'));
            i += 3;
        } else {
            text[to++] = at[i];
        }
    text[to] = '\0';
    *rest = at + length;
    return (struct str){text, to};
}

struct mount {
    struct str id, device, root, at;
};

static bool read_mount(struct arena *arena, char *line, struct mount *mount)
{
    mount->id = field(arena, &line);
    field(arena, &line);
    mount->device = field(arena, &line);
    mount->root = field(arena, &line);
    mount->at = field(arena, &line);
    return mount->at.length > 0;
}

// `path` beneath `folder`: with its slash, or "" for the folder itself.
static struct str beneath(struct str folder, struct str path)
{
    size_t length = folder.length == 1 ? 0 : folder.length;
    return (struct str){path.text + length, path.length - length};
}

// The table of mounts, which is read once. The caller's to close; NULL and errno.
static FILE *open_mounts(struct view *view)
{
    if (!view->mounts.length) {
        struct text text = {.arena = view->plan->arena};
        char part[4096];
        FILE *file = fopen("/proc/self/mountinfo", "re");
        for (size_t n; file && (n = fread(part, 1, sizeof part, file)) > 0;)
            text_add(&text, part, n);
        if (!file || ferror(file) || !text.length)
            return file ? fclose(file), NULL : NULL;
        fclose(file);
        view->mounts = text_str(&text);
    }
    return fmemopen((char *)view->mounts.text, view->mounts.length, "r");
}

// Every place at which a mount of the host shows the folder `path`, which is open as `fd`, or a part of it, besides
// that one (proc_pid_mountinfo(5)).
static int add_mounts(struct view *view, int fd, struct str path, const struct found *found, struct failure *failure)
{
    struct arena *arena = view->plan->arena;
    struct statx extended;
    struct mount mount, own = {0};
    char *line = NULL;
    size_t room = 0;
    FILE *file = statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &extended) == 0 ? open_mounts(view) : NULL;
    if (!file)
        return fail(failure, NO_RULE, errno, "cannot tell where the caches of sbxrun are mounted");
    char id[24];
    snprintf(id, sizeof id, "%llu", (unsigned long long)extended.stx_mnt_id);
    while (!own.at.length && getline(&line, &room, file) > 0)
        if (read_mount(arena, line, &mount) && str_is(mount.id, id))
            own = mount;
    int result = 0;
    if (!own.at.length || !path_covers(own.at, path)) {
        result = fail(failure, NO_RULE, 0, "cannot tell where the caches of sbxrun are mounted");
    } else {
        struct str rest = beneath(own.at, path);
        struct str in_device = str_format(arena, "%.*s%.*s", own.root.length == 1 ? 0 : (int)own.root.length,
                                          own.root.text, STR_ARGS(rest));
        rewind(file);
        while (!result && getline(&line, &room, file) > 0) {
            struct found part = {.there = found->there,
                                 .kept = found->kept}; // of it, which is all that the mount shows
            if (!read_mount(arena, line, &mount) || str_is(mount.id, id) || !str_equal(mount.device, own.device))
                continue;
            if (path_covers(in_device, mount.root) && stat(mount.at.text, &part.status) == 0) {
                result = add(view, mount.at, &part, failure);
                continue;
            }
            if (!path_covers(mount.root, in_device))
                continue;
            rest = beneath(mount.root, in_device);
            result = add(view,
                         str_format(arena, "%.*s%.*s", mount.at.length == 1 ? 0 : (int)mount.at.length, mount.at.text,
                                    STR_ARGS(rest)),
                         found, failure);
        }
    }
    free(line);
    fclose(file);
    return result;
}

// ---- finding ------------------------------------------------------------------------------------------------------

// What only root mounts something in. Where nothing else is shown, and nothing to be written, no other way leads to the
// caches: so a usual run need not read the table of mounts.
static const char *const systems[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc"};

static bool is_system(const char *host)
{
    bool is = false;
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
        is |= host && path_covers(str_from(systems[i]), str_from(host));
    return is;
}

// True if something of the host is shown; with `ways`, something that other mounts may lead from.
static bool shows_host(const struct view *view, bool ways)
{
    const struct plan *plan = view->plan;
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct view_place *place = &view->places[i];
        enum plan_from from = place->content < 0 ? PLAN_INHERIT : plan->view[place->content].from;
        if ((from == PLAN_HOST || from == PLAN_OVERLAY) &&
            (!ways || plan->view[i].verbs & VERB_WRITE || !is_system(view->places[place->content].host)))
            return true;
    }
    for (size_t i = 0; i < plan->secret_count; i++)
        if (!plan->secrets[i].variable.length)
            return true;
    return false;
}

// Where a folder that is open lies. False: nobody can tell.
static bool path_of(int fd, char path[PATH_MAX], struct str *at)
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX);
    *at = (struct str){path, n > 0 ? (size_t)n : 0};
    return n > 0 && n < PATH_MAX;
}

// ---- what a run is made of ------------------------------------------------------------------------------------------

static bool writes_host(const struct view *view)
{
    const struct plan *plan = view->plan;
    for (size_t i = 0; i < plan->view_count; i++) {
        int content = view->places[i].content;
        if (plan->view[i].verbs & VERB_WRITE && content >= 0 && plan->view[content].from == PLAN_HOST)
            return true;
    }
    return false;
}

static int keep(struct view *view, const char *path, bool is_there, uint32_t rule, struct failure *failure)
{
    struct found found = {.there = true, .kept = true};
    closing_fd int fd = is_there ? host_open(view, path, NULL) : -1;
    char real[PATH_MAX];
    struct str at;
    if (fd < 0 && is_there && errno == ELOOP)
        return host_refused(rule, ELOOP, path, NULL, failure);
    if (fd < 0)
        return host_could_be_made(view, path)
                   ? fail_with_advice(failure, rule, 0, "keep what a run is made of where no sandbox writes",
                                      "the sandbox could make %s, and the next run would be made of that", path)
                   : 0;
    if (!path_of(fd, real, &at) || fstat(fd, &found.status) != 0)
        return fail(failure, rule, errno, "cannot tell where %s is", path);
    return add(view, at, &found, failure) || add_mounts(view, fd, at, &found, failure) ? -1 : 0;
}

// What the caller names.
static int keep_named(struct view *view, struct str name, bool is_there, const struct view_bases *bases,
                      struct failure *failure)
{
    bool absolute = name.length && name.text[0] == '/';
    const char *path = view_host_path(view->plan->arena, absolute ? PLAN_ABSOLUTE : PLAN_CWD, name, bases);
    return path ? keep(view, path, is_there, NO_RULE, failure)
                : fail(failure, NO_RULE, 0, "cannot tell where %.*s is: %s", STR_ARGS(name), view_base_lacks(PLAN_CWD));
}

static int keep_origins(struct view *view, const struct view_bases *bases, const char *const *layers,
                        size_t layer_count, struct failure *failure)
{
    const struct plan *plan = view->plan;
    int result = 0;
    for (size_t i = 0; i < plan->origin_count && !result; i++)
        result = keep_named(view, plan->origins[i].path, plan->origins[i].is_there, bases, failure);
    for (size_t i = 0; i < layer_count && !result; i++)
        result = keep_named(view, str_from(layers[i]), true, bases, failure);
    for (size_t i = 0; i < plan->secret_count && !result; i++) {
        const struct plan_secret *secret = &plan->secrets[i];
        const char *path =
            secret->variable.length ? NULL : view_host_path(plan->arena, secret->base, secret->host, bases);
        result = path ? keep(view, path, true, secret->rule, failure) : 0;
    }
    for (size_t i = 0; i < plan->view_count && !result; i++) {
        const struct plan_view *place = &plan->view[i];
        const char *path =
            place->from == PLAN_IMAGE ? view_host_path(plan->arena, place->base, place->host, bases) : NULL;
        result = path ? keep(view, path, true, place->rule, failure) : 0;
    }
    return result;
}

// ---- both ---------------------------------------------------------------------------------------------------------

int hidden_find(struct view *view, const struct view_bases *bases, const char *const *layers, size_t layer_count,
                struct failure *failure)
{
    const struct plan *plan = view->plan;
    if (!shows_host(view, false))
        return 0;
    bool ways = shows_host(view, true);
    view->hidden_most =
        CACHES_MOST + PLACES_OF_FILE * (plan->origin_count + plan->secret_count + plan->view_count + layer_count);
    view->hidden = NEW_ARRAY(view->plan->arena, struct hidden, view->hidden_most);
    view->hides = NEW_ARRAY(view->plan->arena, struct hide, view->hidden_most);
    for (int which = 0; which < CACHE_PLACES; which++) {
        struct found found;
        closing_fd int fd = cache_place_open(which, &found.there);
        char path[PATH_MAX];
        struct str at;
        if (fd < 0)
            continue; // there is no such one
        if (!path_of(fd, path, &at) || fstat(fd, &found.status) != 0)
            return fail(failure, NO_RULE, errno, "cannot tell where the caches of sbxrun are");
        if (add(view, at, &found, failure) || (ways && add_mounts(view, fd, at, &found, failure)))
            return -1;
    }
    return writes_host(view) ? keep_origins(view, bases, layers, layer_count, failure) : 0;
}

static int refuse_within(const struct view *view, struct str at, uint32_t rule, struct failure *failure)
{
    for (size_t i = 0; i < view->hidden_count; i++)
        if (!view->hidden[i].above && !view->hidden[i].kept && path_covers(view->hidden[i].path, at))
            return fail_with_advice(failure, rule, 0, "show another folder",
                                    "%.*s lies in sbxrun's own cache, which no sandbox sees", STR_ARGS(at));
    return 0;
}

bool hidden_is(const struct view *view, int folder)
{
    struct stat status;
    bool is = false;
    if (!view->hidden_count || fstat(folder, &status) != 0)
        return false;
    for (size_t i = 0; i < view->hidden_count; i++)
        is |=
            !view->hidden[i].above && view->hidden[i].device == status.st_dev && view->hidden[i].inode == status.st_ino;
    return is;
}

int hidden_refuse(const struct view *view, int source, uint32_t rule, struct failure *failure)
{
    char path[PATH_MAX];
    struct str at;
    if (!view->hidden_count)
        return 0;
    return path_of(source, path, &at) ? refuse_within(view, at, rule, failure)
                                      : fail(failure, rule, errno, "cannot tell where this is on the host");
}

int hidden_note(struct view *view, size_t place, const char *where, struct failure *failure)
{
    const struct plan *plan = view->plan;
    uint32_t rule = plan->view[place].rule;
    char path[PATH_MAX];
    struct str at = str_from(where ? where : "");
    if (!view->hidden_count)
        return 0;
    if (!where && !path_of(view->places[place].source, path, &at))
        return fail(failure, rule, errno, "cannot tell where %s is on the host", view->places[place].path);
    if (refuse_within(view, at, rule, failure))
        return -1;
    bool written = plan->view[view->places[place].content].from == PLAN_HOST && plan->view[place].verbs & VERB_WRITE;
    for (size_t i = 0; i < view->hidden_count; i++) {
        const struct hidden *hidden = &view->hidden[i];
        if (!path_covers(at, hidden->path) || ((hidden->above || hidden->kept) && !written))
            continue;
        if (hidden->above)
            return fail_with_advice(failure, rule, 0,
                                    "see that a folder can be made there, or set XDG_CACHE_HOME to where one can",
                                    "the sandbox could make sbxrun's own cache beneath %.*s, where it is not there and "
                                    "sbxrun can't make it",
                                    STR_ARGS(hidden->path));
        if (view->hide_count == view->hidden_most)
            return too_many(view, failure);
        view->hides[view->hide_count++] = (struct hide){place, i, beneath(at, hidden->path)};
    }
    return 0;
}
