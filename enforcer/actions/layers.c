// `sbxrun --layers`.
#include "enforcer/actions/layers.h"

#include <stdlib.h>
#include <unistd.h>

#include "compiler/meaning/why.h"
#include "compiler/report/report.h"
#include "enforcer/host/say.h"

int print_layers(struct compilation *compilation, const struct options *options)
{
    struct policy *policy = NULL;
    struct plan *plan = load_plan(compilation, options, options->report, &policy);
    struct operation_point points[WHY_PARTS];
    int found[WHY_PARTS];
    struct claims *claims = NEW(compilation->arena, struct claims);
    struct failure failure = {0};
    if (!plan)
        return STATUS_NOT_SET_UP;
    if (!why_points(policy, options->layers, points, found)) {
        report_text(stderr, compilation, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
        return STATUS_NOT_SET_UP;
    }
    if (claim_plan(plan, options->strict, claims, &failure) != 0) {
        say(stdout, "refused %s%s%.*s%s", failure.what, failure.rule == NO_RULE ? "" : " (",
            STR_ARGS(rule_named(plan, failure.rule)), failure.rule == NO_RULE ? "" : ")");
        return 0;
    }
    for (int part = 0; part < WHY_PARTS; part++)
        if (found[part] > 0)
            say(stdout, "%s %.*s", part == WHY_ALLOWED ? "allowed" : "denied",
                STR_ARGS(claim_operation(plan, claims, &points[part])));
    return 0;
}
