// Plans of policies that were compiled before.
//
// An entry, in the file whose name is how its key begins (so there are never more than 4096, and one takes another's
// place now and then):
//
//     SEAL                                  of all that follows, and the key
//     SHA-256 <tab> FILE <tab> PATH         a file that was read: its text's hash, where it is, how it was asked for
//     - <tab> <tab> PATH                    one that was looked for and was not there
//                                           (an empty line)
//     the plan (JSON)
#include "enforcer/actions/plan_cache.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/host/cache_folder.h"
#include "enforcer/actions/plan_file.h"
#include "enforcer/host/scoped.h"
#include "enforcer/host/seal.h"

enum { NAME = 3, LARGEST = 1024 * 1024 };

// ---- the key ------------------------------------------------------------------------------------------------------

// Which program this is: a hash of all of it, the standard library too, that the linker made. False: it made none.
static int find_build(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    struct str *found = context;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        const char *at = (const char *)(object->dlpi_addr + part->p_vaddr), *end = at + part->p_memsz;
        while (part->p_type == PT_NOTE && end - at > (ptrdiff_t)sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *note = (const void *)at;
            const char *name = at + sizeof *note, *text = name + ((note->n_namesz + 3) & ~3u);
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0)
                *found = (struct str){text, note->n_descsz};
            at = text + ((note->n_descsz + 3) & ~3u);
        }
    }
    return 1; // the first object is the program
}

static void add_word(SHA2_CTX *context, char kind, struct str word) // so that no two lists of words look the same
{
    uint64_t length = word.length;
    SHA256Update(context, (const uint8_t *)&kind, 1);
    SHA256Update(context, (const uint8_t *)&length, sizeof length);
    SHA256Update(context, (const uint8_t *)word.text, word.length);
}

static bool make_key(struct plan_cache *cache, const struct driver_options *options)
{
    struct str build = {0};
    char resolved[PATH_MAX];
    SHA2_CTX context;
    dl_iterate_phdr(find_build, &build);
    if (!build.length || options->value_count || !realpath(cache->policy, resolved))
        return false;
    SHA256Init(&context);
    add_word(&context, 'b', build);
    add_word(&context, 'f', str_from(resolved));
    add_word(&context, 's', str_from(cache->policy)); // how messages call it
    add_word(&context, 'p', str_from(options->policy ? options->policy : ""));
    for (size_t i = 0; i < options->root_count; i++) {
        if (!realpath(options->roots[i], resolved))
            return false;
        add_word(&context, 'I', str_from(resolved));
    }
    SHA256End(&context, cache->key);
    return true;
}

void plan_cache_begin(struct plan_cache *cache, struct arena *arena, const char *policy,
                      const struct driver_options *options)
{
    char path[PATH_MAX];
    const char *problem;
    *cache = (struct plan_cache){.arena = arena, .policy = policy, .folder = -1};
    if (make_key(cache, options))
        cache->folder = cache_folder_open("plans", path, &problem);
}

void plan_cache_end(struct plan_cache *cache)
{
    close_scoped(&cache->folder);
    cache->folder = -1;
}

static bool seal_plan(const struct plan_cache *cache, struct str body, char seal[SEAL + 1])
{
    return seal_make("plan", str_from(cache->key), body, seal);
}

// ---- finding ------------------------------------------------------------------------------------------------------

// Up to the next of that character, which is taken too. False: there is none.
static bool take(struct str *rest, char end, struct str *part)
{
    const char *at = memchr(rest->text, end, rest->length);
    if (!at)
        return false;
    *part = (struct str){rest->text, (size_t)(at - rest->text)};
    rest->text = at + 1;
    rest->length -= part->length + 1;
    return true;
}

struct origins {
    struct plan_origin *list;
    size_t count;
};

// True if the line still holds; what it is about is one of the plan's origins.
static bool holds(const struct plan_cache *cache, struct str line, struct origins *origins)
{
    struct str hash, file;
    if (!take(&line, '\t', &hash) || !take(&line, '\t', &file))
        return false;
    const char *path = str_copy(cache->arena, line).text, *problem;
    char resolved[PATH_MAX], now[SHA256_DIGEST_STRING_LENGTH];
    bool is_there = !str_is(hash, "-");
    if ((origins->count & (origins->count - 1)) == 0) // full: it has a power of two, or none
        origins->list = arena_grow(cache->arena, origins->list, origins->count * sizeof *origins->list,
                                   (2 * origins->count + 1) * sizeof *origins->list);
    origins->list[origins->count++] = (struct plan_origin){str_from(path), is_there};
    if (!is_there)
        return access(path, F_OK) != 0;
    if (!realpath(path, resolved) || !str_is(file, resolved))
        return false;
    struct str text = file_read_whole(cache->arena, resolved, &problem);
    return !problem && str_is(hash, SHA256Data((const uint8_t *)text.text, text.length, now));
}

static struct plan *find(const struct plan_cache *cache, struct str *text)
{
    char name[NAME + 1] = "", whole[SEAL + 1];
    struct stat status;
    memcpy(name, cache->key, NAME);
    closing_fd int fd = openat(cache->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > LARGEST ||
        status.st_size <= SEAL)
        return NULL;
    char *data = arena_alloc(cache->arena, (size_t)status.st_size);
    if (read(fd, data, (size_t)status.st_size) != status.st_size)
        return NULL;
    struct str rest = {data, (size_t)status.st_size}, line, why;
    if (!take(&rest, '\n', &line) || line.length != SEAL)
        return NULL;
    if (!seal_plan(cache, rest, whole) || !seal_equal(line.text, whole))
        return NULL;
    struct str folder = {0};
    struct origins origins = {0};
    while (take(&rest, '\n', &line) && line.length) {
        if (!holds(cache, line, &origins))
            return NULL;
        struct str hash, file;
        if (!folder.length && take(&line, '\t', &hash) && take(&line, '\t', &file)) { // the policy's own is the first
            const char *slash = memrchr(file.text, '/', file.length);
            folder = (struct str){file.text, slash == file.text ? 1 : (size_t)(slash - file.text)};
        }
    }
    struct plan *plan = folder.length ? plan_read(cache->arena, rest, &why) : NULL;
    if (plan) {
        plan->folder = str_copy(cache->arena, folder);
        plan->origins = origins.list;
        plan->origin_count = origins.count;
    }
    *text = rest;
    return plan;
}

struct plan *plan_cache_find(struct plan_cache *cache, struct str *text)
{
    struct plan *plan = cache->folder < 0 ? NULL : find(cache, text);
    if (!plan && cache->folder >= 0 && !seal_possible())
        plan_cache_end(cache);
    return plan;
}

// ---- keeping ------------------------------------------------------------------------------------------------------

static bool one_line(struct str path)
{
    return !memchr(path.text, '\n', path.length) && !memchr(path.text, '\t', path.length);
}

void plan_cache_keep(const struct plan_cache *cache, const struct compilation *compilation, const struct plan *plan)
{
    char name[NAME + 1] = "", fresh[NAME + 5] = "", hex[SHA256_DIGEST_STRING_LENGTH], seal[SEAL + 1];
    struct text body = {.arena = cache->arena};
    if (cache->folder < 0)
        return;
    for (const struct lookup *lookup = compilation->lookups; lookup;
         lookup = lookup->next) { // the policy's own file first, which was the last to be whole
        if (!one_line(lookup->path) || !one_line(lookup->file))
            return;
        const char *hash =
            lookup->file.length ? SHA256Data((const uint8_t *)lookup->text.text, lookup->text.length, hex) : "-";
        text_addf(&body, "%s\t%.*s\t%.*s\n", hash, STR_ARGS(lookup->file), STR_ARGS(lookup->path));
    }
    struct str json = plan_write(cache->arena, plan);
    text_addf(&body, "\n%.*s", STR_ARGS(json));
    if (!seal_plan(cache, text_str(&body), seal))
        return;
    struct str entry = str_format(cache->arena, "%s\n%.*s", seal, STR_ARGS(text_str(&body)));
    memcpy(name, cache->key, NAME);
    snprintf(fresh, sizeof fresh, "%s.new", name);
    unlinkat(cache->folder, fresh, 0); // of a run that was killed here
    closing_fd int fd = openat(cache->folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (entry.length > LARGEST || write(fd, entry.text, entry.length) != (ssize_t)entry.length ||
        renameat(cache->folder, fresh, cache->folder, name) != 0)
        unlinkat(cache->folder, fresh, 0);
}
