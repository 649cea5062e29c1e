// `sbxc --check`: warnings, obligations, proofs, for every policy of every file.
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/actions/actions.h"
#include "compiler/files/files.h"
#include "compiler/prove/prove_guard.h"
#include "compiler/report/report.h"
#include "lang/load.h"

struct checked { // one file
    struct compilation *compilation;
    const char *problem; // with the options
    bool skipped;        // it neither changed nor imports what did
};

struct checks {
    const struct options *options;
    const struct file_list *files;
    struct str standard_input;
    const struct map *changed; // NULL: all are looked at
    struct checked *checked;
    size_t next; // to be taken by a thread
};

static bool is_changed(const struct compilation *compilation, const struct map *changed)
{
    for (const struct module *module = compilation->modules; module; module = module->next)
        if (map_get(changed, module->key))
            return true;
    return false;
}

struct check { // of one file
    const struct checks *checks;
    const char *path;
    struct checked *checked;
    struct policy **policies;
    struct plan **plans; // NULL: nothing is to be proved
    size_t count;
};

static void check_within(void *context)
{
    struct check *check = context;
    const struct options *options = check->checks->options;
    struct checked *checked = check->checked;
    struct compilation *compilation = checked->compilation;
    checked->problem = driver_roots(compilation, &options->driver);
    if (checked->problem)
        return;
    struct module *module = strcmp(check->path, "-") == 0
                                ? module_parse(compilation, STR("<stdin>"), check->checks->standard_input)
                                : module_load(compilation, check->path);
    if (check->checks->changed && module && !is_changed(compilation, check->checks->changed)) {
        checked->skipped = true;
        return;
    }
    if (!module || compilation->diagnostics.errors)
        return;
    check->policies = driver_policies(compilation, module, &options->driver, &check->count, &checked->problem);
    for (struct group_decl *group = module->groups; group; group = group->next)
        group_find(compilation, module, group->name.text);
    check->plans = driver_judge(compilation, check->policies, check->count);
}

// The proof comes when all of the file is right, for it takes far longer, and has bounds of its own.
static struct checked check_file(const struct checks *checks, const char *path)
{
    struct checked checked = {.compilation = compilation_new(arena_new())};
    struct check one = {.checks = checks, .path = path, .checked = &checked};
    bool whole = compilation_work(checked.compilation, check_within, &one);
    struct z3 z3 = {0}; // policies of one file have much in common
    for (size_t i = 0; whole && one.plans && i < one.count && !checks->options->no_proof; i++)
        if (!checked.compilation->diagnostics.errors)
            prove_plan(&z3, one.policies[i], one.plans[i]);
    z3_close(&z3);
    return checked;
}

static void *work(void *context)
{
    struct checks *checks = context;
    for (;;) {
        size_t mine = __atomic_fetch_add(&checks->next, 1, __ATOMIC_RELAXED);
        if (mine >= checks->files->count)
            return NULL;
        checks->checked[mine] = check_file(checks, checks->files->paths[mine]);
    }
}

// Compilations share nothing, so files are checked side by side; what is found is printed in their order.
static void check_all(struct checks *checks)
{
    enum { THREADS_MOST = 16, FILES_ALONE = 2 };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[THREADS_MOST];
    int started = 0;
    while (checks->files->count > FILES_ALONE && started + 1 < processors && started < THREADS_MOST &&
           (size_t)started + 1 < checks->files->count && pthread_create(&threads[started], NULL, work, checks) == 0)
        started++;
    work(checks);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static int print_all(const struct options *options, const struct checks *checks, struct arena *arena)
{
    int worst = STATUS_CLEAN;
    struct compilation **all = NEW_ARRAY(arena, struct compilation *, checks->files->count);
    size_t count = 0;
    for (size_t i = 0; i < checks->files->count; i++) {
        const struct checked *checked = &checks->checked[i];
        if (checked->skipped)
            continue;
        all[count++] = checked->compilation;
        if (options->format != FORMAT_SARIF)
            print_findings(options, checked->compilation);
        worst =
            worse(worst, checked->problem ? usage_error(checked->problem) : status_of(options, checked->compilation));
    }
    if (options->format == FORMAT_SARIF)
        report_sarif(stdout, arena, all, count);
    return worst;
}

int check_files(const struct options *options, char **paths)
{
    struct arena *arena = arena_new();
    struct file_list files = {.arena = arena};
    struct map changed;
    struct checks checks = {.options = options, .files = &files};
    const char *problem = options->changed ? files_changed(arena, options->changed, &changed) : NULL;
    checks.changed = options->changed ? &changed : NULL;
    for (bool read = false; *paths && !problem; paths++) {
        if (strcmp(*paths, "-") == 0 && !read) {
            read = true;
            problem = files_read_input(arena, &checks.standard_input);
        }
        problem = problem ? problem : files_add(&files, *paths);
    }
    int status = problem ? usage_error(problem) : STATUS_CLEAN;
    if (!problem) {
        checks.checked = NEW_ARRAY(arena, struct checked, files.count);
        check_all(&checks);
        status = print_all(options, &checks, arena);
        for (size_t i = 0; i < files.count; i++)
            compilation_free(checks.checked[i].compilation);
    }
    arena_free(arena);
    return status;
}

// ---- fixing -------------------------------------------------------------------------------------------------------

// Applies what is certain in a file of its own; the next round looks again. Returns how many fixes.
static unsigned apply_fixes(struct compilation *compilation, const struct source *source, struct str *fixed)
{
    struct text text = {.arena = compilation->arena};
    uint32_t at = 0;
    unsigned count = 0;
    for (const struct fix **fix = diagnostics_certain_fixes(&compilation->diagnostics, source->number); *fix;
         fix++, count++) {
        text_add(&text, source->text.text + at, (*fix)->span.start - at);
        text_add(&text, (*fix)->text.text, (*fix)->text.length);
        at = (*fix)->span.end;
    }
    text_add(&text, source->text.text + at, source->text.length - at);
    *fixed = text_str(&text);
    return count;
}

static const struct source *own_source(const struct compilation *compilation, const char *path)
{
    for (uint32_t i = 0; i < compilation->sources.count; i++)
        if (str_is(compilation->sources.list[i]->name, path))
            return compilation->sources.list[i];
    return NULL;
}

int fix_files(const struct options *options, char **paths)
{
    enum { ROUNDS_MOST = 10 }; // a fix may show what another finding hid
    struct arena *arena = arena_new();
    struct file_list files = {.arena = arena};
    struct checks checks = {.options = options, .files = &files};
    const char *problem = NULL;
    for (char **path = paths; *path && !problem; path++)
        problem = strcmp(*path, "-") == 0 ? "--fix mends files, and not standard input" : files_add(&files, *path);
    int status = problem ? usage_error(problem) : STATUS_CLEAN;
    for (size_t i = 0; i < files.count && status == STATUS_CLEAN; i++) {
        unsigned total = 0, findings = 1;
        for (int round = 0; round < ROUNDS_MOST && findings && status == STATUS_CLEAN; round++) {
            struct checked checked = check_file(&checks, files.paths[i]);
            const struct source *source = own_source(checked.compilation, files.paths[i]);
            struct str fixed;
            findings = source ? apply_fixes(checked.compilation, source, &fixed) : 0;
            total += findings;
            if (findings && !files_replace(arena, files.paths[i], fixed)) {
                print_shown(stderr, "sbxc: cannot write %s: %s", files.paths[i], strerror(errno));
                status = STATUS_USAGE;
            }
            compilation_free(checked.compilation);
        }
        if (total)
            print_shown(stderr, "%s: %u fixed", files.paths[i], total);
    }
    arena_free(arena);
    return status == STATUS_CLEAN ? check_files(options, paths) : status; // what is left
}
