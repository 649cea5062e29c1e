// Placeholders on the host.
#include "enforcer/view/placeholder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/view_source.h"

enum { INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

static const char said[] =
    "A sandbox may not write here: sbxrun keeps the place, and removes this file when it ends. Folders: ";
enum { SAID = sizeof said - 1, GUARD_SIZE = SAID + 3 }; // two digits and a newline

struct placeholder {
    int parent, file; // the folder that it lies in, O_PATH; itself, locked
    const char *name; // in that folder
    int base;         // the folder on the host that the place's content is from, O_PATH
    const char *path; // from there
    unsigned folders; // how many of the folders above it go with it, when they are empty
};

struct kept { // by the keeper
    struct placeholder *list;
    size_t count;
};

// ---- the file -----------------------------------------------------------------------------------------------------

// Whether an open file is a placeholder; *folders as it says.
static bool is_placeholder(int file, unsigned *folders)
{
    char text[GUARD_SIZE + 1];
    struct stat status;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != GUARD_SIZE ||
        pread(file, text, sizeof text, 0) != GUARD_SIZE || memcmp(text, said, SAID) != 0)
        return false;
    *folders = (unsigned)(text[SAID] - '0') * 10 + (unsigned)(text[SAID + 1] - '0');
    return true;
}

static bool is_linked(int file)
{
    struct stat status;
    return fstat(file, &status) == 0 && status.st_nlink > 0;
}

static int write_placeholder(int file, unsigned folders)
{
    char text[GUARD_SIZE + 1];
    snprintf(text, sizeof text, "%s%02u\n", said, folders);
    // Whoever else may come to need it must be able to read what it is, and lock it.
    return fchmod(file, 0444) == 0 && write(file, text, GUARD_SIZE) == GUARD_SIZE ? 0 : -1;
}

// ---- making -------------------------------------------------------------------------------------------------------

// Opens the folder that a placeholder lies in, making what is missing on the way; *made counts. -1 and errno.
static int open_parent(int base, const char *path, const char **name, unsigned *made)
{
    closing_fd int folder = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash; folder >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char part[256];
        if (slash - path >= (long)sizeof part)
            return errno = ENAMETOOLONG, -1;
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        int next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
        if (next < 0 && errno == ENOENT && *made < 99) {
            bool mine = mkdirat(folder, part, 0755) == 0;
            *made += mine;
            if (mine || errno == EEXIST)
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
        char *above =
            strrchr(folder, '/'); // opened without following links: what lies there may be somebody else's by now
        const char *name = above ? above + 1 : folder;
        closing_fd int parent = sys_openat2(base, above ? (*above = '\0', folder) : ".", O_PATH | O_DIRECTORY, INSIDE);
        int gone = parent < 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
        if (above)
            *above = '/';
        if (gone != 0)
            return; // something else is in it by now: it stays
    }
}

// A new placeholder, locked: whole from the moment it has its name, where the file system can do that. -1 and errno.
static int new_placeholder(const struct placeholder *placeholder)
{
    char link[64];
    closing_fd int whole = openat(placeholder->parent, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0444);
    snprintf(link, sizeof link, "/proc/self/fd/%d", whole);
    if (whole >= 0 && write_placeholder(whole, placeholder->folders) == 0 && flock(whole, LOCK_SH | LOCK_NB) == 0 &&
        (linkat(AT_FDCWD, link, placeholder->parent, placeholder->name, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST))
        return errno == EEXIST && !is_linked(whole) ? -1 : take_fd(whole);
    closing_fd int file =
        openat(placeholder->parent, placeholder->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (file < 0 || (write_placeholder(file, placeholder->folders) == 0 && flock(file, LOCK_SH | LOCK_NB) == 0))
        return take_fd(file);
    int error = errno;
    unlinkat(placeholder->parent, placeholder->name, 0);
    return errno = error, -1;
}

// A placeholder in a folder: made, or joined where one stands already. 0; 1 when something else is there; -1 and errno.
static int take_place(struct placeholder *placeholder)
{
    closing_fd int made = new_placeholder(placeholder);
    closing_fd int file = made < 0 && errno == EEXIST ? openat(placeholder->parent, placeholder->name,
                                                               O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
                                                      : -1;
    if (made < 0 && file < 0)
        return -1;
    if (made < 0 && !is_placeholder(file, &placeholder->folders))
        return 1;
    if (made < 0 && flock(file, LOCK_SH | LOCK_NB) != 0)
        return -1;
    placeholder->file = made >= 0 ? take_fd(made) : take_fd(file);
    return 0;
}

// Placeholders and their folders are made and removed by one run at a time: whoever has the lock on the folder that all
// is in. -1 and errno.
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

// A place that is kept apart from a folder of the host: where its content starts, O_PATH, and the path from there. -1
// where there is no such folder.
static int open_base(const struct view *view, size_t i, const char **path)
{
    const struct view_place *place = &view->places[i], *content = &view->places[place->content];
    *path = place->path + (content->path[1] ? strlen(content->path) : 0) + 1;
    return host_open(view, content->host); // view_open says what is wrong
}

static bool is_apart(const struct view *view, size_t i)
{
    int content = view->places[i].content;
    return view->plan->view[i].from == PLAN_INHERIT && content >= 0 && view->plan->view[content].from == PLAN_HOST;
}

// Whether nothing stands at a place, or a placeholder: somebody else's, or one that was left behind.
static bool needs_placeholder(int base, const char *path)
{
    closing_fd int there = sys_openat2(base, path, O_PATH, INSIDE);
    if (there < 0)
        return errno == ENOENT;
    closing_fd int file = sys_openat2(base, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, INSIDE);
    unsigned folders;
    return file >= 0 && is_placeholder(file, &folders);
}

// True when the place is held; false when it needs none or may have none, or with the failure.
static bool hold_place(struct kept *kept, const struct view *view, size_t i, struct failure *failure)
{
    uint32_t rule = view->plan->view[i].rule;
    struct placeholder placeholder = {-1, -1, NULL, -1, NULL, 0};
    closing_fd int base = open_base(view, i, &placeholder.path);
    if (base < 0 || !needs_placeholder(base, placeholder.path))
        return false;
    closing_fd int lock = lock_base(base);
    if (lock < 0) {
        fail(failure, rule, errno, "cannot lock the folder in which the place of %s is to be kept",
             view->places[i].path);
        return false;
    }
    closing_fd int parent = open_parent(base, placeholder.path, &placeholder.name, &placeholder.folders);
    placeholder.parent = parent;
    int taken = parent < 0 ? -1 : take_place(&placeholder);
    if (taken != 0) {
        int error = errno;
        remove_folders(base, placeholder.path, placeholder.folders);
        if (taken < 0 && error != EACCES && error != EPERM && error != EROFS)
            fail(failure, rule, error, "cannot keep the place of %s, which does not exist on the host",
                 view->places[i].path);
        return false;
    }
    placeholder.parent = take_fd(parent);
    placeholder.base = take_fd(base);
    kept->list[kept->count++] = placeholder;
    return true;
}

// ---- removing -----------------------------------------------------------------------------------------------------

static void remove_placeholder(const struct placeholder *placeholder)
{
    struct stat mine, there;
    unsigned folders;
    closing_fd int lock = lock_base(placeholder->base);
    if (flock(placeholder->file, LOCK_EX | LOCK_NB) != 0)
        return; // another run needs it: the last one removes it
    if (fstat(placeholder->file, &mine) != 0 ||
        fstatat(placeholder->parent, placeholder->name, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
        mine.st_ino != there.st_ino || mine.st_dev != there.st_dev || !is_placeholder(placeholder->file, &folders))
        return; // no longer what we made
    if (unlinkat(placeholder->parent, placeholder->name, 0) == 0 ||
        unlinkat(placeholder->parent, placeholder->name, 0) == 0)
        remove_folders(placeholder->base, placeholder->path, folders);
}

// ---- the keeper ---------------------------------------------------------------------------------------------------

static bool transfer(int socket, void *data, size_t size, bool sends)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = sends ? send(socket, (char *)data + done, size - done, MSG_NOSIGNAL)
                          : read(socket, (char *)data + done, size - done);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// Waits for the end of the other side. What it may say before is which process the sandbox dies with: its pidfd, or -1.
static int wait_for_end(int socket)
{
    int sandbox = -1;
    for (;;) {
        union {
            struct cmsghdr header;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        char byte;
        struct iovec data = {&byte, 1};
        struct msghdr message = {
            .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
        if (header && header->cmsg_type == SCM_RIGHTS)
            memcpy(&sandbox, CMSG_DATA(header), sizeof sandbox);
        if (n == 0 || (n < 0 && errno != EINTR))
            return sandbox;
    }
}

static _Noreturn void keep(int socket, const struct view *view, bool *held, struct placeholder *list)
{
    struct kept kept = {list, 0};
    struct failure failure = {0};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    dup2(socket, 0); // nothing of the run's may stay open here: pipes would never end
    close_range(1, ~0U, 0);
    for (size_t i = 0; i < view->plan->view_count && !failure.what[0]; i++) {
        int above = view->places[i].above;
        bool beneath = above >= 0 && held[above]; // there is nothing
        held[i] = beneath || (is_apart(view, i) && hold_place(&kept, view, i, &failure));
    }
    if (transfer(0, &failure, sizeof failure, true) && transfer(0, held, view->plan->view_count * sizeof *held, true)) {
        struct pollfd dead = {wait_for_end(0), POLLIN, 0};
        while (dead.fd >= 0 && poll(&dead, 1, -1) < 0 && errno == EINTR)
            ;
    }
    for (size_t i = kept.count; i-- > 0;)
        remove_placeholder(&kept.list[i]);
    _exit(0);
}

int placeholders_make(struct placeholders *placeholders, struct view *view, struct failure *failure)
{
    const struct plan *plan = view->plan;
    bool needed = false;
    for (size_t i = 0; i < plan->view_count && !needed; i++)
        if (is_apart(view, i)) {
            const char *path;
            closing_fd int base = open_base(view, i, &path);
            needed = base >= 0 && needs_placeholder(base, path);
        }
    if (!needed)
        return 0;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a socket");
    bool *held = NEW_ARRAY(plan->arena, bool, plan->view_count);
    struct placeholder *list = NEW_ARRAY(plan->arena, struct placeholder, plan->view_count);
    pid_t keeper = fork();
    if (keeper == 0) {
        close(ends[1]);
        keep(ends[0], view, held, list);
    }
    int error = errno;
    close(ends[0]);
    if (keeper < 0) {
        close(ends[1]);
        return fail(failure, NO_RULE, error, "cannot start the process that keeps the places of denied paths");
    }
    *placeholders = (struct placeholders){keeper, ends[1]};
    struct failure theirs;
    if (!transfer(ends[1], &theirs, sizeof theirs, false) ||
        !transfer(ends[1], held, plan->view_count * sizeof *held, false))
        return fail(failure, NO_RULE, 0, "the process that keeps the places of denied paths has died");
    if (theirs.what[0]) {
        *failure = theirs;
        return -1;
    }
    for (size_t i = 0; i < plan->view_count; i++) {
        struct view_place *place = &view->places[i];
        place->beneath_placeholder = place->above >= 0 && held[place->above];
        place->held = held[i] && !place->beneath_placeholder;
    }
    return 0;
}

int placeholders_keep(const struct placeholders *placeholders, int sandbox, struct failure *failure)
{
    if (!placeholders->keeper)
        return 0;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec data = {"", 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    memcpy(CMSG_DATA(&control.header), &sandbox, sizeof sandbox);
    return sendmsg(placeholders->socket, &message, MSG_NOSIGNAL) == 1
               ? 0
               : fail(failure, NO_RULE, errno, "cannot reach what keeps the places of denied paths");
}

void placeholders_remove(struct placeholders *placeholders)
{
    close_scoped(&placeholders->socket);
    placeholders->socket = -1;
    while (placeholders->keeper > 0 && waitpid(placeholders->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    placeholders->keeper = 0;
}
