// Looking for what a plan takes from the host.
#include "enforcer/view/missing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/sets/path_set.h"
#include "enforcer/host/say.h"

struct want {
    const char *what; // a path, or a variable
    bool is_variable;
    uint32_t rule;
};

static bool is_there(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

// Where a place of the view is on the host, as the plan spells it. NULL: it is not from there.
static const char *host_of(const struct plan *plan, size_t place, const struct view_bases *bases)
{
    const struct plan_view *p = &plan->view[place];
    size_t content = place;
    while (content > 0 && (plan->view[content].from == PLAN_INHERIT || !path_covers(plan->view[content].path, p->path)))
        content--; // what lies above comes first
    const struct plan_view *from = &plan->view[content];
    bool image = from->from == PLAN_IMAGE;
    if ((from->from != PLAN_HOST && from->from != PLAN_OVERLAY && !image) || !path_covers(from->path, p->path) ||
        (image && content != place))
        return NULL;
    const char *start = view_host_path(plan->arena, from->base, from->host, bases);
    size_t above = from->path.length > 1 ? from->path.length : 0;
    return !start              ? NULL
           : content == place ? start
                              : str_format(plan->arena, "%s%.*s", start, (int)(p->path.length - above),
                                           p->path.text + above)
                                    .text;
}

static size_t find_missing(const struct plan *plan, const struct view_bases *bases, struct want *list)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->view_count; i++) {
        const char *path = plan->view[i].if_exists || !plan->view[i].verbs ? NULL : host_of(plan, i, bases);
        if (path && !is_there(path))
            list[count++] = (struct want){path, false, plan->view[i].rule};
    }
    for (size_t i = 0; i < plan->secret_count; i++) {
        const struct plan_secret *secret = &plan->secrets[i];
        const char *name = secret->variable.length ? str_copy(plan->arena, secret->variable).text : NULL;
        const char *path = name ? NULL : view_host_path(plan->arena, secret->base, secret->host, bases);
        if (name ? !getenv(name) : path && !is_there(path))
            list[count++] = (struct want){name ? name : path, name != NULL, secret->rule};
    }
    return count;
}

void missing_tell(FILE *out, const struct plan *plan, const struct view_bases *bases, const struct failure *refused)
{
    struct want *list = NEW_ARRAY(plan->arena, struct want, plan->view_count + plan->secret_count + 1);
    size_t count = find_missing(plan, bases, list), told = count;
    for (size_t i = 0; i < count && told == count; i++)
        if (list[i].rule == refused->rule && strstr(refused->what, list[i].what))
            told = i;
    for (size_t i = 0; i < count && told < count; i++)
        if (i != told)
            say(out, "sbxrun: %s%s is not %s either (%.*s)", list[i].is_variable ? "the variable " : "", list[i].what,
                list[i].is_variable ? "set," : "there,", STR_ARGS(rule_named(plan, list[i].rule)));
}
