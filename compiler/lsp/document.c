// Open texts: opening, editing, analysing.
#include "compiler/lsp/document.h"
#include "lang/load.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

// ---- URIs ---------------------------------------------------------------------------------------------------------

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

struct str uri_path(struct arena *arena, struct str uri)
{
    if (!str_starts(uri, STR("file:///")))
        return STR("");
    struct text path = {.arena = arena};
    for (size_t i = strlen("file://"); i < uri.length; i++) {
        char c = uri.text[i];
        if (c == '%' && i + 2 < uri.length && hex_digit(uri.text[i + 1]) >= 0 && hex_digit(uri.text[i + 2]) >= 0) {
            c = (char)(hex_digit(uri.text[i + 1]) * 16 + hex_digit(uri.text[i + 2]));
            i += 2;
        }
        if (!c || path.length >= PATH_MAX)
            return STR("");
        text_add(&path, &c, 1);
    }
    return text_str(&path);
}

struct str uri_of(struct arena *arena, struct str path)
{
    struct text uri = {.arena = arena};
    text_addf(&uri, "file://");
    for (size_t i = 0; i < path.length; i++) {
        char c = path.text[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("-._~/", c));
        if (plain)
            text_add(&uri, &c, 1);
        else
            text_addf(&uri, "%%%02X", (unsigned char)c);
    }
    return text_str(&uri);
}

// ---- opening and editing ------------------------------------------------------------------------------------------

struct document *documents_find(const struct documents *documents, struct str uri)
{
    struct document *document = documents->first;
    while (document && !str_equal(document->uri, uri))
        document = document->next;
    return document;
}

static void forget_analysis(struct document *document)
{
    if (document->analysis)
        compilation_free(document->analysis->compilation);
    document->analysis = NULL;
}

struct document *documents_open(struct documents *documents, struct str uri, struct str text, struct str version)
{
    struct document *known = documents_find(documents, uri);
    if (known) { // opened twice, which a client should not do: the later text counts
        document_set(documents, known, text, version);
        return known;
    }
    struct document *document = calloc(1, sizeof *document);
    if (!document)
        abort();
    document->arena = arena_new();
    document->uri = str_copy(document->arena, uri);
    struct str path = uri_path(document->arena, uri);
    char resolved[PATH_MAX];
    document->path =
        path.length && realpath(path.text, resolved) ? str_copy(document->arena, str_from(resolved)) : path;
    document->text = str_copy(document->arena, text);
    document->version = str_copy(document->arena, version);
    document->next = documents->first;
    documents->first = document;
    documents_changed(documents, document);
    return document;
}

void documents_close(struct documents *documents, struct document *document)
{
    struct document **at = &documents->first;
    while (*at != document)
        at = &(*at)->next;
    *at = document->next;
    documents_changed(documents, document); // from now on others read the file
    forget_analysis(document);
    arena_free(document->arena);
    free(document);
}

void document_set(struct documents *documents, struct document *document, struct str text, struct str version)
{
    struct arena *arena = arena_new();
    document->uri = str_copy(arena, document->uri);
    document->path = str_copy(arena, document->path);
    document->text = str_copy(arena, text);
    document->version = str_copy(arena, version);
    arena_free(document->arena);
    document->arena = arena;
    documents_changed(documents, document);
}

static bool depends_on(const struct document *document, struct str path)
{
    if (!document->analysis)
        return true;
    for (const struct module *module = document->analysis->compilation->modules; module; module = module->next)
        if (str_equal(module->key, path))
            return true;
    return document->analysis->compilation->diagnostics.errors; // an import that could not be read may be it
}

void documents_changed(struct documents *documents, const struct document *changed)
{
    for (struct document *document = documents->first; document; document = document->next)
        if (!changed || document == changed || depends_on(document, changed->path)) {
            forget_analysis(document);
            document->is_stale = true;
        }
}

struct str text_replaced(struct arena *arena, struct str text, struct position from, struct position to,
                         struct str with)
{
    struct sources sources = {.arena = arena};
    struct source source = {.text = text};
    source_index(&sources, &source);
    uint32_t start = source_offset_utf16(&source, from), end = source_offset_utf16(&source, to);
    if (end < start)
        end = start;
    struct text result = {.arena = arena};
    text_add(&result, text.text, start);
    text_add(&result, with.text, with.length);
    text_add(&result, text.text + end, text.length - end);
    return result.length ? text_str(&result) : STR("");
}

// ---- analysing ----------------------------------------------------------------------------------------------------

struct compilation *documents_compilation(const struct documents *documents)
{
    struct compilation *compilation = compilation_new(arena_new());
    struct map *opened = NEW(compilation->arena, struct map);
    opened->arena = compilation->arena;
    for (const struct document *document = documents->first; document; document = document->next) {
        struct str *text = NEW(compilation->arena, struct str);
        *text = str_copy(compilation->arena, document->text);
        if (document->path.length)
            map_put(opened, str_copy(compilation->arena, document->path), text);
    }
    compilation->opened = opened;
    driver_roots(compilation, documents->options);
    return compilation;
}

struct analysing {
    const struct document *document;
    struct analysis *analysis;
};

static void work(void *context)
{
    struct analysing *analysing = context;
    const struct document *document = analysing->document;
    struct analysis *analysis = analysing->analysis;
    struct compilation *compilation = analysis->compilation;
    struct arena *arena = compilation->arena;
    struct module *module = document->path.length ? module_load(compilation, str_copy(arena, document->path).text)
                                                  : module_parse(compilation, str_copy(arena, document->uri),
                                                                 str_copy(arena, document->text));
    if (!module) // a file that can't be read any more, though its text is here
        module = module_parse(compilation, str_copy(arena, document->path), str_copy(arena, document->text));
    size_t count = 0, at = 0;
    for (const struct policy_decl *decl = module->policies; decl; decl = decl->next)
        count++;
    analysis->policies = NEW_ARRAY(arena, struct policy *, count + 1);
    analysis->names = module_names(compilation, module);
    analysis->source = module->source;
    analysis->module = module;
    bool reads = !compilation->diagnostics.errors;
    for (struct policy_decl *decl = module->policies; decl && reads; decl = decl->next, at++)
        analysis->policies[at] = policy_decl_is_whole(decl) ? policy_build(compilation, decl, NULL) : NULL;
    driver_judge(compilation, analysis->policies, at);
}

static struct analysis *analyse(const struct documents *documents, const struct document *document)
{
    struct compilation *compilation = documents_compilation(documents);
    struct arena *arena = compilation->arena;
    struct analysis *analysis = NEW(arena, struct analysis);
    analysis->compilation = compilation;
    bool whole = compilation_work(compilation, work, &(struct analysing){document, analysis});
    if (!whole && !analysis->module) { // nothing is known of it but its text
        struct source *source =
            source_add(&compilation->sources, document->path.length ? document->path : document->uri, STR(""),
                       str_copy(arena, document->text));
        source_index(&compilation->sources, source);
        analysis->source = source;
        analysis->module = NEW(arena, struct module);
        analysis->module->source = source;
        analysis->module->key = source->name;
        analysis->names = NEW(arena, struct names);
        analysis->policies = NEW_ARRAY(arena, struct policy *, 1);
    }
    return analysis;
}

const struct analysis *document_analysis(struct documents *documents, struct document *document)
{
    if (!document->analysis)
        document->analysis = analyse(documents, document);
    return document->analysis;
}

const struct token_list *analysis_tokens(const struct analysis *analysis)
{
    struct analysis *a = (struct analysis *)analysis;
    if (!a->tokens) {
        a->tokens = NEW(a->compilation->arena, struct token_list);
        uint32_t where, length;
        if (!source_flaw(a->source->text, &where, &length))
            parse_tokens(a->compilation->arena, a->source, a->tokens, NULL);
    }
    return a->tokens;
}
