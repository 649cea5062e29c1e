// The answer of `--why` as JSON (docs/report.md has the form).
#include "compiler/meaning/search.h"
#include "compiler/plan/json.h"
#include "compiler/report/report.h"

static void write_rule(struct json_writer *w, const struct policy *policy, const struct rule *rule)
{
    json_open(w, '{');
    json_member(w, "effect", rule->effect == EFFECT_ALLOW ? STR("allow") : STR("deny"));
    json_member(w, "place", rule_place(policy, rule));
    json_member(w, "text", rule_text(policy, rule));
    json_key(w, "through");
    json_open(w, '[');
    for (const struct use_chain *chain = rule->chain; chain; chain = chain->up)
        json_string(w, rule_place(policy, &(struct rule){.span = chain->use->span}));
    json_close(w, ']');
    json_close(w, '}');
}

static void write_part(struct json_writer *w, struct policy *policy, const struct operation_point *point,
                       struct str layers)
{
    struct verdict verdict = policy_verdict(policy, point);
    json_open(w, '{');
    json_member(w, "operation", operation_text(policy, point));
    json_member(w, "verdict", verdict.allowed ? STR("allowed") : verdict.killed ? STR("killed") : STR("denied"));
    if (verdict.error)
        json_member(w, "error", str_from(errno_name(verdict.error)));
    json_key(w, "rule");
    verdict.rule ? write_rule(w, policy, verdict.rule) : json_null(w);
    json_key(w, "also");
    json_open(w, '[');
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule != verdict.rule && (rule->effect == EFFECT_ALLOW || rule->effect == EFFECT_DENY) &&
            rule_matches(policy, rule, point))
            write_rule(w, policy, rule);
    }
    json_close(w, ']');
    if (layers.length)
        json_member(w, "on_this_host", layers);
    json_close(w, '}');
}

void report_why(FILE *out, struct policy *policy, struct str question, const struct operation_point points[WHY_PARTS],
                const int found[WHY_PARTS], const struct str layers[WHY_PARTS])
{
    static const char *const answers[] = {
        [WHY_IS_ALLOWED] = "allowed",     [WHY_IS_DENIED] = "denied",   [WHY_IS_PARTLY] = "partly",
        [WHY_IS_UNDECIDED] = "undecided", [WHY_IS_NOTHING] = "nothing",
    };
    struct text text = {.arena = policy->arena};
    struct json_writer writer = {.text = &text}, *w = &writer;
    json_open(w, '{');
    json_member_number(w, "sbx_why", 1);
    json_member(w, "question", question);
    json_member(w, "answer", str_from(answers[why_answer(found)]));
    json_key(w, "parts");
    json_open(w, '[');
    for (int part = 0; part < WHY_PARTS; part++)
        if (found[part] > 0)
            write_part(w, policy, &points[part], layers[part]);
    json_close(w, ']');
    json_close(w, '}');
    fwrite(text.data, 1, text.length, out);
}
