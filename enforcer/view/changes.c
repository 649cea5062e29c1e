// What a run changed in its overlays, as JSON: each change is written as it is met.
#include "enforcer/view/changes.h"

#include "compiler/plan/json.h"

#define WRITTEN_MOST ((uint64_t)256 << 20)

struct listing {
    FILE *out;
    struct text text;
    struct json_writer writer;
    uint64_t written, omitted, unlisted;
};

static const char *type_of(mode_t mode)
{
    return S_ISREG(mode)    ? "file"
           : S_ISDIR(mode)  ? "folder"
           : S_ISLNK(mode)  ? "link"
           : S_ISFIFO(mode) ? "fifo"
           : S_ISSOCK(mode) ? "socket"
                            : "device";
}

// Names are bytes; JSON is text. What is not UTF-8 gets its bytes in hex beside it.
static void write_path(struct listing *l, struct str path)
{
    if (text_is_utf8(path)) {
        json_member(&l->writer, "path", path);
        return;
    }
    struct arena *arena = arena_new();
    struct text shown = {.arena = arena}, hex = {.arena = arena};
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.text[i];
        if (c < 0x80)
            text_add(&shown, path.text + i, 1);
        else
            text_addf(&shown, "\xEF\xBF\xBD"); // U+FFFD
        text_addf(&hex, "%02x", c);
    }
    json_member(&l->writer, "path", text_str(&shown));
    json_member(&l->writer, "bytes", text_str(&hex));
    arena_free(arena);
}

static void flush(struct listing *l)
{
    fwrite(l->text.data, 1, l->text.length, l->out);
    l->written += l->text.length;
    l->text.length = 0;
}

static bool list(const struct difference *d, void *context)
{
    static const char *const names[] = {[DIFFERS_CREATED] = "created",
                                        [DIFFERS_MODIFIED] = "modified",
                                        [DIFFERS_DELETED] = "deleted",
                                        [DIFFERS_REPLACED] = "deleted",
                                        [DIFFERS_UNLISTED] = "unlisted"};
    struct listing *l = context;
    struct json_writer *w = &l->writer;
    if (d->what == DIFFERS_PASSED)
        return true;
    l->unlisted += d->why != NULL;
    if (l->written >= WRITTEN_MOST) {
        l->omitted += d->why == NULL;
        return true;
    }
    json_open(w, '{');
    json_member(w, "what", str_from(names[d->what]));
    write_path(l, d->path);
    json_member(w, "type", str_from(type_of(d->status->st_mode)));
    if (S_ISREG(d->status->st_mode) && !d->why)
        json_member_number(w, "size", (uint64_t)d->status->st_size);
    if (d->why)
        json_member(w, "why", str_from(d->why));
    json_close(w, '}');
    flush(l);
    return true;
}

bool changes_write(FILE *out, const struct view *view, const struct uppers *uppers, uint64_t *unlisted)
{
    struct arena *arena = arena_new(); // of what is written next
    struct listing *l = NEW(arena, struct listing);
    *l = (struct listing){.out = out, .text.arena = arena, .writer.text = &l->text};
    json_open(&l->writer, '{');
    json_member_number(&l->writer, "sbx_changes", 1);
    json_key(&l->writer, "changes");
    json_open(&l->writer, '[');
    differs_walk(view, uppers, list, l);
    json_close(&l->writer, ']');
    json_member_number(&l->writer, "unlisted", l->unlisted + l->omitted);
    json_close(&l->writer, '}');
    flush(l);
    *unlisted = l->unlisted + l->omitted;
    arena_free(arena);
    return fflush(out) == 0 && !ferror(out);
}
