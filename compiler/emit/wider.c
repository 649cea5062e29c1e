// Lines about what a target can't say.
#include "compiler/emit/wider.h"

void emit_wider(struct text *out, const char *indent, const struct plan *plan, uint32_t rule, const char *what)
{
    size_t start = out->length;
    text_addf(out, "%s%s", indent, what);
    if (rule != NO_RULE) {
        const struct plan_rule *from = &plan->rules[rule];
        text_addf(out, " (%.*s:%u:%u: %.*s)", STR_ARGS(from->file), from->line, from->column, STR_ARGS(from->text));
    }
    for (size_t i = start; i < out->length; i++) // no file's name or text ends the comment that this may be
        if ((unsigned char)out->data[i] < 0x20)
            out->data[i] = '?';
    text_addf(out, "\n");
}

void emit_wider_network(struct text *out, const char *indent, const struct plan *plan, const char *what)
{
    uint32_t said = NO_RULE;
    for (size_t i = 0; i < plan->net_count; i++) {
        if (plan->net[i].rule != said)
            emit_wider(out, indent, plan, plan->net[i].rule, what);
        said = plan->net[i].rule;
    }
}

bool emit_reaches_out(const struct plan *plan)
{
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && !net_box_is_loopback(&plan->net[i].box) && plan->net[i].box.place != NET_UNIX)
            return true;
    return false;
}

void emit_wider_limits(struct text *out, const char *indent, const struct plan *plan, unsigned kept)
{
    for (int i = 0; i < LIMIT_COUNT; i++)
        if (plan->limits[i].set && !(kept >> i & 1))
            emit_wider(out, indent, plan, plan->limits[i].rule,
                       str_format(plan->arena, "no limit of %s", limit_names[i]).text);
}

void emit_wider_requires(struct text *out, const char *indent, const struct plan *plan)
{
    for (size_t i = 0; i < plan->require_count; i++)
        if (!plan->requires[i].degrade)
            emit_wider(out, indent, plan, plan->requires[i].rule,
                       str_format(plan->arena, "%s is not asked for", feature_names[plan->requires[i].feature]).text);
}
