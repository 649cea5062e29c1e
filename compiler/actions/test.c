// `sbxc --test`: expectations as TAP; with --live also what their sandboxes do on this host.
#include "compiler/actions/enforcer.h"

#include "compiler/report/report.h"
#include "compiler/meaning/search.h"
#include "lang/load.h"

// Decides one expectation on the policy function, completely.
static int test_expectation(struct policy *policy, const struct rule *rule, unsigned number)
{
    struct operation_point point;
    bool wanted = rule->effect == EFFECT_EXPECT_ALLOW;
    int found = operation_find(policy, rule, !wanted, &point);
    printf("%sok %u - %.*s: %.*s\n", found ? "not " : "", number, STR_ARGS(rule_place(policy, rule)),
           STR_ARGS(rule_text(policy, rule)));
    if (found > 0)
        printf("# `%.*s` is %s\n", STR_ARGS(operation_text(policy, &point)), wanted ? "denied" : "allowed");
    if (found < 0)
        printf("# its conditions are too entangled to be decided\n");
    return found ? STATUS_ERRORS : STATUS_CLEAN;
}

static int test_policy(const struct options *options, struct compilation *compilation, struct policy_decl *decl,
                       const char *file, unsigned *number)
{
    const char *problem = NULL;
    struct expr **values = driver_values(compilation, decl, &options->driver, &problem);
    struct policy *policy = values ? policy_build(compilation, decl, values) : NULL;
    int status = problem ? usage_error(problem) : STATUS_CLEAN;
    for (size_t i = 0; policy && i < policy->rule_count; i++)
        if (policy->rules[i].effect == EFFECT_EXPECT_ALLOW || policy->rules[i].effect == EFFECT_EXPECT_DENY)
            status = worse(status, test_expectation(policy, &policy->rules[i], ++*number));
    fflush(stdout);
    return policy && options->live ? worse(status, enforcer_live(options, file, decl->name.text, number)) : status;
}

// Every policy of a file, or with --policy or -D the one that is meant.
static int test_file(const struct options *options, const char *file, unsigned *number)
{
    struct compilation *compilation = compilation_new(arena_new());
    const char *problem = driver_roots(compilation, &options->driver);
    struct module *module = problem ? NULL : module_load(compilation, file);
    int status = problem ? usage_error(problem) : STATUS_CLEAN;
    if (module && !compilation->diagnostics.errors) {
        bool one = options->driver.policy || options->driver.value_count;
        struct policy_decl *chosen = one ? driver_select(compilation, module, &options->driver) : NULL;
        if (chosen)
            status = worse(status, test_policy(options, compilation, chosen, file, number));
        for (struct policy_decl *decl = module->policies; decl && !one; decl = decl->next)
            if (policy_decl_is_whole(decl))
                status = worse(status, test_policy(options, compilation, decl, file, number));
    }
    report_text(stderr, compilation, options->color);
    status = worse(status, status_of(options, compilation));
    compilation_free(compilation);
    return status;
}

int test_files(const struct options *options, char **files)
{
    int worst = STATUS_CLEAN;
    unsigned number = 0;
    for (; *files; files++)
        worst = worse(worst, test_file(options, *files, &number));
    printf("1..%u\n", number);
    return worst;
}
