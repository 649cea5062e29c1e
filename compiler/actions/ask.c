// `sbxc --why` and `--diff`: questions about what policies mean.
#include "compiler/actions/enforcer.h"

#include "compiler/diff/diff.h"

static void work_why(struct job *job)
{
    const struct options *options = job->options;
    struct compilation *compilation = job->compilation;
    struct policy *policy = load_policy(options, compilation, job->files[0], &job->status);
    struct text out = {.arena = compilation->arena};
    struct str layers[WHY_PARTS] = {{0}};
    if (!policy)
        return;
    enforcer_layers(compilation->arena, options, job->files[0], policy->decl->name.text, layers);
    if (policy_why(policy, options->question, layers, &out)) {
        fwrite(out.data, 1, out.length, stdout);
    } else {
        print_findings(options, compilation);
        job->status = STATUS_USAGE;
    }
}

int why(const struct options *options, char **files)
{
    return do_job(options, files, work_why);
}

static void work_diff(struct job *job)
{
    const struct options *options = job->options;
    struct compilation *compilation = job->compilation;
    const char *problem;
    struct policy *before = driver_policy(compilation, job->files[0], &options->driver, NULL, &problem);
    struct policy *after =
        before ? driver_policy(compilation, job->files[1], &options->driver, before, &problem) : NULL;
    const struct policy_diff *found = after ? policy_diff(before, after) : NULL;
    if (found) {
        struct text out = {.arena = compilation->arena};
        if (options->format == FORMAT_JSON)
            diff_json(&out, found);
        else
            diff_text(&out, found);
        fwrite(out.data, 1, out.length, stdout);
        job->status = found->wider ? STATUS_ERRORS : STATUS_CLEAN;
    } else {
        print_findings(options, compilation);
        job->status = problem ? usage_error(problem) : status_of(options, compilation);
    }
}

int diff(const struct options *options, char **files)
{
    return do_job(options, files, work_diff);
}
