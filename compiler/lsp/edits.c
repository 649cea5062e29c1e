// Changes that the server offers: the canonical layout, and the fixes of findings.
#include <string.h>

#include "compiler/lsp/request.h"
#include "lang/format.h"

static void write_edit(struct json_writer *w, const struct source *source, struct span span, struct str text)
{
    json_open(w, '{');
    write_range(w, "range", source, span);
    json_member(w, "newText", text);
    json_close(w, '}');
}

// One edit, of the lines that differ.
void lsp_formatting(struct call_request *request)
{
    struct document *document = request_document(request);
    if (!document)
        return;
    const struct analysis *analysis = document_analysis(&request->server->documents, document);
    const struct source *source = analysis->source;
    struct str old = source->text;
    uint32_t where, length;
    const struct str *new = source_flaw(old, &where, &length) ? NULL : format_source(request->arena, source);
    json_open(request->result, '[');
    if (new && !str_equal(*new, old)) { // else it has errors, or is so already
        size_t start = 0, end = 0;
        size_t most = old.length < new->length ? old.length : new->length;
        while (start < most && old.text[start] == new->text[start])
            start++;
        while (start > 0 && old.text[start - 1] != '\n')
            start--;
        while (end < most - start && old.text[old.length - 1 - end] == new->text[new->length - 1 - end])
            end++;
        while (end > 0 && new->text[new->length - end - 1] != '\n')
            end--;
        while (end > 0 && old.text[old.length - end - 1] != '\n')
            end--;
        struct span span = {source->number, (uint32_t)start, (uint32_t)(old.length - end)};
        write_edit(request->result, source, span, (struct str){new->text + start, new->length - end - start});
    }
    json_close(request->result, ']');
}

// ---- fixes --------------------------------------------------------------------------------------------------------

static bool is_fixed_here(const struct diagnostic *d, uint32_t source) // all of its fix lies in one text
{
    for (const struct fix *fix = d->fixes; fix; fix = fix->next)
        if (fix->span.source != source)
            return false;
    return d->fixes;
}

static struct str fix_title(struct arena *arena, const struct source *source, const struct diagnostic *d)
{
    const struct fix *fix = d->fixes;
    struct str old = {source->text.text + fix->span.start, fix->span.end - fix->span.start}, new = fix->text;
    while (new.length && strchr("\n ", new.text[new.length - 1]))
        new.length--;
    bool readable = !fix->next && old.length < 60 && new.length < 60 && !memchr(old.text, '\n', old.length) &&
                    !memchr(new.text, '\n', new.length);
    if (!readable)
        return str_format(arena, "%s: apply what it suggests", diagnostic_code(d->code));
    if (!old.length)
        return str_format(arena, "write `%.*s`", STR_ARGS(new));
    return new.length ? str_format(arena, "change `%.*s` to `%.*s`", STR_ARGS(old), STR_ARGS(new))
                      : str_format(arena, "remove `%.*s`", STR_ARGS(old));
}

static void open_action(struct json_writer *w, struct str title, const char *kind)
{
    json_open(w, '{');
    json_member(w, "title", title);
    json_member(w, "kind", str_from(kind));
}

static void open_changes(struct json_writer *w, struct str uri)
{
    json_key(w, "edit");
    json_open(w, '{');
    json_key(w, "changes");
    json_open(w, '{');
    json_key(w, uri.text);
    json_open(w, '[');
}

static void close_action(struct json_writer *w)
{
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, '}');
    json_close(w, '}');
}

static bool is_wanted(const struct json *only, const char *kind) // `only` names kinds, or those that they start with
{
    if (!only || only->kind != JSON_ARRAY)
        return true;
    for (const struct json *wanted = only->first; wanted; wanted = wanted->next)
        if (wanted->kind == JSON_STRING && str_starts(str_from(kind), wanted->text))
            return true;
    return false;
}

void lsp_actions(struct call_request *request)
{
    struct document *document = request_document(request);
    struct position from, to;
    if (!document)
        return;
    const struct json *range = json_get(request->params, "range"),
                      *only = json_get(json_get(request->params, "context"), "only");
    if (!request_position(json_get(range, "start"), &from) || !request_position(json_get(range, "end"), &to)) {
        request_fail(request, RPC_PARAMS, "a range has a start and an end");
        return;
    }
    const struct analysis *analysis = document_analysis(&request->server->documents, document);
    const struct source *source = analysis->source;
    struct json_writer *w = request->result;
    uint32_t start = source_offset_utf16(source, from), end = source_offset_utf16(source, to);
    const struct diagnostic *first = analysis->compilation->diagnostics.first;
    unsigned certain = 0;
    json_open(w, '[');
    for (const struct diagnostic *d = first; d; d = d->next) {
        if (!is_fixed_here(d, source->number))
            continue;
        certain += d->fix_is_certain;
        bool touches = (d->span.start <= end && d->span.end >= start) ||
                       (d->fixes->span.start <= end && d->fixes->span.end >= start);
        if (!touches || !is_wanted(only, "quickfix"))
            continue;
        open_action(w, fix_title(request->arena, source, d), "quickfix");
        json_key(w, "isPreferred");
        json_bool(w, d->fix_is_certain);
        open_changes(w, document->uri);
        for (const struct fix *fix = d->fixes; fix; fix = fix->next)
            write_edit(w, source, fix->span, fix->text);
        close_action(w);
    }
    if (certain && is_wanted(only, "source.fixAll")) {
        open_action(w, STR("apply every fix that is certain"), "source.fixAll");
        open_changes(w, document->uri);
        for (const struct fix **fix = diagnostics_certain_fixes(&analysis->compilation->diagnostics, source->number);
             *fix; fix++)
            write_edit(w, source, (*fix)->span, (*fix)->text);
        close_action(w);
    }
    json_close(w, ']');
}
