// The language server's life: messages in, answers out, findings in between.
#include "compiler/lsp/request.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/lsp/lsp.h"

// ---- sending ------------------------------------------------------------------------------------------------------

static void send_answer(struct server *server, struct arena *arena, struct str id, struct str result, int error,
                        const char *why)
{
    struct text message = {.arena = arena};
    struct json_writer writer = {.text = &message}, *w = &writer;
    json_open(w, '{');
    json_member(w, "jsonrpc", STR("2.0"));
    json_key(w, "id");
    json_raw(w, id);
    json_key(w, error ? "error" : "result");
    if (error) {
        char number[16];
        snprintf(number, sizeof number, "%d", error);
        json_open(w, '{');
        json_key(w, "code");
        json_raw(w, str_from(number));
        json_member(w, "message", str_from(why));
        json_close(w, '}');
    } else {
        json_raw(w, result);
    }
    json_close(w, '}');
    server_notify(server, &message);
}

// ---- the session --------------------------------------------------------------------------------------------------

static void add_folder(struct server *server, struct str uri)
{
    char resolved[PATH_MAX];
    struct str path = uri_path(server->arena, uri);
    if (!path.length || !realpath(path.text, resolved))
        return;
    size_t count = server->folder_count;
    server->folders =
        arena_grow(server->arena, server->folders, count * sizeof(struct str), (count + 1) * sizeof(struct str));
    server->folders[server->folder_count++] = str_copy(server->arena, str_from(resolved));
}

static void write_true(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_bool(w, true);
}

static void write_strings(struct json_writer *w, const char *key, const char *const *strings)
{
    json_key(w, key);
    json_open(w, '[');
    for (; *strings; strings++)
        json_string(w, str_from(*strings));
    json_close(w, ']');
}

static void write_capabilities(struct json_writer *w)
{
    json_member(w, "positionEncoding", STR("utf-16"));
    json_key(w, "textDocumentSync");
    json_open(w, '{');
    write_true(w, "openClose");
    json_member_number(w, "change", 2); // what changed, not all
    json_close(w, '}');
    static const char *const plain[] = {
        "hoverProvider",          "definitionProvider",         "referencesProvider", "documentHighlightProvider",
        "documentSymbolProvider", "documentFormattingProvider", "inlayHintProvider",  NULL};
    for (const char *const *name = plain; *name; name++)
        write_true(w, *name);
    json_key(w, "completionProvider");
    json_open(w, '{');
    write_strings(w, "triggerCharacters", (const char *const[]){"@", "$", "\"", "/", ".", NULL});
    json_close(w, '}');
    json_key(w, "renameProvider");
    json_open(w, '{');
    write_true(w, "prepareProvider");
    json_close(w, '}');
    json_key(w, "codeActionProvider");
    json_open(w, '{');
    write_strings(w, "codeActionKinds", (const char *const[]){"quickfix", "source.fixAll", NULL});
    json_close(w, '}');
    json_key(w, "semanticTokensProvider");
    json_open(w, '{');
    write_token_legend(w);
    write_true(w, "full");
    json_close(w, '}');
}

static void initialize(struct call_request *request)
{
    struct server *server = request->server;
    if (server->initialized) {
        request_fail(request, RPC_REQUEST, "this server is initialized already");
        return;
    }
    server->initialized = true;
    const struct json *folders = json_get(request->params, "workspaceFolders");
    for (const struct json *folder = folders && folders->kind == JSON_ARRAY ? folders->first : NULL; folder;
         folder = folder->next)
        add_folder(server, string_member(folder, "uri"));
    if (!server->folder_count)
        add_folder(server, string_member(request->params, "rootUri"));
    const struct json *watching =
        json_get(json_get(json_get(request->params, "capabilities"), "workspace"), "didChangeWatchedFiles");
    const struct json *dynamic = json_get(watching, "dynamicRegistration");
    server->watches = dynamic && dynamic->kind == JSON_TRUE;
    struct json_writer *w = request->result;
    json_open(w, '{');
    json_key(w, "capabilities");
    json_open(w, '{');
    write_capabilities(w);
    json_close(w, '}');
    json_key(w, "serverInfo");
    json_open(w, '{');
    json_member(w, "name", STR("sbxc"));
    json_member(w, "version", STR(SBX_VERSION));
    json_close(w, '}');
    json_close(w, '}');
}

static void initialized(struct call_request *request) // asks to be told of policies that change on disk
{
    if (!request->server->watches)
        return;
    struct text message = {.arena = request->arena};
    text_addf(&message,
              "{\"jsonrpc\":\"2.0\",\"id\":\"watch\",\"method\":\"client/"
              "registerCapability\",\"params\":{\"registrations\":[{\"id\":\"watch\","
              "\"method\":\"workspace/didChangeWatchedFiles\",\"registerOptions\":{\"watchers\":[{\"globPattern\":\"**/"
              "*.sbx\"}]}}]}}");
    server_notify(request->server, &message);
}

static void shut_down(struct call_request *request)
{
    request->server->shut_down = true;
    json_null(request->result);
}

static void end(struct call_request *request)
{
    request->server->ended = true;
}

// ---- documents ----------------------------------------------------------------------------------------------------

static struct str version_of(const struct json *document)
{
    const struct json *version = json_get(document, "version");
    return version && (version->kind == JSON_NUMBER || version->kind == JSON_OTHER_NUMBER) ? version->text
                                                                                           : STR("null");
}

static void opened(struct call_request *request)
{
    const struct json *document = json_get(request->params, "textDocument");
    struct str uri = string_member(document, "uri"), text = string_member(document, "text");
    if (uri.text && text.text)
        documents_open(&request->server->documents, uri, text, version_of(document));
    else
        request_fail(request, RPC_PARAMS, "a document has a uri and a text");
}

static void changed(struct call_request *request)
{
    struct document *document = request_document(request);
    const struct json *changes = json_get(request->params, "contentChanges");
    if (!document || !changes || changes->kind != JSON_ARRAY)
        return;
    struct str text = document->text;
    for (const struct json *change = changes->first; change; change = change->next) {
        struct str with = string_member(change, "text");
        const struct json *range = json_get(change, "range");
        struct position from, to;
        if (!with.text || (range && !(request_position(json_get(range, "start"), &from) &&
                                      request_position(json_get(range, "end"), &to)))) {
            request_fail(request, RPC_PARAMS, "a change has a text and maybe a range");
            break;
        }
        text = range ? text_replaced(request->arena, text, from, to, with) : with;
    }
    document_set(&request->server->documents, document, text, version_of(json_get(request->params, "textDocument")));
}

static void closed(struct call_request *request)
{
    struct document *document = request_document(request);
    if (!document)
        return;
    struct str uri = str_copy(request->arena, document->uri);
    documents_close(&request->server->documents, document);
    publish_nothing(request->server, uri);
}

static void watched(struct call_request *request) // a file changed on disk, or was saved
{
    documents_changed(&request->server->documents, NULL);
}

static void ignored(struct call_request *request)
{
    (void)request;
}

// ---- dispatch -----------------------------------------------------------------------------------------------------

static const struct method {
    const char *name;
    void (*handle)(struct call_request *);
    bool notifies; // has no answer
} methods[] = {
    {"initialize", initialize, false},
    {"initialized", initialized, true},
    {"shutdown", shut_down, false},
    {"exit", end, true},
    {"$/cancelRequest", ignored, true}, // what it names is answered already
    {"$/setTrace", ignored, true},
    {"textDocument/didOpen", opened, true},
    {"textDocument/didChange", changed, true},
    {"textDocument/didSave", watched, true},
    {"textDocument/didClose", closed, true},
    {"workspace/didChangeWatchedFiles", watched, true},
    {"workspace/didChangeConfiguration", ignored, true},
    {"textDocument/completion", lsp_completion, false},
    {"textDocument/hover", lsp_hover, false},
    {"textDocument/definition", lsp_definition, false},
    {"textDocument/references", lsp_references, false},
    {"textDocument/documentHighlight", lsp_highlight, false},
    {"textDocument/prepareRename", lsp_prepare_rename, false},
    {"textDocument/rename", lsp_rename, false},
    {"textDocument/documentSymbol", lsp_symbols, false},
    {"textDocument/formatting", lsp_formatting, false},
    {"textDocument/codeAction", lsp_actions, false},
    {"textDocument/semanticTokens/full", lsp_tokens, false},
    {"textDocument/inlayHint", lsp_hints, false},
};

static const struct method *find_method(struct str name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_is(name, methods[i].name))
            return &methods[i];
    return NULL;
}

static void handle(struct server *server, struct arena *arena, struct str message)
{
    const char *why;
    size_t where;
    const struct json *json = text_is_utf8(message) ? json_parse(arena, message, &why, &where) : NULL;
    if (!json) {
        send_answer(server, arena, STR("null"), STR(""), RPC_PARSE, "this is not a JSON text in UTF-8");
        return;
    }
    const struct json *id = json_get(json, "id");
    bool request = id && (id->kind == JSON_STRING || id->kind == JSON_NUMBER || id->kind == JSON_OTHER_NUMBER);
    struct str id_text = request ? (struct str){message.text + id->start, id->end - id->start} : STR("null"),
               name = string_member(json, "method");
    if (!name.text) {
        bool answer = json_get(json, "result") || json_get(json, "error"); // to what we asked of the client
        if (!answer)
            send_answer(server, arena, id_text, STR(""), RPC_REQUEST, "a message has a method");
        return;
    }
    const struct method *method = find_method(name);
    struct text result = {.arena = arena};
    struct json_writer writer = {.text = &result, .depth = 2};
    struct call_request call = {
        .server = server, .arena = arena, .params = json_get(json, "params"), .result = &writer};
    if (!server->initialized && !(method && (method->handle == initialize || method->handle == end)))
        request_fail(&call, RPC_NOT_INITIALIZED, "`initialize` comes first");
    else if (server->shut_down && !(method && method->handle == end))
        request_fail(&call, RPC_REQUEST, "after `shutdown` only `exit` is left");
    else if (!method)
        request_fail(&call, RPC_METHOD, str_format(arena, "there is no method %.*s", STR_ARGS(name)).text);
    else if (request == method->notifies)
        request_fail(&call, RPC_REQUEST, request ? "this method is a notification" : "this method needs an id");
    else
        method->handle(&call);
    if (request)
        send_answer(server, arena, id_text, call.error ? STR("") : text_str(&result), call.error, call.why);
}

void server_message(struct server *server, struct str message)
{
    struct arena *arena = arena_new();
    handle(server, arena, message);
    arena_free(arena);
}

struct server *server_new(const struct driver_options *options, struct text *out)
{
    struct arena *arena = arena_new();
    struct server *server = NEW(arena, struct server);
    server->arena = arena;
    server->options = *options;
    server->documents.options = &server->options;
    server->out = out;
    return server;
}

void server_free(struct server *server)
{
    while (server->documents.first)
        documents_close(&server->documents, server->documents.first);
    arena_free(server->arena);
}

bool server_has_ended(const struct server *server)
{
    return server->ended;
}

bool server_work(struct server *server)
{
    for (struct document *document = server->documents.first; document; document = document->next)
        if (document->is_stale) {
            document->is_stale = false;
            publish_findings(server, document);
            return true;
        }
    return false;
}

bool server_was_shut_down(const struct server *server)
{
    return server->shut_down;
}
