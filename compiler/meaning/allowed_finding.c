// Comments that allow a finding: `# allow SBX0715: the reason`.
#include <string.h>

#include "compiler/meaning/allowed_finding.h"

struct allowance {
    struct span span; // of the comment
    uint32_t line;
    const char *code;  // NULL: it names none
    struct str reason; // empty when it gives none
    bool alone;        // nothing but the comment is on its line
};

struct allowances { // of one source, in the order of their lines; kept, for many findings ask
    const struct source *source;
    struct allowance *list;
    size_t count, capacity;
    struct allowances *next;
};

static void add_allowance(struct arena *arena, struct allowances *found, struct str comment, struct span span,
                          bool alone)
{
    const struct source *source = found->source;
    struct str head = STR("# allow SBX");
    if (!str_starts(comment, head))
        return;
    if (found->count == found->capacity) {
        size_t capacity = 2 * found->capacity + 8;
        found->list =
            arena_grow(arena, found->list, found->count * sizeof *found->list, capacity * sizeof *found->list);
        found->capacity = capacity;
    }
    struct allowance *a = &found->list[found->count++];
    *a = (struct allowance){.span = span, .line = source_position(source, span.start).line, .alone = alone};
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
    while (comment.length > reason &&
           (comment.text[comment.length - 1] == ' ' || comment.text[comment.length - 1] == '\r'))
        comment.length--;
    if (at < comment.length && comment.text[at] == ':')
        a->reason = (struct str){comment.text + reason, comment.length - reason};
}

// The comments of a source that start with `# allow `. Strings may hold a `#`, and end with their line.
static const struct allowances *allowances_of(struct policy *policy, const struct source *source)
{
    for (const struct allowances *known = policy->allowances; known; known = known->next)
        if (known->source == source)
            return known;
    struct allowances *found = NEW(policy->arena, struct allowances);
    *found = (struct allowances){.source = source, .next = policy->allowances};
    policy->allowances = found;
    struct str text = source->text;
    bool quoted = false, alone = true;
    for (uint32_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        if (c == '\n') {
            alone = true;
            quoted = false;
        } else if (quoted && c == '\\') {
            i++;
        } else if (c == '#' && !quoted) {
            const char *newline = memchr(text.text + i, '\n', text.length - i);
            uint32_t end = newline ? (uint32_t)(newline - text.text) : (uint32_t)text.length;
            add_allowance(policy->arena, found, (struct str){text.text + i, end - i},
                          (struct span){source->number, i, end}, alone);
            i = end - 1;
        } else {
            quoted ^= c == '"';
            alone &= c == ' ' || c == '\t' || c == '\r';
        }
    }
    return found;
}

// The first allowance on a line or after it.
static size_t first_from(const struct allowances *found, uint32_t line)
{
    size_t low = 0, high = found->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (found->list[middle].line < line)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool lint_is_allowed(struct policy *policy, enum code code, struct span span)
{
    const struct source *source = source_of(&policy->compilation->sources, span);
    if (!source)
        return false;
    const struct allowances *found = allowances_of(policy, source);
    uint32_t last = source_position(source, span.end).line;
    size_t i = first_from(found, source_position(source, span.start).line);
    for (uint32_t line = source_position(source, span.start).line;
         i > 0 && found->list[i - 1].alone && found->list[i - 1].line + 1 == line; line--)
        i--; // comments above, several of them one above the other
    for (; i < found->count && found->list[i].line <= last; i++)
        if (found->list[i].code && found->list[i].reason.length &&
            strcmp(found->list[i].code, diagnostic_code(code)) == 0)
            return true;
    return false;
}

void lint_comments(struct policy *policy)
{
    const struct source *source = policy->decl->module->source;
    const struct allowances *found = allowances_of(policy, source);
    const struct allowance *list = found->list;
    for (size_t i = 0; i < found->count; i++)
        if (!list[i].code || !list[i].reason.length) {
            struct diagnostic *d = diagnose(&policy->compilation->diagnostics, SBX0717, list[i].span);
            diagnostic_label(&policy->compilation->diagnostics, d, list[i].span, "%s",
                             list[i].code ? "it gives no reason" : "no finding has this code");
            diagnostic_help(&policy->compilation->diagnostics, d,
                            "write `# allow SBX0715: it compiles and tests there`");
        }
}

struct allowed_finding *lint_allowed(struct policy *policy)
{
    const struct allowances *found = allowances_of(policy, policy->decl->module->source);
    struct allowed_finding *first = NULL, **last = &first;
    for (size_t i = 0; i < found->count; i++)
        if (found->list[i].code && found->list[i].reason.length) {
            *last = NEW(policy->arena, struct allowed_finding);
            **last = (struct allowed_finding){found->list[i].code, found->list[i].reason, found->list[i].span, NULL};
            last = &(*last)->next;
        }
    return first;
}
