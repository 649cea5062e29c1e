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

struct compiling {
    struct compilation *compilation;
    const char *path, *text, *folder, *name;
    const char *const *values;
    const char *problem;
    struct policy *policy;
};

static void work_compile(void *context)
{
    struct compiling *c = context;
    struct compilation *compilation = c->compilation;
    struct arena *arena = compilation->arena;
    struct driver_options options = {.policy = c->name ? str_copy(arena, str_from(c->name)).text : NULL};
    while (c->values && c->values[options.value_count])
        options.value_count++;
    const char **copies = NEW_ARRAY(arena, const char *, options.value_count + 1);
    for (size_t i = 0; i < options.value_count; i++)
        copies[i] = str_copy(arena, str_from(c->values[i])).text;
    options.values = copies;
    struct module *module = c->path ? module_load(compilation, str_copy(arena, str_from(c->path)).text)
                            : c->folder
                                ? module_parse_in(compilation, STR("policy.sbx"), str_copy(arena, str_from(c->folder)),
                                                  str_copy(arena, str_from(c->text)))
                                : module_parse(compilation, STR("policy.sbx"), str_copy(arena, str_from(c->text)));
    c->policy = compilation_policy(compilation, module, &options, NULL, &c->problem);
}

static sbx_policy *compile(struct compiling c, char **findings)
{
    c.compilation = compilation_new(arena_new());
    bool good = compilation_work(c.compilation, work_compile, &c) && c.policy;
    if (findings)
        *findings = good ? NULL : findings_of(c.compilation, c.problem);
    if (!good) {
        compilation_free(c.compilation);
        return NULL;
    }
    sbx_policy *result = NEW(c.compilation->arena, struct sbx_policy);
    *result = (struct sbx_policy){c.compilation, c.policy, NULL};
    return result;
}

sbx_policy *sbx_compile_file(const char *path, const char *name, const char *const *values, char **findings)
{
    return compile((struct compiling){.path = path, .name = name, .values = values}, findings);
}

sbx_policy *sbx_compile_text(const char *text, const char *folder, const char *name, const char *const *values,
                             char **findings)
{
    return compile((struct compiling){.text = text, .folder = folder, .name = name, .values = values}, findings);
}

void sbx_policy_free(sbx_policy *policy)
{
    if (policy)
        compilation_free(policy->compilation);
}

static void work_judge(void *context)
{
    sbx_policy *policy = context;
    struct plan **plans = driver_judge(policy->compilation, &policy->policy, 1);
    policy->plan = plans ? plans[0] : NULL;
}

int sbx_check(sbx_policy *policy, int prove, char **findings)
{
    struct compilation *compilation = policy->compilation;
    if (compilation_work(compilation, work_judge, policy) && policy->plan && prove) {
        struct z3 z3 = {0};
        prove_plan(&z3, policy->policy, policy->plan);
        z3_close(&z3);
    }
    bool wrong = compilation->diagnostics.errors;
    if (findings)
        *findings = findings_of(compilation, NULL);
    if (!wrong)
        diagnostics_init(&compilation->diagnostics, compilation->arena); // warnings were told; an error stays
    return wrong;
}

static void work_lower(void *context)
{
    sbx_policy *policy = context;
    policy->plan = policy_lower(policy->policy, ARCH_ALL_MASK);
}

struct plan *sbx_policy_plan(sbx_policy *policy)
{
    if (!policy->plan)
        compilation_work(policy->compilation, work_lower, policy);
    return policy->compilation->diagnostics.errors ? NULL : policy->plan;
}

struct asking {
    sbx_policy *policy;
    struct str question;
    struct text answer;
    int found[WHY_PARTS];
    bool answered;
};

static void work_verdict(void *context)
{
    struct asking *asking = context;
    struct policy *policy = asking->policy->policy;
    struct operation_point points[WHY_PARTS];
    struct str layers[WHY_PARTS] = {STR(""), STR("")};
    asking->answered = why_points(policy, asking->question.text, points, asking->found) &&
                       policy_why(policy, asking->question.text, layers, &asking->answer);
}

struct sbx_verdict sbx_verdict(sbx_policy *policy, const char *operation)
{
    struct compilation *compilation = policy->compilation;
    struct arena *arena = compilation->arena;
    struct asking asking = {policy, str_copy(arena, str_from(operation)), {.arena = arena}, {0}, false};
    if (compilation->diagnostics.errors)
        return (struct sbx_verdict){.rule = findings_of(compilation, NULL)};
    bool whole = compilation_work(compilation, work_verdict, &asking);
    struct sbx_verdict verdict = {0};
    if (whole && asking.answered)
        verdict = (struct sbx_verdict){1, asking.found[WHY_DENIED] == 0, asking.found[WHY_ALLOWED] == 0,
                                       copy_of(text_str(&asking.answer))};
    else
        verdict.rule = findings_of(compilation, NULL);
    if (whole) // what is wrong with a question is not wrong with the policy
        diagnostics_init(&compilation->diagnostics, arena);
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
