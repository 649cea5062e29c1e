// Loading modules: reading files safely, finding what they import, refusing cycles and climbs.
#include "lang/load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lang/check.h"
#include "lang/parse.h"

// Reads a regular file of bounded size. Returns NULL on success, else what went wrong.
static const char *read_file(struct arena *arena, const char *path, struct str *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); // a FIFO would block, a terminal take us over
    if (fd < 0)
        return strerror(errno);
    struct stat status;
    const char *problem = NULL;
    if (fstat(fd, &status) != 0)
        problem = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        problem = S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a regular file";
    else if (status.st_size > SOURCE_LARGEST)
        problem = "it is larger than 8 MiB, which no policy is";
    if (!problem) {
        size_t size = (size_t)status.st_size, used = 0;
        char *data = arena_alloc(arena, size + 2);
        while (used < size) {
            ssize_t n = read(fd, data + used, size - used);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                problem = strerror(errno);
            if (n <= 0)
                break;
            used += (size_t)n;
        }
        *text = (struct str){data, used};
    }
    close(fd);
    return problem;
}

static struct str folder_of(struct arena *arena, struct str path)
{
    size_t end = path.length;
    while (end > 1 && path.text[end - 1] != '/')
        end--;
    return str_copy(arena, (struct str){path.text, end > 1 ? end - 1 : end});
}

static struct module *known_module(struct compilation *compilation, struct str key)
{
    for (struct module *module = compilation->modules; module; module = module->next)
        if (str_equal(module->key, key))
            return module;
    return NULL;
}

static void load_imports(struct compilation *, struct module *);

// Parses a source that is new to the compilation, then everything it imports, then checks it.
static struct module *parse_module(struct compilation *compilation, struct source *source, struct str key,
                                   struct module *importer)
{
    struct parse parse = {.arena = compilation->arena, .diagnostics = &compilation->diagnostics, .source = source};
    if (source_check(compilation, source))
        parse_source(&parse);
    struct module *module = parse.module ? parse.module : NEW(compilation->arena, struct module);
    module->source = source;
    module->key = key;
    module->importer = importer;
    module->next = compilation->modules;
    compilation->modules = module;
    module->loading = true;
    load_imports(compilation, module);
    module_check(compilation, module);
    module->loading = false;
    return module;
}

static struct module *load_library(struct compilation *compilation, struct str name, struct module *importer)
{
    struct str key = str_format(compilation->arena, "std/%.*s.sbx", STR_ARGS(name));
    struct module *known = known_module(compilation, key);
    if (known)
        return known;
    const struct library_file *file = library_find(name);
    if (!file)
        return NULL;
    struct source *source = source_add(&compilation->sources, key, STR("/"), (struct str){file->text, file->length});
    source->is_library = true;
    return parse_module(compilation, source, key, importer);
}

static bool beneath(struct str path, struct str root)
{
    return str_starts(path, root) && (path.length == root.length || path.text[root.length] == '/' || root.length == 1);
}

static bool reachable(const struct compilation *compilation, const struct module *importer, struct str path)
{
    if (beneath(path, importer->source->folder))
        return true;
    for (size_t i = 0; i < compilation->root_count; i++)
        if (beneath(path, compilation->roots[i]))
            return true;
    return false;
}

static struct module *load_resolved(struct compilation *compilation, struct str shown, struct str resolved,
                                    struct module *importer, const char **problem)
{
    struct module *known = known_module(compilation, resolved);
    if (known)
        return known;
    struct str text;
    const struct str *opened = compilation->opened ? map_get(compilation->opened, resolved) : NULL;
    if (opened)
        text = *opened;
    else
        *problem = read_file(compilation->arena, resolved.text, &text);
    if (*problem)
        return NULL;
    struct source *source = source_add(&compilation->sources, shown, folder_of(compilation->arena, resolved), text);
    return parse_module(compilation, source, resolved, importer);
}

static void note_lookup(struct compilation *compilation, struct str path, struct str file, struct str text)
{
    for (const struct lookup *known = compilation->lookups; known; known = known->next)
        if (str_equal(known->path, path))
            return; // another module imports it too
    struct lookup *lookup = NEW(compilation->arena, struct lookup);
    *lookup = (struct lookup){path, file, text, compilation->lookups};
    compilation->lookups = lookup;
}

static void report_unread(struct diagnostics *diagnostics, struct str shown, const char *problem, struct span span)
{
    diagnostic_label(diagnostics, diagnose(diagnostics, SBX0301, span, STR_ARGS(shown), problem), span,
                     "asked for here");
}

// A file that the user or an import names. `shown` is how messages call it.
static struct module *load_file(struct compilation *compilation, struct str path, struct str shown,
                                struct module *importer, struct span span)
{
    struct diagnostics *diagnostics = &compilation->diagnostics;
    char resolved[PATH_MAX];
    bool unsaved = compilation->opened && map_get(compilation->opened, path);
    if (!realpath(path.text, resolved) && !unsaved) {
        report_unread(diagnostics, shown, strerror(errno), span);
        return NULL;
    }
    struct str target = unsaved ? path : str_copy(compilation->arena, str_from(resolved));
    if (importer && !reachable(compilation, importer, target)) {
        struct diagnostic *d = diagnose(diagnostics, SBX0302, span, STR_ARGS(shown));
        diagnostic_label(diagnostics, d, span, "this leads to %.*s", STR_ARGS(target));
        diagnostic_help(diagnostics, d,
                        "a file imports from its own folder and below; `-I DIR` adds a folder it may import from");
        return NULL;
    }
    const char *problem = NULL;
    struct module *module = load_resolved(compilation, shown, target, importer, &problem);
    if (problem)
        report_unread(diagnostics, shown, problem, span);
    else
        note_lookup(compilation, path, target, module->source->text);
    return module;
}

void compilation_prelude(struct compilation *compilation)
{
    if (!compilation->prelude)
        compilation->prelude = load_library(compilation, STR("groups"), NULL);
}

struct module *module_load(struct compilation *compilation, const char *path)
{
    compilation_prelude(compilation);
    struct module *module =
        load_file(compilation, str_from(path), str_copy(compilation->arena, str_from(path)), NULL, (struct span){0});
    if (!module)
        compilation->unreadable = true;
    return module;
}

struct source *source_load(struct compilation *compilation, const char *path)
{
    struct str shown = str_copy(compilation->arena, str_from(path)), text;
    const char *problem = read_file(compilation->arena, path, &text);
    if (problem) {
        report_unread(&compilation->diagnostics, shown, problem, (struct span){0});
        compilation->unreadable = true;
        return NULL;
    }
    struct source *source = source_add(&compilation->sources, shown, STR(""), text);
    source_index(&compilation->sources, source);
    return source;
}

struct module *module_parse_in(struct compilation *compilation, struct str name, struct str folder, struct str text)
{
    compilation_prelude(compilation);
    return parse_module(compilation, source_add(&compilation->sources, name, folder, text), name, NULL);
}

struct module *module_parse(struct compilation *compilation, struct str name, struct str text)
{
    char here[PATH_MAX];
    return module_parse_in(compilation, name,
                           realpath(".", here) ? str_copy(compilation->arena, str_from(here)) : STR("/nowhere"), text);
}

static struct module *import_library(struct compilation *compilation, struct module *module, struct import_decl *import)
{
    struct str name = name_list_text(compilation->arena, import->path->next, "/");
    struct module *found = load_library(compilation, name, module);
    if (found)
        return found;
    struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0303, import->span, STR_ARGS(name));
    struct nearest nearest = diagnostics_nearest(&compilation->diagnostics, name);
    const struct library_file *file;
    for (size_t i = 0; (file = library_at(i)); i++)
        nearest_offer(&nearest, str_from(file->name));
    diagnostic_suggest(&compilation->diagnostics, d, import->span, "std.", &nearest, "not in the standard library");
    return NULL;
}

static struct module *import_dotted(struct compilation *compilation, struct module *module, struct import_decl *import)
{
    if (str_is(import->path->name.text, "std") && import->path->next)
        return import_library(compilation, module, import);
    struct arena *arena = compilation->arena;
    struct str tail = name_list_text(arena, import->path, "/");
    for (size_t i = 0; i <= compilation->root_count; i++) {
        struct str root = i == 0 ? module->source->folder : compilation->roots[i - 1];
        struct str path = str_format(arena, "%.*s/%.*s.sbx", STR_ARGS(root), STR_ARGS(tail));
        if (access(path.text, F_OK) == 0 || (compilation->opened && map_get(compilation->opened, path)))
            return load_file(compilation, path, path, module, import->span);
        note_lookup(compilation, path, STR(""), STR(""));
    }
    struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0304, import->span, STR_ARGS(tail));
    diagnostic_label(&compilation->diagnostics, d, import->span,
                     "neither beside this file nor in a folder given by -I");
    return NULL;
}

static struct module *import_file(struct compilation *compilation, struct module *module, struct import_decl *import)
{
    struct arena *arena = compilation->arena;
    struct str file = import->file.text;
    if (file.length && file.text[0] == '/') {
        struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0305, import->file.span);
        diagnostic_label(&compilation->diagnostics, d, import->file.span,
                         "an import is relative to the file it stands in");
        return NULL;
    }
    if (module->source->is_library) {
        diagnostic_label(&compilation->diagnostics,
                         diagnose(&compilation->diagnostics, SBX0302, import->file.span, STR_ARGS(file)),
                         import->file.span, "the standard library imports itself by name");
        return NULL;
    }
    struct str path = str_format(arena, "%.*s/%.*s", STR_ARGS(module->source->folder), STR_ARGS(file));
    struct str beside = module->source->name;
    size_t folder = beside.length;
    while (folder > 0 && beside.text[folder - 1] != '/')
        folder--;
    struct str shown = str_format(arena, "%.*s%.*s", (int)folder, beside.text, STR_ARGS(file));
    return load_file(compilation, path, shown, module, import->file.span);
}

static void report_cycle(struct compilation *compilation, struct module *module, struct import_decl *import)
{
    struct text cycle = {.arena = compilation->arena};
    text_addf(&cycle, "%.*s", STR_ARGS(import->module->source->name));
    struct text back = {.arena = compilation->arena};
    for (struct module *m = module; m && m != import->module; m = m->importer) {
        struct str rest = text_str(&back);
        struct str chained =
            str_format(compilation->arena, " imports %.*s%.*s", STR_ARGS(m->source->name), STR_ARGS(rest));
        back = (struct text){.arena = compilation->arena};
        text_add(&back, chained.text, chained.length);
    }
    text_add(&cycle, back.data ? back.data : "", back.length);
    struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0306, import->span);
    diagnostic_label(&compilation->diagnostics, d, import->span, "%.*s imports %.*s", STR_ARGS(text_str(&cycle)),
                     STR_ARGS(import->module->source->name));
    import->module = NULL;
}

static void load_imports(struct compilation *compilation, struct module *module)
{
    module->import_map.arena = compilation->arena;
    for (struct import_decl *import = module->imports; import; import = import->next) {
        import->module =
            import->path ? import_dotted(compilation, module, import) : import_file(compilation, module, import);
        if (import->module && import->module->loading)
            report_cycle(compilation, module, import);
        struct str name = import->alias.text.length ? import->alias.text
                          : import->path            ? name_list_text(compilation->arena, import->path, ".")
                                                    : path_stem(import->file.text);
        struct import_decl *other = map_put(&module->import_map, name, import);
        if (other) {
            struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0307, import->span, STR_ARGS(name));
            diagnostic_label(&compilation->diagnostics, d, import->span, "`as` gives it another name");
            diagnostic_label(&compilation->diagnostics, d, other->span, "first imported here");
        }
    }
}
