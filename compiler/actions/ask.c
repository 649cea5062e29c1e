// `sbxc --why` and `--diff`: questions about what policies mean.
#include "compiler/actions/enforcer.h"

#include "compiler/diff/diff.h"
#include "compiler/report/report.h"

static void print_lines(struct text *text)
{
    struct str lines = text_shown(text->arena, text_str(text), "\n\t");
    fwrite(lines.text, 1, lines.length, stdout);
}

static void work_why(struct job *job)
{
    const struct options *options = job->options;
    struct compilation *compilation = job->compilation;
    struct policy *policy = load_policy(options, compilation, job->files[0], &job->status);
    struct text out = {.arena = compilation->arena};
    struct str layers[WHY_PARTS] = {{0}};
    if (!policy)
        return;
    struct operation_point points[WHY_PARTS];
    int found[WHY_PARTS];
    if (!why_points(policy, options->question, points, found)) {
        print_findings(options, compilation);
        job->status = STATUS_USAGE;
        return;
    }
    static const int statuses[] = {
        [WHY_IS_ALLOWED] = STATUS_CLEAN,    [WHY_IS_DENIED] = STATUS_DENIED,  [WHY_IS_PARTLY] = STATUS_PARTLY,
        [WHY_IS_UNDECIDED] = STATUS_ERRORS, [WHY_IS_NOTHING] = STATUS_DENIED,
    };
    job->status = statuses[why_answer(found)];
    enforcer_layers(compilation->arena, options, job->files[0], policy->decl->name.text, layers);
    if (options->format == FORMAT_JSON)
        report_why(stdout, policy, str_from(options->question), points, found, layers);
    else if (policy_why(policy, options->question, layers, &out))
        print_lines(&out);
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
        print_lines(&out);
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
