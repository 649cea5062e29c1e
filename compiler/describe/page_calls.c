// The page's part on system calls.
#include "compiler/describe/page_calls.h"

#include "compiler/code/cbpf.h"
#include "compiler/describe/describe.h"
#include "compiler/sets/call_groups.h"
#include "compiler/sets/condition_text.h"

static uint32_t is_allow(uint32_t verdict, uint32_t unused)
{
    (void)unused;
    return verdict == SECCOMP_ALLOW;
}

// Where a call is allowed: a leaf 1, a leaf 0, or a condition.
static graph_node allowed_where(struct policy *policy, enum arch arch, size_t call)
{
    return graph_apply(policy->graph, is_allow, policy_call(policy, arch, call), graph_leaf(policy->graph, 0));
}

struct str page_calls_summary(struct writer *w)
{
    struct text text = {.arena = w->arena};
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        size_t all = 0, allowed = 0, conditional = 0;
        for (size_t call = 0; call < syscall_count(); call++) {
            if (syscall_row(call)->number[arch] < 0)
                continue;
            const struct graph_vertex *where =
                graph_at(w->policy->graph, allowed_where(w->policy, (enum arch)arch, call));
            all++;
            conditional += where->run_count != 0;
            allowed += where->run_count != 0 || where->value;
        }
        text_addf(&text, "%s%zu of %zu on %s, %zu of them by their arguments", arch ? "; " : "", allowed, all,
                  arch_names[arch], conditional);
    }
    return text_str(&text);
}

static struct str condition_text_of(struct writer *w, enum arch arch, size_t call) // without text where it is denied
{
    if (syscall_row(call)->number[arch] < 0)
        return (struct str){0};
    graph_node node = allowed_where(w->policy, arch, call);
    const struct graph_vertex *where = graph_at(w->policy->graph, node);
    if (!where->run_count)
        return where->value ? STR("") : (struct str){0};
    struct text text = {.arena = w->arena};
    condition_print(&text, w->policy->graph, node, syscall_row(call), arch);
    return text_str(&text);
}

static struct call_line *call_lines_of(struct writer *w)
{
    struct call_lines lines = {.arena = w->arena};
    for (size_t call = 0; call < syscall_count(); call++) {
        struct str texts[ARCH_COUNT];
        for (int arch = 0; arch < ARCH_COUNT; arch++)
            texts[arch] = condition_text_of(w, (enum arch)arch, call);
        call_lines_add(&lines, call, texts, true);
    }
    return lines.first;
}

// The reasons of the rules about a call, each once.
static struct str call_reasons(struct writer *w, const struct call_line *line)
{
    struct text text = {.arena = w->arena};
    struct map seen = {.arena = w->arena};
    for (size_t call = 0; call < syscall_count(); call++)
        for (const struct call_rule *entry = line->member[call] ? w->policy->calls[call] : NULL; entry;
             entry = entry->next)
            if (entry->rule->because.length && !entry->rule->derived && !map_put(&seen, entry->rule->because, w))
                text_addf(&text, "%s%.*s", text.length ? "; " : "", STR_ARGS(entry->rule->because));
    return text.length ? text_str(&text) : STR("");
}

static void write_call_line(struct writer *w, const struct call_line *line)
{
    struct text calls = {.arena = w->arena};
    calls_print(&calls, w->policy->compilation, line->member, line->architectures, NULL, NULL);
    page_row(w->page);
    page_cell_text(w->page, PAGE_CODE, text_str(&calls));
    page_cell(w->page);
    if (line->condition.length)
        page_run(w->page, PAGE_CODE, "%.*s", STR_ARGS(line->condition));
    else
        page_run(w->page, PAGE_PLAIN, "always");
    if (line->architectures != ARCH_ALL_MASK)
        page_run(w->page, PAGE_PLAIN, ", on %s", arch_names[line->arch]);
    page_cell_end(w->page);
    page_cell_text(w->page, PAGE_PLAIN, line->condition.length ? call_reasons(w, line) : STR(""));
    page_row_end(w->page);
}

static void write_each_call(struct writer *w)
{
    static const char *const headers[] = {"Call", "What it does", NULL};
    page_fold(w->page, "Each allowed call");
    page_table(w->page, headers, 2);
    for (size_t call = 0; call < syscall_count(); call++) {
        bool allowed = false;
        for (int arch = 0; arch < ARCH_COUNT; arch++)
            allowed |= condition_text_of(w, (enum arch)arch, call).text != NULL;
        if (!allowed)
            continue;
        page_row(w->page);
        page_cell_text(w->page, PAGE_CODE, str_from(syscall_row(call)->name));
        page_cell_text(w->page, PAGE_PLAIN, str_from(describe_call(call)));
        page_row_end(w->page);
    }
    page_table_end(w->page);
    page_fold_end(w->page);
}

static void write_denies(struct writer *w)
{
    static const char *const headers[] = {"Denied", "Why", "Rule", NULL};
    bool any = false;
    for (size_t i = 0; i < w->policy->rule_count; i++) {
        const struct rule *rule = &w->policy->rules[i];
        if (rule->domain != DOMAIN_CALLS || rule->effect != EFFECT_DENY || rule->derived)
            continue;
        if (!any)
            page_table(w->page, headers, 3);
        any = true;
        page_row(w->page);
        page_cell_text(w->page, PAGE_CODE, page_span(w, rule->span));
        page_rule_reason(w, rule);
        page_row_end(w->page);
    }
    if (any)
        page_table_end(w->page);
}

void page_calls(struct writer *w)
{
    static const char *const headers[] = {"Calls", "Allowed", "Why", NULL};
    uint32_t fallback = (uint32_t)w->policy->fallback.number;
    const char *error = errno_name((int)(fallback & 0xFFFF));
    page_heading(w->page, 2, "System calls");
    page_paragraph(w->page,
                   "A seccomp filter in the kernel decides each call by its number and arguments. A call that is not "
                   "allowed %s%s; one that this edition does not know "
                   "answers ENOSYS; one of a foreign architecture ends the process.",
                   fallback == SECCOMP_KILL ? "ends the process" : "answers ", fallback == SECCOMP_KILL ? "" : error);
    page_table(w->page, headers, 3);
    const struct call_line *lines = call_lines_of(w);
    for (const struct call_line *line = lines; line; line = line->next)
        if (!line->condition.length)
            write_call_line(w, line);
    for (const struct call_line *line = lines; line; line = line->next)
        if (line->condition.length)
            write_call_line(w, line);
    page_table_end(w->page);
    write_denies(w);
    write_each_call(w);
}
