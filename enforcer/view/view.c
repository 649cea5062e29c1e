// The view as the plan lays it out, and what of the host it takes, opened.
#include "enforcer/view/view.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "compiler/sets/path_set.h"
#include "enforcer/host/kernel.h"
#include "enforcer/view/hidden.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/view_source.h"

// ---- laying out ---------------------------------------------------------------------------------------------------

int view_prepare(struct view *view, const struct plan *plan, const struct view_bases *bases, struct failure *failure)
{
    *view = (struct view){.plan = plan, .secrets = view->secrets, .is_compared = view->is_compared, .root = -1};
    view->places = NEW_ARRAY(plan->arena, struct view_place, plan->view_count + 1);
    view->grounds = grounds_new(plan->arena, plan->view_count);
    view->places[0].path = ""; // so that there is a first one to look at
    int *open = NEW_ARRAY(plan->arena, int, plan->view_count + 1);
    size_t depth = 0;
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *p = &plan->view[i];
        struct view_place *place = &view->places[i];
        *place = (struct view_place){.path = str_copy(plan->arena, p->path).text,
                                     .above = -1,
                                     .content = -1,
                                     .source = -1,
                                     .tree = -1,
                                     .upper = -1,
                                     .lower = -1};
        while (depth && !path_covers(plan->view[open[depth - 1]].path, p->path))
            depth--;
        if (depth) {
            place->above = open[depth - 1];
            view->places[place->above].has_below = true;
            place->content = view->places[place->above].content;
        }
        if (p->from != PLAN_INHERIT)
            place->content = (int)i;
        open[depth++] = (int)i;
        if ((p->from == PLAN_HOST || p->from == PLAN_OVERLAY) &&
            !(place->host = view_host_path(plan->arena, p->base, p->host, bases)))
            return fail(failure, p->rule, 0, "cannot tell where %.*s is on the host: %s", STR_ARGS(p->host),
                        view_base_lacks(p->base));
    }
    for (size_t i = 0; i < plan->view_count; i++) {
        struct view_place *place = &view->places[i];
        bool own_ground = place->above < 0 && view->places[0].path[1] != '\0';
        if (place->host && own_ground && !place->has_below && plan->view[i].base == PLAN_ABSOLUTE &&
            strcmp(place->host, place->path) == 0)
            place->link = arena_alloc(plan->arena, LINK_MOST);
    }
    return 0;
}

bool view_is_mask(const struct view *view, size_t i)
{
    return view->plan->view[i].verbs == 0 || view->places[i].held;
}

bool view_is_overlay(const struct view *view, size_t i)
{
    const struct plan *plan = view->plan;
    bool written = false;
    for (size_t k = i; k < plan->view_count && plan->view[i].from == PLAN_IMAGE && !written; k++)
        written = view->places[k].content == (int)i && plan->view[k].verbs & VERB_WRITE;
    return plan->view[i].from == PLAN_OVERLAY || written;
}

enum plan_from view_content_kind(const struct view *view, int place)
{
    int content = place < 0 ? -1 : view->places[place].content;
    return content < 0 ? PLAN_INHERIT : view->plan->view[content].from;
}

uint64_t view_attributes(const struct view *view, size_t i)
{
    unsigned verbs = view->plan->view[i].verbs, writes = view_content_kind(view, (int)i) == PLAN_DEV
                                                             ? VERB_CREATE | VERB_DELETE
                                                             : VERB_WRITE; // devices can be written all the same
    return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (verbs & writes ? 0 : MOUNT_ATTR_RDONLY) |
           (verbs & VERB_EXEC ? 0 : MOUNT_ATTR_NOEXEC);
}

int view_place_open(const struct view_place *place)
{
    return sys_openat2(AT_FDCWD, place->path, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

// ---- opening ------------------------------------------------------------------------------------------------------

static int missing(struct view *view, size_t i, const char *what, int error, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    if (error == ENOENT && p->if_exists) {
        view->places[i].skipped = true;
        return 0;
    }
    if (error == ENOENT && p->from == PLAN_INHERIT)
        return fail_with_advice(failure, p->rule, 0,
                                "a path is kept apart from the folder it lies in by a mount, which needs it to be "
                                "there: make it, or leave the rule away",
                                "%s does not exist on the host, so its rule can't be enforced", what);
    return host_refused(p->rule, error, what,
                        error == ENOENT ? "if the sandbox may do without it, add `if exists`" : NULL, failure);
}

// What layers have for an overlay belongs to the outside identity.
static int open_layers(struct view *view, size_t i, struct failure *failure)
{
    const struct view_place *place = &view->places[i];
    for (size_t k = 0; place->layers && k < view->layer_count; k++) {
        struct lying *lying = &place->layers[k];
        bool mapped;
        if (!lying->host)
            continue;
        closing_fd int source = host_open(view, lying->host, NULL);
        if (source >= 0)
            lying->tree = tree_clone(source, view_attributes(view, i) | MOUNT_ATTR_RDONLY, -1, &mapped);
        if (lying->tree < 0)
            return fail(failure, view->plan->view[i].rule, errno, "cannot bind %s", lying->host);
    }
    return 0;
}

static int open_place(struct view *view, size_t i, struct owners *owners, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    struct view_place *place = &view->places[i];
    const char *what = place->host;
    char composed[4096];
    if (p->from == PLAN_HOST && link_instead(view, i))
        return 0;
    if (p->from != PLAN_INHERIT) {
        place->source = host_open(view, place->host, &place->straight);
    } else {
        const struct view_place *content = &view->places[place->content];
        const char *rest = place->path + (content->path[1] ? strlen(content->path) : 0);
        snprintf(composed, sizeof composed, "%s%s", content->host, rest);
        what = composed;
        place->source = sys_openat2(content->source, rest + 1, O_PATH, INSIDE);
        place->straight = content->straight;
        place->blocked = place->source < 0 && (errno == ENOTDIR || errno == ELOOP);
        if (place->blocked)
            return 0;
    }
    if (place->source < 0)
        return missing(view, i, what, errno, failure);
    struct stat status;
    if (fstat(place->source, &status) != 0)
        return fail(failure, p->rule, errno, "cannot look at %s", what);
    place->is_folder = S_ISDIR(status.st_mode);
    if (S_ISLNK(status.st_mode))
        return missing(view, i, what, ELOOP, failure);
    if (view_is_mask(view, i))
        return 0;
    if (view_content_kind(view, (int)i) != PLAN_IMAGE && hidden_note(view, i, place->straight ? what : NULL, failure))
        return -1;
    bool mapped, overlay = view_is_overlay(view, i);
    const struct view_place *content = &view->places[place->content];
    if (place->content == (int)i)
        place->owner = status.st_uid, place->owner_group = status.st_gid;
    int identities =
        !owners || place->of_outside ? -1 : owners_namespace(owners, content->owner, content->owner_group, failure);
    if (owners && !place->of_outside && identities < 0)
        return -1;
    if (overlay && !place->is_folder)
        return fail_with_advice(failure, p->rule, 0,
                                "lay it over the folder that the file is in, or show a copy of the file",
                                "an overlay shows a folder, and %s is none", what);
    bool fixed = overlay || p->from == PLAN_IMAGE;
    place->tree =
        tree_clone(place->source, view_attributes(view, i) | (fixed ? MOUNT_ATTR_RDONLY : 0), identities, &mapped);
    int error = errno;
    if (!place->has_below || overlay) { // a policy may have thousands of places
        close(place->source);
        place->source = -1;
    }
    errno = error;
    if (place->tree < 0)
        return fail(failure, p->rule, errno, "cannot bind %s", what);
    if (overlay && open_layers(view, i, failure))
        return -1;
    if (identities >= 0 && !mapped && p->verbs & VERB_WRITE && status.st_uid == 0)
        return fail_with_advice(failure, p->rule, 0,
                                "run sbxrun as the user who owns the folder, or keep it on a file system that has "
                                "idmapped mounts, such as ext4, xfs or tmpfs",
                                "%s belongs to root and can't be presented to the sandbox as its own, since its file "
                                "system has no idmapped mounts",
                                what);
    return 0;
}

// Every place of the host takes a descriptor until it is attached. bounds_apply gives the command the caller's limit
// back. Where this is still not enough, the place that can't be opened says so.
static void make_room(const struct view *view)
{
    struct rlimit files;
    uint64_t wanted = 2 * view->plan->view_count + 64;
    for (size_t i = 0; i < view->plan->view_count; i++)
        wanted += view->places[i].layers ? view->layer_count : 0;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < wanted) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int view_open(struct view *view, struct owners *owners, struct failure *failure)
{
    make_room(view);
    for (size_t i = 0; i < view->plan->view_count; i++) {
        struct view_place *place = &view->places[i];
        if (place->skipped) // an image that there is not
            continue;
        if (place->beneath_placeholder ||
            (place->content >= 0 && place->content != (int)i && view->places[place->content].skipped))
            place->skipped = true; // there is nothing
        else if ((view_content_kind(view, (int)i) == PLAN_HOST || view->plan->view[i].from == PLAN_OVERLAY ||
                  view->plan->view[i].from == PLAN_IMAGE) &&
                 open_place(view, i, owners, failure))
            return -1;
    }
    return 0;
}

void view_close(const struct view *view)
{
    for (size_t i = 0; i < view->plan->view_count; i++) {
        close_scoped(&view->places[i].source);
        close_scoped(&view->places[i].tree);
        for (size_t k = 0; view->places[i].layers && k < view->layer_count; k++)
            close_scoped(&view->places[i].layers[k].tree);
    }
}
