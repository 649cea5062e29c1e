// What a text shows besides its letters: its outline, the kinds of its words, what a `use` brings in.
#include <string.h>

#include "compiler/lsp/request.h"

static struct str token_text(const struct analysis *analysis, struct span span)
{
    return (struct str){analysis->source->text.text + span.start, span.end - span.start};
}

// ---- the outline --------------------------------------------------------------------------------------------------

enum symbol_kind {
    SYMBOL_MODULE = 2,
    SYMBOL_NAMESPACE = 3,
    SYMBOL_CLASS = 5,
    SYMBOL_ENUM = 10,
    SYMBOL_CONSTANT = 14,
    SYMBOL_VARIABLE = 13
};

// Starts a symbol, whose object is left open.
static void open_symbol(struct json_writer *w, const struct analysis *analysis, enum symbol_kind kind, struct str name,
                        struct span whole, struct span at)
{
    json_open(w, '{');
    json_member(w, "name", name.length ? name : STR("?"));
    json_member_number(w, "kind", kind);
    write_range(w, "range", analysis->source, whole.end > at.end ? whole : at);
    write_range(w, "selectionRange", analysis->source, at);
}

// The blocks of a policy, from its words: the tree keeps rules, not which block they stand in.
static void write_blocks(struct json_writer *w, const struct analysis *analysis, struct span policy)
{
    const struct token_list *tokens = analysis_tokens(analysis);
    int depth = 0;
    size_t start = 0, low = 0, high = tokens->count; // the policy's first word
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tokens->spans[middle].start < policy.start)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low ? low : 1; i < tokens->count && tokens->spans[i].end <= policy.end; i++) {
        struct span token = tokens->spans[i];
        struct str text = token_text(analysis, token);
        if (str_is(text, "{") && ++depth == 2)
            start = i - 1;
        if (!str_is(text, "}") || --depth != 1)
            continue;
        struct span name = tokens->spans[start];
        open_symbol(w, analysis, SYMBOL_NAMESPACE, token_text(analysis, name), span_join(name, token), name);
        json_close(w, '}');
    }
}

static void write_policy(struct json_writer *w, const struct analysis *analysis, const struct policy_decl *policy)
{
    open_symbol(w, analysis, SYMBOL_CLASS, policy->name.text, policy->span, policy->name.span);
    json_key(w, "children");
    json_open(w, '[');
    for (const struct parameter *parameter = policy->parameters; parameter; parameter = parameter->next) {
        open_symbol(w, analysis, SYMBOL_VARIABLE, parameter->name.text, parameter->name.span, parameter->name.span);
        json_close(w, '}');
    }
    for (const struct use_decl *use = policy->uses; use; use = use->next) {
        struct str name = token_text(analysis, use->span);
        open_symbol(w, analysis, SYMBOL_MODULE, name, use->span, use->span);
        json_close(w, '}');
    }
    write_blocks(w, analysis, policy->span);
    json_close(w, ']');
    json_close(w, '}');
}

void lsp_symbols(struct call_request *request)
{
    struct document *document = request_document(request);
    if (!document)
        return;
    const struct analysis *analysis = document_analysis(&request->server->documents, document);
    struct json_writer *w = request->result;
    json_open(w, '[');
    for (const struct let_decl *let = analysis->module->lets; let; let = let->next) {
        open_symbol(w, analysis, SYMBOL_CONSTANT, let->name.text, let->span, let->name.span);
        json_close(w, '}');
    }
    for (const struct group_decl *group = analysis->module->groups; group; group = group->next) {
        open_symbol(w, analysis, SYMBOL_ENUM, str_format(request->arena, "@%.*s", STR_ARGS(group->name.text)),
                    group->span, group->name.span);
        json_close(w, '}');
    }
    for (const struct policy_decl *policy = analysis->module->policies; policy; policy = policy->next)
        write_policy(w, analysis, policy);
    json_close(w, ']');
}

// ---- kinds of words -----------------------------------------------------------------------------------------------

enum token_kind {
    KIND_NONE = -1,
    KIND_MODULE,
    KIND_POLICY,
    KIND_PARAMETER,
    KIND_LET,
    KIND_GROUP,
    KIND_CALL,
    KIND_ARGUMENT,
    KIND_CONSTANT,
    KIND_KEYWORD,
    KIND_STRING,
    KIND_NUMBER,
    KIND_COMMENT
};

static const char *const kind_names[] = {"namespace", "class",      "parameter", "variable", "enum",   "function",
                                         "property",  "enumMember", "keyword",   "string",   "number", "comment"};

static const enum token_kind kind_of_name[] = {
    [NAME_POLICY] = KIND_POLICY,       [NAME_PARAMETER] = KIND_PARAMETER, [NAME_LET] = KIND_LET,
    [NAME_GROUP] = KIND_GROUP,         [NAME_MODULE] = KIND_MODULE,       [NAME_SECRET] = KIND_LET,
    [NAME_CALL] = KIND_CALL,           [NAME_ARGUMENT] = KIND_ARGUMENT,   [NAME_CONSTANT] = KIND_CONSTANT,
    [NAME_ERRNO] = KIND_CONSTANT,      [NAME_LIMIT] = KIND_ARGUMENT,      [NAME_FEATURE] = KIND_ARGUMENT,
    [NAME_CAPABILITY] = KIND_CONSTANT,
};

void write_token_legend(struct json_writer *w)
{
    json_key(w, "legend");
    json_open(w, '{');
    json_key(w, "tokenTypes");
    json_open(w, '[');
    for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++)
        json_string(w, str_from(kind_names[i]));
    json_close(w, ']');
    json_key(w, "tokenModifiers");
    json_open(w, '[');
    json_close(w, ']');
    json_close(w, '}');
}

struct token_writer {
    struct json_writer *w;
    const struct analysis *analysis;
    struct position last;
    const struct name_use *name; // the next name
    const struct name_use *names_end;
};

static void write_token(struct token_writer *t, struct span span, enum token_kind kind)
{
    if (kind == KIND_NONE || span.end <= span.start)
        return;
    struct position from = source_position_utf16(t->analysis->source, span.start),
                    to = source_position_utf16(t->analysis->source, span.end);
    json_number(t->w, from.line - t->last.line);
    json_number(t->w, from.line == t->last.line ? from.column - t->last.column : from.column);
    json_number(t->w, to.column - from.column);
    json_number(t->w, kind);
    json_number(t->w, 0);
    t->last = from;
}

static void write_comments(struct token_writer *t, uint32_t from, uint32_t to)
{
    const char *text = t->analysis->source->text.text;
    for (const char *at = text + from; (at = memchr(at, '#', (size_t)(text + to - at)));) {
        const char *end = memchr(at, '\n', (size_t)(text + to - at));
        uint32_t stop = end ? (uint32_t)(end - text) : to;
        uint32_t trimmed = stop > from && text[stop - 1] == '\r' ? stop - 1 : stop;
        write_token(t, (struct span){t->analysis->source->number, (uint32_t)(at - text), trimmed}, KIND_COMMENT);
        if (!end)
            return;
        at = end;
    }
}

static enum token_kind kind_of(struct token_writer *t, struct span token)
{
    while (t->name < t->names_end && t->name->span.end <= token.start)
        t->name++;
    char first = t->analysis->source->text.text[token.start];
    if (t->name < t->names_end && t->name->span.start < token.end)
        return first == '"' ? KIND_STRING : kind_of_name[t->name->kind];
    bool word = (first | 32) >= 'a' && (first | 32) <= 'z';
    return first == '"'                                                     ? KIND_STRING
           : word                                                           ? KIND_KEYWORD
           : (first >= '0' && first <= '9') || first == '-' || first == '[' ? KIND_NUMBER
                                                                            : KIND_NONE;
}

void lsp_tokens(struct call_request *request)
{
    struct document *document = request_document(request);
    if (!document)
        return;
    const struct analysis *analysis = document_analysis(&request->server->documents, document);
    const struct token_list *tokens = analysis_tokens(analysis);
    struct token_writer t = {.w = request->result, .analysis = analysis, .name = analysis->names->list};
    t.names_end = t.name + analysis->names->count;
    json_open(t.w, '{');
    json_key(t.w, "data");
    json_open(t.w, '[');
    uint32_t at = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        struct span token = tokens->spans[i];
        write_comments(&t, at, token.start);
        write_token(&t, token, kind_of(&t, token));
        at = token.end;
    }
    write_comments(&t, at, (uint32_t)analysis->source->text.length);
    json_close(t.w, ']');
    json_close(t.w, '}');
}

// ---- inherited rules ----------------------------------------------------------------------------------------------

static size_t rules_through(const struct policy *policy, const struct use_decl *use)
{
    size_t count = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct use_chain *chain = policy->rules[i].chain;
        while (chain && chain->up)
            chain = chain->up;
        count += chain && chain->use == use && !policy->rules[i].derived;
    }
    return count;
}

void lsp_hints(struct call_request *request)
{
    struct document *document = request_document(request);
    struct position from, to;
    if (!document)
        return;
    const struct json *range = json_get(request->params, "range");
    if (!request_position(json_get(range, "start"), &from) || !request_position(json_get(range, "end"), &to)) {
        request_fail(request, RPC_PARAMS, "a range has a start and an end");
        return;
    }
    const struct analysis *analysis = document_analysis(&request->server->documents, document);
    struct json_writer *w = request->result;
    json_open(w, '[');
    size_t at = 0;
    for (const struct policy_decl *decl = analysis->module->policies; decl; decl = decl->next, at++)
        for (const struct use_decl *use = analysis->policies[at] ? decl->uses : NULL; use; use = use->next) {
            struct position place = source_position_utf16(analysis->source, use->span.end);
            size_t count = rules_through(analysis->policies[at], use);
            if (use->within || place.line < from.line || place.line > to.line)
                continue;
            json_open(w, '{');
            json_key(w, "position");
            json_open(w, '{');
            json_member_number(w, "line", place.line);
            json_member_number(w, "character", place.column);
            json_close(w, '}');
            json_member(w, "label", str_format(request->arena, count == 1 ? "%zu rule" : "%zu rules", count));
            json_key(w, "paddingLeft");
            json_bool(w, true);
            json_close(w, '}');
        }
    json_close(w, ']');
}
