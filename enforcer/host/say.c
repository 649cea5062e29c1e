// What sbxrun says.
#include "enforcer/host/say.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "lang/source.h"

bool waits_for_terminal(int fd)
{
    enum { LOOK_AGAIN_MS = 100 };
    static const int ends[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    struct pollfd takes = {.fd = fd, .events = POLLOUT};
    if (poll(&takes, 1, 0) != 0 || !isatty(fd))
        return true;
    do {
        sigset_t pending;
        sigpending(&pending);
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
            if (sigismember(&pending, ends[i]))
                return false;
    } while (poll(&takes, 1, LOOK_AGAIN_MS) == 0);
    return true;
}

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
    if (waits_for_terminal(fileno(out)))
        fwrite(whole.text, 1, whole.length, out);
    if (size >= 0)
        free(said);
    arena_free(arena);
}
