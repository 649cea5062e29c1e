// aisbx diff: what runs changed, against what the project was.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aisbx/cli/command.h"
#include "aisbx/cli/pending.h"
#include "aisbx/store/shown.h"

enum { TEXT_MOST = 1 << 20, TEXTS_MOST = 16 << 20 }; // what is larger is told by its size

struct text {
    char *data;
    size_t length;
};

struct texts { // of what differs and is shown, by its place in the list
    const struct pending *pending;
    char *const *paths;
    const char *folder;
    struct text *list;
    size_t left;
};

static bool take(void *context, const struct change_entry *entry, const char *data, size_t length)
{
    struct texts *texts = context;
    const struct difference *d = difference_find(texts->pending->list, texts->pending->count, entry->path);
    struct text *text = d ? &texts->list[d - texts->pending->list] : NULL;
    if (!d || entry->state.size > TEXT_MOST || !path_chosen(entry->path, texts->paths, texts->folder) ||
        (!text->data && (size_t)entry->state.size > texts->left))
        return true;
    if (!text->data) {
        text->data = malloc((size_t)entry->state.size + 1);
        if (!text->data)
            abort();
        texts->left -= (size_t)entry->state.size;
    }
    if (length > (size_t)entry->state.size - text->length)
        return false; // a layer that is another by now
    memcpy(text->data + text->length, data, length);
    text->length += length;
    return true;
}

static char *read_host(int root, const char *path, size_t *length)
{
    int fd = state_open(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    char *data = fd < 0 ? NULL : malloc(TEXT_MOST);
    *length = 0;
    for (ssize_t n; data && (n = read(fd, data + *length, TEXT_MOST - *length)) > 0;)
        *length += (size_t)n;
    if (fd >= 0)
        close(fd);
    return data;
}

static bool is_text(const char *data, size_t length)
{
    return !memchr(data, '\0', length < 8000 ? length : 8000);
}

// Lines of the sandbox's, as a terminal may have them.
static void print_text(const char *data, size_t length, bool colours)
{
    char line[4096];
    for (size_t at = 0; at < length;) {
        const char *end = memchr(data + at, '\n', length - at);
        size_t span = end ? (size_t)(end - data) - at : length - at;
        const char *colour = !colours                             ? NULL
                             : data[at] == '+'                    ? "\033[32m"
                             : data[at] == '-'                    ? "\033[31m"
                             : data[at] == '@'                    ? "\033[36m"
                             : strncmp(data + at, "diff", 4) == 0 ? "\033[1m"
                                                                  : NULL;
        if (colour)
            fputs(colour, stdout);
        for (size_t from = at; from < at + span;) {
            size_t part = at + span - from < sizeof line - 1 ? at + span - from : sizeof line - 1;
            if (!colours) { // a file or a program: bytes as they are
                fwrite(data + from, 1, part, stdout);
                from += part;
                continue;
            }
            if (data[from] == '\t' || data[from] == '\r') { // harmless, and usual
                if (data[from] == '\t')
                    putchar('\t');
                from++;
                continue;
            }
            part = strcspn(memcpy(line, data + from, part), "\t\r") < part ? strcspn(line, "\t\r") : part;
            line[part] = '\0';
            fputs(shown(line), stdout);
            from += part;
        }
        if (colour)
            fputs("\033[m", stdout);
        if (end)
            putchar('\n');
        at += span + (end != NULL);
    }
}

static void print_patch(int root, const struct difference *d, const struct text *text, bool colours)
{
    size_t length = 0;
    char *before =
        d->before.kind == KIND_FILE && d->before.size <= TEXT_MOST ? read_host(root, d->path, &length) : NULL;
    bool shows = (d->before.kind != KIND_FILE || before) && (d->after.kind != KIND_FILE || text->data);
    git_patch *patch = NULL;
    git_buf printed = {0};
    if (shows && (!before || is_text(before, length)) && (!text->data || is_text(text->data, text->length)) &&
        git_patch_from_buffers(&patch, before, length, d->path, text->data, text->length, d->path, NULL) == 0 &&
        git_patch_to_buf(&printed, patch) == 0) {
        print_text(printed.ptr, printed.size, colours);
        git_buf_dispose(&printed);
    } else {
        printf("binary or large: %s, %lld bytes, were %lld\n", shown(d->path), (long long)d->after.size,
               (long long)d->before.size);
    }
    git_patch_free(patch);
    free(before);
}

static char letter(const struct difference *d)
{
    return d->before.kind == KIND_NOTHING    ? 'A'
           : d->after.kind == KIND_NOTHING   ? 'D'
           : d->after.kind != d->before.kind ? 'T'
                                             : 'M';
}

// "  (mode 644, now 755)", where that differs.
static const char *modes(const struct difference *d)
{
    static char text[48];
    bool differ = d->before.kind == d->after.kind && d->before.mode != d->after.mode;
    snprintf(text, sizeof text, "  (mode %o, now %o)", (unsigned)d->before.mode, (unsigned)d->after.mode);
    return differ ? text : "";
}

static bool print(struct store *store, const struct workspace *workspace, struct pending *pending, char *const *paths,
                  bool names_only, bool stat)
{
    struct texts texts = {.pending = pending,
                          .paths = paths,
                          .folder = workspace->folder,
                          .list = calloc(pending->count + 1, sizeof *texts.list),
                          .left = TEXTS_MOST};
    bool fine = texts.list != NULL, colours = isatty(STDOUT_FILENO);
    for (int i = 0; i < pending->layer_count && fine && !names_only && !stat; i++)
        if (!change_bytes(&pending->change, &store->blobs, pending->layers[i], i, take, &texts))
            fine = (warnx("%s", pending->change.why), false);
    size_t count = 0;
    long long bytes = 0;
    for (size_t i = 0; i < pending->count && fine; i++) {
        const struct difference *d = &pending->list[i];
        if (!path_chosen(d->path, paths, workspace->folder))
            continue;
        count++;
        bytes += d->after.size - d->before.size;
        if (names_only) {
            puts(shown(d->path));
            continue;
        }
        bool folder = d->after.kind == KIND_FOLDER || (d->after.kind == KIND_NOTHING && d->before.kind == KIND_FOLDER);
        if (stat)
            printf("%c %s%s  %lld\n", letter(d), shown(d->path), folder ? "/" : "",
                   (long long)(d->after.size - d->before.size));
        else
            printf("%c %s%s%s%s%s\n", letter(d), shown(d->path), folder ? "/" : "",
                   d->after.kind == KIND_LINK ? " -> " : "", d->after.kind == KIND_LINK ? shown(d->entry->link) : "",
                   modes(d));
        if (stat || (d->after.kind != KIND_FILE && d->before.kind != KIND_FILE))
            continue;
        print_patch(workspace->root, d, &texts.list[i], colours);
    }
    if (stat && fine)
        printf("%zu names differ, %+lld bytes\n", count, bytes);
    for (size_t k = 0; texts.list && k < pending->count; k++)
        free(texts.list[k].data);
    free(texts.list);
    return fine;
}

int command_diff(int argc, char **argv)
{
    static const struct option options[] = {{"stat", no_argument, NULL, 't'},
                                            {"name-only", no_argument, NULL, 'n'},
                                            {"snapshot", required_argument, NULL, 's'},
                                            {0}};
    bool stat = false, names_only = false;
    const char *typed = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 't': stat = true; break;
        case 'n': names_only = true; break;
        case 's': typed = optarg; break;
        default: return usage("diff");
        }
    struct store store;
    struct workspace workspace;
    struct pending pending;
    char snapshot[ID_SIZE];
    if (!store_open(&store) || !workspace_open(&store, &workspace) || !promote_recover(&store, &workspace))
        return STATUS_REFUSED;
    snprintf(snapshot, sizeof snapshot, "%s", workspace.head);
    if (typed && !store_find(&store, workspace.id, "snapshots", typed, snapshot))
        return STATUS_REFUSED;
    git_libgit2_init();
    bool fine = pending_load(&store, snapshot, &pending) &&
                print(&store, &workspace, &pending, argv + optind, names_only, stat);
    git_libgit2_shutdown();
    pending_free(&pending);
    workspace_close(&workspace);
    store_close(&store);
    return fine ? STATUS_FINE : STATUS_REFUSED;
}
