// `sbxc --fmt`: files in their canonical layout.
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/actions/actions.h"
#include "compiler/files/files.h"
#include "lang/format.h"
#include "lang/load.h"

extern char **environ;

static int fail(const char *what, const char *path)
{
    print_shown(stderr, "sbxc: cannot %s %s: %s", what, path, strerror(errno));
    return STATUS_USAGE;
}

// Shows what would change, by diff(1).
static int show(struct arena *arena, const char *path, struct str text)
{
    FILE *formatted = tmpfile();
    if (!formatted || fwrite(text.text, 1, text.length, formatted) != text.length || fflush(formatted) != 0)
        return fail("write", "a temporary file");
    rewind(formatted);
    const char *label = str_format(arena, "%s as sbxc writes it", path).text;
    const char *arguments[] = {"diff", "-u", "--label", path, "--label", label, "--", path, "-", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(formatted), STDIN_FILENO);
    fflush(stdout);
    errno = posix_spawnp(&pid, "diff", &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    int result = errno ? fail("run", "diff") : STATUS_ERRORS;
    while (result == STATUS_ERRORS && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    fclose(formatted);
    return result;
}

struct formatted { // one file
    const struct options *options;
    struct compilation *compilation;
    const char *path;
    struct str standard_input;
    int status;
};

static void format_one(void *context)
{
    struct formatted *job = context;
    const struct options *options = job->options;
    struct compilation *compilation = job->compilation;
    const char *path = job->path;
    bool input = strcmp(path, "-") == 0;
    const char *problem = driver_roots(compilation, &options->driver);
    struct module *module = problem ? NULL
                            : input ? module_parse(compilation, STR("<stdin>"), job->standard_input)
                                    : module_load(compilation, path);
    if (!module || compilation->diagnostics.errors) { // left alone
        if (!problem)
            print_findings(options, compilation);
        job->status = problem ? usage_error(problem) : status_of(options, compilation);
        return;
    }
    const struct str *text = format_source(compilation->arena, module->source);
    bool same = text && str_equal(*text, module->source->text);
    if (!text)
        job->status = STATUS_ERRORS;
    else if (options->fmt_write && !input)
        job->status = same || files_replace(compilation->arena, path, *text) ? STATUS_CLEAN : fail("write", path);
    else if (options->fmt_diff && !input)
        job->status = same ? STATUS_CLEAN : show(compilation->arena, path, *text);
    else
        job->status = write_output(NULL, *text);
}

int format_files(const struct options *options, char **paths)
{
    struct arena *arena = arena_new();
    struct file_list files = {.arena = arena};
    struct str standard_input = STR("");
    const char *problem = NULL;
    for (; *paths && !problem; paths++) {
        if (strcmp(*paths, "-") == 0 && !standard_input.length)
            problem = files_read_input(arena, &standard_input);
        problem = problem ? problem : files_add(&files, *paths);
    }
    int worst = problem ? usage_error(problem) : STATUS_CLEAN;
    for (size_t i = 0; i < files.count && !problem; i++) {
        struct formatted job = {options, compilation_new(arena_new()), files.paths[i], standard_input, STATUS_CLEAN};
        if (!compilation_work(job.compilation, format_one, &job)) {
            print_findings(options, job.compilation);
            job.status = STATUS_ERRORS;
        }
        worst = worse(worst, job.status);
        compilation_free(job.compilation);
    }
    arena_free(arena);
    return worst;
}
