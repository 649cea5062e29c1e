// What sbxrun inherits.
#include "enforcer/host/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Signals by which a call would end this process, where its errno says the same. They are ignored, not blocked: one
// that is pending would end it later.
static const int told_by_errno[] = {SIGPIPE, SIGXFSZ};
enum { TOLD = sizeof told_by_errno / sizeof *told_by_errno };

static struct {
    struct sigaction actions[TOLD];
    mode_t umask;
    char *environment; // the array, and after it what it points to
    size_t size;
} caller;

static bool open_standard(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

static bool hide_environment(void)
{
    size_t count = 0, bytes = sizeof(char *);
    for (char **variable = environ; variable && *variable; variable++, count++)
        bytes += sizeof(char *) + strlen(*variable) + 1;
    char **list = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (list == MAP_FAILED)
        return false;
    char *text = (char *)(list + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(environ[i]);
        list[i] = memcpy(text, environ[i], length);
        text += length + 1;
        explicit_bzero(environ[i], length);
    }
    environ = list;
    caller.environment = (char *)list;
    caller.size = bytes;
    return madvise(caller.environment, caller.size, MADV_WIPEONFORK) == 0;
}

bool caller_take(const char **problem)
{
    *problem = !open_standard() ? "cannot open /dev/null for a standard descriptor that is closed" : NULL;
    if (*problem)
        return false;
    signal(SIGCHLD, SIG_DFL); // who ignores it is not told when a child ends (wait(2)); nor would the command be
    for (int i = 0; i < TOLD; i++)
        sigaction(told_by_errno[i], &(struct sigaction){.sa_handler = SIG_IGN}, &caller.actions[i]);
    caller.umask = umask(S_IRWXG | S_IRWXO);
    umask(caller.umask & (S_IRWXG | S_IRWXO)); // what is made for others is as the caller says; one's own, one can use
    if (!hide_environment())
        *problem = "cannot take the environment out of other processes' sight";
    return !*problem;
}

void caller_give(void)
{
    for (int i = 0; i < TOLD; i++)
        sigaction(told_by_errno[i], &caller.actions[i], NULL);
    umask(caller.umask);
}

void caller_lend_environment(bool lend)
{
    madvise(caller.environment, caller.size, lend ? MADV_KEEPONFORK : MADV_WIPEONFORK);
}
