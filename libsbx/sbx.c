// libsbx: policies, in a program of one's own.
#include "libsbx/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/meaning/obligations.h"
#include "compiler/prove/prove_guard.h"
#include "compiler/report/report.h"
#include "compiler/meaning/why.h"
#include "lang/load.h"

const char *sbx_version(void)
{
    return SBX_VERSION;
}

void sbx_free(void *memory)
{
    free(memory);
}

static char *copy_of(struct str text)
{
    char *copy = malloc(text.length + 1);
    if (!copy)
        abort();
    memcpy(copy, text.text, text.length);
    copy[text.length] = '\0';
    return copy;
}

// What sbxc would print; NULL when that is nothing.
static char *findings_of(const struct compilation *compilation, const char *problem)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return NULL;
    report_text(stream, compilation, false);
    if (problem)
        fprintf(stream, "%s\n", problem);
    fclose(stream);
    if (length)
        return text;
    free(text);
    return NULL;
}

static sbx_policy *compile(const char *path, const char *text, const char *folder, const char *name,
                           const char *const *values, char **findings)
{
    struct compilation *compilation = compilation_new(arena_new());
    struct arena *arena = compilation->arena;
    struct driver_options options = {.policy = name ? str_copy(arena, str_from(name)).text : NULL};
    while (values && values[options.value_count])
        options.value_count++;
    const char **copies = NEW_ARRAY(arena, const char *, options.value_count + 1);
    for (size_t i = 0; i < options.value_count; i++)
        copies[i] = str_copy(arena, str_from(values[i])).text;
    options.values = copies;
    const char *problem = driver_roots(compilation, &options);
    struct module *module = NULL;
    if (!problem && path)
        module = module_load(compilation, str_copy(arena, str_from(path)).text);
    else if (!problem && folder)
        module = module_parse_in(compilation, STR("policy.sbx"), str_copy(arena, str_from(folder)),
                                 str_copy(arena, str_from(text)));
    else if (!problem)
        module = module_parse(compilation, STR("policy.sbx"), str_copy(arena, str_from(text)));
    struct policy *policy = problem ? NULL : compilation_policy(compilation, module, &options, NULL, &problem);
    if (findings)
        *findings = policy ? NULL : findings_of(compilation, problem);
    if (!policy) {
        compilation_free(compilation);
        return NULL;
    }
    sbx_policy *result = NEW(arena, struct sbx_policy);
    *result = (struct sbx_policy){compilation, policy, NULL};
    return result;
}

sbx_policy *sbx_compile_file(const char *path, const char *name, const char *const *values, char **findings)
{
    return compile(path, NULL, NULL, name, values, findings);
}

sbx_policy *sbx_compile_text(const char *text, const char *folder, const char *name, const char *const *values,
                             char **findings)
{
    return compile(NULL, text, folder, name, values, findings);
}

void sbx_policy_free(sbx_policy *policy)
{
    if (policy)
        compilation_free(policy->compilation);
}

int sbx_check(sbx_policy *policy, int prove, char **findings)
{
    struct compilation *compilation = policy->compilation;
    struct plan **plans = driver_judge(compilation, &policy->policy, 1);
    if (plans && prove)
        prove_plan(policy->policy, plans[0]);
    bool wrong = compilation->diagnostics.errors;
    if (findings)
        *findings = findings_of(compilation, NULL);
    if (wrong)
        policy->plan = NULL; // the error stays, and nothing is made of the policy from now on
    else
        diagnostics_init(&compilation->diagnostics, compilation->arena); // warnings were told
    return wrong;
}

struct plan *sbx_policy_plan(sbx_policy *policy)
{
    if (!policy->plan)
        policy->plan = policy_lower(policy->policy, ARCH_ALL_MASK);
    return policy->plan;
}

struct sbx_verdict sbx_verdict(sbx_policy *policy, const char *operation)
{
    struct compilation *compilation = policy->compilation;
    struct operation_point points[WHY_PARTS];
    struct str layers[WHY_PARTS] = {STR(""), STR("")}, question = str_copy(compilation->arena, str_from(operation));
    struct text answer = {.arena = compilation->arena};
    struct sbx_verdict verdict = {0};
    int found[WHY_PARTS];
    if (compilation->diagnostics.errors) {
        verdict.rule = findings_of(compilation, NULL);
        return verdict;
    }
    if (why_points(policy->policy, question.text, points, found) &&
        policy_why(policy->policy, question.text, layers, &answer))
        verdict = (struct sbx_verdict){1, found[WHY_DENIED] == 0, found[WHY_ALLOWED] == 0, copy_of(text_str(&answer))};
    else
        verdict.rule = findings_of(compilation, NULL);
    // What is wrong with a question is not wrong with the policy.
    diagnostics_init(&compilation->diagnostics, compilation->arena);
    return verdict;
}

char *sbx_emit(sbx_policy *policy, const char *form, size_t *length)
{
    struct plan *plan = sbx_policy_plan(policy);
    static const char seccomp[] = "seccomp:";
    *length = 0;
    if (!plan)
        return NULL;
    if (strcmp(form, "plan") == 0) {
        struct str text = plan_write(policy->compilation->arena, plan);
        *length = text.length;
        return copy_of(text);
    }
    int arch =
        strncmp(form, seccomp, sizeof seccomp - 1) == 0 ? arch_from_name(str_from(form + sizeof seccomp - 1)) : -1;
    if (arch < 0)
        return NULL;
    const struct bpf_program *filter = &plan->filters[arch];
    *length = filter->length * sizeof *filter->code;
    return copy_of((struct str){(const char *)filter->code, *length});
}
