// `sbxc --why`: the verdict, the rule that decides, the others that match.
#include "compiler/meaning/why.h"

#include "compiler/sets/seccomp.h"
#include "compiler/meaning/search.h"
#include "lang/question.h"

static void print_rule(struct policy *policy, struct text *out, const char *how, const struct rule *rule)
{
    text_addf(out, "  %s %.*s: %.*s\n", how, STR_ARGS(rule_place(policy, rule)), STR_ARGS(rule_text(policy, rule)));
    for (const struct use_chain *chain = rule->chain; chain; chain = chain->up) {
        struct rule site = {.span = chain->use->span};
        text_addf(out, "    through %.*s: %.*s\n", STR_ARGS(rule_place(policy, &site)),
                  STR_ARGS(rule_text(policy, &site)));
    }
}

static void print_verdict(struct policy *policy, struct text *out, const struct operation_point *point,
                          struct str layers)
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
        if (rule != verdict.rule && (rule->effect == EFFECT_ALLOW || rule->effect == EFFECT_DENY) &&
            rule_matches(policy, rule, point))
            print_rule(policy, out, rule->effect == EFFECT_ALLOW ? "also allowed by" : "also denied by", rule);
    }
    if (layers.length)
        text_addf(out, "  on this host: %.*s\n", STR_ARGS(layers));
}

static void find_points(struct policy *policy, const struct rule *set, struct operation_point points[WHY_PARTS],
                        int found[WHY_PARTS])
{
    found[WHY_ALLOWED] = operation_find(policy, set, true, &points[WHY_ALLOWED]);
    found[WHY_DENIED] = operation_find(policy, set, false, &points[WHY_DENIED]);
}

bool why_points(struct policy *policy, const char *question, struct operation_point points[WHY_PARTS],
                int found[WHY_PARTS])
{
    struct operation *operation = operation_parse(policy->compilation, policy->decl->module, question);
    struct rule set;
    if (!operation || !operation_resolve(policy, policy->decl->module, operation, &set))
        return false;
    find_points(policy, &set, points, found);
    return true;
}

enum why_answer why_answer(const int found[WHY_PARTS])
{
    bool allowed = found[WHY_ALLOWED], denied = found[WHY_DENIED];
    return found[WHY_ALLOWED] < 0 || found[WHY_DENIED] < 0 ? WHY_IS_UNDECIDED
           : allowed && denied                             ? WHY_IS_PARTLY
           : allowed                                       ? WHY_IS_ALLOWED
           : denied                                        ? WHY_IS_DENIED
                                                           : WHY_IS_NOTHING;
}

// `what` is the question in its own words.
static void print_answer(struct policy *policy, struct str what, const struct operation_point points[WHY_PARTS],
                         const int found[WHY_PARTS], const struct str layers[WHY_PARTS], struct text *out)
{
    static const char *const answers[] = {
        [WHY_IS_PARTLY] = "partly allowed",
        [WHY_IS_UNDECIDED] = "undecided, its conditions are too entangled",
        [WHY_IS_NOTHING] = "there is no such operation on the architectures of this edition",
    };
    enum why_answer answer = why_answer(found);
    if (answer >= WHY_IS_PARTLY)
        text_addf(out, "%.*s: %s\n", STR_ARGS(what), answers[answer]);
    for (int part = 0; part < WHY_PARTS; part++)
        if (found[part] > 0)
            print_verdict(policy, out, &points[part], layers[part]);
}

bool policy_why(struct policy *policy, const char *question, const struct str layers[WHY_PARTS], struct text *out)
{
    struct operation_point points[WHY_PARTS];
    int found[WHY_PARTS];
    if (!why_points(policy, question, points, found))
        return false;
    print_answer(policy, str_from(question), points, found, layers, out);
    return true;
}

void policy_why_rule(struct policy *policy, const struct rule *rule, struct text *out)
{
    static const struct str no_layers[WHY_PARTS];
    struct operation_point points[WHY_PARTS];
    int found[WHY_PARTS];
    find_points(policy, rule, points, found);
    bool claims_denied = rule->effect == EFFECT_NEVER || rule->effect == EFFECT_EXPECT_DENY,
         claims = claims_denied || rule->effect == EFFECT_EXPECT_ALLOW;
    int against = found[claims_denied ? WHY_ALLOWED : WHY_DENIED];
    if (claims && against == 0)
        text_addf(out, "holds: nothing of it is %s\n", claims_denied ? "allowed" : "denied");
    else
        print_answer(policy, claims ? STR("does not hold") : STR("this rule"), points, found, no_layers, out);
}
