// What limits stopped.
#include "enforcer/actions/limits_told.h"

#include <inttypes.h>

#include "enforcer/host/say.h"

static const struct {
    enum limit limit;
    const char *said, *counted; // the second where it is known how often
} told[] = {
    {LIMIT_pids, "there were as many processes and threads as there may be",
     "a process or thread more than there may be was refused"},
    {LIMIT_open_files, "a process had as many files open as it may", NULL},
    {LIMIT_file_size, "a file reached the size that one may have", NULL},
};

void limits_tell(FILE *out, const struct run *run, const struct outcome *outcome)
{
    const struct plan *plan = run->plan;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const struct limit_use *use = &outcome->uses[told[i].limit];
        const struct plan_limit *limit = &plan->limits[told[i].limit];
        bool counted = run->claims->bounds.cgroup >> told[i].limit & 1;
        if (!limit->set || !use->reached_known || !use->reached)
            continue;
        struct str rule = rule_named(plan, limit->rule);
        if (told[i].counted && counted)
            say(out, "sbxrun: %s, %" PRIu64 " times (%.*s)", told[i].counted, use->reached, STR_ARGS(rule));
        else
            say(out, "sbxrun: %s (%.*s)", told[i].said, STR_ARGS(rule));
    }
}
