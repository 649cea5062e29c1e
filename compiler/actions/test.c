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

static int test_policy(struct policy *policy, unsigned *number)
{
    int status = STATUS_CLEAN;
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].effect == EFFECT_EXPECT_ALLOW || policy->rules[i].effect == EFFECT_EXPECT_DENY)
            status = worse(status, test_expectation(policy, &policy->rules[i], ++*number));
    fflush(stdout);
    return status;
}

// Each policy of a file, or with --policy or -D the one that is meant. None of them, while one has an error.
static int test_file(const struct options *options, const char *file, unsigned *number)
{
    struct compilation *compilation = compilation_new(arena_new());
    const char *problem = driver_roots(compilation, &options->driver);
    struct module *module = problem ? NULL : module_load(compilation, file);
    struct driver_options driver = options->driver;
    int status = STATUS_CLEAN;
    bool one = driver.policy || driver.value_count;
    struct policy_decl *decl = !module || compilation->diagnostics.errors ? NULL
                               : one                                      ? driver_select(compilation, module, &driver)
                                                                          : module->policies;
    size_t count = 0;
    for (const struct policy_decl *d = decl; d; d = d->next)
        count++;
    struct policy **policies = NEW_ARRAY(compilation->arena, struct policy *, count + 1);
    for (count = 0; decl; decl = one ? NULL : decl->next) {
        struct expr **values = one ? driver_values(compilation, decl, &driver, &problem) : NULL;
        if (one ? values != NULL : policy_decl_is_whole(decl))
            policies[count++] = policy_build(compilation, decl, values);
    }
    for (size_t i = 0; i < count; i++)
        if (policies[i] && policy_is_decided(policies[i], ARCH_ALL_MASK))
            policy_check(policies[i], false);
    for (size_t i = 0; i < count && !compilation->diagnostics.errors; i++) {
        status = worse(status, test_policy(policies[i], number));
        if (options->live)
            status = worse(status, enforcer_live(options, file, policies[i]->decl->name.text, number));
    }
    report_text(stderr, compilation, options->color);
    status = worse(status, problem ? usage_error(problem) : status_of(options, compilation));
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
