// Files of an ordinary user's other groups.
#include "enforcer/view/foreign_groups.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What nftw's visitor knows besides.
static struct {
    const struct identity *identity;
    int left;
    char found[PATH_MAX];
} walk;

static int visit(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)at;
    enum { NEXT, ENOUGH };
    if (--walk.left < 0)
        return ENOUGH;
    if (type == FTW_NS || type == FTW_SL || status->st_uid != walk.identity->outside_user ||
        status->st_gid == walk.identity->outside_group)
        return NEXT;
    snprintf(walk.found, sizeof walk.found, "%s", path);
    return ENOUGH;
}

int foreign_groups_refuse(const struct view *view, const struct identity *identity, struct failure *failure)
{
    enum { FOLDERS_OPEN = 8 };
    gid_t first;
    int groups = getgroups(0, NULL);
    if (identity->as_root || groups == 0 || (groups == 1 && getgroups(1, &first) == 1 && first == getegid()))
        return 0;
    for (size_t i = 0; i < view->plan->view_count; i++) {
        const struct plan_view *p = &view->plan->view[i];
        if (p->from != PLAN_OVERLAY || !view->places[i].host)
            continue;
        walk.identity = identity;
        walk.left = FOREIGN_LOOKED_AT;
        walk.found[0] = '\0';
        nftw(view->places[i].host, visit, FOLDERS_OPEN, FTW_PHYS);
        if (walk.found[0])
            return fail_with_advice(failure, p->rule, 0,
                                    "give it your own group (chgrp), or run sbxrun with that one (sg GROUP -c …)",
                                    "%s has another group of yours, which a sandbox does not have, so that a copy of "
                                    "it could not be changed",
                                    walk.found);
    }
    return 0;
}
