// Which files a system call names.
#include "enforcer/supervisor/named.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compiler/meaning/policy.h"

enum { HERE = -1 }; // relative to the working folder

static const struct row {
    const char *call;
    enum { NAMES, OPENS, OPENS_HOW } how;
    struct {
        int folder, path; // arguments; path 0 and folder 0: none
        unsigned verbs;
    } one, two;
} rows[] = {
    {"open", OPENS, {HERE, 0, 0}, {0, 0, 0}},
    {"openat", OPENS, {0, 1, 0}, {0, 0, 0}},
    {"openat2", OPENS_HOW, {0, 1, 0}, {0, 0, 0}},
    {"creat", NAMES, {HERE, 0, VERB_MODIFY | VERB_CREATE}, {0, 0, 0}},
    {"stat", NAMES, {HERE, 0, 0}, {0, 0, 0}},
    {"lstat", NAMES, {HERE, 0, 0}, {0, 0, 0}},
    {"newfstatat", NAMES, {0, 1, 0}, {0, 0, 0}},
    {"statx", NAMES, {0, 1, 0}, {0, 0, 0}},
    {"access", NAMES, {HERE, 0, 0}, {0, 0, 0}},
    {"faccessat", NAMES, {0, 1, 0}, {0, 0, 0}},
    {"faccessat2", NAMES, {0, 1, 0}, {0, 0, 0}},
    {"readlink", NAMES, {HERE, 0, 0}, {0, 0, 0}},
    {"readlinkat", NAMES, {0, 1, 0}, {0, 0, 0}},
    {"statfs", NAMES, {HERE, 0, 0}, {0, 0, 0}},
    {"chdir", NAMES, {HERE, 0, 0}, {0, 0, 0}},
    {"getxattr", NAMES, {HERE, 0, VERB_READ}, {0, 0, 0}},
    {"lgetxattr", NAMES, {HERE, 0, 0}, {0, 0, 0}},
    {"inotify_add_watch", NAMES, {HERE, 1, VERB_READ}, {0, 0, 0}},
    {"execve", NAMES, {HERE, 0, VERB_EXEC | VERB_READ}, {0, 0, 0}},
    {"execveat", NAMES, {0, 1, VERB_EXEC | VERB_READ}, {0, 0, 0}},
    {"mkdir", NAMES, {HERE, 0, VERB_CREATE}, {0, 0, 0}},
    {"mkdirat", NAMES, {0, 1, VERB_CREATE}, {0, 0, 0}},
    {"mknod", NAMES, {HERE, 0, VERB_CREATE}, {0, 0, 0}},
    {"mknodat", NAMES, {0, 1, VERB_CREATE}, {0, 0, 0}},
    {"symlink", NAMES, {HERE, 1, VERB_CREATE}, {0, 0, 0}},
    {"symlinkat", NAMES, {1, 2, VERB_CREATE}, {0, 0, 0}},
    {"unlink", NAMES, {HERE, 0, VERB_DELETE}, {0, 0, 0}},
    {"unlinkat", NAMES, {0, 1, VERB_DELETE}, {0, 0, 0}},
    {"rmdir", NAMES, {HERE, 0, VERB_DELETE}, {0, 0, 0}},
    {"rename", NAMES, {HERE, 0, VERB_DELETE}, {HERE, 1, VERB_CREATE | VERB_MODIFY}},
    {"renameat", NAMES, {0, 1, VERB_DELETE}, {2, 3, VERB_CREATE | VERB_MODIFY}},
    {"renameat2", NAMES, {0, 1, VERB_DELETE}, {2, 3, VERB_CREATE | VERB_MODIFY}},
    {"link", NAMES, {HERE, 0, VERB_READ}, {HERE, 1, VERB_CREATE}},
    {"linkat", NAMES, {0, 1, VERB_READ}, {2, 3, VERB_CREATE}},
    {"chmod", NAMES, {HERE, 0, VERB_MODIFY}, {0, 0, 0}},
    {"fchmodat", NAMES, {0, 1, VERB_MODIFY}, {0, 0, 0}},
    {"fchmodat2", NAMES, {0, 1, VERB_MODIFY}, {0, 0, 0}},
    {"chown", NAMES, {HERE, 0, VERB_MODIFY}, {0, 0, 0}},
    {"lchown", NAMES, {HERE, 0, VERB_MODIFY}, {0, 0, 0}},
    {"fchownat", NAMES, {0, 1, VERB_MODIFY}, {0, 0, 0}},
    {"truncate", NAMES, {HERE, 0, VERB_MODIFY}, {0, 0, 0}},
    {"utime", NAMES, {HERE, 0, VERB_MODIFY}, {0, 0, 0}},
    {"utimes", NAMES, {HERE, 0, VERB_MODIFY}, {0, 0, 0}},
    {"utimensat", NAMES, {0, 1, VERB_MODIFY}, {0, 0, 0}},
    {"setxattr", NAMES, {HERE, 0, VERB_MODIFY}, {0, 0, 0}},
};

static const struct row *row_of(uint32_t number)
{
    int call = syscall_by_number(ARCH_HERE, number);
    for (size_t i = 0; call >= 0 && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].call, syscall_row((size_t)call)->name) == 0)
            return &rows[i];
    return NULL;
}

bool named_by(uint32_t number)
{
    return row_of(number) != NULL;
}

static bool read_path(const struct notified *call, uint64_t at, char path[PATH_MAX])
{
    size_t have = 0;
    while (have < PATH_MAX - 1) { // a page at a time: the string may end right before memory does
        size_t rest = 4096 - (at + have) % 4096, room = PATH_MAX - 1 - have;
        long n = notified_read(call, at + have, path + have, rest < room ? rest : room);
        if (n <= 0)
            return false;
        char *end = memchr(path + have, '\0', (size_t)n);
        if (end)
            return true;
        have += (size_t)n;
    }
    return false;
}

bool named_link(const struct notified *call, const char *what, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/%s", call->caller.thread, what);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 0 && path[0] == '/' && !strstr(path, " (deleted)");
}

// Takes "//", "." and ".." away. What is behind a link and then ".." is elsewhere; realpath finds that.
void named_make_normal(char *path)
{
    char *out = path;
    for (char *at = path; *at;) {
        while (*at == '/')
            at++;
        size_t length = strcspn(at, "/");
        if (length == 0 || (length == 1 && at[0] == '.')) {
        } else if (length == 2 && at[0] == '.' && at[1] == '.') {
            while (out > path && *--out != '/')
                ;
        } else {
            *out++ = '/';
            memmove(out, at, length);
            out += length;
        }
        at += length;
    }
    if (out == path)
        *out++ = '/';
    *out = '\0';
}

static bool path_of(const struct notified *call, int folder, int argument, char path[PATH_MAX])
{
    char given[PATH_MAX], base[PATH_MAX], number[32];
    if (!read_path(call, call->arguments[argument], given) ||
        !given[0]) // "" with AT_EMPTY_PATH: a descriptor that was opened before
        return false;
    if (given[0] == '/') {
        strcpy(path, given);
    } else {
        int fd = folder == HERE ? AT_FDCWD : (int)call->arguments[folder];
        snprintf(number, sizeof number, "fd/%d", fd);
        if (!named_link(call, fd == AT_FDCWD ? "cwd" : number, base) || strlen(base) + strlen(given) + 2 > PATH_MAX)
            return false;
        strcat(strcat(strcpy(path, base), "/"), given);
    }
    // The observer's own /proc/self is another's.
    static const char self[] = "/proc/self";
    if (strncmp(path, self, sizeof self - 1) != 0)
        named_make_normal(path);
    return true;
}

static unsigned verbs_of_open(const struct notified *call, uint64_t flags, const char *path)
{
    uint64_t mode = flags & O_ACCMODE;
    unsigned verbs = mode == O_RDONLY ? VERB_READ : mode == O_WRONLY ? VERB_MODIFY : VERB_READ | VERB_MODIFY;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return VERB_MODIFY | VERB_CREATE | VERB_DELETE; // a file without a name in this folder
    if (flags & O_PATH)
        return 0;
    if (flags & O_TRUNC)
        verbs |= VERB_MODIFY;
    char seen[PATH_MAX + 32]; // from the caller's root
    snprintf(seen, sizeof seen, "/proc/%d/root%s", call->caller.thread, path);
    return flags & O_CREAT && access(seen, F_OK) != 0 ? verbs | VERB_CREATE : verbs;
}

int named_read(const struct notified *call, struct named list[NAMED_MOST])
{
    const struct row *row = row_of((uint32_t)call->number);
    int count = 0;
    if (!row || !path_of(call, row->one.folder, row->one.path, list[0].path))
        return 0;
    list[count++].verbs = row->one.verbs;
    if (row->how == OPENS) {
        list[0].verbs = verbs_of_open(call, call->arguments[row->one.path + 1], list[0].path);
    } else if (row->how == OPENS_HOW) {
        struct open_how how = {0};
        if (notified_read(call, call->arguments[2], &how, sizeof how) != sizeof how)
            return 0;
        list[0].verbs = verbs_of_open(call, how.flags, list[0].path);
    }
    if (row->two.verbs && path_of(call, row->two.folder, row->two.path, list[1].path))
        list[count++].verbs = row->two.verbs;
    return count;
}
