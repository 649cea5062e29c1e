// What the parts of a policy's page have in common.
#include "compiler/describe/page_cells.h"

void page_fact(struct page *page, const char *name, enum page_style style, struct str text)
{
    page_row(page);
    page_cell_text(page, PAGE_STRONG, str_from(name));
    page_cell_text(page, style, text);
    page_row_end(page);
}

void page_reason(struct writer *w, struct str because, struct str file, uint32_t line)
{
    page_cell_text(w->page, PAGE_PLAIN, because);
    page_cell_text(w->page, PAGE_FAINT, file.length ? str_format(w->arena, "%.*s:%u", STR_ARGS(file), line) : STR(""));
}

void page_plan_reason(struct writer *w, uint32_t rule)
{
    static const struct plan_rule none;
    const struct plan_rule *r = rule < w->plan->rule_count ? &w->plan->rules[rule] : &none;
    page_reason(w, r->because, r->file, r->line);
}

void page_rule_reason(struct writer *w, const struct rule *rule)
{
    const struct source *source = source_of(&w->policy->compilation->sources, rule->span);
    page_reason(w, rule->because, source ? source->name : STR(""),
                source ? source_position(source, rule->span.start).line : 0);
}

struct str page_verbs(struct arena *arena, unsigned verbs)
{
    struct text text = {.arena = arena};
    path_verbs_print(&text, verbs);
    return verbs ? text_str(&text) : STR("nothing");
}

struct str page_span(struct writer *w, struct span span)
{
    struct rule rule = {.span = span};
    return rule_text(w->policy, &rule);
}
