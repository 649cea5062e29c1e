// Layers of runs: the walk through what differs, told to sbximage.
#include "enforcer/helpers/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/helpers/helper.h"
#include "enforcer/helpers/layer_wire.h"
#include "enforcer/host/clock.h"
#include "enforcer/host/scoped.h"

enum { MINUTES_MOST = 10 }; // for one layer

struct keeping {
    const struct view *view;
    int socket;
    bool broken;    // sbximage takes no more, and says why
    uint64_t until; // nanoseconds, when it has had its time
    size_t place;
    uint64_t bytes; // of the files of that place, together
    struct kept *kept;
};

static bool refuse(struct keeping *keeping, const struct difference *d, const char *why)
{
    enum { SHOWN = 200 };
    snprintf(keeping->kept->why, sizeof keeping->kept->why, "%.*s: %s",
             d->path.length < SHOWN ? (int)d->path.length : SHOWN, d->path.text, why);
    return false;
}

static int send_entry(const struct keeping *keeping, const struct layer_entry *entry, const char *path,
                      const char *target, int content)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec parts[] = {
        {(void *)entry, sizeof *entry}, {(void *)path, entry->path}, {(void *)target, entry->target}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    if (content >= 0) {
        memcpy(CMSG_DATA(&control.header), &content, sizeof content);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    while (sendmsg(keeping->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        enum { LOOK_MS = 200 };
        if ((errno != EAGAIN && errno != EINTR) || helper_must_end() || clock_now() > keeping->until)
            return -1;
        poll(&(struct pollfd){.fd = keeping->socket, .events = POLLOUT}, 1, LOOK_MS);
    }
    return 0;
}

static int open_content(const struct difference *d)
{
    enum { HOW = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC };
    int fd = openat(d->folder, d->name, HOW);
    if (fd < 0 && errno == EACCES && fchmodat(d->folder, d->name, 0400, 0) == 0) // the command is dead
        fd = openat(d->folder, d->name, HOW);
    return fd;
}

static bool keep(const struct difference *d, void *context)
{
    struct keeping *keeping = context;
    struct layer_entry entry = {.mode = d->status->st_mode,
                                .flags = d->opaque ? LAYER_OPAQUE : 0,
                                .links = (uint32_t)d->status->st_nlink,
                                .path = (uint32_t)d->path.length,
                                .device = d->status->st_dev,
                                .inode = d->status->st_ino,
                                .modified = d->status->st_mtim.tv_sec};
    char target[PATH_MAX];
    closing_fd int content = -1;
    if (d->what == DIFFERS_UNLISTED)
        return refuse(keeping, d, d->why);
    if (d->what == DIFFERS_REPLACED)
        return true;
    const char *last = memrchr(d->path.text, '/', d->path.length);
    if (d->path.length - (size_t)(last - d->path.text) > 4 && memcmp(last, "/.wh.", 5) == 0)
        return refuse(keeping, d, "a name that begins so stands in a layer for what is gone");
    if (d->path.length > LAYER_TEXT_MOST - sizeof target)
        return refuse(keeping, d, "the path is too long for a layer");
    if (d->what == DIFFERS_DELETED) {
        entry = (struct layer_entry){.flags = LAYER_GONE, .path = (uint32_t)d->path.length};
    } else if (S_ISREG(entry.mode)) {
        entry.size = (uint64_t)d->status->st_size;
        if (keeping->place != d->place)
            keeping->bytes = 0;
        keeping->place = d->place;
        keeping->bytes += entry.size;
        if (keeping->bytes < entry.size || keeping->bytes > keeping->view->plan->view[d->place].size)
            return refuse(keeping, d, "with its holes it is larger than what may differ");
        if ((content = open_content(d)) < 0)
            return refuse(keeping, d, strerror(errno));
    } else if (S_ISLNK(entry.mode)) {
        ssize_t n = readlinkat(d->folder, d->name, target, sizeof target);
        if (n < 0)
            return refuse(keeping, d, strerror(errno));
        entry.target = (uint32_t)n;
    } else if (S_ISSOCK(entry.mode)) {
        keeping->kept->sockets++;
        return true;
    } else if (!S_ISDIR(entry.mode) && !S_ISFIFO(entry.mode)) {
        return refuse(keeping, d, "a layer holds no devices");
    }
    keeping->broken = send_entry(keeping, &entry, d->path.text, target, content) != 0;
    keeping->kept->entries += !keeping->broken;
    return !keeping->broken;
}

// Has sbximage take what is told at one end of a socket, and say at one end of a pipe what went wrong.
static pid_t start(int out, int ends[2], int says[2], struct failure *failure)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a socket");
    if (pipe2(says, O_CLOEXEC) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a pipe");
    return helper_start(
        &(struct helper){.program = HELPER_LAYER, .given = (int[]){ends[1], out, says[1]}, .count = 3}, failure);
}

void layer_keep(int out, const struct view *view, const struct uppers *uppers, struct kept *kept)
{
    int ends[2] = {-1, -1}, says[2] = {-1, -1}, how = 0;
    char said[200] = "";
    const char *ended = NULL;
    struct failure failure = {0};
    pid_t pid = start(out, ends, says, &failure);
    close_scoped(&ends[1]);
    close_scoped(&says[1]);
    *kept = (struct kept){0};
    struct keeping keeping = {
        .view = view, .socket = ends[0], .kept = kept, .until = clock_now() + (uint64_t)MINUTES_MOST * 60 * 1000000000};
    if (pid < 0) {
        snprintf(kept->why, sizeof kept->why, "%s%s%s", failure.what, failure.error ? ": " : "",
                 failure.error ? strerror(failure.error) : "");
    } else {
        struct layer_entry end = {.flags = LAYER_END};
        if (differs_walk(view, uppers, keep, &keeping))
            keeping.broken = send_entry(&keeping, &end, "", "", -1) != 0;
        close_scoped(&ends[0]);
        ends[0] = -1;
        how = helper_wait(pid, says[0], 0, said, sizeof said, &ended);
    }
    if (pid > 0 && !kept->why[0] && (ended || keeping.broken || !WIFEXITED(how) || WEXITSTATUS(how) != 0))
        snprintf(kept->why, sizeof kept->why, "%s", ended ? ended : said[0] ? said : "sbximage died");
    close_scoped(&ends[0]);
    close_scoped(&says[0]);
    struct stat status;
    if (kept->why[0] && fstat(out, &status) == 0 && S_ISREG(status.st_mode) && ftruncate(out, 0) != 0)
        return; // it is said that there is none
}
