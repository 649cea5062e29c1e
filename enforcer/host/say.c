// What sbxrun says.
#include "enforcer/host/say.h"

#include <stdarg.h>
#include <stdlib.h>

#include "lang/source.h"

void say(FILE *out, const char *format, ...)
{
    va_list args;
    struct arena *arena = arena_new();
    struct text line = {.arena = arena};
    char *said;
    va_start(args, format);
    int size = vasprintf(&said, format, args);
    va_end(args);
    struct str text = str_from(size < 0 ? "sbxrun: there is no memory to say what is wrong" : said);
    for (uint32_t i = 0, length; i < text.length; i += length) {
        bool seen;
        length = text_character(text, i, &seen);
        if (seen)
            text_add(&line, text.text + i, length);
        else
            for (uint32_t k = 0; k < length; k++)
                text_addf(&line, "\\x%02x", (unsigned char)text.text[i + k]);
    }
    text_addf(&line, "\n");
    struct str whole = text_str(&line);
    fwrite(whole.text, 1, whole.length, out);
    if (size >= 0)
        free(said);
    arena_free(arena);
}
