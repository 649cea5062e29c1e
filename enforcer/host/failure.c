// The one failure that stops a run.
#include "enforcer/host/failure.h"

#include <string.h>

#include "enforcer/host/say.h"

static void record(struct failure *failure, uint32_t rule, int error, const char *advice, const char *format,
                   va_list args)
{
    if (failure->what[0])
        return;
    failure->rule = rule;
    failure->error = error;
    vsnprintf(failure->what, sizeof failure->what, format, args);
    if (advice)
        snprintf(failure->advice, sizeof failure->advice, "%s", advice);
}

int fail(struct failure *failure, uint32_t rule, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(failure, rule, error, NULL, format, args);
    va_end(args);
    return -1;
}

int fail_with_advice(struct failure *failure, uint32_t rule, int error, const char *advice, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(failure, rule, error, advice, format, args);
    va_end(args);
    return -1;
}

struct str rule_named(const struct plan *plan, uint32_t rule)
{
    if (!plan || rule >= plan->rule_count)
        return STR("");
    const struct plan_rule *r = &plan->rules[rule];
    return str_format(plan->arena, "%.*s:%u:%u: %.*s", STR_ARGS(r->file), r->line, r->column, STR_ARGS(r->text));
}

void failure_print(FILE *out, const struct failure *failure, const struct plan *plan)
{
    struct str rule = rule_named(plan, failure->rule);
    say(out, "sbxrun: %s%s%s%s%.*s%s", failure->what, failure->error ? ": " : "",
        failure->error ? strerror(failure->error) : "", rule.length ? " (" : "", STR_ARGS(rule),
        rule.length ? ")" : "");
    if (failure->advice[0])
        say(out, "sbxrun: %s", failure->advice);
}
