// Where control groups can be made.
#include "enforcer/limits/cgroup_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"
#include "enforcer/limits/service_manager.h"

const char *const cgroup_controllers[CONTROLLER_COUNT] = {"memory", "cpu", "pids", "io", "cpu"},
                  *const v1_names[CONTROLLER_COUNT] = {"memory", "cpu", "pids", "blkio", "cpuacct"};

ssize_t cgroup_file_read(int folder, const char *name, char *text, size_t size)
{
    closing_fd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t used = 0;
    ssize_t n;
    while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    return (ssize_t)used;
}

int cgroup_file_write(int folder, const char *name, const char *text)
{
    closing_fd int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static bool has_word(const char *list, const char *word, const char *separators)
{
    size_t length = strlen(word);
    for (const char *at = list; *at;) {
        size_t span = strcspn(at, separators);
        if (span == length && memcmp(at, word, length) == 0)
            return true;
        at += span;
        at += strspn(at, separators);
    }
    return false;
}

// ---- the caller's own group ----------------------------------------------------------------------------------------

// The path of the caller's group in the hierarchy that has `controller`. False when none has.
static char own_groups[16384]; // /proc/self/cgroup; empty: not read

static bool own_path(const char *controller, char *path, size_t size, bool *v2)
{
    char *text = own_groups;
    if (!text[0] && cgroup_file_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof own_groups) <= 0)
        return false;
    bool found = false;
    for (const char *line = text; *line;) { // hierarchy:controllers:path (cgroups(7))
        const char *end = strchrnul(line, '\n'), *first = memchr(line, ':', (size_t)(end - line));
        const char *second = first ? memchr(first + 1, ':', (size_t)(end - first - 1)) : NULL;
        if (second) {
            char names[256];
            snprintf(names, sizeof names, "%.*s", (int)(second - first - 1), first + 1);
            bool unified = first == line + 1 && *line == '0' && !names[0];
            if (has_word(names, controller, ",") || (unified && !found)) {
                snprintf(path, size, "%.*s", (int)(end - second - 1), second + 1);
                *v2 = unified;
                found = true;
                if (!unified)
                    return true;
            }
        }
        line = *end ? end + 1 : end;
    }
    return found;
}

// Where that hierarchy is mounted, joined with the path. /proc/self/mountinfo: id parent major:minor root point options
// … - type source options
bool cgroup_own_folder(const char *controller, char *folder, size_t size, bool *v2)
{
    char path[400];
    if (!own_path(controller, path, sizeof path, v2))
        return false;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false;
    while (file && !found && getline(&line, &capacity, file) > 0) {
        char root[400], point[400], options[400];
        const char *tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%*s %*s %*s %399s %399s", root, point) != 2)
            continue;
        bool unified = strncmp(tail, " - cgroup2 ", 11) == 0;
        if (unified != *v2 ||
            (!unified && (strncmp(tail, " - cgroup ", 10) != 0 || sscanf(tail, " - %*s %*s %399s", options) != 1 ||
                          !has_word(options, controller, ",\n"))))
            continue;
        size_t above = strcmp(root, "/") == 0 ? 0 : strlen(root);
        if (strncmp(path, root, above) != 0)
            continue; // the caller's group lies outside of what is mounted
        const char *rest = path + above;
        found = snprintf(folder, size, "%s%s", point, strcmp(rest, "/") == 0 ? "" : rest) < (int)size;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

static bool enable(const char *folder, const char *controller)
{
    char path[600], text[512];
    snprintf(path, sizeof path, "%s/cgroup.subtree_control", folder);
    if (cgroup_file_read(AT_FDCWD, path, text, sizeof text) >= 0 && has_word(text, controller, " \n"))
        return true;
    snprintf(text, sizeof text, "+%s", controller);
    return cgroup_file_write(AT_FDCWD, path, text) == 0;
}

bool cgroup_parent_folder(int controller, char *folder, size_t size, bool *v2)
{
    const char *name = cgroup_controllers[controller];
    if (!cgroup_own_folder(v1_names[controller], folder, size, v2))
        return false;
    if (!*v2)
        return access(folder, W_OK) == 0;
    // In v2 a group with processes of its own, as the caller's is, can't hand controllers down to groups of processes:
    // unless it is the root of all, which alone has no type, the sandbox's group stands beside it. (A write to its
    // subtree_control may succeed all the same, for threads.)
    char path[600], text[512];
    snprintf(path, sizeof path, "%s/cgroup.type", folder);
    if (access(path, F_OK) == 0)
        *strrchr(folder, '/') = '\0';
    snprintf(path, sizeof path, "%s/cgroup.controllers", folder);
    return cgroup_file_read(AT_FDCWD, path, text, sizeof text) >= 0 && has_word(text, name, " \n") &&
           access(folder, W_OK) == 0 && enable(folder, name);
}

bool cgroup_parent_or_scope(int controller, char *folder, size_t size, bool *v2)
{
    if (cgroup_parent_folder(controller, folder, size, v2))
        return true;
    if (!service_manager_give_group())
        return false;
    own_groups[0] = '\0'; // it is another one now
    return cgroup_parent_folder(controller, folder, size, v2);
}
