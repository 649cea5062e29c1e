// `sbxc --why` and `--diff`: questions about what policies mean.
#include "compiler/actions/enforcer.h"

#include "compiler/diff.h"

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
    const char *problem = driver_roots(compilation, &options->driver);
    struct policy *policies[2] = {NULL};
    for (int i = 0; i < 2 && !problem && (i == 0 || policies[0]); i++) {
        struct module *module = module_load(compilation, files[i]);
        struct policy_decl *decl = module && !compilation->diagnostics.errors ? driver_select(compilation, module, &options->driver) : NULL;
        struct expr **values = decl ? driver_values(compilation, decl, &options->driver, &problem) : NULL;
        if (values)
            policies[i] = i == 0 ? policy_build(compilation, decl, values) : policy_build_beside(policies[0], decl, values);
    }
    const struct policy_diff *found = policies[0] && policies[1] ? policy_diff(policies[0], policies[1]) : NULL;
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
