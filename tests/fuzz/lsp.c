// Any texts as messages to the language server, one on each line: it answers each request once, in JSON, and goes on.
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/plan/json.h"
#include "compiler/lsp/lsp.h"

// The answers are messages with headers, each a JSON text.
static void check_answers(const struct text *answers)
{
    for (size_t at = 0; at < answers->length;) {
        char *end;
        static const char header[] = "Content-Length: ";
        if (answers->length - at < sizeof header || memcmp(answers->data + at, header, sizeof header - 1) != 0)
            abort();
        size_t length = strtoul(answers->data + at + sizeof header - 1, &end, 10);
        at = (size_t)(end + 4 - answers->data);
        const char *why;
        size_t where;
        struct arena *arena = arena_new();
        if (length > answers->length - at || !json_parse(arena, (struct str){answers->data + at, length}, &why, &where))
            abort();
        arena_free(arena);
        at += length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsetenv("HOME"); // where copies of the library would be written
    unsetenv("XDG_CACHE_HOME");
    const struct driver_options options = {0};
    struct text answers = {0};
    struct server *server = server_new(&options, &answers);
    const char *text = (const char *)data;
    for (size_t at = 0; at < size && !server_has_ended(server);) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        answers = (struct text){.arena = arena_new()};
        server_message(server, (struct str){text + at, length});
        server_work(server);
        check_answers(&answers);
        arena_free(answers.arena);
        at += length + 1;
    }
    server_free(server);
    return 0;
}
