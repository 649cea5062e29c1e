// Lines about what a target can't say.
#include "compiler/emit/wider.h"

void emit_wider(struct text *out, const char *indent, const struct plan *plan, uint32_t rule, const char *what)
{
    text_addf(out, "%s%s", indent, what);
    if (rule != NO_RULE) {
        const struct plan_rule *from = &plan->rules[rule];
        text_addf(out, " (%.*s:%u:%u: %.*s)", STR_ARGS(from->file), from->line, from->column, STR_ARGS(from->text));
    }
    text_addf(out, "\n");
}
