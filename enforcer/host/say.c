// What sbxrun says.
#include "enforcer/host/say.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
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
    va_start(args, format);
    if (waits_for_terminal(fileno(out)))
        vprint_shown(out, format, args);
    va_end(args);
}
