// Guards on the host.
#include "enforcer/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/kernel.h"
#include "enforcer/scoped.h"
#include "enforcer/view_source.h"

enum { INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

static const char said[] = "A sandbox may not write here: sbxrun keeps the place, and removes this file when it ends. Folders: ";
enum { SAID = sizeof said - 1, GUARD_SIZE = SAID + 3 }; // two digits and a newline

// ---- the file -----------------------------------------------------------------------------------------------------------------------------

// Whether an open file is a guard; *folders as it says.
static bool is_guard(int file, unsigned *folders)
{
    char text[GUARD_SIZE + 1];
    struct stat status;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != GUARD_SIZE || pread(file, text, sizeof text, 0) != GUARD_SIZE ||
        memcmp(text, said, SAID) != 0)
        return false;
    *folders = (unsigned)(text[SAID] - '0') * 10 + (unsigned)(text[SAID + 1] - '0');
    return true;
}

static int write_guard(int file, unsigned folders)
{
    char text[GUARD_SIZE + 1];
    snprintf(text, sizeof text, "%s%02u\n", said, folders);
    return write(file, text, GUARD_SIZE) == GUARD_SIZE ? 0 : -1;
}

// ---- making -------------------------------------------------------------------------------------------------------------------------------

// Opens the folder that a guard lies in, making what is missing on the way; *made counts. -1 and errno.
static int open_parent(int base, const char *path, const char **name, unsigned *made)
{
    closing_fd int folder = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash; folder >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char part[256];
        if (slash - path >= (long)sizeof part)
            return errno = ENAMETOOLONG, -1;
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        int next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
        if (next < 0 && errno == ENOENT && *made < 99 && mkdirat(folder, part, 0755) == 0) {
            ++*made;
            next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
        }
        close(folder);
        folder = next;
    }
    *name = path;
    return take_fd(folder);
}

static void remove_folders(int base, const char *path, unsigned count)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash; count > 0 && (slash = strrchr(folder, '/')); count--) {
        *slash = '\0';
        char *above = strrchr(folder, '/'); // opened without following links: what lies there may be somebody else's by now
        const char *name = above ? above + 1 : folder;
        closing_fd int parent = sys_openat2(base, above ? (*above = '\0', folder) : ".", O_PATH | O_DIRECTORY, INSIDE);
        int gone = parent < 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
        if (above)
            *above = '/';
        if (gone != 0)
            return; // something else is in it by now: it stays
    }
}

// A guard in a folder: made, or joined where one stands already. 0; 1 when something else is there; -1 and errno.
static int take_place(struct guard *guard)
{
    closing_fd int made = openat(guard->parent, guard->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    closing_fd int file = made < 0 && errno == EEXIST ? openat(guard->parent, guard->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
    if (made < 0 && file < 0)
        return -1;
    if (made < 0 && !is_guard(file, &guard->folders))
        return 1;
    if (flock(made >= 0 ? made : file, LOCK_SH | LOCK_NB) != 0)
        return -1;
    if (made >= 0 && write_guard(made, guard->folders) != 0) {
        int error = errno;
        unlinkat(guard->parent, guard->name, 0);
        return errno = error, -1;
    }
    guard->file = made >= 0 ? take_fd(made) : take_fd(file);
    return 0;
}

// Guards and their folders are made and removed by one run at a time: whoever has the lock on the folder that all is in. -1 and errno.
static int lock_base(int base)
{
    enum { TRIES = 500, PAUSE = 10 * 1000 }; // five seconds
    closing_fd int folder = openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; folder >= 0; i++) {
        if (flock(folder, LOCK_EX | LOCK_NB) == 0)
            return take_fd(folder);
        if (errno != EWOULDBLOCK || i == TRIES)
            break;
        usleep(PAUSE);
    }
    return -1;
}

static int guard_place(struct guards *guards, struct view *view, size_t i, struct failure *failure)
{
    struct view_place *place = &view->places[i];
    const struct view_place *content = &view->places[place->content];
    uint32_t rule = view->plan->view[i].rule;
    const char *path = place->path + (content->path[1] ? strlen(content->path) : 0) + 1;
    closing_fd int base = host_open(view, content->host);
    if (base < 0)
        return 0; // view_open says what is wrong
    struct guard guard = {-1, -1, NULL, -1, path, 0};
    closing_fd int lock = lock_base(base); // from the first look to the last
    int lock_error = errno;
    closing_fd int there = sys_openat2(base, path, O_PATH, INSIDE);
    unsigned folders;
    if (there >= 0) { // a guard of somebody else's, or one that was left behind?
        closing_fd int file = sys_openat2(base, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, INSIDE);
        if (file < 0 || !is_guard(file, &folders))
            return 0;
    } else if (errno != ENOENT) {
        return 0;
    }
    if (lock < 0)
        return fail(failure, rule, lock_error, "cannot lock the folder in which the place of %s is to be kept", place->path);
    closing_fd int parent = open_parent(base, path, &guard.name, &guard.folders);
    guard.parent = parent;
    int taken = parent < 0 ? -1 : take_place(&guard);
    if (taken != 0) {
        int error = errno;
        remove_folders(base, path, guard.folders);
        bool forbidden = taken < 0 && (error == EACCES || error == EPERM || error == EROFS);
        return taken > 0 || forbidden ? 0 : fail(failure, rule, error, "cannot keep the place of %s, which does not exist on the host", place->path);
    }
    guard.parent = take_fd(parent);
    guard.base = take_fd(base);
    guards->list[guards->count++] = guard;
    place->guarded = true;
    return 0;
}

int guards_make(struct guards *guards, struct view *view, struct failure *failure)
{
    const struct plan *plan = view->plan;
    size_t most = 0;
    for (size_t i = 0; i < plan->view_count; i++)
        most += plan->view[i].from == PLAN_INHERIT;
    if (!most)
        return 0;
    guards->list = NEW_ARRAY(plan->arena, struct guard, most);
    for (size_t i = 0; i < plan->view_count; i++) {
        struct view_place *place = &view->places[i];
        bool beneath = place->above >= 0 && (view->places[place->above].guarded || view->places[place->above].beneath_guard);
        place->beneath_guard = beneath;
        bool apart = plan->view[i].from == PLAN_INHERIT && place->content >= 0 && plan->view[place->content].from == PLAN_HOST;
        if (apart && !beneath && guard_place(guards, view, i, failure))
            return -1;
    }
    return 0;
}

// ---- removing -----------------------------------------------------------------------------------------------------------------------------

static void remove_guard(const struct guard *guard)
{
    struct stat mine, there;
    unsigned folders;
    closing_fd int lock = lock_base(guard->base);
    if (flock(guard->file, LOCK_EX | LOCK_NB) != 0)
        return; // another run needs it: the last one removes it
    if (fstat(guard->file, &mine) != 0 || fstatat(guard->parent, guard->name, &there, AT_SYMLINK_NOFOLLOW) != 0 || mine.st_ino != there.st_ino ||
        mine.st_dev != there.st_dev || !is_guard(guard->file, &folders))
        return; // no longer what we made
    if (unlinkat(guard->parent, guard->name, 0) == 0)
        remove_folders(guard->base, guard->path, folders);
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

// Closes every descriptor but some. Nothing of the run's may stay open in the keeper: pipes would never end.
static void close_all_but(int *kept, size_t count)
{
    int next = 0;
    qsort(kept, count, sizeof *kept, by_number);
    for (size_t i = 0; i < count; i++) {
        if (kept[i] > next)
            close_range((unsigned)next, (unsigned)kept[i] - 1, 0);
        next = kept[i] + 1;
    }
    close_range((unsigned)next, ~0U, 0);
}

static _Noreturn void keep(const struct guards *guards, int lifeline, int sandbox)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    size_t count = 0;
    int *kept = malloc((3 * guards->count + 2) * sizeof *kept);
    if (kept) {
        kept[count++] = lifeline;
        kept[count++] = sandbox;
        for (size_t i = 0; i < guards->count; i++) {
            kept[count++] = guards->list[i].parent;
            kept[count++] = guards->list[i].file;
            kept[count++] = guards->list[i].base;
        }
        close_all_but(kept, count);
    }
    char byte;
    while (read(lifeline, &byte, 1) < 0 && errno == EINTR) // its end
        ;
    struct pollfd dead = {sandbox, POLLIN, 0};
    while (poll(&dead, 1, -1) < 0 && errno == EINTR)
        ;
    for (size_t i = guards->count; i-- > 0;)
        remove_guard(&guards->list[i]);
    _exit(0);
}

static void let_go(struct guards *guards) // the keeper has its own
{
    for (size_t i = 0; i < guards->count; i++) {
        close_scoped(&guards->list[i].parent);
        close_scoped(&guards->list[i].file);
        close_scoped(&guards->list[i].base);
    }
    guards->count = 0;
}

int guards_keep(struct guards *guards, int sandbox, struct failure *failure)
{
    if (!guards->count)
        return 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a pipe");
    // The list lies in memory that all processes of a run share: the keeper gets one of its own.
    struct guards own = {scratch_alloc(guards->count * sizeof *own.list), guards->count, 0, -1};
    memcpy(own.list, guards->list, guards->count * sizeof *own.list);
    pid_t keeper = fork();
    if (keeper == 0) {
        close(ends[1]);
        keep(&own, ends[0], sandbox);
    }
    int error = errno;
    free(own.list);
    close(ends[0]);
    if (keeper < 0) {
        close(ends[1]);
        return fail(failure, NO_RULE, error, "cannot start the process that removes what keeps the places of denied paths");
    }
    guards->keeper = keeper;
    guards->lifeline = ends[1];
    let_go(guards);
    return 0;
}

void guards_remove(struct guards *guards)
{
    for (size_t i = guards->count; i-- > 0;) // no keeper was started
        remove_guard(&guards->list[i]);
    let_go(guards);
    close_scoped(&guards->lifeline);
    guards->lifeline = -1;
    while (guards->keeper > 0 && waitpid(guards->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    guards->keeper = 0;
}
