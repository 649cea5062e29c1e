// Obligations: `never`, `within`, `expect`.
#include "compiler/meaning/obligations.h"

#include "compiler/meaning/allowed_finding.h"
#include "compiler/meaning/effects.h"
#include "compiler/meaning/search.h"

static struct diagnostics *diagnostics_of(struct policy *policy)
{
    return &policy->compilation->diagnostics;
}

static void label_decider(struct policy *policy, struct diagnostic *d, const struct operation_point *point)
{
    struct verdict verdict = policy_verdict(policy, point);
    if (verdict.rule)
        diagnostic_label(diagnostics_of(policy), d, verdict.rule->span,
                         verdict.allowed ? "this allows it" : "this denies it");
    for (const struct use_chain *chain = verdict.rule ? verdict.rule->chain : NULL; chain; chain = chain->up)
        diagnostic_label(diagnostics_of(policy), d, chain->use->span, "it comes in through this `use`");
}

static bool undecided(struct policy *policy, struct span span)
{
    struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0706, span, "this policy");
    diagnostic_label(diagnostics_of(policy), d, span, "so this is not shown to hold");
    return false;
}

static bool check_never(struct policy *policy, const struct rule *rule)
{
    struct operation_point point;
    int found = operation_find(policy, rule, true, &point);
    if (found < 0)
        return undecided(policy, rule->span);
    if (!found)
        return true;
    struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0701, rule->span);
    diagnostic_label(diagnostics_of(policy), d, rule->span, "yet `%.*s` is allowed",
                     STR_ARGS(operation_text(policy, &point)));
    label_decider(policy, d, &point);
    return false;
}

static bool check_expectation(struct policy *policy, const struct rule *rule)
{
    bool want_allowed = rule->effect == EFFECT_EXPECT_ALLOW;
    struct operation_point point;
    int found = operation_find(policy, rule, !want_allowed, &point);
    if (found < 0)
        return undecided(policy, rule->span);
    if (!found)
        return true;
    struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0704, rule->span);
    bool by_rule = policy_verdict(policy, &point).rule;
    diagnostic_label(diagnostics_of(policy), d, rule->span, "`%.*s` is %s", STR_ARGS(operation_text(policy, &point)),
                     want_allowed ? by_rule ? "denied" : "allowed by no rule" : "allowed");
    label_decider(policy, d, &point);
    return false;
}

static bool check_within(struct policy *policy, const struct obligation *within)
{
    struct policy *ceiling = within->ceiling;
    struct str name = ceiling->decl->name.text;
    struct operation_point point;
    bool good = true;
    int found = operation_exceeds(policy, ceiling, within->use->within, &point);
    if (found < 0)
        return undecided(policy, within->use->span);
    if (found) {
        struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0702, within->use->span, STR_ARGS(name));
        diagnostic_label(diagnostics_of(policy), d, within->use->span, "`%.*s` is allowed here, and not there",
                         STR_ARGS(operation_text(policy, &point)));
        label_decider(policy, d, &point);
        good = false;
    }
    for (int i = 0; i < LIMIT_COUNT && within->use->within & WITHIN_LIMITS; i++) {
        const struct setting_value *mine = &policy->limits[i], *theirs = &ceiling->limits[i];
        if (!theirs->set || (mine->set && mine->number <= theirs->number))
            continue;
        struct span span = mine->set ? mine->span : within->use->span;
        struct diagnostic *d = diagnose(diagnostics_of(policy), SBX0703, span, limit_names[i], STR_ARGS(name));
        diagnostic_label(diagnostics_of(policy), d, span,
                         mine->set ? "it must be at most what the ceiling says"
                                   : "the ceiling limits it, this policy does not");
        diagnostic_label(diagnostics_of(policy), d, theirs->span, "the ceiling");
        good = false;
    }
    return good;
}

bool policy_check(struct policy *policy, bool expectations)
{
    bool good = true;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->effect == EFFECT_NEVER)
            good = check_never(policy, rule) && good;
        else if (expectations && (rule->effect == EFFECT_EXPECT_ALLOW || rule->effect == EFFECT_EXPECT_DENY))
            good = check_expectation(policy, rule) && good;
    }
    good = policy_effects(policy) && good;
    for (size_t i = 0; i < policy->within_count; i++)
        good = check_within(policy, &policy->withins[i]) && good;
    return good;
}
