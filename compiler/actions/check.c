// `sbxc --check`: warnings, obligations, proofs, for every policy of a file.
#include "compiler/actions/actions.h"
#include "compiler/lint.h"

// Checks one policy: its meaning, its obligations, the filters it would give.
static void check_policy(const struct options *options, struct compilation *compilation, struct policy_decl *decl, struct expr *const *values)
{
    struct policy *policy = policy_build(compilation, decl, values);
    if (policy)
        lint_policy(policy);
    if (policy && policy_check(policy, true))
        make_plan(options, policy);
}

static int check_file(const struct options *options, const char *path)
{
    struct compilation *compilation = compilation_new(arena_new());
    const char *problem = driver_roots(compilation, &options->driver);
    struct module *module = problem ? NULL : module_load(compilation, path);
    if (module && compilation->diagnostics.errors == 0) {
        struct policy_decl *chosen = options->driver.policy || options->driver.value_count ? driver_select(compilation, module, &options->driver) : NULL;
        struct expr **values = chosen ? driver_values(compilation, chosen, &options->driver, &problem) : NULL;
        if (chosen && values)
            check_policy(options, compilation, chosen, values);
        for (struct policy_decl *decl = module->policies; decl && !chosen; decl = decl->next)
            if (can_be_built(decl) && !(options->driver.policy || options->driver.value_count))
                check_policy(options, compilation, decl, NULL);
        for (struct group_decl *group = module->groups; group; group = group->next)
            group_find(compilation, module, group->name.text);
    }
    print_findings(options, compilation);
    int status = problem ? usage_error(problem) : status_of(options, compilation);
    compilation_free(compilation);
    return status;
}

int check_files(const struct options *options, char **files)
{
    int worst = STATUS_CLEAN;
    for (; *files; files++) {
        int status = check_file(options, *files);
        worst = status > worst ? status : worst;
    }
    return worst;
}
