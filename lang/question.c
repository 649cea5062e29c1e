// Text that is not a module: one operation, one value.
#include "lang/question.h"

#include "lang/check.h"
#include "lang/parse.h"

struct operation *operation_parse(struct compilation *compilation, struct module *module, const char *text)
{
    struct source *source =
        source_add(&compilation->sources, STR("question"), STR(""), str_copy(compilation->arena, str_from(text)));
    source_index(&compilation->sources, source);
    struct diagnostics *diagnostics = &compilation->diagnostics;
    unsigned before = diagnostics->errors;
    uint32_t where, length;
    const char *flaw = source_flaw(source->text, &where, &length);
    if (flaw) {
        struct span span = {source->number, where, where + length};
        diagnostic_label(diagnostics, diagnose(diagnostics, SBX0115, span, flaw), span,
                         "policies are plain UTF-8 text");
        return NULL;
    }
    struct parse parse = {.arena = compilation->arena, .diagnostics = diagnostics, .source = source, .question = true};
    parse_source(&parse);
    if (!parse.operation || diagnostics->errors > before)
        return NULL;
    return operation_check(compilation, module, module_main_policy(module), parse.operation) ? parse.operation : NULL;
}

// A value is read as the language's own literal where it is one, else as the text it is: `-D src=./a b` needs no
// quotes, and quotes, newlines or `;` in it are characters of a value.
struct expr *value_parse(struct compilation *compilation, struct parameter *parameter, const char *text)
{
    struct arena *arena = compilation->arena;
    struct str copy = str_copy(arena, str_from(text));
    struct source *source = source_add(&compilation->sources, STR("-D"), STR(""), copy);
    source_index(&compilation->sources, source);
    struct span span = {source->number, 0, (uint32_t)copy.length};
    struct expr *expr = NEW(arena, struct expr);
    bool textual = parameter->type == TYPE_PATH || parameter->type == TYPE_STRING || parameter->type == TYPE_HOST;
    if (textual) {
        *expr = (struct expr){.kind = EXPR_STRING, .span = span, .text = copy};
    } else if (parameter->type == TYPE_BOOL && (str_is(copy, "true") || str_is(copy, "false"))) {
        *expr = (struct expr){.kind = EXPR_BOOL, .span = span, .number = str_is(copy, "true")};
    } else {
        // endpoint and cidr have a grammar of their own: the target of a question is the same thing
        struct parse parse = {
            .arena = arena, .diagnostics = &compilation->diagnostics, .source = source, .question = true};
        bool number = parameter->type == TYPE_INT || parameter->type == TYPE_SIZE || parameter->type == TYPE_DURATION ||
                      parameter->type == TYPE_PORT;
        if (number && copy.length && copy.text[0] >= '0' && copy.text[0] <= '9') {
            expr = literal_number(&parse, span, copy.text, copy.length);
        } else if (!number) {
            struct str question = str_format(arena, "connect %s", text);
            struct source *wrapped = source_add(&compilation->sources, STR("-D"), STR(""), question);
            source_index(&compilation->sources, wrapped);
            parse.source = wrapped;
            parse_source(&parse);
            struct operation *operation = parse.operation;
            if (!operation || operation->protocols || !operation->targets || operation->targets->next)
                return NULL;
            expr = operation->targets;
        } else {
            *expr = (struct expr){.kind = EXPR_STRING, .span = span, .text = copy};
        }
    }
    unsigned before = compilation->diagnostics.errors;
    return check_type(compilation, expr, parameter->type) && compilation->diagnostics.errors == before ? expr : NULL;
}
