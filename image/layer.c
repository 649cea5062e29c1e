// Writing a layer: a tar archive as the OCI image specification has it (image-spec, layer.md), by libarchive
// (archive_write(3)). What is written depends on nothing but what is told: no owner, no time of its own, and of a file
// with several names (archive_entry_linkify(3)) the first has what it holds.
#include "image/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/helpers/layer_wire.h"

struct writing {
    struct archive *tar;
    struct archive_entry_linkresolver *names;
};

struct told {
    struct layer_entry entry;
    char text[LAYER_TEXT_MOST + 1];
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "%.200s: %.200s\n", what, why);
    return 1;
}

static int fail_archive(const struct writing *w, const char *what)
{
    const char *why = archive_errno(w->tar) > 0 ? strerror(archive_errno(w->tar)) : archive_error_string(w->tar);
    return fail(what, why ? why : "it can't be written");
}

// The next packet, and the descriptor that came with it, or -1. False: it is none that sbxrun sends.
static bool take(struct told *told, int *content)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec parts[] = {{&told->entry, sizeof told->entry}, {told->text, LAYER_TEXT_MOST}};
    struct msghdr message = {
        .msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(STDIN_FILENO, &message, 0);
    *content = -1;
    struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(content, CMSG_DATA(header), sizeof *content);
    size_t path = told->entry.path, target = told->entry.target;
    return n >= (ssize_t)sizeof told->entry && !(message.msg_flags & MSG_TRUNC) && path <= LAYER_TEXT_MOST &&
           target <= LAYER_TEXT_MOST && (size_t)n == sizeof told->entry + path + target;
}

static int write_content(const struct writing *w, int content, uint64_t size, const char *name)
{
    static char block[256 * 1024];
    for (uint64_t at = 0; at < size;) {
        size_t wanted = size - at < sizeof block ? (size_t)(size - at) : sizeof block;
        ssize_t n = pread(content, block, wanted, (off_t)at);
        if (n < 0)
            return fail(name, strerror(errno));
        if (n == 0)
            return fail(name, "it ends before its end");
        if (archive_write_data(w->tar, block, (size_t)n) != n)
            return fail_archive(w, name);
        at += (uint64_t)n;
    }
    return 0;
}

// What identifies a file on this machine is not part of a layer.
static void forget_inode(struct archive_entry *entry)
{
    archive_entry_set_ino64(entry, 0);
    archive_entry_set_dev(entry, 0);
    archive_entry_set_nlink(entry, 1);
}

static int write_entry(struct writing *w, const struct told *told, const char *name, const char *target, int content)
{
    const struct layer_entry *e = &told->entry;
    struct archive_entry *entry = archive_entry_new(), *other = NULL;
    if (!entry)
        return fail(name, "memory ran out");
    archive_entry_set_pathname(entry, name);
    archive_entry_set_mode(entry, e->mode & (S_IFMT | S_ISVTX | 0777));
    archive_entry_set_mtime(entry, e->modified, 0);
    archive_entry_set_size(entry, S_ISREG(e->mode) ? (int64_t)e->size : 0);
    if (S_ISLNK(e->mode))
        archive_entry_set_symlink(entry, target);
    if (S_ISREG(e->mode) && e->links > 1) {
        archive_entry_set_ino64(entry, (int64_t)e->inode);
        archive_entry_set_dev(entry, e->device);
        archive_entry_set_nlink(entry, e->links);
        archive_entry_linkify(w->names, &entry, &other);
        forget_inode(entry);
    }
    const char *first = archive_entry_hardlink(entry);
    // A warning: it is no text that the library knows, and is written as the bytes that it is.
    int failed = archive_write_header(w->tar, entry) < ARCHIVE_WARN ? fail_archive(w, name) : 0;
    if (!failed && !first && S_ISREG(e->mode))
        failed = write_content(w, content, e->size, name);
    archive_entry_free(entry);
    return failed;
}

// An empty file of a name that says what it stands for.
static int write_mark(struct writing *w, const char *name)
{
    static const struct told empty = {.entry.mode = S_IFREG};
    return write_entry(w, &empty, name, NULL, -1);
}

static int write_told(struct writing *w, struct told *told, int content)
{
    static char name[LAYER_TEXT_MOST + 32], target[LAYER_TEXT_MOST + 1];
    const struct layer_entry *e = &told->entry;
    const char *path = told->text + strspn(told->text, "/");
    int length = (int)e->path - (int)(path - told->text);
    if (length <= 0 || memchr(path, '\0', (size_t)length) || (S_ISREG(e->mode) && content < 0))
        return fail("a packet of a layer", "it says nothing of a file");
    snprintf(target, sizeof target, "%.*s", (int)e->target, told->text + e->path);
    snprintf(name, sizeof name, "%.*s", length, path);
    if (e->flags & LAYER_GONE) {
        char *last = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
        memmove(last + 4, last, strlen(last) + 1);
        memcpy(last, ".wh.", 4);
        return write_mark(w, name);
    }
    if (S_ISDIR(e->mode))
        strcat(name, "/");
    int failed = write_entry(w, told, name, target, content);
    if (!failed && e->flags & LAYER_OPAQUE)
        failed = write_mark(w, strcat(name, ".wh..wh..opq"));
    return failed;
}

int layer_write(void)
{
    static struct told told;
    struct writing w = {archive_write_new(), archive_entry_linkresolver_new()};
    if (!w.tar || !w.names)
        return fail("a layer", "memory ran out");
    archive_entry_linkresolver_set_strategy(w.names, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED);
    if (archive_write_set_format_pax_restricted(w.tar) != ARCHIVE_OK ||
        archive_write_open_fd(w.tar, STDOUT_FILENO) != ARCHIVE_OK)
        return fail_archive(&w, "a layer");
    for (int failed = 0; !failed;) {
        int content;
        if (!take(&told, &content))
            return fail("a layer", "not all of it was told");
        if (told.entry.flags & LAYER_END)
            return archive_write_close(w.tar) == ARCHIVE_OK ? 0 : fail_archive(&w, "a layer");
        told.text[told.entry.path + told.entry.target] = '\0';
        failed = write_told(&w, &told, content);
        if (content >= 0)
            close(content);
    }
    return 1;
}
