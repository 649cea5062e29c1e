// `sbxc --why`: the verdict, the rule that decides, the others that match.
#include "compiler/why.h"

#include "compiler/cbpf.h"
#include "compiler/search.h"
#include "lang/question.h"

static void print_rule(struct policy *policy, struct text *out, const char *how, const struct rule *rule)
{
    text_addf(out, "  %s %.*s: %.*s\n", how, STR_ARGS(rule_place(policy, rule)), STR_ARGS(rule_text(policy, rule)));
    for (const struct use_chain *chain = rule->chain; chain; chain = chain->up) {
        struct rule site = {.span = chain->use->span};
        text_addf(out, "    through %.*s: %.*s\n", STR_ARGS(rule_place(policy, &site)), STR_ARGS(rule_text(policy, &site)));
    }
}

static void print_verdict(struct policy *policy, struct text *out, const struct operation_point *point, struct str layers)
{
    struct verdict verdict = policy_verdict(policy, point);
    const char *error = verdict.error ? errno_name(verdict.error) : NULL;
    text_addf(out, "%.*s: %s%s%s%s\n", STR_ARGS(operation_text(policy, point)),
              verdict.allowed  ? "allowed"
              : verdict.killed ? "killed"
                               : "denied",
              error ? " (" : "", error ? error : "", error ? ")" : "");
    if (verdict.rule)
        print_rule(policy, out, "by", verdict.rule);
    else
        text_addf(out, "  no rule allows it\n");
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule != verdict.rule && (rule->effect == EFFECT_ALLOW || rule->effect == EFFECT_DENY) && rule_matches(policy, rule, point))
            print_rule(policy, out, rule->effect == EFFECT_ALLOW ? "also allowed by" : "also denied by", rule);
    }
    if (layers.length)
        text_addf(out, "  on this host: %.*s\n", STR_ARGS(layers));
}

bool why_points(struct policy *policy, const char *question, struct operation_point points[WHY_PARTS], int found[WHY_PARTS])
{
    struct operation *operation = operation_parse(policy->compilation, policy->decl->module, question);
    struct rule set;
    if (!operation || !operation_resolve(policy, policy->decl->module, operation, &set))
        return false;
    found[WHY_ALLOWED] = operation_find(policy, &set, true, &points[WHY_ALLOWED]);
    found[WHY_DENIED] = operation_find(policy, &set, false, &points[WHY_DENIED]);
    return true;
}

bool policy_why(struct policy *policy, const char *question, const struct str layers[WHY_PARTS], struct text *out)
{
    struct operation_point points[WHY_PARTS];
    int found[WHY_PARTS];
    if (!why_points(policy, question, points, found))
        return false;
    if (found[WHY_ALLOWED] < 0 || found[WHY_DENIED] < 0)
        text_addf(out, "%s: undecided, its conditions are too entangled\n", question);
    else if (!found[WHY_ALLOWED] && !found[WHY_DENIED])
        text_addf(out, "%s: there is no such operation on the architectures of this edition\n", question);
    else if (found[WHY_ALLOWED] && found[WHY_DENIED])
        text_addf(out, "%s: partly allowed\n", question);
    for (int part = 0; part < WHY_PARTS; part++)
        if (found[part] > 0)
            print_verdict(policy, out, &points[part], layers[part]);
    return true;
}
