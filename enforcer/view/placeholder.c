// Placeholders on the host.
#include "enforcer/view/placeholder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/say.h"
#include "enforcer/host/scoped.h"
#include "enforcer/host/seal.h"
#include "enforcer/view/placeholder_need.h"
#include "enforcer/view/view_source.h"

static const char said[] =
    "A sandbox may not write here: sbxrun keeps the place, and removes this file when it ends. Folders: ";
enum { SAID = sizeof said - 1, PLACEHOLDER_SIZE = SAID + 3 + SEAL + 1 }; // two digits, a space, the seal and a newline

struct placeholder_text {
    unsigned folders;
    char seal[SEAL + 1]; // of which file says so, and which folders they are
};

enum { FOLDERS_MOST = 99 };

struct made_folders { // from the highest
    unsigned count;
    struct stat list[FOLDERS_MOST];
};

struct kept_place {
    size_t place;     // of the view
    const char *path; // from the folder on the host that the place's content is from
    int base;         // that folder, O_PATH, in the process that is to remove it; -1
    unsigned missing; // how many folders above it did not exist when that was looked at
    int need;         // the keeper's socket by whose name others see that it is needed; -1
    bool made;        // it may have been
    int error;        // why it could not be removed
};

// ---- the file -----------------------------------------------------------------------------------------------------

// Of what the seal of a placeholder is: the file itself, and each folder that was made for it, from the deepest.
struct identities {
    size_t count;
    uint64_t list[1 + FOLDERS_MOST][2];
};

static void add_identity(struct identities *of, const struct stat *status)
{
    of->list[of->count][0] = status->st_dev;
    of->list[of->count++][1] = status->st_ino;
}

static bool seal(const struct identities *of, char hex[SEAL + 1])
{
    return seal_make("placeholder", STR(""), (struct str){(const char *)of->list, of->count * sizeof *of->list}, hex);
}

// Whether an open file is a placeholder, and what it says. `begun`: or one whose writing was cut short.
static bool is_placeholder(int file, bool begun, struct placeholder_text *says)
{
    char text[PLACEHOLDER_SIZE + 1];
    struct stat status;
    ssize_t length = fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= PLACEHOLDER_SIZE
                         ? pread(file, text, sizeof text, 0)
                         : -1;
    *says = (struct placeholder_text){0};
    if (length < 0 || memcmp(text, said, (size_t)length < SAID ? (size_t)length : SAID) != 0)
        return false;
    if (length == PLACEHOLDER_SIZE) {
        says->folders = (unsigned)(text[SAID] - '0') * 10 + (unsigned)(text[SAID + 1] - '0');
        memcpy(says->seal, text + SAID + 3, SEAL);
    }
    return length == PLACEHOLDER_SIZE || (begun && (status.st_mode & 07777) == 0444);
}

// How many folders above a placeholder were made for it: as many as it says, where its seal is of it and of those.
// Anybody can write such a file, or move one to another folder.
static unsigned folders_of(int file, int parent, const struct placeholder_text *says)
{
    struct identities of = {0};
    struct stat status;
    char right[SEAL + 1];
    if (says->folders > FOLDERS_MOST || fstat(file, &status) != 0)
        return 0;
    add_identity(&of, &status);
    closing_fd int folder = openat(parent, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < says->folders; i++) {
        if (folder < 0 || fstat(folder, &status) != 0)
            return 0;
        add_identity(&of, &status);
        int above = openat(folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(folder);
        folder = above;
    }
    return seal(&of, right) && seal_equal(right, says->seal) ? says->folders : 0;
}

static int write_placeholder(int file, const struct made_folders *made)
{
    char text[PLACEHOLDER_SIZE + 1], hex[SEAL + 1];
    struct identities of = {0};
    struct stat status;
    if (fstat(file, &status) != 0)
        return -1;
    add_identity(&of, &status);
    for (unsigned i = made->count; i-- > 0;)
        add_identity(&of, &made->list[i]);
    if (!seal(&of, hex)) // then nobody believes the number
        snprintf(hex, sizeof hex, "%0*d", SEAL, 0);
    snprintf(text, sizeof text, "%s%02u %s\n", said, made->count, hex);
    // Whoever else may come to need it must be able to read what it is.
    return fchmod(file, 0444) == 0 && write(file, text, PLACEHOLDER_SIZE) == PLACEHOLDER_SIZE ? 0 : -1;
}

// ---- making -------------------------------------------------------------------------------------------------------

// Opens the folder that a placeholder lies in, making what is missing on the way. -1 and errno.
static int open_parent(int base, const char *path, const char **name, struct made_folders *made)
{
    closing_fd int folder = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash; folder >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char part[256];
        if (slash - path >= (long)sizeof part)
            return errno = ENAMETOOLONG, -1;
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        int next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
        if (next < 0 && errno == ENOENT && made->count < FOLDERS_MOST) {
            bool mine = mkdirat(folder, part, 0755) == 0;
            if (mine || errno == EEXIST)
                next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
            if (mine && (next < 0 || fstat(next, &made->list[made->count]) != 0))
                made->list[made->count] = (struct stat){0};
            made->count += mine;
        }
        close(folder);
        folder = next;
    }
    *name = path;
    return take_fd(folder);
}

static bool is_linked(int file)
{
    struct stat status;
    return fstat(file, &status) == 0 && status.st_nlink > 0;
}

// A new placeholder: whole from the moment it has its name, where the file system can do that. -1 and errno.
static int new_placeholder(int parent, const char *name, const struct made_folders *folders)
{
    char link[64];
    closing_fd int whole = openat(parent, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0444);
    snprintf(link, sizeof link, "/proc/self/fd/%d", whole);
    if (whole >= 0 && write_placeholder(whole, folders) == 0 &&
        (linkat(AT_FDCWD, link, parent, name, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST))
        return errno == EEXIST && !is_linked(whole) ? -1 : take_fd(whole);
    closing_fd int file = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (file < 0 || write_placeholder(file, folders) == 0)
        return take_fd(file);
    int error = errno;
    unlinkat(parent, name, 0);
    return errno = error, -1;
}

// A placeholder in a folder: made, or joined where one stands already. 0; 1 when something else is there; -1 and errno.
static int take_place(struct kept_place *kept, int parent, const char *name, const struct made_folders *folders)
{
    closing_fd int made = new_placeholder(parent, name, folders);
    closing_fd int file =
        made < 0 && errno == EEXIST ? openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
    struct stat status;
    struct placeholder_text says;
    if (made < 0 && file < 0)
        return -1;
    if (made < 0 && !is_placeholder(file, false, &says))
        return 1;
    if (fstat(made < 0 ? file : made, &status) != 0 || (kept->need = placeholder_need(&status)) < 0)
        return -1;
    return 0;
}

// A place that is kept apart from a folder of the host: where its content starts, O_PATH, and the path from there. -1
// where there is no such folder.
static int open_base(const struct view *view, size_t i, const char **path)
{
    const struct view_place *place = &view->places[i], *content = &view->places[place->content];
    *path = place->path + (content->path[1] ? strlen(content->path) : 0) + 1;
    return host_open(view, content->host, NULL); // view_open says what is wrong
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
    struct placeholder_text says;
    return file >= 0 && is_placeholder(file, false, &says);
}

static unsigned missing_folders(int base, const char *path)
{
    char folder[4096];
    unsigned count = 0;
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash; (slash = strrchr(folder, '/')); count++) {
        *slash = '\0';
        closing_fd int there = sys_openat2(base, folder, O_PATH | O_DIRECTORY, INSIDE);
        if (there >= 0 || errno != ENOENT)
            break;
    }
    return count;
}

static void remove_place(struct kept_place *, bool begun);

// True when the place is held; false when it needs none or may have none, or with the failure.
static bool hold_place(struct kept_place *kept, const struct view *view, struct failure *failure)
{
    uint32_t rule = view->plan->view[kept->place].rule;
    const char *name, *shown = view->places[kept->place].path;
    kept->base = open_base(view, kept->place, &kept->path);
    if (kept->base < 0 || !needs_placeholder(kept->base, kept->path))
        return false;
    closing_fd int lock = placeholders_lock();
    if (lock < 0) {
        fail(failure, rule, errno,
             "another run of this user is making placeholders, and does not come to an end; so "
             "the place of %s can't be kept",
             shown);
        return false;
    }
    struct made_folders made = {0};
    kept->made = true;
    closing_fd int parent = open_parent(kept->base, kept->path, &name, &made);
    int taken = parent < 0 ? -1 : take_place(kept, parent, name, &made);
    if (taken == 0)
        return true;
    int error = errno;
    if (taken < 0 && error != EACCES && error != EPERM && error != EROFS)
        fail(failure, rule, error, "cannot keep the place of %s, which does not exist on the host", shown);
    kept->missing = made.count;
    remove_place(kept, false);
    kept->made = false;
    return false;
}

// ---- removing -----------------------------------------------------------------------------------------------------

// The command may have taken from folders what it takes to remove something from them. They are the caller's, who gives
// it back for the moment.
enum { MENDED_MOST = 128 };

struct mended {
    struct {
        int folder;
        mode_t mode;
    } list[MENDED_MOST];
    size_t count;
};

static bool set_mode(int folder, mode_t mode)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", folder);
    return chmod(path, mode) == 0;
}

// True when it could be given more than it had.
static bool mend(struct mended *mended, int folder)
{
    struct stat status;
    int error = errno;
    closing_fd int own = fcntl(folder, F_DUPFD_CLOEXEC, 3);
    if (own < 0 || mended->count == MENDED_MOST || fstat(own, &status) != 0 || (status.st_mode & S_IRWXU) == S_IRWXU ||
        !set_mode(own, (status.st_mode & 07777) | S_IRWXU)) {
        errno = error;
        return false;
    }
    mended->list[mended->count].mode = status.st_mode & 07777;
    mended->list[mended->count++].folder = take_fd(own);
    return true;
}

static void restore(struct mended *mended)
{
    while (mended->count-- > 0) {
        set_mode(mended->list[mended->count].folder, mended->list[mended->count].mode);
        close(mended->list[mended->count].folder);
    }
}

// The folder that the last name of a path lies in, O_PATH. -1 and errno.
static int enter_parent(int base, const char *path, const char **name, struct mended *mended)
{
    closing_fd int folder = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == EACCES && mend(mended, base))
        folder = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash; folder >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        char part[256];
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        int next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
        if (next < 0 && errno == EACCES && mend(mended, folder))
            next = sys_openat2(folder, part, O_PATH | O_DIRECTORY, INSIDE);
        int error = errno;
        close(folder);
        errno = error;
        folder = next;
    }
    *name = path;
    return take_fd(folder);
}

static int remove_name(int parent, const char *name, int flags, struct mended *mended)
{
    if (unlinkat(parent, name, flags) == 0)
        return 0;
    return (errno == EACCES || errno == EPERM) && mend(mended, parent) ? unlinkat(parent, name, flags) : -1;
}

// Opens what stands at a place for reading. -1 and errno.
static int open_there(int parent, const char *name, struct mended *mended)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, file = openat(parent, name, flags);
    if (file >= 0 || errno != EACCES)
        return file;
    if (mend(mended, parent) && (file = openat(parent, name, flags)) >= 0)
        return file;
    closing_fd int there = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status; // a placeholder itself may have been made unreadable
    return there >= 0 && fstat(there, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= PLACEHOLDER_SIZE &&
                   mend(mended, there)
               ? openat(parent, name, flags)
               : -1;
}

// Folders that were made for a placeholder, the deepest first, as long as nothing else is in them.
static void remove_folders(int base, const char *path, unsigned count, struct mended *mended)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash; count > 0 && (slash = strrchr(folder, '/')); count--) {
        *slash = '\0';
        const char *name; // reached without following links: what lies there may be somebody else's by now
        closing_fd int parent = enter_parent(base, folder, &name, mended);
        if ((parent < 0 || remove_name(parent, name, AT_REMOVEDIR, mended) != 0) && errno != ENOENT)
            return; // who made them may have been killed before he came to the deepest
    }
}

// Removes a placeholder that nobody needs, with its folders, whoever made it; while the places are locked.
static void remove_place(struct kept_place *kept, bool begun)
{
    struct mended mended = {.count = 0};
    const char *name;
    unsigned folders = 0;
    struct placeholder_text says;
    struct stat status;
    closing_fd int parent = enter_parent(kept->base, kept->path, &name, &mended);
    closing_fd int file = parent < 0 ? -1 : open_there(parent, name, &mended);
    bool gone = file < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP);
    kept->error = file < 0 && !gone ? errno : 0;
    enum holder needs = file >= 0 && is_placeholder(file, begun, &says) && fstat(file, &status) == 0
                            ? placeholder_holder(&status)
                            : OURS;
    if (needs == STRANGER)
        kept->error = EBUSY;
    if (needs == NOBODY) {
        folders = folders_of(file, parent, &says);
        gone = remove_name(parent, name, 0, &mended) == 0;
        kept->error = gone ? 0 : errno;
    }
    if (gone)
        remove_folders(kept->base, kept->path, folders > kept->missing ? folders : kept->missing, &mended);
    restore(&mended);
}

// Each that is in the list, whether or not it came to be made.
static void remove_all(struct kept_place *list, size_t count, bool begun)
{
    closing_fd int lock = placeholders_lock();
    int error = errno;
    for (size_t i = count; i-- > 0;) {
        close_scoped(&list[i].need);
        list[i].need = -1;
        if (lock >= 0)
            remove_place(&list[i], begun);
        else
            list[i].error = error;
    }
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

static _Noreturn void keep(struct placeholders *placeholders, int socket, bool *held)
{
    const struct view *view = placeholders->view;
    struct failure failure = {0};
    struct kept_place *next = placeholders->list, *end = next + placeholders->count;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    umask(0022);
    dup2(socket, 0); // nothing of the run's may stay open here: pipes would never end
    close_range(1, ~0U, 0);
    for (size_t i = 0; i < view->plan->view_count && !failure.what[0]; i++) {
        struct kept_place *kept = next < end && next->place == i ? next++ : NULL;
        int above = view->places[i].above;
        bool beneath = above >= 0 && held[above]; // there is nothing
        held[i] = beneath || (kept && hold_place(kept, view, &failure));
    }
    if (transfer(0, &failure, sizeof failure, true) && transfer(0, held, view->plan->view_count * sizeof *held, true)) {
        struct pollfd dead = {wait_for_end(0), POLLIN, 0};
        while (dead.fd >= 0 && poll(&dead, 1, -1) < 0 && errno == EINTR)
            ;
    }
    remove_all(placeholders->list, placeholders->count, false);
    _exit(0);
}

// The places that need one, as it looks now.
static void list_places(struct placeholders *placeholders, const struct view *view)
{
    const struct plan *plan = view->plan;
    placeholders->view = view;
    placeholders->list = NEW_ARRAY(plan->arena, struct kept_place, plan->view_count);
    for (size_t i = 0; i < plan->view_count; i++) {
        struct kept_place kept = {.base = -1, .place = i, .need = -1};
        if (!is_apart(view, i))
            continue;
        closing_fd int base = open_base(view, i, &kept.path);
        if (base < 0 || !needs_placeholder(base, kept.path))
            continue;
        kept.missing = missing_folders(base, kept.path);
        placeholders->list[placeholders->count++] = kept;
    }
}

int placeholders_make(struct placeholders *placeholders, struct view *view, struct failure *failure)
{
    const struct plan *plan = view->plan;
    list_places(placeholders, view);
    if (!placeholders->count)
        return 0;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a socket");
    bool *held = NEW_ARRAY(plan->arena, bool, plan->view_count);
    pid_t keeper = fork();
    if (keeper == 0) {
        close(ends[1]);
        keep(placeholders, ends[0], held);
    }
    int error = errno;
    close(ends[0]);
    if (keeper < 0) {
        close(ends[1]);
        return fail(failure, NO_RULE, error, "cannot start the process that keeps the places of denied paths");
    }
    placeholders->keeper = keeper;
    placeholders->socket = ends[1];
    placeholders->ended = (int)syscall(SYS_pidfd_open, keeper, 0);
    struct failure theirs;
    if (placeholders->ended < 0)
        return fail(failure, NO_RULE, errno, "cannot watch the process that keeps the places of denied paths");
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

// What the keeper would have removed, had it not been killed.
static void remove_instead(struct placeholders *placeholders)
{
    for (size_t i = 0; i < placeholders->count; i++) {
        struct kept_place *kept = &placeholders->list[i];
        kept->base = open_base(placeholders->view, kept->place, &kept->path);
        kept->need = -1;
    }
    remove_all(placeholders->list, placeholders->count, true);
}

void placeholders_remove(struct placeholders *placeholders, FILE *out)
{
    int status = 0;
    close_scoped(&placeholders->socket);
    close_scoped(&placeholders->ended);
    placeholders->socket = placeholders->ended = -1;
    if (placeholders->keeper <= 0)
        return;
    while (waitpid(placeholders->keeper, &status, 0) < 0 && errno == EINTR)
        ;
    placeholders->keeper = 0;
    if (!WIFEXITED(status))
        remove_instead(placeholders);
    for (size_t i = 0; i < placeholders->count; i++) {
        const struct kept_place *kept = &placeholders->list[i];
        const struct view *view = placeholders->view;
        if (kept->made && kept->error)
            say(out, "sbxrun: %s/%s on the host kept the place of %s and can't be removed: %s",
                view->places[view->places[kept->place].content].host, kept->path, view->places[kept->place].path,
                strerror(kept->error));
    }
}
