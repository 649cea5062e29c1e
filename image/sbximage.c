// sbximage: unpacks a root file system from standard input into the working folder, for sbxrun's cache of images; with
// --unpack-layer a layer, as a folder that an overlay may stand on; with --layer, writes what a run changed
// (image/layer.h).
//
// It is a program of its own so that sbxrun needs no library that reads archives; sbxrun walls it in as it does a
// command (enforcer/helpers/image.sbx). What it reads is a list: tar, as it is or compressed once by gzip, bzip2, xz or
// zstd. Every byte that comes out of the compression passes one place, which counts it, whether it is kept or skipped.
// Owners, times and attributes in the archive mean nothing, devices are left out, setuid and setgid bits too; a name
// that leads out of the folder, or through a link, is an error, and so is an archive that does not end as tar ends.
// Of a layer times count, and modes as they are; what it can't say in a folder for an overlay, or says twice, is an
// error. Status: 0, or 1 with a sentence on standard error.
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/helpers/layer_wire.h"
#include "image/layer.h"
#include "image/marks.h"

enum { PATH_MOST = LAYER_TEXT_MOST };
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

static bool is_layer; // and no image

struct attributes { // of a file
    mode_t mode;
    struct timespec times[2]; // as utimensat(2) takes them
};

struct folder { // the last one that something was made in, and its name
    int fd;
    char name[PATH_MOST];
};

// A name beneath the working folder, without "./" at its start and slashes at its end; false when it leads elsewhere.
static bool inside(const char *name, char path[PATH_MOST])
{
    while (name && name[0] == '.' && name[1] == '/')
        for (name += 2; *name == '/'; name++)
            ;
    size_t length = name ? strlen(name) : PATH_MOST;
    if (length >= PATH_MOST || name[0] == '/')
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

// Opens the folder that `path` lies in, which no link is part of, making it where it is missing. False and errno
// (ENOKEY: it is in a layer that says nothing of it, but of one that it lies in).
static bool enter_above(struct folder *folder, const char *path, const char **last)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0, before = folder->fd < 0 ? 0 : strlen(folder->name);
    *last = slash ? slash + 1 : path;
    bool same = folder->fd >= 0 && before <= length && memcmp(folder->name, path, before) == 0;
    if (same && before == length)
        return true;
    bool beneath = same && before && path[before] == '/'; // it goes on from there
    memcpy(folder->name, path, length);
    folder->name[length] = '\0';
    if (!beneath) {
        if (folder->fd >= 0)
            close(folder->fd);
        folder->fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    for (char *at = folder->name + (beneath ? before + 1 : 0); *at && folder->fd >= 0;) {
        char *end = at + strcspn(at, "/"), kept = *end;
        *end = '\0';
        enum { HOW = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
        int next = openat(folder->fd, at, HOW);
        if (next < 0 && errno == ENOENT &&
            (is_layer ? mark_implied(folder->fd, at, at == folder->name) : mkdirat(folder->fd, at, 0755)) == 0)
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

// What lay at a name before gives way, as tar(1) has it, but for a folder; in a layer nothing has.
static bool make_way(int folder, const char *name)
{
    return !is_layer && errno == EEXIST && unlinkat(folder, name, 0) == 0;
}

static int make_folder(int at, const char *name, mode_t mode, const char *shown)
{
    if (mkdirat(at, name, mode) == 0)
        return 0;
    if (is_layer)
        return fail_system("cannot make", shown);
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

static int make_file(struct archive *from, int64_t size, int at, const char *name, const struct attributes *attributes,
                     const char *shown)
{
    enum { HOW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(at, name, HOW, attributes->mode), result, failed = 0;
    if (fd < 0 && make_way(at, name))
        fd = openat(at, name, HOW, attributes->mode);
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
    if (!failed && is_layer && futimens(fd, attributes->times) != 0)
        failed = fail_system("cannot set the time of", shown);
    close(fd);
    return failed;
}

static int make_link(struct folder *folder, const char *name, const char *target, const char *shown)
{
    char path[PATH_MOST];
    const char *last;
    struct folder of = {.fd = -1};
    if (!inside(target, path))
        return fail(NULL, "this link in it leads out of it:", target);
    struct stat status;
    bool made = enter_above(&of, path, &last) &&
                (!is_layer || (fstatat(of.fd, last, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                               (S_ISREG(status.st_mode) || (errno = EPERM, false)))) &&
                (linkat(of.fd, last, folder->fd, name, 0) == 0 ||
                 (make_way(folder->fd, name) && linkat(of.fd, last, folder->fd, name, 0) == 0));
    int error = errno;
    if (of.fd >= 0)
        close(of.fd);
    errno = error;
    return made ? 0 : fail_system("cannot make the hard link", shown);
}

// ---- what a layer's folders become when all that lies in them is there --------------------------------------------

struct noted {
    struct attributes attributes;
    char *path;
};

static struct noted *noted; // in the order of the layer, which has a folder before what lies in it
static size_t noted_count, noted_room;

static int note_folder(const char *path, const struct attributes *attributes)
{
    if (noted_count == noted_room) {
        noted_room = noted_room ? 2 * noted_room : 64;
        struct noted *more = realloc(noted, noted_room * sizeof *more);
        if (!more)
            return fail(NULL, "memory ran out", NULL);
        noted = more;
    }
    noted[noted_count] = (struct noted){*attributes, strdup(path)};
    return noted[noted_count++].path ? 0 : fail(NULL, "memory ran out", NULL);
}

static int finish_folders(void)
{
    struct folder folder = {.fd = -1};
    for (size_t i = noted_count; i-- > 0;) {
        const struct attributes *attributes = &noted[i].attributes;
        const char *name;
        int fd = enter_above(&folder, noted[i].path, &name)
                     ? openat(folder.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                     : -1;
        if (fd < 0 || futimens(fd, attributes->times) != 0 || fchmod(fd, attributes->mode) != 0)
            return fail_system("cannot set the time and mode of", noted[i].path);
        close(fd);
    }
    return 0;
}

// ---- what is in it ------------------------------------------------------------------------------------------------

// Something that is neither a file with content nor a folder.
static int make_other(int at, const char *name, mode_t type, mode_t mode, const char *target)
{
    return type == AE_IFLNK ? symlinkat(target, at, name) : mknodat(at, name, S_IFIFO | mode, 0);
}

static int make(struct archive *from, struct archive_entry *entry, struct folder *folder, const char *path)
{
    mode_t type = archive_entry_filetype(entry), mode = archive_entry_perm(entry) & 0777;
    const char *name, *link = archive_entry_hardlink(entry), *target = archive_entry_symlink(entry);
    if (!link && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK && type != AE_IFIFO)
        return is_layer ? fail(NULL, "a layer holds no devices:", path)
                        : 0; // devices and sockets: the sandbox has its own /dev
    if (strcmp(path, ".") == 0)
        return type == AE_IFDIR ? 0 : fail(NULL, "it has no name for a file", NULL);
    if (!enter_above(folder, path, &name))
        return errno == ENOKEY ? fail(NULL, "it says nothing of the folder of", path)
                               : fail_system("cannot make what lies in a folder, or through a link:", path);
    if (is_layer && mark_is(name)) {
        const char *wrong = link || type != AE_IFREG || archive_entry_size(entry)
                                ? "what stands for something that is gone is an empty file:"
                                : mark_make(folder->fd, name, !folder->name[0]);
        return !wrong ? 0 : errno ? fail_system(wrong, path) : fail(NULL, wrong, path);
    }
    if (link)
        return make_link(folder, name, link, path);
    if (type == AE_IFLNK && !target)
        return fail(NULL, "a link in it leads nowhere:", path);
    struct attributes attributes = {mode, {{.tv_nsec = UTIME_OMIT}, {.tv_sec = archive_entry_mtime(entry)}}};
    attributes.times[1].tv_nsec = archive_entry_mtime_nsec(entry);
    if (is_layer)
        attributes.mode |= archive_entry_perm(entry) & S_ISVTX;
    else // whoever keeps the cache can read and remove it
        attributes.mode |= type == AE_IFDIR ? 0700 : type == AE_IFREG ? 0400 : 0;
    if (type == AE_IFREG)
        return make_file(from, archive_entry_size(entry), folder->fd, name, &attributes, path);
    if (type == AE_IFDIR)
        return make_folder(folder->fd, name, attributes.mode | 0700, path) ||
                       (is_layer && note_folder(path, &attributes));
    if (make_other(folder->fd, name, type, attributes.mode, target) != 0 &&
        !(make_way(folder->fd, name) && make_other(folder->fd, name, type, attributes.mode, target) == 0))
        return fail_system("cannot make", path);
    return is_layer && utimensat(folder->fd, name, attributes.times, AT_SYMLINK_NOFOLLOW) != 0
               ? fail_system("cannot set the time of", path)
               : 0;
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
    static char path[PATH_MOST], before[PATH_MOST];
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
    if (!entries && !is_layer) // of a run that changed nothing
        return fail(NULL, "nothing is in it", NULL);
    const void *block; // to the end of the compression, which has sums of what was in it
    while (stream_read(from, stream, &block) > 0)
        ;
    return stream->ended      ? finish_folders()
           : stream->too_long ? fail(NULL, "it holds more than 32 GiB", NULL)
                              : fail(from, "it is not a whole archive", NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--layer") == 0)
        return layer_write();
    is_layer = argc > 1 && strcmp(argv[1], "--unpack-layer") == 0;
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
