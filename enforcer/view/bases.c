// Where relative host paths of a plan start.
#include "enforcer/view/bases.h"

const char *view_host_path(struct arena *arena, enum plan_base base, struct str path, const struct view_bases *bases)
{
    const char *start = base == PLAN_POLICY ? bases->policy
                        : base == PLAN_CWD  ? bases->cwd
                        : base == PLAN_HOME ? bases->home
                                            : "";
    if (!start || (base != PLAN_ABSOLUTE && start[0] != '/'))
        return NULL;
    return base == PLAN_ABSOLUTE ? str_copy(arena, path).text
                                 : str_format(arena, "%s%s%.*s", start, start[1] ? "/" : "", STR_ARGS(path)).text;
}

const char *view_base_lacks(enum plan_base base)
{
    return base == PLAN_HOME ? "HOME is not set" : "there is no such folder";
}
