// A change brought to the host, and taken back.
#include "aisbx/layers/promote.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "aisbx/store/shown.h"
#include "aisbx/layers/danger.h"
#include "aisbx/layers/paths.h"

// ---- judging ------------------------------------------------------------------------------------------------------

// Whether a link leads out of the workspace, or to where nobody can tell without following others.
static bool leads_out(const char *path, const char *text)
{
    int depth = 0;
    if (*text == '/')
        return true;
    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/'))
        depth++;
    for (const char *at = text; *at; at += *at == '/') {
        size_t span = strcspn(at, "/");
        if (span == 2 && strncmp(at, "..", 2) == 0)
            depth--;
        else if (span && !(span == 1 && *at == '.'))
            depth++;
        if (depth < 0)
            return true;
        at += span;
    }
    return false;
}

static enum verdict judge(const struct judged *j, const char **reason)
{
    const struct difference *d = &j->d;
    if (d->after.kind == KIND_OTHER || d->before.kind == KIND_OTHER)
        return *reason = "it is neither file, folder nor link", PROMOTE_NEVER;
    if (d->after.kind == KIND_LINK && leads_out(d->path, d->entry->link))
        return *reason = "a link that leads out of the folder", PROMOTE_NEVER;
    if (state_equal(&j->host, &d->after) || (d->after.kind == KIND_NOTHING && j->host.kind == KIND_NOTHING))
        return *reason = "the host has it already", PROMOTE_THERE;
    bool same = j->host.kind == d->before.kind && (j->host.kind == KIND_NOTHING || state_equal(&j->host, &d->before));
    if (!same)
        return *reason = d->before.kind == KIND_NOTHING ? "made on the host since"
                         : j->host.kind == KIND_NOTHING ? "deleted on the host since"
                                                        : "changed on the host since",
               PROMOTE_CONFLICT;
    if (d->unsure)
        return *reason = "changed on the host while the run went on", PROMOTE_CONFLICT;
    if ((*reason = danger_of(d->path)))
        return PROMOTE_DANGER;
    return PROMOTE_FINE;
}

bool promote_judge(const struct workspace *workspace, const struct difference *list, size_t count,
                   struct judged *judged)
{
    for (size_t i = 0; i < count; i++) {
        judged[i] = (struct judged){.d = list[i]};
        if (!state_of_host(workspace->root, list[i].path, &judged[i].host)) {
            warn("%s can't be read on the host", shown(list[i].path));
            return false;
        }
        judged[i].verdict = judge(&judged[i], &judged[i].reason);
    }
    return true;
}

// ---- one path -----------------------------------------------------------------------------------------------------

struct step { // what a promotion does at a path, or takes back
    char *path;
    struct state from, to;
    const char *link;
    int64_t number;
};

static void temporary(const char *id, int64_t number, char name[ID_SIZE + 32])
{
    snprintf(name, ID_SIZE + 32, ".aisbx-%s-%lld", id, (long long)number);
}

static int rename_with(int folder, const char *from, const char *to, unsigned flags)
{
    return (int)syscall(SYS_renameat2, folder, from, folder, to, flags);
}

static bool finish(int fd, const struct state *state)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {state->mtime / 1000000000, state->mtime % 1000000000}};
    return fchmod(fd, state->mode) == 0 && futimens(fd, times) == 0 && fsync(fd) == 0;
}

// What lies at `name` of a folder, which a rename has brought there, is what was judged: number, bytes, mode.
static bool is_what_was_judged(int folder, const char *name, const struct state *judged)
{
    struct state now;
    return state_of_host(folder, name, &now) && state_equal(&now, judged) &&
           (!judged->inode || now.inode == judged->inode);
}

// Puts what stands ready as `fresh` (nothing: where it is to be gone) in the place of `name`, if that still is `from`.
static bool take_place(int folder, const char *fresh, const char *name, const struct step *step)
{
    if (step->to.kind == KIND_NOTHING) {
        if (step->from.kind == KIND_FOLDER)
            return unlinkat(folder, name, AT_REMOVEDIR) == 0;
        if (rename_with(folder, name, fresh, RENAME_NOREPLACE) != 0)
            return false;
    } else if (step->from.kind == KIND_NOTHING) {
        return rename_with(folder, fresh, name, RENAME_NOREPLACE) == 0;
    } else if (rename_with(folder, fresh, name, RENAME_EXCHANGE) != 0) {
        return false;
    }
    if (is_what_was_judged(folder, fresh, &step->from))
        return unlinkat(folder, fresh, step->from.kind == KIND_FOLDER ? AT_REMOVEDIR : 0) == 0;
    rename_with(folder, fresh, name, step->to.kind == KIND_NOTHING ? RENAME_NOREPLACE : RENAME_EXCHANGE);
    if (step->to.kind != KIND_NOTHING)
        unlinkat(folder, fresh, step->to.kind == KIND_FOLDER ? AT_REMOVEDIR : 0);
    return errno = EBUSY, false;
}

// Root's aisbx leaves a project to whom it belongs: what takes a place gets its owner, what is new that of its folder.
static bool own(int folder, const char *fresh, const char *name)
{
    struct stat status;
    return geteuid() != 0 ||
           ((fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 || fstat(folder, &status) == 0) &&
            fchownat(folder, fresh, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) == 0);
}

// Does one step; a file's bytes stand ready under its temporary name.
static bool do_step(int root, const char *id, const struct step *step)
{
    char fresh[ID_SIZE + 32];
    const char *name;
    temporary(id, step->number, fresh);
    int folder = state_parent(root, step->path, &name);
    if (folder < 0)
        return false;
    bool done;
    if (step->to.kind == KIND_FOLDER && step->from.kind == KIND_FOLDER) {
        int fd = state_open(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        done = fd >= 0 && fchmod(fd, step->to.mode) == 0;
        if (fd >= 0)
            close(fd);
    } else {
        done = step->to.kind == KIND_FOLDER ? mkdirat(folder, fresh, step->to.mode | 0700) == 0
               : step->to.kind == KIND_LINK ? symlinkat(step->link, folder, fresh) == 0
                                            : true;
        if (done && step->to.kind == KIND_FOLDER)
            done = fchmodat(folder, fresh, step->to.mode, 0) == 0;
        done = done && (step->to.kind == KIND_NOTHING || own(folder, fresh, name)) &&
               take_place(folder, fresh, name, step);
    }
    int error = errno;
    if (!done)
        unlinkat(folder, fresh, step->to.kind == KIND_FOLDER ? AT_REMOVEDIR : 0);
    close(folder);
    errno = error;
    return done;
}

// A folder is made before what is in it; what goes, goes last, the deepest first; and what takes the place of a folder
// comes when that is empty.
static int phase(const struct step *step)
{
    return step->to.kind == KIND_NOTHING ? 1 : step->from.kind == KIND_FOLDER && step->to.kind != KIND_FOLDER ? 2 : 0;
}

static int by_order(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    if (phase(x) != phase(y))
        return phase(x) - phase(y);
    int order = paths_order(x->path, y->path);
    return phase(x) == 1 ? -order : order;
}

// ---- the journal --------------------------------------------------------------------------------------------------

static bool note(struct store *store, const char *id, const struct step *step)
{
    return store_do(
        store,
        "INSERT INTO promoted (promotion, number, path, old_kind, old_mode, old_mtime, old_digest, new_kind,"
        " new_mode, new_mtime, new_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "tibiiitiiit", id, step->number, (const void *)step->path, strlen(step->path), (int64_t)step->from.kind,
        (int64_t)step->from.mode, step->from.mtime, step->from.digest, (int64_t)step->to.kind, (int64_t)step->to.mode,
        step->to.mtime, step->to.digest);
}

struct journal {
    struct step *steps;
    size_t count;
};

static struct state column_state(sqlite3_stmt *row, int at)
{
    struct state state = {.kind = (enum kind)sqlite3_column_int(row, at),
                          .mode = (mode_t)sqlite3_column_int(row, at + 1),
                          .mtime = sqlite3_column_int64(row, at + 2)};
    const char *digest = (const char *)sqlite3_column_text(row, at + 3);
    snprintf(state.digest, sizeof state.digest, "%s", digest ? digest : "");
    return state;
}

// As steps back.
static bool take_row(void *context, sqlite3_stmt *row)
{
    struct journal *journal = context;
    if ((journal->count & (journal->count - 1)) == 0) {
        journal->steps = realloc(journal->steps, (2 * journal->count + 1) * sizeof *journal->steps);
        if (!journal->steps)
            abort();
    }
    char *path = strndup(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
    if (!path)
        abort();
    journal->steps[journal->count++] = (struct step){
        .path = path, .number = sqlite3_column_int64(row, 0), .to = column_state(row, 2), .from = column_state(row, 6)};
    return true;
}

static void journal_free(struct journal *journal)
{
    for (size_t i = 0; i < journal->count; i++) {
        free(journal->steps[i].path);
        free((char *)journal->steps[i].link);
    }
    free(journal->steps);
}

static bool set_state(struct store *store, const char *id, const char *state)
{
    return store_do(store, "UPDATE promotions SET state = ? WHERE id = ?", "tt", state, id);
}

// ---- taking back --------------------------------------------------------------------------------------------------

// The bytes that were there before, beside their place.
static bool ready_old(struct store *store, const struct workspace *workspace, const char *id, struct step *step)
{
    char fresh[ID_SIZE + 32];
    const char *name;
    if (step->to.kind == KIND_LINK) {
        size_t length;
        step->link = blob_read(&store->blobs, step->to.digest, PATH_MAX, &length);
        return step->link != NULL;
    }
    if (step->to.kind != KIND_FILE)
        return true;
    temporary(id, step->number, fresh);
    int folder = state_parent(workspace->root, step->path, &name);
    if (folder < 0)
        return false;
    unlinkat(folder, fresh, 0);
    int fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ready = fd >= 0 && blob_write(&store->blobs, step->to.digest, UINT64_MAX, fd) && finish(fd, &step->to);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (!ready)
        unlinkat(folder, fresh, 0);
    close(folder);
    errno = error;
    return ready;
}

static bool same(const struct state *host, const struct state *wanted)
{
    return host->kind == wanted->kind && (host->kind == KIND_NOTHING || state_equal(host, wanted));
}

// What a step that was not finished left beside its place: bytes that stood ready, or what the place held. That goes
// back where it is not what is kept, since somebody had edited it in that moment.
static void clear_beside(int root, const char *id, const struct step *step)
{
    char fresh[ID_SIZE + 32];
    const char *name;
    struct state host, beside;
    temporary(id, step->number, fresh);
    int folder = state_parent(root, step->path, &name);
    if (folder < 0)
        return;
    bool there = state_of_host(folder, fresh, &beside) && beside.kind != KIND_NOTHING;
    bool displaced = there && step->to.kind != KIND_NOTHING && state_of_host(folder, name, &host) &&
                     same(&host, &step->from) && !same(&beside, &step->to);
    if (displaced)
        rename_with(folder, fresh, name, step->from.kind == KIND_NOTHING ? RENAME_NOREPLACE : RENAME_EXCHANGE);
    if (unlinkat(folder, fresh, 0) != 0 && errno == EISDIR)
        unlinkat(folder, fresh, AT_REMOVEDIR);
    close(folder);
}

static bool take_back(struct store *store, const struct workspace *workspace, const char *id, bool as_far)
{
    struct journal journal = {0};
    size_t left = 0;
    if (!store_each(store, take_row, &journal,
                    "SELECT number, path, old_kind, old_mode, old_mtime, old_digest, new_kind, new_mode, new_mtime,"
                    " new_digest FROM promoted WHERE promotion = ? ORDER BY number",
                    "t", id))
        return false;
    bool fine = true;
    for (size_t i = 0; i < journal.count && fine; i++) { // judged before anything is written
        struct step *step = &journal.steps[i];
        struct state host;
        clear_beside(workspace->root, id, step);
        if (!state_of_host(workspace->root, step->path, &host))
            fine = (warn("%s can't be read on the host", shown(step->path)), false);
        else if (same(&host, &step->to))
            step->number = -1; // it is as it was
        else if (same(&host, &step->from))
            step->from = host; // number and times, too
        else {
            warnx("%s has been edited since, and stays", shown(step->path));
            step->number = -1;
            left++;
        }
    }
    if (fine && left && !as_far)
        fine = (warnx("nothing was taken back: `--force` takes back the rest"), false);
    if (fine && journal.count)
        qsort(journal.steps, journal.count, sizeof *journal.steps, by_order);
    for (size_t i = 0; i < journal.count && fine; i++) {
        struct step *step = &journal.steps[i];
        if (step->number < 0)
            continue;
        if (!ready_old(store, workspace, id, step) || !do_step(workspace->root, id, step)) {
            warn("%s could not be taken back", shown(step->path));
            fine = as_far && step->to.kind == KIND_NOTHING; // what others made in a folder keeps it
        }
    }
    journal_free(&journal);
    return fine;
}

bool promote_undo(struct store *store, const struct workspace *workspace, const char *id, bool as_far)
{
    char state[16];
    if (!store_text(store, state, sizeof state, "SELECT state FROM promotions WHERE id = ?", "t", id))
        return false;
    if (strcmp(state, "done") != 0)
        return warnx("%s is %s", id, state), false;
    return take_back(store, workspace, id, as_far) && set_state(store, id, "undone");
}

bool promote_recover(struct store *store, const struct workspace *workspace)
{
    char id[ID_SIZE];
    for (;;) {
        if (!store_text(store, id, sizeof id,
                        "SELECT id FROM promotions WHERE workspace = ? AND state = 'writing' ORDER BY id DESC", "i",
                        workspace->id))
            return false;
        if (!*id)
            return true;
        if (store_is_marked(store, id))
            return warnx("%s is under way in another aisbx", id), false;
        warnx("%s was interrupted: what it had written is taken back", id);
        if (!take_back(store, workspace, id, true) || !set_state(store, id, "taken back"))
            return false;
        store_unmark(store, id, -1);
    }
}

// ---- writing ------------------------------------------------------------------------------------------------------

struct readying { // bytes of files, beside their places
    const struct workspace *workspace;
    const char *id;
    struct step *steps; // in the order of paths
    size_t count;
    const struct change_entry *entry;
    int fd;
};

static const char *path_at(const void *list, size_t index)
{
    return ((const struct step *)list)[index].path;
}

static struct step *step_of(const struct readying *r, const char *path)
{
    bool there;
    size_t at = path_slot(r->steps, r->count, path_at, path, &there);
    return there ? &r->steps[at] : NULL;
}

// The bytes of one file come in pieces; those of others with the same bytes between them.
static bool take_bytes(void *context, const struct change_entry *entry, const char *data, size_t length)
{
    struct readying *r = context;
    struct step *step = step_of(r, entry->path);
    if (!step)
        return true; // not chosen
    char fresh[ID_SIZE + 32];
    const char *name;
    temporary(r->id, step->number, fresh);
    if (entry != r->entry) {
        if (r->fd >= 0)
            close(r->fd);
        int folder = state_parent(r->workspace->root, step->path, &name);
        r->fd = folder < 0 ? -1 : openat(folder, fresh, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        r->entry = entry;
        int error = errno;
        if (folder >= 0)
            close(folder);
        errno = error;
    }
    if (r->fd < 0)
        return warn("%s can't be written", shown(step->path)), false;
    if (!data)
        return finish(r->fd, &step->to) || (warn("%s can't be written", shown(step->path)), false);
    for (size_t done = 0; done < length;) {
        ssize_t n = write(r->fd, data + done, length - done);
        if (n <= 0 && errno != EINTR)
            return warn("%s can't be written", shown(step->path)), false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// What is there now, for who takes it back.
static bool keep_old(struct store *store, const struct workspace *workspace, const struct step *step)
{
    char digest[DIGEST_SIZE];
    uint64_t bytes;
    int fd = -1;
    if (step->from.kind == KIND_LINK) {
        char text[PATH_MAX];
        const char *name;
        int folder = state_parent(workspace->root, step->path, &name);
        ssize_t n = folder < 0 ? -1 : readlinkat(folder, name, text, sizeof text);
        fd = n < 0 ? -1 : (int)syscall(SYS_memfd_create, "link", 1U);
        if (folder >= 0)
            close(folder);
        if (fd < 0 || write(fd, text, (size_t)n) != n || lseek(fd, 0, SEEK_SET) != 0)
            return false;
    } else if (step->from.kind == KIND_FILE) {
        fd = state_open(workspace->root, step->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            return false;
    } else {
        return true;
    }
    bool kept = blob_keep(&store->blobs, fd, digest, &bytes);
    close(fd);
    if (kept && strcmp(digest, step->from.digest) != 0)
        return errno = EBUSY, false;
    return kept;
}

static bool makes_folder(const struct step *step)
{
    return step->to.kind == KIND_FOLDER && step->from.kind != KIND_FOLDER;
}

static bool do_all(const struct promote *p, const char *id, const struct step *steps, size_t count, bool folders)
{
    for (size_t i = 0; i < count; i++)
        if (makes_folder(&steps[i]) == folders && !do_step(p->workspace->root, id, &steps[i])) {
            warnx("%s: %s", shown(steps[i].path),
                  errno == EBUSY || errno == EEXIST || errno == ENOTEMPTY || errno == ENOENT
                      ? "it was changed on the host in this moment"
                      : strerror(errno));
            return false;
        }
    return true;
}

static bool write_bytes(const struct promote *p, struct readying *r)
{
    for (int layer = 0; layer < p->layer_count; layer++)
        if (!change_bytes(p->change, &p->store->blobs, p->layers[layer], layer, take_bytes, r)) {
            if (*p->change->why)
                warnx("%s", p->change->why);
            return false;
        }
    return true;
}

// The journal, on the disk before anything of it happens.
static bool begin(const struct promote *p, const char *id, const struct step *steps, size_t count)
{
    struct store *store = p->store;
    if (!store_begin(store))
        return false;
    bool fine = store_do(store,
                         "INSERT INTO promotions (id, workspace, snapshot, digest, state, created)"
                         " VALUES (?, ?, ?, ?, 'writing', ?)",
                         "titti", id, p->workspace->id, p->snapshot, p->digest, (int64_t)now_milliseconds());
    for (size_t i = 0; i < count && fine; i++)
        fine = note(store, id, &steps[i]);
    if (fine && store_commit(store))
        return true;
    store_rollback(store);
    return false;
}

bool promote_write(const struct promote *p, const struct judged *judged, const bool *chosen, size_t count,
                   char id[ID_SIZE])
{
    struct step *steps = calloc(count + 1, sizeof *steps), *ordered = calloc(count + 1, sizeof *steps);
    size_t many = 0;
    id_new("prom", id);
    if (!steps || !ordered)
        abort();
    for (size_t i = 0; i < count; i++)
        if (chosen[i]) {
            steps[many] = (struct step){.path = (char *)judged[i].d.path,
                                        .from = judged[i].host,
                                        .to = judged[i].d.after,
                                        .link = judged[i].d.entry ? judged[i].d.entry->link : NULL,
                                        .number = (int64_t)many};
            many++;
        }
    memcpy(ordered, steps, many * sizeof *steps);
    qsort(ordered, many, sizeof *ordered, by_order);
    int mark = store_mark(p->store, id);
    bool fine = mark >= 0;
    for (size_t i = 0; i < many && fine; i++)
        if (!keep_old(p->store, p->workspace, &steps[i]))
            fine = (warn("%s can't be kept for an undo", shown(steps[i].path)), false);
    fine = fine && begin(p, id, steps, many);
    if (fine) {
        struct readying r = {p->workspace, id, steps, many, NULL, -1};
        fine = do_all(p, id, ordered, many, true) && write_bytes(p, &r) && do_all(p, id, ordered, many, false);
        if (r.fd >= 0)
            close(r.fd);
        if (fine)
            fine = set_state(p->store, id, "done");
        else if (take_back(p->store, p->workspace, id, true))
            set_state(p->store, id, "taken back");
    }
    free(steps);
    free(ordered);
    if (mark >= 0)
        store_unmark(p->store, id, mark);
    return fine;
}
