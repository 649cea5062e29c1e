// Plans that lie in files.
#include "enforcer/actions/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/host/say.h"
#include "enforcer/host/scoped.h"

struct str file_read_whole(struct arena *arena, const char *path, const char **problem)
{
    enum { LARGEST = 64 * 1024 * 1024 };
    closing_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    *problem = NULL;
    if (fd < 0 || fstat(fd, &status) != 0) {
        *problem = strerror(errno);
        return STR("");
    }
    errno = 0;
    if (!S_ISREG(status.st_mode) || status.st_size > LARGEST) {
        *problem = "it is not a regular file of at most 64 MiB";
        return STR("");
    }
    char *data = arena_alloc(arena, (size_t)status.st_size + 1);
    size_t used = 0;
    for (ssize_t n; used < (size_t)status.st_size && (n = read(fd, data + used, (size_t)status.st_size - used)) > 0;)
        used += (size_t)n;
    if (used < (size_t)status.st_size)
        *problem = "it can't be read to its end";
    return (struct str){data, used};
}

bool plan_file_is(const char *path)
{
    size_t length = strlen(path);
    return strncmp(path, "/dev/fd/", 8) == 0 || (length > 5 && strcmp(path + length - 5, ".json") == 0);
}

struct plan *plan_file_load(struct arena *arena, const char *path, const char *beside)
{
    const char *problem;
    struct str text = file_read_whole(arena, path, &problem), why;
    struct plan *plan = problem ? NULL : plan_read(arena, text, &why);
    if (!plan) {
        say(stderr, problem ? "sbxrun: cannot read %s: %s" : "sbxrun: %s is not a plan: %s", path,
            problem ? problem : why.text);
        return NULL;
    }
    plan->origins = NEW_ARRAY(arena, struct plan_origin, 1);
    plan->origins[plan->origin_count++] = (struct plan_origin){str_copy(arena, str_from(path)), true};
    char *real = realpath(beside ? beside : path, NULL);
    if (beside && !real) {
        say(stderr, "sbxrun: --beside %s: %s", beside, strerror(errno));
        return NULL;
    }
    const char *slash = !real ? NULL : beside ? real + strlen(real) : strrchr(real, '/');
    if (slash)
        plan->folder = str_copy(arena, (struct str){real, slash == real ? 1 : (size_t)(slash - real)});
    free(real);
    return plan;
}
