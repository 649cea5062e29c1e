// The words of a source: where each stands.
#include "lang/parse.h"

void parse_note_token(struct parse *parse, struct span span, bool at_end)
{
    struct token_list *list = parse->tokens;
    parse->previous = parse->token;
    parse->token = span;
    if (at_end)
        return;
    char first = parse->source->text.text[span.start];
    parse->braces_before = parse->braces;
    parse->braces += first == '{' ? 1 : first == '}' ? -1 : 0;
    if (!list)
        return;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 1024;
        list->spans =
            arena_grow(parse->arena, list->spans, list->count * sizeof *list->spans, capacity * sizeof *list->spans);
        list->capacity = capacity;
    }
    list->spans[list->count++] = parse->token;
}

bool parse_tokens(struct arena *arena, const struct source *source, struct token_list *tokens,
                  struct expected *expected)
{
    struct diagnostics diagnostics;
    struct source copy = *source;
    diagnostics_init(&diagnostics, arena);
    struct parse parse = {
        .arena = arena, .diagnostics = &diagnostics, .source = &copy, .tokens = tokens, .expected = expected};
    parse_source(&parse);
    return !diagnostics.errors;
}
