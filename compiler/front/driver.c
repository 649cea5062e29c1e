// What sbxc and sbxrun share: from a file's name and -I, -D, --policy to a policy.
#include "compiler/front/driver.h"
#include "compiler/lint/lint.h"
#include "lang/question.h"
#include "lang/load.h"

#include <errno.h>
#include <string.h>

const char *driver_roots(struct compilation *compilation, const struct driver_options *options)
{
    for (size_t i = 0; i < options->root_count; i++)
        if (!compilation_add_root(compilation, options->roots[i]))
            return str_format(compilation->arena, "-I %s: %s", options->roots[i], strerror(errno)).text;
    return NULL;
}

struct policy_decl *driver_select(struct compilation *compilation, struct module *module,
                                  const struct driver_options *options)
{
    struct diagnostics *diagnostics = &compilation->diagnostics;
    struct policy_decl *decl =
        options->policy ? module_find_policy(module, str_from(options->policy)) : module_main_policy(module);
    if (decl)
        return decl;
    struct text names = {.arena = compilation->arena};
    for (const struct policy_decl *p = module->policies; p; p = p->next)
        text_addf(&names, "%s%.*s", names.length ? ", " : "", STR_ARGS(p->name.text));
    struct span start = {module->source->number, 0, 0};
    struct diagnostic *d = diagnose(diagnostics, SBX0315, start);
    struct nearest nearest = {.wrong = options->policy ? str_from(options->policy) : STR("")};
    for (const struct policy_decl *p = module->policies; p; p = p->next)
        nearest_offer(&nearest, p->name.text);
    if (nearest.best.length)
        diagnostic_label(diagnostics, d, start, "none is called `%s`: did you mean `%.*s`?", options->policy,
                         STR_ARGS(nearest.best));
    else if (options->policy && names.length)
        diagnostic_label(diagnostics, d, start, "none is called `%s`: it has %.*s", options->policy,
                         STR_ARGS(text_str(&names)));
    else if (names.length)
        diagnostic_label(diagnostics, d, start, "it has %.*s: name one with `--policy`", STR_ARGS(text_str(&names)));
    else
        diagnostic_label(diagnostics, d, start, "it has none");
    return NULL;
}

// The values that -D gives to a policy's parameters. NULL when one is wrong, and a diagnostic; or *problem, where what
// stands behind -D is no value of a parameter.
static struct expr **values_of(struct compilation *compilation, struct policy_decl *decl,
                               const struct driver_options *options, const char **problem)
{
    size_t count = 0;
    for (const struct parameter *p = decl->parameters; p; p = p->next)
        count++;
    struct expr **values = NEW_ARRAY(compilation->arena, struct expr *, count + 1);
    bool good = true;
    for (size_t i = 0; i < options->value_count; i++) {
        const char *text = options->values[i], *equals = strchr(text, '='), *wrong = NULL;
        struct str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
        struct nearest nearest = {.wrong = name};
        size_t index = 0;
        struct parameter *parameter = decl->parameters;
        for (; parameter && !str_equal(parameter->name.text, name); parameter = parameter->next, index++)
            nearest_offer(&nearest, parameter->name.text);
        if (!equals)
            wrong = "a value is given as `-D name=value`";
        else if (parameter && values[index])
            wrong = "the parameter has a value already";
        else if (!parameter)
            wrong = str_format(compilation->arena, "the policy `%.*s` has no such parameter%s%.*s%s",
                               STR_ARGS(decl->name.text), nearest.best.length ? ": did you mean `" : "",
                               STR_ARGS(nearest.best), nearest.best.length ? "`?" : "")
                        .text;
        if (wrong) {
            *problem = str_format(compilation->arena, "-D %s: %s", text, wrong).text;
            return NULL;
        }
        values[index] = value_parse(compilation, parameter, equals + 1);
        good = good && values[index];
    }
    return good ? values : NULL;
}

bool policy_decl_is_whole(const struct policy_decl *decl)
{
    for (const struct parameter *p = decl->parameters; p; p = p->next)
        if (!p->value)
            return false; // whoever uses it gives the value; names and types are checked all the same
    return true;
}

struct policy **driver_policies(struct compilation *compilation, struct module *module,
                                const struct driver_options *options, size_t *count, const char **problem)
{
    bool one = options->policy || options->value_count;
    struct policy_decl *decl = one ? driver_select(compilation, module, options) : module->policies;
    size_t most = 0;
    for (const struct policy_decl *d = decl; d; d = d->next)
        most++;
    struct policy **policies = NEW_ARRAY(compilation->arena, struct policy *, most + 1);
    *problem = NULL;
    for (*count = 0; decl; decl = one ? NULL : decl->next) {
        struct expr **values = one ? values_of(compilation, decl, options, problem) : NULL;
        if (one ? values != NULL : policy_decl_is_whole(decl))
            policies[(*count)++] = policy_build(compilation, decl, values);
    }
    return policies;
}

struct plan **driver_judge(struct compilation *compilation, struct policy **policies, size_t count)
{
    struct plan **plans = NEW_ARRAY(compilation->arena, struct plan *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (!policies[i] || !policy_is_decided(policies[i], ARCH_ALL_MASK))
            continue;
        lint_policy(policies[i]);
        if (policy_check(policies[i], true))
            plans[i] = policy_lower(policies[i], ARCH_ALL_MASK);
    }
    return compilation->diagnostics.errors ? NULL : plans;
}

struct policy *compilation_policy(struct compilation *compilation, struct module *module,
                                  const struct driver_options *options, struct policy *beside, const char **problem)
{
    *problem = NULL;
    struct policy_decl *decl =
        module && !compilation->diagnostics.errors ? driver_select(compilation, module, options) : NULL;
    struct expr **values = decl ? values_of(compilation, decl, options, problem) : NULL;
    struct policy *policy = !values  ? NULL
                            : beside ? policy_build_beside(beside, decl, values)
                                     : policy_build(compilation, decl, values);
    return policy && policy_is_decided(policy, ARCH_ALL_MASK) && policy_check(policy, true) ? policy : NULL;
}

struct policy *driver_policy(struct compilation *compilation, const char *path, const struct driver_options *options,
                             struct policy *beside, const char **problem)
{
    *problem = beside ? NULL : driver_roots(compilation, options);
    return *problem ? NULL : compilation_policy(compilation, module_load(compilation, path), options, beside, problem);
}
