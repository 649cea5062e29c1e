// Files are made in a /proc.
#include "enforcer/view/proc.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "compiler/sets/path_set.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/lay.h"
#include "enforcer/view/pins.h"
#include "enforcer/view/pseudo.h"
#include "enforcer/view/view_source.h"

// The /proc that a place lies in: a place; -1: none that is shown.
static int proc_of(const struct view *view, size_t i)
{
    int above = view->places[i].above, content = above < 0 ? -1 : view->places[above].content;
    return content >= 0 && view->plan->view[content].from == PLAN_PROC && !view_is_mask(view, (size_t)content) ? content
                                                                                                               : -1;
}

static const char *beneath(const struct view *view, size_t i, int proc)
{
    return view->places[i].path + strlen(view->places[proc].path) + 1;
}

bool proc_has(const struct view *view, size_t i)
{
    const struct plan_view *p = &view->plan->view[i];
    return (p->from == PLAN_SANDBOX || p->from == PLAN_TEXT) && p->verbs && proc_of(view, i) >= 0;
}

bool proc_lacks(const struct view *view, size_t i)
{
    int proc = proc_of(view, i);
    if (proc < 0 || !view_is_mask(view, i))
        return false;
    struct str name = str_from(beneath(view, i, proc));
    name.length = strcspn(name.text, "/");
    return !isdigit((unsigned char)*name.text) && !str_is(name, "self") && !str_is(name, "thread-self");
}

// Places that lie in one follow it.
static bool is_beneath(const struct view *view, size_t k, size_t i)
{
    return k < view->plan->view_count && path_covers(view->plan->view[i].path, view->plan->view[k].path);
}

bool proc_is_filled(const struct view *view, size_t i)
{
    for (size_t k = i + 1; is_beneath(view, k, i); k++)
        if (proc_has(view, k) && proc_of(view, k) == (int)i)
            return true;
    return false;
}

// Lays the file of place k into `memory`, and mounts it on its name in the /proc; of several beneath one name there,
// the folder that holds them.
static int add(struct view *view, int proc, size_t k, int memory, struct failure *failure)
{
    struct view_place *place = &view->places[k];
    uint32_t rule = view->plan->view[k].rule;
    const char *path = beneath(view, k, proc), *name;
    char first[256];
    if (snprintf(first, sizeof first, "%.*s", (int)strcspn(path, "/"), path) >= (int)sizeof first)
        return fail(failure, rule, ENAMETOOLONG, "cannot make %s", place->path);
    closing_fd int target = sys_openat2(view->places[proc].tree, first, O_PATH, INSIDE);
    if (target < 0 && errno == ENOENT && view->plan->view[k].from == PLAN_SANDBOX) {
        place->skipped = true;
        return 0;
    }
    if (target < 0)
        return fail(failure, rule, errno, "cannot lay anything over %s/%s", view->places[proc].path, first);
    const char *rest = strchr(path, '/');
    closing_fd int parent = rest ? lay_parents(memory, path, false, &name) : -1;
    if ((rest && parent < 0) || lay_made(rest ? parent : memory, rest ? name : first, place) != 0)
        return fail(failure, rule, errno, "cannot make %s", place->path);
    if (rest && is_mount(target))
        return 0;
    bool mapped;
    closing_fd int made = rest ? sys_openat2(memory, first, O_PATH, INSIDE) : -1;
    closing_fd int tree = tree_clone(rest ? made : place->tree, view_attributes(view, k), -1, &mapped);
    return tree < 0 || sys_move_mount(tree, target) != 0 ? fail(failure, rule, errno, "cannot attach %s", place->path)
                                                         : 0;
}

// Where the kernel narrows no /proc there is one of processes alone in its place, without the files.
static int do_without(struct view *view, size_t i, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    struct view_place *place = &view->places[i];
    for (size_t k = i + 1; is_beneath(view, k, i); k++) {
        if (!proc_has(view, k) || proc_of(view, k) != (int)i)
            continue;
        if (view->plan->view[k].from == PLAN_TEXT)
            return fail(failure, view->plan->view[k].rule, 0, "this kernel has no file laid over %s",
                        view->places[k].path);
        close_scoped(&view->places[k].tree);
        view->places[k].tree = -1;
        view->places[k].skipped = true;
    }
    if (fchdir(place->tree) != 0 || umount2(".", MNT_DETACH) != 0)
        return fail(failure, p->rule, errno, "cannot take %s away again", place->path);
    close_scoped(&place->tree);
    place->tree = proc_mount(false, view_attributes(view, i), p->rule, failure);
    if (place->tree < 0)
        return -1;
    closing_fd int target = sys_openat2(view->root, place->path + 1, O_PATH, INSIDE);
    return target < 0 || sys_move_mount(place->tree, target) != 0
               ? fail(failure, p->rule, errno, "cannot attach %s", place->path)
               : 0;
}

int proc_fill(struct view *view, size_t i, int memory, struct failure *failure)
{
    uint32_t rule = view->plan->view[i].rule;
    char name[32];
    snprintf(name, sizeof name, "proc-%zu", i);
    closing_fd int folder = mkdirat(memory, name, 0755) != 0 ? -1 : sys_openat2(memory, name, O_PATH, INSIDE);
    if (folder < 0)
        return fail(failure, rule, errno, "cannot make what lies in %s", view->places[i].path);
    for (size_t k = i + 1; is_beneath(view, k, i); k++)
        if (!view->places[k].skipped && proc_has(view, k) && proc_of(view, k) == (int)i &&
            add(view, (int)i, k, folder, failure))
            return -1;
    int narrowed = proc_narrow(view->places[i].tree, rule, failure);
    return narrowed == 1 ? do_without(view, i, failure) : narrowed;
}
