// What the actions of sbxrun share: what is wrong said, a plan from where it is.
#include "enforcer/actions/actions.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/report/report.h"
#include "enforcer/actions/plan_file.h"
#include "enforcer/host/say.h"

const char too_little_space[] =
    "cannot share memory with a sandbox: too little address space is left (`ulimit -v` says how much there is)";

int cannot_start(const char *why)
{
    say(stderr, "sbxrun: %s", why);
    return STATUS_NOT_SET_UP;
}

int usage_error(const char *message)
{
    say(stderr, "sbxrun: %s", message);
    say(stderr, "sbxrun --help shows what there is");
    return STATUS_NOT_SET_UP;
}

struct making {
    struct compilation *compilation;
    const struct options *options;
    bool whole; // with the filters of all architectures, as a plan is written, and named by its hash; a run needs its
                // own
    struct policy *policy;
    const char *problem;
    struct plan *plan;
};

static void work_plan(void *context)
{
    struct making *m = context;
    m->policy = driver_policy(m->compilation, m->options->policy, &m->options->compile, NULL, &m->problem);
    m->plan = m->policy ? policy_lower(m->policy, m->whole ? ARCH_ALL_MASK : 1u << ARCH_HERE) : NULL;
}

static struct plan *make_plan(struct compilation *compilation, const struct options *options, bool whole,
                              struct policy **made, const char **problem)
{
    struct making making = {.compilation = compilation, .options = options, .whole = whole};
    bool good = compilation_work(compilation, work_plan, &making);
    *made = good ? making.policy : NULL;
    *problem = making.problem;
    return good ? making.plan : NULL;
}

struct plan *load_plan(struct compilation *compilation, const struct options *options, bool whole, struct policy **made)
{
    const char *problem;
    if (plan_file_is(options->policy))
        return plan_file_load(compilation->arena, options->policy, options->beside);
    struct plan *plan = make_plan(compilation, options, whole, made, &problem);
    if (!plan)
        report_text(stderr, compilation, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
    if (problem)
        usage_error(problem);
    return plan;
}

struct policy *recompile(void *context)
{
    const char *problem;
    struct cached *cached = context;
    struct policy *policy;
    struct str text;
    if (!plan_cache_find(cached->cache, &text))
        return NULL;
    cached->compilation = compilation_new(arena_new());
    struct plan *plan = make_plan(cached->compilation, cached->options, true, &policy, &problem);
    return plan && str_equal(plan_write(plan->arena, plan), cached->text) ? policy : NULL;
}
