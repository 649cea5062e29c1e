// A request of the language server: what it is about, and how answers say where something is.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/files/files.h"
#include "compiler/lsp/request.h"

// ---- where a source is, for an editor -----------------------------------------------------------------------------

static bool holds(struct arena *arena, const char *path, struct str text)
{
    char *there = arena_alloc(arena, text.length + 1);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(there, 1, text.length + 1, file) : 0;
    if (file)
        fclose(file);
    return file && str_equal((struct str){there, length}, text);
}

// The library is part of the program: an editor that wants to show a file of it gets a copy in the user's cache (XDG
// Base Directory Specification). Empty when it can't be written.
static struct str library_path(struct arena *arena, const struct source *source)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    struct str folder = cache && cache[0] == '/' ? str_format(arena, "%s/sbx-" SBX_VERSION, cache)
                        : home && home[0] == '/' ? str_format(arena, "%s/.cache/sbx-" SBX_VERSION, home)
                                                 : STR("");
    if (!folder.length)
        return folder;
    struct str path =
        str_format(arena, "%.*s/%.*s", STR_ARGS(folder), STR_ARGS(source->name)); // its name is std/base.sbx
    for (size_t i = 1; i < path.length; i++) {
        if (path.text[i] != '/')
            continue;
        struct str parent = str_copy(arena, (struct str){path.text, i});
        if (mkdir(parent.text, 0777) != 0 && errno != EEXIST)
            return STR("");
    }
    return holds(arena, path.text, source->text) || files_replace(arena, path.text, source->text) ? path : STR("");
}

struct str source_uri(struct arena *arena, const struct source *source, const struct documents *documents,
                      const struct compilation *compilation)
{
    const struct module *module = module_of_source(compilation, source->number);
    if (!module)
        return STR("");
    struct str path = source->is_library ? library_path(arena, source) : module->key;
    for (const struct document *document = documents->first; document; document = document->next)
        if (str_equal(document->path, path) || str_equal(document->uri, path))
            return document->uri;
    return path.length && path.text[0] == '/' ? uri_of(arena, path) : STR("");
}

// ---- parameters and places ----------------------------------------------------------------------------------------

void request_fail(struct call_request *request, int error, const char *why)
{
    request->error = error;
    request->why = why;
}

struct str string_member(const struct json *object, const char *key)
{
    const struct json *member = json_get(object, key);
    return member && member->kind == JSON_STRING ? member->text : (struct str){0};
}

bool request_position(const struct json *json, struct position *position)
{
    const struct json *line = json_get(json, "line"), *column = json_get(json, "character");
    if (!line || !column || line->kind != JSON_NUMBER || column->kind != JSON_NUMBER)
        return false;
    *position = (struct position){line->number > UINT32_MAX ? UINT32_MAX : (uint32_t)line->number,
                                  column->number > UINT32_MAX ? UINT32_MAX : (uint32_t)column->number};
    return true;
}

struct document *request_document(struct call_request *request)
{
    struct str uri = string_member(json_get(request->params, "textDocument"), "uri");
    struct document *document = uri.text ? documents_find(&request->server->documents, uri) : NULL;
    if (!document)
        request_fail(request, RPC_PARAMS, uri.text ? "this document is not open" : "textDocument.uri is missing");
    return document;
}

struct document *request_place(struct call_request *request, const struct analysis **analysis, uint32_t *offset)
{
    struct document *document = request_document(request);
    struct position position;
    if (!document)
        return NULL;
    if (!request_position(json_get(request->params, "position"), &position)) {
        request_fail(request, RPC_PARAMS, "a position has a line and a character, from 0");
        return NULL;
    }
    *analysis = document_analysis(&request->server->documents, document);
    *offset = source_offset_utf16((*analysis)->source, position);
    return document;
}

static void write_position(struct json_writer *w, const char *key, struct position position)
{
    json_key(w, key);
    json_open(w, '{');
    json_member_number(w, "line", position.line);
    json_member_number(w, "character", position.column);
    json_close(w, '}');
}

void write_range(struct json_writer *w, const char *key, const struct source *source, struct span span)
{
    json_key(w, key);
    json_open(w, '{');
    write_position(w, "start", source_position_utf16(source, span.start));
    write_position(w, "end", source_position_utf16(source, span.end));
    json_close(w, '}');
}

void write_location(struct call_request *request, const struct compilation *compilation, struct span span)
{
    const struct source *source = source_of(&compilation->sources, span);
    struct str uri = source ? source_uri(request->arena, source, &request->server->documents, compilation) : STR("");
    if (!uri.length) {
        json_null(request->result);
        return;
    }
    json_open(request->result, '{');
    json_member(request->result, "uri", uri);
    write_range(request->result, "range", source, span);
    json_close(request->result, '}');
}

// ---- sending ------------------------------------------------------------------------------------------------------

void server_notify(struct server *server, struct text *message)
{
    text_addf(server->out, "Content-Length: %zu\r\n\r\n", message->length);
    text_add(server->out, message->data, message->length);
}
