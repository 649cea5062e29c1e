// What the parts of the language server share. Nothing else includes it.
#pragma once

#include "compiler/plan/json.h"
#include "compiler/lsp/document.h"

struct server {
    struct driver_options options;
    struct documents documents;
    struct arena *arena; // the session's
    struct text *out;
    struct str *folders; // of the workspace, resolved
    size_t folder_count;
    bool initialized, watches, shut_down, ended;
};

enum { // JSON-RPC 2.0 §5.1, and what the protocol adds
    RPC_PARSE = -32700,
    RPC_REQUEST = -32600,
    RPC_METHOD = -32601,
    RPC_PARAMS = -32602,
    RPC_NOT_INITIALIZED = -32002,
    RPC_FAILED = -32803,
};

struct call_request { // one request, while it is answered
    struct server *server;
    struct arena *arena; // of this message
    const struct json *params;
    struct json_writer *result; // the answer goes here: exactly one value
    int error;                  // or it has none, and why
    const char *why;
};

// ---- parameters: what is missing or of another kind is an error of the request ----
struct document *request_document(struct call_request *); // `textDocument`; NULL, and the error
struct document *request_place(struct call_request *, const struct analysis **,
                               uint32_t *); // and `position`, as an offset in it
bool request_position(const struct json *, struct position *);
struct str string_member(const struct json *object, const char *key); // without text when there is none
void request_fail(struct call_request *, int error, const char *why);

// ---- results ----
void write_range(struct json_writer *, const char *key, const struct source *, struct span);
void write_location(struct call_request *, const struct compilation *, struct span); // null for no place
struct str source_uri(struct arena *, const struct source *, const struct documents *, const struct compilation *);

// ---- what there is to ask: each writes a result, or fails the request ----
void lsp_hover(struct call_request *);
void lsp_completion(struct call_request *);
void lsp_definition(struct call_request *);
void lsp_references(struct call_request *);
void lsp_highlight(struct call_request *);
void lsp_prepare_rename(struct call_request *);
void lsp_rename(struct call_request *);
void lsp_symbols(struct call_request *);
void lsp_formatting(struct call_request *);
void lsp_actions(struct call_request *);
void lsp_tokens(struct call_request *);
void lsp_hints(struct call_request *);
void write_token_legend(struct json_writer *);

void publish_findings(struct server *, struct document *); // of a document that changed
void publish_nothing(struct server *, struct str uri);     // of one that is closed
void server_notify(struct server *, struct text *message); // sends a whole message
