// A comparison under way.
#include "compiler/diff/comparing.h"

#include "compiler/meaning/search.h"

struct difference *diff_add(struct comparing *c, const char *domain, enum difference_kind kind, struct str text)
{
    struct difference *d = NEW(c->arena, struct difference);
    *d = (struct difference){.domain = domain, .kind = kind, .text = text_shown(c->arena, text, "")};
    *c->last = d;
    c->last = &d->next;
    c->diff->counts[kind]++;
    c->diff->wider |= kind == BECOMES_ALLOWED;
    return d;
}

void diff_explain(struct comparing *c, struct difference *d, const struct operation_point *point)
{
    struct policy *policy = c->after;
    struct verdict verdict = policy_verdict(policy, point);
    const char *how = d->kind == BECOMES_ALLOWED ? "allowed by" : "denied by";
    if (!verdict.rule) {
        policy = c->before;
        verdict = policy_verdict(policy, point);
        how = verdict.allowed ? "was allowed by" : "was denied by";
    }
    d->example = operation_text(policy, point);
    if (verdict.rule)
        d->reason = str_format(c->arena, "%s %.*s: %.*s", how, STR_ARGS(rule_place(policy, verdict.rule)),
                               STR_ARGS(rule_text(policy, verdict.rule)));
}

const char *diff_effect(enum difference_kind kind)
{
    return kind == BECOMES_ALLOWED ? "allow" : "deny";
}
