// sbximage: unpacks a root file system from standard input into the working folder, for sbxrun's cache of images; with
// --layer, writes what a run changed (image/layer.h).
//
// It is a program of its own so that sbxrun needs no library that reads archives; sbxrun walls it in as it does a
// command (enforcer/helpers/image.sbx). What it reads is a list: tar, as it is or compressed once by gzip, bzip2, xz or
// zstd. Every byte that comes out of the compression passes one place, which counts it, whether it is kept or skipped.
// Owners, times and attributes in the archive mean nothing, devices are left out, setuid and setgid bits too; a name
// that leads out of the folder, or through a link, is an error, and so is an archive that does not end as tar ends.
// Status: 0, or 1 with a sentence on standard error.
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/layer.h"

enum { NAMES_MOST = 2000000, BLOCK = 64 * 1024 };
#define BYTES_MOST ((int64_t)32 << 30)

static int fail(struct archive *archive, const char *what, const char *name)
{
    const char *why = archive ? archive_error_string(archive) : NULL;
    fprintf(stderr, "%s%s%.200s%s%s\n", what, name ? " " : "", name ? name : "", why ? ": " : "", why ? why : "");
    return 1;
}

static int fail_system(const char *what, const char *name)
{
    fprintf(stderr, "%s %.200s: %s\n", what, name, strerror(errno));
    return 1;
}

// ---- what comes out of the compression ----------------------------------------------------------------------------

struct stream {
    struct archive *archive; // that takes compression away, and knows no format
    int64_t bytes;
    bool ended, too_long, broken;
};

static la_ssize_t stream_read(struct archive *tar, void *context, const void **block)
{
    struct stream *stream = context;
    size_t size = 0;
    la_int64_t offset;
    int result = archive_read_data_block(stream->archive, block, &size, &offset);
    stream->ended = result == ARCHIVE_EOF;
    if (result == ARCHIVE_EOF)
        return 0;
    stream->broken = result != ARCHIVE_OK;
    stream->bytes += (int64_t)size;
    stream->too_long = stream->bytes > BYTES_MOST;
    if (!stream->broken && !stream->too_long)
        return (la_ssize_t)size;
    archive_set_error(tar, EIO, "%s", stream->broken ? archive_error_string(stream->archive) : "");
    return -1;
}

// The one layer of compression there may be, by these; any other file is taken as it is, and is then no tar.
static int open_stream(struct stream *stream)
{
    static int (*const filters[])(struct archive *) = {
        archive_read_support_filter_gzip,
        archive_read_support_filter_bzip2,
        archive_read_support_filter_xz,
        archive_read_support_filter_zstd,
    };
    struct archive_entry *entry;
    stream->archive = archive_read_new();
    if (!stream->archive || archive_read_support_format_raw(stream->archive) != ARCHIVE_OK)
        return fail(NULL, "memory ran out", NULL);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (filters[i](stream->archive) !=
            ARCHIVE_OK) // a warning: a library without it would run a program of the host
            return fail(stream->archive, "the library that reads archives lacks a compression", NULL);
    if (archive_read_open_fd(stream->archive, STDIN_FILENO, BLOCK) != ARCHIVE_OK)
        return fail(stream->archive, "it is not a whole archive", NULL);
    int result = archive_read_next_header(stream->archive, &entry);
    if (result == ARCHIVE_EOF)
        return fail(NULL, "it is not a whole archive: it is empty", NULL);
    if (result != ARCHIVE_OK)
        return fail(stream->archive, "it is not a whole archive", NULL);
    if (archive_filter_count(stream->archive) > 2) // one, and what reads the file
        return fail(NULL, "it is compressed more than once", NULL);
    return 0;
}

// ---- files --------------------------------------------------------------------------------------------------------

struct folder { // the last one that something was made in, and its name
    int fd;
    char name[PATH_MAX];
};

// A name beneath the working folder, without "./" at its start and slashes at its end; false when it leads elsewhere.
static bool inside(const char *name, char path[PATH_MAX])
{
    while (name && name[0] == '.' && name[1] == '/')
        for (name += 2; *name == '/'; name++)
            ;
    size_t length = name ? strlen(name) : PATH_MAX;
    if (length >= PATH_MAX || name[0] == '/')
        return false;
    while (length && name[length - 1] == '/')
        length--;
    memcpy(path, name, length);
    path[length] = '\0';
    if (length == 0 || strcmp(path, ".") == 0)
        strcpy(path, ".");
    for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            return false;
    return true;
}

// How many names `path` adds to those above `before`, which was the last: itself, and folders that it may take.
static long names_of(const char *path, const char *before)
{
    size_t same = 0;
    long count = 1;
    while (path[same] && path[same] == before[same])
        same++;
    for (const char *at = path + same; (at = strchr(at, '/')); at++)
        count++;
    return count;
}

// Opens the folder that `path` lies in, which no link is part of, making it where it is missing. False and errno.
static bool enter_above(struct folder *folder, const char *path, const char **last)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    *last = slash ? slash + 1 : path;
    if (folder->fd >= 0 && strlen(folder->name) == length && memcmp(folder->name, path, length) == 0)
        return true;
    if (folder->fd >= 0)
        close(folder->fd);
    memcpy(folder->name, path, length);
    folder->name[length] = '\0';
    folder->fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (char *at = folder->name; *at && folder->fd >= 0;) {
        char *end = at + strcspn(at, "/"), kept = *end;
        *end = '\0';
        enum { HOW = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
        int next = openat(folder->fd, at, HOW);
        if (next < 0 && errno == ENOENT && mkdirat(folder->fd, at, 0755) == 0)
            next = openat(folder->fd, at, HOW);
        int error = errno;
        close(folder->fd);
        errno = error;
        folder->fd = next;
        *end = kept;
        at = end + strspn(end, "/");
    }
    return folder->fd >= 0;
}

// What lay at a name before gives way, as tar(1) has it, but for a folder.
static bool make_way(int folder, const char *name)
{
    return errno == EEXIST && unlinkat(folder, name, 0) == 0;
}

static int make_folder(int at, const char *name, mode_t mode, const char *shown)
{
    if (mkdirat(at, name, mode) == 0)
        return 0;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        errno = EEXIST;
        if (make_way(at, name) && mkdirat(at, name, mode) == 0)
            return 0;
    }
    bool set = fd >= 0 && fchmod(fd, mode) == 0; // it was made for what lies in it
    if (fd >= 0)
        close(fd);
    return set ? 0 : fail_system("cannot make", shown);
}

static int make_file(struct archive *from, int64_t size, int at, const char *name, mode_t mode, const char *shown)
{
    enum { HOW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(at, name, HOW, mode), result, failed = 0;
    if (fd < 0 && make_way(at, name))
        fd = openat(at, name, HOW, mode);
    if (fd < 0)
        return fail_system("cannot make", shown);
    const void *block;
    size_t length;
    la_int64_t offset;
    while (!failed && (result = archive_read_data_block(from, &block, &length, &offset)) != ARCHIVE_EOF) {
        if (result != ARCHIVE_OK)
            failed = fail(from, "it is not a whole archive: cannot read to the end of", shown);
        else if (offset < 0 || (int64_t)length > size || offset > size - (int64_t)length)
            failed = fail(NULL, "it holds more than it says of", shown);
        for (size_t done = 0; !failed && done < length;) {
            ssize_t n = pwrite(fd, (const char *)block + done, length - done, offset + (off_t)done);
            if (n <= 0)
                failed = fail_system("cannot write", shown);
            else
                done += (size_t)n;
        }
    }
    if (!failed && ftruncate(fd, size) != 0) // it may end in a hole
        failed = fail_system("cannot write", shown);
    close(fd);
    return failed;
}

static int make_link(struct folder *folder, const char *name, const char *target, const char *shown)
{
    char path[PATH_MAX];
    const char *last;
    struct folder of = {.fd = -1};
    if (!inside(target, path))
        return fail(NULL, "this link in it leads out of it:", target);
    bool made = enter_above(&of, path, &last) &&
                (linkat(of.fd, last, folder->fd, name, 0) == 0 ||
                 (make_way(folder->fd, name) && linkat(of.fd, last, folder->fd, name, 0) == 0));
    int error = errno;
    if (of.fd >= 0)
        close(of.fd);
    errno = error;
    return made ? 0 : fail_system("cannot make the hard link", shown);
}

static int make(struct archive *from, struct archive_entry *entry, struct folder *folder, const char *path)
{
    mode_t type = archive_entry_filetype(entry), mode = archive_entry_perm(entry) & 0777;
    const char *name, *link = archive_entry_hardlink(entry), *target = archive_entry_symlink(entry);
    if (!link && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK && type != AE_IFIFO)
        return 0; // devices and sockets: the sandbox has its own /dev
    if (strcmp(path, ".") == 0)
        return type == AE_IFDIR ? 0 : fail(NULL, "it has no name for a file", NULL);
    if (!enter_above(folder, path, &name))
        return fail_system("cannot make what lies in a folder, or through a link:", path);
    if (link)
        return make_link(folder, name, link, path);
    switch (type) {
    case AE_IFDIR: return make_folder(folder->fd, name, mode | 0700, path); // whoever keeps the cache can remove it
    case AE_IFREG: return make_file(from, archive_entry_size(entry), folder->fd, name, mode | 0400, path);
    case AE_IFLNK:
        if (!target)
            return fail(NULL, "a link in it leads nowhere:", path);
        return symlinkat(target, folder->fd, name) == 0 ||
                       (make_way(folder->fd, name) && symlinkat(target, folder->fd, name) == 0)
                   ? 0
                   : fail_system("cannot make", path);
    default:
        return mknodat(folder->fd, name, S_IFIFO | mode, 0) == 0 ||
                       (make_way(folder->fd, name) && mknodat(folder->fd, name, S_IFIFO | mode, 0) == 0)
                   ? 0
                   : fail_system("cannot make", path);
    }
}

// ---- the archive --------------------------------------------------------------------------------------------------

// A name that is no ASCII is told of, since it can't be turned into the locale's; it comes as the bytes that it is.
static int next(struct archive *from, struct archive_entry **entry)
{
    int result = archive_read_next_header(from, entry);
    return result == ARCHIVE_WARN && archive_errno(from) == EILSEQ ? ARCHIVE_OK : result;
}

static int unpack(struct archive *from, struct stream *stream)
{
    struct folder folder = {.fd = -1};
    struct archive_entry *entry;
    char path[PATH_MAX], before[PATH_MAX] = "";
    int result, failed = 0;
    long names = 0, entries = 0;
    while ((result = next(from, &entry)) == ARCHIVE_OK) {
        const char *shown = archive_entry_pathname(entry);
        if (!inside(shown, path))
            return fail(NULL, "this name in it leads out of it:", shown ? shown : "(one that is no text, or too long)");
        if (archive_entry_size(entry) < 0 || archive_entry_size(entry) > BYTES_MOST)
            return fail(NULL, "more than 32 GiB are in it, of", path);
        entries++;
        names += names_of(path, before);
        if (names > NAMES_MOST)
            return fail(NULL, "more than 2,000,000 files are in it", NULL);
        strcpy(before, path);
        if ((failed = make(from, entry, &folder, path)))
            break;
    }
    if (stream->too_long)
        return fail(NULL, "it holds more than 32 GiB", NULL);
    if (failed)
        return failed;
    if (result != ARCHIVE_EOF)
        return fail(from, "it is not a whole archive", NULL);
    if (stream->ended) // the end of an archive is two blocks of nothing, which are read before the end of the file
        return fail(NULL, "it is not a whole archive: it ends before its end", NULL);
    if (!entries)
        return fail(NULL, "nothing is in it", NULL);
    const void *block; // to the end of the compression, which has sums of what was in it
    while (stream_read(from, stream, &block) > 0)
        ;
    return stream->ended      ? 0
           : stream->too_long ? fail(NULL, "it holds more than 32 GiB", NULL)
                              : fail(from, "it is not a whole archive", NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--layer") == 0)
        return layer_write();
    struct stream stream = {0};
    struct archive *from = archive_read_new();
    if (!from || archive_read_support_format_tar(from) != ARCHIVE_OK)
        return fail(NULL, "memory ran out", NULL);
    umask(0);
    if (open_stream(&stream))
        return 1;
    int result = archive_read_open(from, &stream, NULL, stream_read, NULL);
    return result == ARCHIVE_OK ? unpack(from, &stream) : fail(from, "it is not a whole archive", NULL);
}
