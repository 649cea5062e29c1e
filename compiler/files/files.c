// Which files an action is about.
#include "compiler/files/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lang/source.h"

extern char **environ;

static void add(struct file_list *list, const char *path)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        list->paths =
            arena_grow(list->arena, list->paths, list->count * sizeof *list->paths, capacity * sizeof *list->paths);
        list->capacity = capacity;
    }
    list->paths[list->count++] = path;
}

static const char *add_folder(struct file_list *list, const char *folder, int depth)
{
    enum { DEPTH_MOST = 64 };
    struct dirent **entries;
    if (depth == DEPTH_MOST)
        return str_format(list->arena, "%s lies deeper in folders than policies may", folder).text;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0)
        return str_format(list->arena, "cannot read the folder %s: %s", folder, strerror(errno)).text;
    const char *problem = NULL;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        const char *path = str_format(list->arena, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name).text;
        size_t length = strlen(name);
        struct stat status;
        if (name[0] != '.' && !problem && lstat(path, &status) == 0) { // a symlink would lead round in circles
            if (S_ISDIR(status.st_mode))
                problem = add_folder(list, path, depth + 1);
            else if (S_ISREG(status.st_mode) && length > 4 && strcmp(name + length - 4, ".sbx") == 0)
                add(list, path);
        }
        free(entries[i]);
    }
    free(entries);
    return problem;
}

const char *files_add(struct file_list *list, const char *path)
{
    struct stat status;
    if (strcmp(path, "-") != 0 && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        size_t length = strlen(path);
        while (length > 1 && path[length - 1] == '/')
            length--;
        return add_folder(list, str_copy(list->arena, (struct str){path, length}).text, 0);
    }
    add(list, path);
    return NULL;
}

const char *files_read_input(struct arena *arena, struct str *text)
{
    struct text read = {.arena = arena};
    char buffer[16384];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
        text_add(&read, buffer, n);
        if (read.length > SOURCE_LARGEST)
            return "standard input is larger than 8 MiB, which no policy is";
    }
    text_add(&read, "\0\0", 2); // as a scanner wants it
    *text = (struct str){read.data, read.length - 2};
    return NULL;
}

// ---- what changed -------------------------------------------------------------------------------------------------

// What a command prints. False when it can't be run or fails; what it said itself is on standard error.
static bool output_of(struct arena *arena, const char *const *arguments, struct str *output)
{
    int ends[2];
    pid_t pid;
    if (pipe(ends) != 0)
        return false;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    int error = posix_spawnp(&pid, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    struct text text = {.arena = arena};
    char buffer[4096];
    for (ssize_t n; !error && (n = read(ends[0], buffer, sizeof buffer)) > 0;)
        text_add(&text, buffer, (size_t)n);
    close(ends[0]);
    int status = 1;
    while (!error && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    *output = text.length ? text_str(&text) : STR("");
    return !error && status == 0;
}

static void add_changed(struct arena *arena, struct str top, struct str names, struct map *changed)
{
    for (size_t at = 0; at < names.length;) { // each ends in a NUL
        const char *name = names.text + at;
        at += strlen(name) + 1;
        char resolved[PATH_MAX];
        if (realpath(str_format(arena, "%.*s/%s", STR_ARGS(top), name).text, resolved))
            map_put(changed, str_copy(arena, str_from(resolved)), changed);
    }
}

const char *files_changed(struct arena *arena, const char *commit, struct map *changed)
{
    struct str top, names;
    *changed = (struct map){.arena = arena};
    if (commit[0] == '-')
        return "--changed takes a commit, as `origin/main`";
    if (!output_of(arena, (const char *const[]){"git", "rev-parse", "--show-toplevel", NULL}, &top))
        return "--changed needs git and a repository around the working folder";
    while (top.length && top.text[top.length - 1] == '\n')
        top.length--;
    if (!output_of(arena,
                   (const char *const[]){"git", "diff", "--name-only", "--no-relative", "-z", "--diff-filter=d", commit,
                                         "--", NULL},
                   &names))
        return str_format(arena, "git does not know what changed since %s", commit).text;
    add_changed(arena, top, names, changed);
    // Of the whole repository, wherever in it the working folder is.
    const char *folder = str_copy(arena, top).text;
    if (!output_of(arena,
                   (const char *const[]){"git", "-C", folder, "ls-files", "--others", "--exclude-standard", "-z", NULL},
                   &names))
        return "git does not know which files are new";
    add_changed(arena, top, names, changed);
    return NULL;
}

// ---- writing ------------------------------------------------------------------------------------------------------

bool files_replace(struct arena *arena, const char *path, struct str text)
{
    struct stat status;
    char resolved[PATH_MAX]; // a link stays a link
    const char *real = realpath(path, resolved);
    if (!real && errno == ENOENT) {
        real = path;
        status.st_mode = 0644;
    } else if (!real || stat(real, &status) != 0) {
        return false;
    }
    char *beside = (char *)str_format(arena, "%s.XXXXXX", real).text;
    int fd = mkstemp(beside);
    if (fd < 0)
        return false;
    bool good = write(fd, text.text, text.length) == (ssize_t)text.length && fchmod(fd, status.st_mode & 07777) == 0;
    good = close(fd) == 0 && good && rename(beside, real) == 0;
    int error = errno;
    if (!good)
        unlink(beside);
    errno = error;
    return good;
}
