// `sbxc --why` and `--diff`: questions about what policies mean.
#include "compiler/actions/enforcer.h"

#include "compiler/diff/diff.h"

int why(const struct options *options, char **files)
{
    struct compilation *compilation = compilation_new(arena_new());
    int status = STATUS_CLEAN;
    struct policy *policy = load_policy(options, compilation, files[0], &status);
    if (policy) {
        struct text out = {.arena = compilation->arena};
        struct str layers[WHY_PARTS] = {{0}};
        enforcer_layers(compilation->arena, options, files[0], policy->decl->name.text, layers);
        if (policy_why(policy, options->question, layers, &out)) {
            fwrite(out.data, 1, out.length, stdout);
        } else {
            print_findings(options, compilation);
            status = STATUS_USAGE;
        }
    }
    compilation_free(compilation);
    return status;
}

int diff(const struct options *options, char **files)
{
    struct compilation *compilation = compilation_new(arena_new());
    const char *problem;
    struct policy *before = driver_policy(compilation, files[0], &options->driver, NULL, &problem);
    struct policy *after = before ? driver_policy(compilation, files[1], &options->driver, before, &problem) : NULL;
    const struct policy_diff *found = after ? policy_diff(before, after) : NULL;
    int status = STATUS_CLEAN;
    if (found) {
        struct text out = {.arena = compilation->arena};
        if (options->format == FORMAT_JSON)
            diff_json(&out, found);
        else
            diff_text(&out, found);
        fwrite(out.data, 1, out.length, stdout);
        status = found->wider ? STATUS_ERRORS : STATUS_CLEAN;
    } else {
        print_findings(options, compilation);
        status = problem ? usage_error(problem) : status_of(options, compilation);
    }
    compilation_free(compilation);
    return status;
}
