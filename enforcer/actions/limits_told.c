// What limits stopped.
#include "enforcer/actions/limits_told.h"

#include <inttypes.h>

static const struct {
    enum limit limit;
    const char *said, *times; // the second where it is known how often
} told[] = {
    {LIMIT_pids, "there were as many processes and threads as there may be",
     "a process or thread more than there may be was refused, %" PRIu64 " times"},
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
        fputs("sbxrun: ", out);
        if (told[i].times && counted)
            fprintf(out, told[i].times, use->reached);
        else
            fputs(told[i].said, out);
        fprintf(out, " (%.*s)\n", STR_ARGS(rule_named(plan, limit->rule)));
    }
}
