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
    print_shown(stdout, "%sok %u - %.*s: %.*s", found ? "not " : "", number, STR_ARGS(rule_place(policy, rule)),
                STR_ARGS(rule_text(policy, rule)));
    if (found > 0)
        print_shown(stdout, "# `%.*s` is %s", STR_ARGS(operation_text(policy, &point)), wanted ? "denied" : "allowed");
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

struct tested { // one file
    const struct options *options;
    struct compilation *compilation;
    const char *file;
    unsigned *number;
    int status;
};

// Each policy of a file, or with --policy or -D the one that is meant. None of them, while one has an error.
static void test_file(void *context)
{
    struct tested *job = context;
    const struct options *options = job->options;
    struct compilation *compilation = job->compilation;
    const char *file = job->file;
    const char *problem = driver_roots(compilation, &options->driver);
    struct module *module = problem ? NULL : module_load(compilation, file);
    size_t count = 0;
    struct policy **policies = module && !compilation->diagnostics.errors
                                   ? driver_policies(compilation, module, &options->driver, &count, &problem)
                                   : NULL;
    for (size_t i = 0; i < count; i++)
        if (policies[i] && policy_is_decided(policies[i], ARCH_ALL_MASK))
            policy_check(policies[i], false);
    for (size_t i = 0; i < count && !compilation->diagnostics.errors; i++) {
        job->status = worse(job->status, test_policy(policies[i], job->number));
        if (options->live)
            job->status = worse(job->status, enforcer_live(options, file, policies[i]->decl->name.text, job->number));
    }
    if (problem)
        job->status = usage_error(problem);
}

int test_files(const struct options *options, char **files)
{
    int worst = STATUS_CLEAN;
    unsigned number = 0;
    for (; *files; files++) {
        struct tested job = {options, compilation_new(arena_new()), *files, &number, STATUS_CLEAN};
        compilation_work(job.compilation, test_file, &job);
        report_text(stderr, job.compilation, options->color);
        worst = worse(worst, worse(job.status, status_of(options, job.compilation)));
        compilation_free(job.compilation);
    }
    printf("1..%u\n", number);
    return worst;
}
