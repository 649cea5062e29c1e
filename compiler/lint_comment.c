// Comments that allow a finding: `# allow SBX0715: the reason`.
#include <stdlib.h>
#include <string.h>

#include "compiler/lint.h"

struct allowance {
    struct span span; // of the comment
    uint32_t line;
    const char *code;   // NULL: it names none
    bool reason, alone; // alone: nothing but the comment is on its line
};

// Finds the comments of a source that start with `# allow `. Strings may hold a `#`.
static size_t find_allowances(const struct compilation *compilation, const struct source *source, struct allowance **list)
{
    size_t count = 0, capacity = 0;
    struct str text = source->text;
    bool quoted = false, alone = true;
    for (uint32_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        if (c == '\n')
            alone = true;
        if (c == '"' && !(quoted && text.text[i - 1] == '\\'))
            quoted = !quoted;
        if (c != '#' || quoted) {
            alone &= c == ' ' || c == '\t' || c == '\n';
            continue;
        }
        uint32_t end = i;
        while (end < text.length && text.text[end] != '\n')
            end++;
        struct str comment = {text.text + i, end - i};
        struct str head = STR("# allow SBX");
        if (str_starts(comment, head)) {
            if (count == capacity) {
                *list = arena_grow(compilation->arena, *list, count * sizeof **list, (capacity = 2 * capacity + 8) * sizeof **list);
            }
            struct allowance *a = &(*list)[count++];
            *a = (struct allowance){.span = {source->number, i, end}, .line = source_position(source, i).line, .alone = alone};
            size_t at = head.length;
            while (at < comment.length && comment.text[at] >= '0' && comment.text[at] <= '9')
                at++;
            struct str code = {comment.text + 8, at - 8};
            for (int k = 0; k < CODE_COUNT; k++)
                if (str_is(code, diagnostic_code((enum code)k)))
                    a->code = diagnostic_code((enum code)k);
            size_t reason = at;
            while (reason < comment.length && (comment.text[reason] == ':' || comment.text[reason] == ' '))
                reason++;
            a->reason = at < comment.length && comment.text[at] == ':' && reason < comment.length;
        }
        i = end - 1;
        alone = true;
    }
    return count;
}

bool lint_is_allowed(struct policy *policy, enum code code, struct span span)
{
    const struct source *source = source_of(&policy->compilation->sources, span);
    if (!source)
        return false;
    struct allowance *list = NULL;
    size_t count = find_allowances(policy->compilation, source, &list);
    uint32_t first = source_position(source, span.start).line, last = source_position(source, span.end).line;
    for (bool more = true; more;) { // comments above, several of them one above the other
        more = false;
        for (size_t i = 0; i < count; i++)
            if (list[i].alone && list[i].line + 1 == first) {
                first--;
                more = true;
            }
    }
    for (size_t i = 0; i < count; i++)
        if (list[i].code && list[i].reason && list[i].line >= first && list[i].line <= last && strcmp(list[i].code, diagnostic_code(code)) == 0)
            return true;
    return false;
}

void lint_comments(struct policy *policy)
{
    const struct source *source = policy->decl->module->source;
    struct allowance *list = NULL;
    size_t count = find_allowances(policy->compilation, source, &list);
    for (size_t i = 0; i < count; i++)
        if (!list[i].code || !list[i].reason) {
            struct diagnostic *d = diagnose(&policy->compilation->diagnostics, SBX0717, list[i].span);
            diagnostic_label(&policy->compilation->diagnostics, d, list[i].span, "%s", list[i].code ? "it gives no reason" : "no finding has this code");
            diagnostic_help(&policy->compilation->diagnostics, d, "write `# allow SBX0715: it compiles and tests there`");
        }
}
