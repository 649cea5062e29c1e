// What a plan's view allows.
#include "compiler/plan/plan.h"
#include "compiler/sets/path_set.h"

unsigned plan_verbs(const struct plan *plan, struct str path)
{
    for (size_t i = plan->view_count; i-- > 0;)
        if (path_covers(plan->view[i].path, path))
            return plan->view[i].verbs; // the last in order that covers it is the deepest
    return 0;
}
