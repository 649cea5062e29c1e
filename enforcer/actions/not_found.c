// Looking for the command that was meant.
#include "enforcer/actions/not_found.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path_of(char *const *environment)
{
    for (; *environment; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0)
            return *environment + 5;
    return "";
}

// The first folder of a list like PATH in which the host has the program. NULL: none.
static const char *host_program(struct arena *arena, const char *folders, const char *name)
{
    for (const char *at = folders; at && *at;) {
        size_t length = strcspn(at, ":");
        const char *path = str_format(arena, "%.*s/%s", (int)length, at, name).text;
        if (at[0] == '/' && access(path, X_OK) == 0)
            return path;
        at += length + (at[length] == ':');
    }
    return NULL;
}

struct str not_found_advice(const struct run *run, int error)
{
    static const char system[] = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
    struct arena *arena = run->plan->arena;
    const char *name = run->argv[0], *path;
    if (error == EACCES)
        return STR("; it is no program, or no rule allows to exec it");
    if (error != ENOENT)
        return STR("");
    if (strchr(name, ' ') && !run->argv[1])
        return STR("; it is one word: each argument is one of its own, as `-- /bin/ls -l` or `command \"/bin/ls\", "
                   "\"-l\";`");
    if (!strchr(name, '/')) {
        if ((path = host_program(arena, system, name)) && plan_verbs(run->plan, str_from(path)) & VERB_EXEC)
            return str_format(arena, "; it is not in the PATH of the sandbox, which is `%s`: say `%s`",
                              path_of(run->environment), path);
        if ((path = host_program(arena, getenv("PATH"), name)) || (path = host_program(arena, system, name)))
            return str_format(arena, "; the host has it at %s, which no rule shows: `fs { allow read, exec \"%s\"; }`",
                              path, path);
        return str_format(arena, "; no folder of the sandbox's PATH has it, which is `%s`", path_of(run->environment));
    }
    return STR("; the view has no such file (or not the interpreter it names)");
}
