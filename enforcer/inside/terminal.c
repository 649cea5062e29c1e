// The command's own terminal.
#include "enforcer/inside/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "enforcer/host/handover.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/pseudo.h"

// The plan's own /dev, where it has one: there the terminal has a name.
static const struct plan_view *devices_of(const struct plan *plan)
{
    for (size_t i = 0; i < plan->view_count; i++)
        if (plan->view[i].from == PLAN_DEV)
            return &plan->view[i];
    return NULL;
}

// The maker of terminals (devpts, Documentation/filesystems/devpts.rst) of the view or, where nothing is shown of one,
// of a file system that nobody else sees. -1 and errno, or the failure.
static int open_maker(const struct plan *plan, struct failure *failure)
{
    enum { FLAGS = O_RDWR | O_NOCTTY | O_CLOEXEC };
    const struct plan_view *devices = devices_of(plan);
    char path[4096];
    if (devices && snprintf(path, sizeof path, "%.*s/pts/ptmx", STR_ARGS(devices->path)) < (int)sizeof path) {
        int shown = sys_openat2(AT_FDCWD, path, FLAGS, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        if (shown >= 0)
            return shown;
    }
    closing_fd int own = terminals_mount(NO_RULE, failure);
    return own < 0 ? -1 : openat(own, "ptmx", FLAGS | O_NOFOLLOW);
}

int terminal_make(const struct terminal *terminal, const struct plan *plan, struct failure *failure)
{
    int unlocked = 0;
    if (!terminal->wanted)
        return 0;
    closing_fd int maker = open_maker(plan, failure);
    if (maker < 0 || ioctl(maker, TIOCSPTLCK, &unlocked) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a terminal for the command");
    closing_fd int its = ioctl(maker, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (its < 0 || (terminal->has_modes && tcsetattr(its, TCSANOW, &terminal->modes) != 0) ||
        ioctl(its, TIOCSWINSZ, &terminal->size) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a terminal for the command");
    for (int fd = 0; fd < 3; fd++)
        if (terminal->stands_for[fd] && dup2(its, fd) < 0)
            return fail(failure, NO_RULE, errno, "cannot give the command its terminal");
    return handover_send(terminal->handover, HANDED_TERMINAL, &maker, 1) == 0
               ? 0
               : fail(failure, NO_RULE, errno, "cannot hand over the command's terminal");
}

int terminal_control(const struct terminal *terminal, struct failure *failure)
{
    int fd = 0;
    if (!terminal->wanted)
        return 0;
    while (!terminal->stands_for[fd])
        fd++;
    return ioctl(fd, TIOCSCTTY, 0) == 0 ? 0 : fail(failure, NO_RULE, errno, "cannot give the command its terminal");
}
