// One compilation, and what is looked up in its modules.
#include "lang/module.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "library.inc"

struct compilation *compilation_new(struct arena *arena)
{
    struct compilation *compilation = NEW(arena, struct compilation);
    compilation->arena = compilation->sources.arena = arena;
    diagnostics_init(&compilation->diagnostics, arena);
    return compilation;
}

void compilation_free(struct compilation *compilation)
{
    if (compilation)
        arena_free(compilation->arena);
}

bool compilation_work(struct compilation *compilation, void (*work)(void *), void *context)
{
    enum arena_end end =
        arena_within(compilation->arena, (size_t)BUDGET_MEBIBYTES << 20, BUDGET_SECONDS, work, context);
    if (end == ARENA_DONE)
        return true;
    struct span span = {0};
    for (uint32_t i = compilation->sources.count; i-- > 0;)
        if (!compilation->sources.list[i]->is_library)
            span.source = compilation->sources.list[i]->number; // the first one, in the end
    struct str limit = end == ARENA_OUT_OF_MEMORY
                           ? str_format(compilation->arena, "%d MiB of memory", BUDGET_MEBIBYTES)
                           : str_format(compilation->arena, "%d seconds of the processor's time", BUDGET_SECONDS);
    struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0318, span, STR_ARGS(limit));
    diagnostic_label(&compilation->diagnostics, d, span, "say it with fewer rules, or in several files");
    return false;
}

// What is taken for a policy by mistake, by its first bytes.
static const struct {
    const char *start, *says;
} mistaken[] = {
    {"\177ELF", "this is a program: a policy is named first, and what is run under it after `--`"},
    {"\xFF\xFE", "this is UTF-16: save the file as UTF-8"},
    {"\xFE\xFF", "this is UTF-16: save the file as UTF-8"},
};

bool source_check(struct compilation *compilation, struct source *source)
{
    uint32_t where, length;
    source_index(&compilation->sources, source);
    const char *flaw = source_flaw(source->text, &where, &length);
    if (!flaw)
        return true;
    struct span span = {source->number, where, where + length};
    const char *says = "policies are plain UTF-8 text";
    for (size_t i = 0; i < sizeof mistaken / sizeof *mistaken; i++)
        if (str_starts(source->text, str_from(mistaken[i].start)))
            says = mistaken[i].says;
    diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0115, span, flaw), span, "%s",
                     says);
    return false;
}

bool compilation_add_root(struct compilation *compilation, const char *folder)
{
    char resolved[PATH_MAX];
    struct stat status;
    if (!realpath(folder, resolved) || stat(resolved, &status) != 0)
        return false;
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return false;
    }
    size_t count = compilation->root_count;
    compilation->roots = arena_grow(compilation->arena, compilation->roots, count * sizeof(struct str),
                                    (count + 1) * sizeof(struct str));
    compilation->roots[compilation->root_count++] = str_copy(compilation->arena, str_from(resolved));
    return true;
}

const struct library_file *library_find(struct str name)
{
    for (const struct library_file *file = library_files; file->name; file++)
        if (str_is(name, file->name))
            return file;
    return NULL;
}

const struct library_file *library_at(size_t index)
{
    size_t count = sizeof library_files / sizeof *library_files - 1;
    return index < count ? &library_files[index] : NULL;
}

struct policy_decl *module_find_policy(const struct module *module, struct str name)
{
    return map_get(&module->policy_map, name);
}

// "/a/python.sbx" → "python".
struct str path_stem(struct str path)
{
    size_t start = path.length, end = path.length;
    while (start > 0 && path.text[start - 1] != '/')
        start--;
    if (end - start > 4 && memcmp(path.text + end - 4, ".sbx", 4) == 0)
        end -= 4;
    return (struct str){path.text + start, end - start};
}

static bool same_but_dashes(struct str a, struct str b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++)
        if (a.text[i] != b.text[i] &&
            !((a.text[i] == '-' || a.text[i] == '_') && (b.text[i] == '-' || b.text[i] == '_')))
            return false;
    return true;
}

struct policy_decl *module_main_policy(const struct module *module)
{
    if (module->policies && !module->policies->next)
        return module->policies;
    struct str stem = path_stem(module->key);
    for (struct policy_decl *policy = module->policies; policy; policy = policy->next)
        if (same_but_dashes(policy->name.text, stem))
            return policy;
    return NULL;
}

struct str name_list_text(struct arena *arena, const struct name_list *path, const char *separator)
{
    struct text text = {.arena = arena};
    for (; path; path = path->next)
        text_addf(&text, "%.*s%s", STR_ARGS(path->name.text), path->next ? separator : "");
    return text_str(&text);
}

const struct module *module_of_source(const struct compilation *compilation, uint32_t source)
{
    const struct module *module = compilation->modules;
    while (module && module->source->number != source)
        module = module->next;
    return module;
}
