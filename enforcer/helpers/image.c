// Images: root file systems in archives.
#include "enforcer/helpers/image.h"

#include <errno.h>

#include "enforcer/helpers/unpacked.h"

static int find_image(struct view *view, size_t i, const struct view_bases *bases, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    struct view_place *place = &view->places[i];
    const char *path = view_host_path(view->plan->arena, p->base, p->host, bases);
    if (!path)
        return fail(failure, p->rule, 0, "cannot tell where the image %.*s is on the host: %s", STR_ARGS(p->host),
                    view_base_lacks(p->base));
    int found = unpacked_find(view, UNPACKED_IMAGE, path, p->rule, &place->image, failure);
    if (found == 1 && !p->if_exists)
        return fail_with_advice(failure, p->rule, ENOENT, "if the sandbox may do without it, add `if exists`",
                                "cannot open the image %s", path);
    place->skipped = found == 1;
    place->host = place->image.host;
    place->of_outside = place->image.of_outside;
    return found < 0 ? -1 : 0;
}

int images_prepare(struct view *view, const struct view_bases *bases, struct failure *failure)
{
    for (size_t i = 0; i < view->plan->view_count; i++)
        if (view->plan->view[i].from == PLAN_IMAGE && find_image(view, i, bases, failure))
            return -1;
    return 0;
}

void images_release(const struct view *view)
{
    for (size_t i = 0; view->places && i < view->plan->view_count; i++)
        unpacked_release(&view->places[i].image);
}
