// Names: where they are defined and used, and other names for them.
#include <string.h>

#include "compiler/files/files.h"
#include "compiler/lsp/request.h"
#include "lang/load.h"

static const struct name_use *name_at_place(struct call_request *request, const struct analysis **analysis)
{
    uint32_t offset;
    return request_place(request, analysis, &offset) ? names_at((*analysis)->names, offset) : NULL;
}

void lsp_definition(struct call_request *request)
{
    const struct analysis *analysis = NULL;
    const struct name_use *name = name_at_place(request, &analysis);
    if (name)
        write_location(request, analysis->compilation, name->target);
    else if (!request->error)
        json_null(request->result);
}

static bool same_thing(const struct name_use *a, const struct name_use *b)
{
    if (a->decl && b->decl)
        return a->decl == b->decl || a->policy == b->decl || b->policy == a->decl;
    return false;
}

void lsp_highlight(struct call_request *request)
{
    const struct analysis *analysis = NULL;
    const struct name_use *name = name_at_place(request, &analysis);
    if (request->error)
        return;
    json_open(request->result, '[');
    for (size_t i = 0; name && i < analysis->names->count; i++) {
        const struct name_use *other = &analysis->names->list[i];
        bool of_linux =
            !name->decl && !other->decl && name->kind == other->kind && name->kind >= NAME_CALL &&
            str_equal(
                (struct str){analysis->source->text.text + name->span.start, name->span.end - name->span.start},
                (struct str){analysis->source->text.text + other->span.start, other->span.end - other->span.start});
        if (!of_linux && !same_thing(name, other))
            continue;
        json_open(request->result, '{');
        write_range(request->result, "range", analysis->source, other->span);
        json_close(request->result, '}');
    }
    json_close(request->result, ']');
}

// ---- all of a workspace -------------------------------------------------------------------------------------------

enum { WORKSPACE_MOST = 2000 }; // files that are looked through

struct workspace { // every module that an editor knows of, in one compilation
    struct compilation *compilation;
    struct names **names; // per module, in the order of compilation->modules
    size_t count;
};

static struct workspace load_workspace(const struct server *server)
{
    struct workspace workspace = {.compilation = documents_compilation(&server->documents)};
    struct arena *arena = workspace.compilation->arena;
    struct file_list files = {.arena = arena};
    for (const struct document *document = server->documents.first; document; document = document->next) {
        if (document->path.length)
            module_load(workspace.compilation, str_copy(arena, document->path).text);
        else
            module_parse(workspace.compilation, str_copy(arena, document->uri), str_copy(arena, document->text));
    }
    for (size_t i = 0; i < server->folder_count; i++)
        files_add(&files, server->folders[i].text);
    for (size_t i = 0; i < files.count && i < WORKSPACE_MOST; i++)
        module_load(workspace.compilation, files.paths[i]);
    for (const struct module *module = workspace.compilation->modules; module; module = module->next)
        workspace.count++;
    workspace.names = NEW_ARRAY(arena, struct names *, workspace.count);
    size_t at = 0;
    for (const struct module *module = workspace.compilation->modules; module; module = module->next)
        workspace.names[at++] = module_names(workspace.compilation, module);
    return workspace;
}

// The name at the same place of the same text, in the workspace.
static const struct name_use *workspace_name(const struct workspace *workspace, const struct document *document,
                                             const struct name_use *name)
{
    size_t at = 0;
    for (const struct module *module = workspace->compilation->modules; module; module = module->next, at++)
        if (str_equal(module->key, document->path.length ? document->path : document->uri))
            return names_at(workspace->names[at], name->span.start);
    return NULL;
}

void lsp_references(struct call_request *request)
{
    const struct analysis *analysis = NULL;
    uint32_t offset;
    const struct document *document = request_place(request, &analysis, &offset);
    const struct name_use *name = document ? names_at(analysis->names, offset) : NULL;
    if (request->error)
        return;
    const struct json *context = json_get(request->params, "context"),
                      *declaration = json_get(context, "includeDeclaration");
    bool with_definition = !declaration || declaration->kind != JSON_FALSE;
    json_open(request->result, '[');
    if (name && name->decl) {
        struct workspace workspace = load_workspace(request->server);
        const struct name_use *same = workspace_name(&workspace, document, name);
        for (size_t i = 0; same && i < workspace.count; i++)
            for (size_t k = 0; k < workspace.names[i]->count; k++) {
                const struct name_use *use = &workspace.names[i]->list[k];
                if (same_thing(same, use) && (with_definition || !use->defines))
                    write_location(request, workspace.compilation, use->span);
            }
        compilation_free(workspace.compilation);
    }
    json_close(request->result, ']');
}

// ---- renaming -----------------------------------------------------------------------------------------------------

// Why a name can't be given another; NULL when it can.
static const char *fixed_name(const struct compilation *compilation, const struct name_use *name)
{
    if (!name || !name->decl)
        return "nothing that a policy defines is named here";
    const struct import_decl *import = name->kind == NAME_MODULE ? name->decl : NULL;
    if (import && !import->alias.text.length)
        return "a module is named like its file; `as` gives it another name here";
    const struct source *source = source_of(&compilation->sources, import ? import->span : name->target);
    return source && source->is_library ? "it belongs to the standard library" : NULL;
}

void lsp_prepare_rename(struct call_request *request)
{
    const struct analysis *analysis = NULL;
    const struct name_use *name = name_at_place(request, &analysis);
    if (request->error)
        return;
    const char *fixed = fixed_name(analysis->compilation, name);
    if (fixed || !name->spelled) {
        request_fail(request, RPC_FAILED, fixed ? fixed : "it is named otherwise here: rename it where it is defined");
        return;
    }
    json_open(request->result, '{');
    write_range(request->result, "range", analysis->source, name->span);
    json_member(request->result, "placeholder",
                (struct str){analysis->source->text.text + name->span.start, name->span.end - name->span.start});
    json_close(request->result, '}');
}

static bool is_word(struct str text) // as the scanner has it
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z', digit = c >= '0' && c <= '9';
        bool dash = c == '-' && i > 0 && i + 1 < text.length && text.text[i + 1] != '-';
        if (!(letter || c == '_' || (i > 0 && digit) || dash))
            return false;
    }
    return text.length > 0;
}

// A text of the workspace with a name replaced; the same text when it has none.
static struct str renamed_text(struct arena *arena, const struct source *source, const struct names *names,
                               const struct name_use *target, struct str with)
{
    struct text text = {.arena = arena};
    uint32_t at = 0;
    for (size_t i = 0; i < names->count; i++) {
        const struct name_use *use = &names->list[i];
        if (!use->spelled || use->decl != target->decl || use->span.start < at)
            continue;
        text_add(&text, source->text.text + at, use->span.start - at);
        text_add(&text, with.text, with.length);
        at = use->span.end;
    }
    text_add(&text, source->text.text + at, source->text.length - at);
    return text.length ? text_str(&text) : STR("");
}

// What every name means, as numbers: which of all names is its definition. Two workspaces with the same numbers mean
// the same by their names.
static struct str meaning_of_names(struct arena *arena, const struct workspace *workspace)
{
    struct text text = {.arena = arena};
    struct map defined = {.arena = arena};
    size_t number = 0;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < workspace->count; i++)
            for (size_t k = 0; k < workspace->names[i]->count; k++) {
                const struct name_use *use = &workspace->names[i]->list[k];
                struct str key = str_format(arena, "%p", use->decl);
                if (round == 0 && use->defines)
                    map_put(&defined, key, (void *)(uintptr_t)++number);
                else if (round == 1)
                    text_addf(&text, "%d:%zu ", (int)use->kind,
                              use->decl ? (size_t)(uintptr_t)map_get(&defined, key) : 0);
            }
    text_addf(&text, "errors %u", workspace->compilation->diagnostics.errors);
    return text_str(&text);
}

// Whether all names still mean what they meant once the texts are replaced.
static bool keeps_meaning(struct call_request *request, const struct workspace *before, const struct name_use *target,
                          struct str with)
{
    struct server after = *request->server;
    struct arena *arena = arena_new();
    struct document *last = NULL;
    after.documents.first = NULL;
    size_t at = 0;
    for (const struct module *module = before->compilation->modules; module; module = module->next, at++) {
        if (module->source->is_library)
            continue;
        struct document *document = NEW(arena, struct document);
        bool file = module->key.length && module->key.text[0] == '/';
        *document = (struct document){.uri = module->key, .path = file ? module->key : STR(""), .next = NULL};
        document->text = renamed_text(arena, module->source, before->names[at], target, with);
        *(last ? &last->next : &after.documents.first) = document;
        last = document;
    }
    // Loaded in the order they were loaded in: modules stand in the reverse.
    struct document *reversed = NULL;
    for (struct document *document = after.documents.first, *next; document; document = next) {
        next = document->next;
        document->next = reversed;
        reversed = document;
    }
    after.documents.first = reversed;
    struct workspace renamed = load_workspace(&after);
    bool same = str_equal(meaning_of_names(arena, before), meaning_of_names(arena, &renamed));
    compilation_free(renamed.compilation);
    arena_free(arena);
    return same;
}

static void write_rename(struct call_request *request, const struct workspace *workspace, const struct name_use *target,
                         struct str with)
{
    struct json_writer *w = request->result;
    json_open(w, '{');
    json_key(w, "changes");
    json_open(w, '{');
    size_t at = 0;
    for (const struct module *module = workspace->compilation->modules; module; module = module->next, at++) {
        bool started = false;
        for (size_t k = 0; k < workspace->names[at]->count; k++) {
            const struct name_use *use = &workspace->names[at]->list[k];
            if (!use->spelled || use->decl != target->decl)
                continue;
            if (!started) {
                json_key(w,
                         source_uri(request->arena, module->source, &request->server->documents, workspace->compilation)
                             .text);
                json_open(w, '[');
            }
            started = true;
            json_open(w, '{');
            write_range(w, "range", module->source, use->span);
            json_member(w, "newText", with);
            json_close(w, '}');
        }
        if (started)
            json_close(w, ']');
    }
    json_close(w, '}');
    json_close(w, '}');
}

void lsp_rename(struct call_request *request)
{
    const struct analysis *analysis = NULL;
    uint32_t offset;
    const struct document *document = request_place(request, &analysis, &offset);
    const struct json *new_name = json_get(request->params, "newName");
    if (!document)
        return;
    const struct name_use *name = names_at(analysis->names, offset);
    const char *fixed = fixed_name(analysis->compilation, name);
    struct str with = new_name && new_name->kind == JSON_STRING ? new_name->text : STR("");
    if (with.length && strchr("@$", with.text[0])) // as it is written where it is used
        with = (struct str){with.text + 1, with.length - 1};
    if (!fixed && !is_word(with))
        fixed = "a name is letters, digits, `_` and `-` between them, and starts with no digit";
    if (fixed) {
        request_fail(request, RPC_FAILED, fixed);
        return;
    }
    struct workspace workspace = load_workspace(request->server);
    const struct name_use *target = workspace_name(&workspace, document, name);
    if (!target || !target->decl)
        request_fail(request, RPC_FAILED, "this place could not be found again");
    else if (!keeps_meaning(request, &workspace, target, with))
        request_fail(
            request, RPC_FAILED,
            str_format(request->arena, "`%.*s` would collide with another name, or can't stand here", STR_ARGS(with))
                .text);
    else
        write_rename(request, &workspace, target, with);
    compilation_free(workspace.compilation);
}
