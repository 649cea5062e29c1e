// sbximage: unpacks a root file system from standard input into the working folder, as safely as that can be done, for
// sbxrun's cache of images.
//
// It is a program of its own so that sbxrun needs no library that reads archives; sbxrun starts it confined to the
// folder. Owners in the archive mean nothing, devices are left out, setuid and setgid bits too; names that lead out of
// the folder, or through links, are an error. Status: 0, or 1 with a sentence on standard error.
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRIES_MOST = 2000000, BLOCK = 64 * 1024 };
#define BYTES_MOST ((int64_t)32 << 30)

static int fail(struct archive *archive, const char *what, const char *name)
{
    const char *why = archive ? archive_error_string(archive) : NULL;
    fprintf(stderr, "%s%s%s%s%s\n", what, name ? " " : "", name ? name : "", why ? ": " : "", why ? why : "");
    return 1;
}

// A name beneath the working folder, without "./" at its start; NULL when it leads elsewhere.
static const char *inside(const char *name)
{
    while (name && name[0] == '.' && name[1] == '/')
        for (name += 2; *name == '/'; name++)
            ;
    if (!name || name[0] == '/')
        return NULL;
    for (const char *at = name; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            return NULL;
    return *name ? name : ".";
}

static int copy(struct archive *from, struct archive *to, int64_t *total)
{
    const void *block;
    size_t size;
    int64_t offset;
    for (int result; (result = archive_read_data_block(from, &block, &size, &offset)) != ARCHIVE_EOF;) {
        if (result != ARCHIVE_OK)
            return fail(from, "cannot read it to its end", NULL);
        *total += (int64_t)size;
        if (offset < 0 || offset > BYTES_MOST || *total > BYTES_MOST)
            return fail(NULL, "it holds more than 32 GiB", NULL);
        if (archive_write_data_block(to, block, size, offset) < ARCHIVE_OK)
            return fail(to, "cannot write", NULL);
    }
    return 0;
}

static int unpack(struct archive *from, struct archive *to)
{
    struct archive_entry *entry;
    int64_t total = 0;
    for (long count = 0;; count++) {
        int result = archive_read_next_header(from, &entry);
        if (result == ARCHIVE_EOF)
            return count ? 0 : fail(NULL, "nothing is in it", NULL);
        if (result != ARCHIVE_OK)
            return fail(from, "it is not a whole archive", NULL);
        if (count == ENTRIES_MOST)
            return fail(NULL, "more than 2,000,000 files are in it", NULL);
        const char *shown = archive_entry_pathname(entry), *name = inside(shown), *link = archive_entry_hardlink(entry);
        if (!name || (link && !inside(link)))
            return fail(NULL, "this name in it leads out of it:",
                        name    ? link
                        : shown ? shown
                                : "(one that is no text)");
        mode_t type = archive_entry_filetype(entry);
        if (!link && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK && type != AE_IFIFO)
            continue; // devices and sockets: the sandbox has its own /dev
        mode_t mode = archive_entry_perm(entry) & 0777;
        archive_entry_set_pathname(entry, name);
        if (link)
            archive_entry_set_hardlink(entry, inside(link));
        archive_entry_set_perm(
            entry, mode | (type == AE_IFDIR ? 0700 : 0400)); // whoever keeps the cache can read and remove it
        archive_entry_set_uid(entry, (int64_t)geteuid());
        archive_entry_set_gid(entry, (int64_t)getegid());
        if (archive_write_header(to, entry) < ARCHIVE_OK)
            return fail(to, "cannot make", name);
        if (archive_entry_size(entry) > 0 && copy(from, to, &total))
            return 1;
        if (archive_write_finish_entry(to) < ARCHIVE_OK)
            return fail(to, "cannot finish", name);
    }
}

int main(void)
{
    struct archive *from = archive_read_new(), *to = archive_write_disk_new();
    if (!from || !to)
        return fail(NULL, "memory ran out", NULL);
    archive_read_support_filter_all(from);
    archive_read_support_format_tar(from);
    umask(0);
    archive_write_disk_set_options(to, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                           ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
    if (archive_read_open_fd(from, STDIN_FILENO, BLOCK) != ARCHIVE_OK)
        return fail(from, "cannot read it", NULL);
    int result = unpack(from, to);
    if (archive_write_close(to) < ARCHIVE_OK && !result)
        result = fail(to, "cannot finish", NULL);
    archive_read_free(from);
    archive_write_free(to);
    return result;
}
