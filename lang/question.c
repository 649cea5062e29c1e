// Text that is not a module: one operation, one value.
#include "lang/question.h"

#include "lang/parse.h"
#include "lang/scope.h"

struct operation *operation_parse(struct compilation *compilation, struct module *module, const char *text)
{
    struct source *source =
        source_add(&compilation->sources, STR("question"), STR(""), str_copy(compilation->arena, str_from(text)));
    unsigned before = compilation->diagnostics.errors;
    struct parse parse = {
        .arena = compilation->arena,
        .diagnostics = &compilation->diagnostics,
        .source = source,
        .start = PARSE_OPERATION,
        .example = "ask as `read \"/data\"`, `connect tcp 10.0.0.1:443`, `syscall openat` or `capability CAP_KILL`"};
    if (source_check(compilation, source))
        parse_source(&parse);
    if (!parse.operation || compilation->diagnostics.errors > before)
        return NULL;
    return operation_check(compilation, module, module_main_policy(module), parse.operation) ? parse.operation : NULL;
}

// What a file says in quotes is here the text as it is: `-D src=./a b` needs none, and quotes, newlines or `;` in it
// are characters of a value. All else is written as in a file, and means nothing else.
struct expr *value_parse(struct compilation *compilation, struct parameter *parameter, const char *text)
{
    struct arena *arena = compilation->arena;
    struct diagnostics *diagnostics = &compilation->diagnostics;
    struct str copy = str_copy(arena, str_from(text));
    struct source *source =
        source_add(&compilation->sources, str_format(arena, "-D %.*s", STR_ARGS(parameter->name.text)), STR(""), copy);
    enum type type = parameter->type;
    unsigned before = diagnostics->errors;
    struct parse parse = {
        .arena = arena,
        .diagnostics = diagnostics,
        .source = source,
        .start = PARSE_VALUE,
        .example = str_format(arena, "%s is written like `%s`", type_article(type), type_example(type)).text};
    if (!source_check(compilation, source))
        return NULL;
    if (type == TYPE_PATH || type == TYPE_STRING || type == TYPE_HOST) {
        parse.value = NEW(arena, struct expr);
        *parse.value =
            (struct expr){.kind = EXPR_STRING, .span = {source->number, 0, (uint32_t)copy.length}, .text = copy};
    } else {
        parse_source(&parse);
    }
    struct module nowhere = {0}; // no name of the file means anything in a value from outside
    struct scope scope = {compilation, diagnostics, &nowhere, NULL, {0}};
    return parse.value && scope_check_value(&scope, parse.value, type) && diagnostics->errors == before ? parse.value
                                                                                                        : NULL;
}
