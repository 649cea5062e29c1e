// Diagnostics: the record, and the table of codes.
#include "lang/diagnostic.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code;
    enum severity severity;
    const char *title;
} table[] = {
#define DIAGNOSTIC(number, severity, title) {"SBX" #number, SEVERITY_##severity, title},
#include "lang/diagnostics.def"
#undef DIAGNOSTIC
};

void diagnostics_init(struct diagnostics *diagnostics, struct arena *arena)
{
    *diagnostics = (struct diagnostics){.arena = arena};
    diagnostics->last = &diagnostics->first;
}

// Whatever names it is made of.
static struct str shown(struct diagnostics *diagnostics, const char *format, va_list args)
{
    return text_shown(diagnostics->arena, str_vformat(diagnostics->arena, format, args), "");
}

const char *diagnostic_code(enum code code)
{
    return table[code].code;
}

struct diagnostic *diagnose(struct diagnostics *diagnostics, enum code code, struct span span, ...)
{
    struct diagnostic *diagnostic = NEW(diagnostics->arena, struct diagnostic);
    va_list args;
    va_start(args, span);
    *diagnostic = (struct diagnostic){
        .code = code,
        .severity = table[code].severity,
        .message = shown(diagnostics, table[code].title, args),
        .span = span,
    };
    va_end(args);
    arena_spend(diagnostics->arena, DIAGNOSTICS_MOST / 8);
    for (const struct diagnostic *other = diagnostics->first; other; other = other->next)
        if (other->code == code && memcmp(&other->span, &span, sizeof span) == 0 &&
            str_equal(other->message, diagnostic->message))
            return diagnostic; // found again on another way, as when a policy is used twice
    // Each kind has its own room, so that no warnings hide an error.
    unsigned *count = diagnostic->severity == SEVERITY_ERROR ? &diagnostics->errors : &diagnostics->warnings;
    if (++*count > DIAGNOSTICS_MOST) {
        diagnostics->full = true;
        return diagnostic;
    }
    *diagnostics->last = diagnostic;
    diagnostics->last = &diagnostic->next;
    return diagnostic;
}

void diagnostic_label(struct diagnostics *diagnostics, struct diagnostic *diagnostic, struct span span,
                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str text = shown(diagnostics, format, args);
    va_end(args);
    if (memcmp(&span, &diagnostic->span, sizeof span) == 0 && !diagnostic->label.length) {
        diagnostic->label = text;
        return;
    }
    struct label **end = &diagnostic->others;
    while (*end)
        end = &(*end)->next;
    *end = NEW(diagnostics->arena, struct label);
    **end = (struct label){span, text, NULL};
}

void diagnostic_suggest(struct diagnostics *diagnostics, struct diagnostic *diagnostic, struct span span,
                        const char *sigil, const struct nearest *nearest, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str otherwise = str_vformat(diagnostics->arena, format, args);
    va_end(args);
    if (nearest->best.length) {
        diagnostic_label(diagnostics, diagnostic, span, "did you mean `%s%.*s`?", sigil, STR_ARGS(nearest->best));
        if (span.end - span.start == nearest->wrong.length + strlen(sigil)) // what was wrong is all that stands there
            diagnostic_fix(diagnostics, diagnostic, false, span, "%s%.*s", sigil, STR_ARGS(nearest->best));
    } else
        diagnostic_label(diagnostics, diagnostic, span, "%.*s", STR_ARGS(otherwise));
}

struct nearest diagnostics_nearest(const struct diagnostics *diagnostics, struct str wrong)
{
    return (struct nearest){.wrong = diagnostics->errors < DIAGNOSTICS_MOST ? wrong : STR("")};
}

void diagnostic_fix(struct diagnostics *diagnostics, struct diagnostic *diagnostic, bool certain, struct span span,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct fix **end = &diagnostic->fixes;
    while (*end)
        end = &(*end)->next;
    *end = NEW(diagnostics->arena, struct fix);
    **end = (struct fix){span, str_vformat(diagnostics->arena, format, args), NULL};
    diagnostic->fix_is_certain = certain;
    va_end(args);
}

void diagnostic_help(struct diagnostics *diagnostics, struct diagnostic *diagnostic, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diagnostic->help = shown(diagnostics, format, args);
    va_end(args);
}

static int by_place(const void *a, const void *b)
{
    const struct fix *x = *(const struct fix *const *)a, *y = *(const struct fix *const *)b;
    return (x->span.start > y->span.start) - (x->span.start < y->span.start);
}

const struct fix **diagnostics_certain_fixes(const struct diagnostics *diagnostics, uint32_t source)
{
    size_t most = 0, count = 0, kept = 0;
    for (const struct diagnostic *d = diagnostics->first; d; d = d->next)
        for (const struct fix *fix = d->fixes; fix; fix = fix->next)
            most++;
    const struct fix **fixes = NEW_ARRAY(diagnostics->arena, const struct fix *, most + 1);
    for (const struct diagnostic *d = diagnostics->first; d; d = d->next)
        for (const struct fix *fix = d->fix_is_certain ? d->fixes : NULL; fix; fix = fix->next)
            if (fix->span.source == source)
                fixes[count++] = fix;
    qsort(fixes, count, sizeof *fixes, by_place);
    for (size_t i = 0; i < count; i++)
        if (!kept || fixes[i]->span.start >= fixes[kept - 1]->span.end)
            fixes[kept++] = fixes[i];
    fixes[kept] = NULL;
    return fixes;
}
