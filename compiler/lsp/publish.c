// Findings for the editor, where they can be seen: in the text itself.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/files/files.h"
#include "compiler/lsp/request.h"

// ---- findings -----------------------------------------------------------------------------------------------------

// The import of a module through which another came to be loaded. No place when there is none.
static struct span import_of(const struct analysis *analysis, uint32_t source)
{
    const struct module *module = module_of_source(analysis->compilation, source);
    while (module && module->importer && module->importer != analysis->module)
        module = module->importer;
    for (const struct import_decl *import = analysis->module->imports; import && module; import = import->next)
        if (import->module == module)
            return import->span;
    return (struct span){0};
}

// Where in this text a finding is seen: its own place, a label's, or the import that leads to it.
static struct span place_here(const struct analysis *analysis, const struct diagnostic *d)
{
    uint32_t own = analysis->source->number;
    if (d->span.source == own)
        return d->span;
    for (const struct label *label = d->others; label; label = label->next)
        if (label->span.source == own)
            return label->span;
    struct span import = import_of(analysis, d->span.source);
    return import.source ? import : (struct span){own, 0, 0};
}

static void write_related(struct call_request *request, const struct analysis *analysis, struct span span,
                          struct str text)
{
    struct json_writer *w = request->result;
    const struct source *source = source_of(&analysis->compilation->sources, span);
    if (!source || !module_of_source(analysis->compilation, source->number))
        return;
    json_open(w, '{');
    json_key(w, "location");
    write_location(request, analysis->compilation, span);
    json_member(w, "message", text.length ? text : STR("here"));
    json_close(w, '}');
}

static void write_finding(struct call_request *request, const struct analysis *analysis, const struct diagnostic *d)
{
    struct json_writer *w = request->result;
    struct span place = place_here(analysis, d);
    bool here = place.source == d->span.source && place.start == d->span.start;
    json_open(w, '{');
    write_range(w, "range", analysis->source, place);
    json_member_number(w, "severity", d->severity == SEVERITY_ERROR ? 1 : 2);
    json_member(w, "code", str_from(diagnostic_code(d->code)));
    json_member(w, "source", STR("sbx"));
    struct text message = {.arena = request->arena};
    const struct source *other = here ? NULL : source_of(&analysis->compilation->sources, d->span);
    if (other)
        text_addf(&message, "%.*s: ", STR_ARGS(other->name));
    text_addf(&message, "%.*s", STR_ARGS(d->message));
    if (d->label.length)
        text_addf(&message, "\n%.*s", STR_ARGS(d->label));
    if (d->help.length)
        text_addf(&message, "\nhelp: %.*s", STR_ARGS(d->help));
    json_member(w, "message", text_str(&message));
    json_key(w, "relatedInformation");
    json_open(w, '[');
    if (!here)
        write_related(request, analysis, d->span, d->label);
    for (const struct label *label = d->others; label; label = label->next)
        write_related(request, analysis, label->span, label->text);
    json_close(w, ']');
    json_close(w, '}');
}

static void publish(struct server *server, struct arena *arena, struct str uri, struct str version,
                    const struct analysis *analysis)
{
    struct text message = {.arena = arena};
    struct json_writer writer = {.text = &message}, *w = &writer;
    struct call_request request = {.server = server, .arena = arena, .result = w};
    json_open(w, '{');
    json_member(w, "jsonrpc", STR("2.0"));
    json_member(w, "method", STR("textDocument/publishDiagnostics"));
    json_key(w, "params");
    json_open(w, '{');
    json_member(w, "uri", uri);
    if (version.length && !str_is(version, "null")) {
        json_key(w, "version");
        json_raw(w, version);
    }
    json_key(w, "diagnostics");
    json_open(w, '[');
    for (const struct diagnostic *d = analysis ? analysis->compilation->diagnostics.first : NULL; d; d = d->next)
        write_finding(&request, analysis, d);
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, '}');
    server_notify(server, &message);
}

void publish_findings(struct server *server, struct document *document)
{
    struct arena *arena = arena_new();
    publish(server, arena, document->uri, document->version, document_analysis(&server->documents, document));
    arena_free(arena);
}

void publish_nothing(struct server *server, struct str uri)
{
    struct arena *arena = arena_new();
    publish(server, arena, uri, STR(""), NULL);
    arena_free(arena);
}
