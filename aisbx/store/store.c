// The store.
#include "aisbx/store/store.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// Each makes the next version of the database out of the one before.
static const char *const migrations[] = {
    "CREATE TABLE workspaces (id INTEGER PRIMARY KEY, folder BLOB NOT NULL UNIQUE, head TEXT REFERENCES snapshots(id))"
    " STRICT;"
    "CREATE TABLE snapshots (id TEXT PRIMARY KEY, workspace INTEGER NOT NULL REFERENCES workspaces(id),"
    " parent TEXT REFERENCES snapshots(id), layer TEXT, place TEXT, depth INTEGER NOT NULL, created INTEGER NOT NULL) "
    "STRICT;"
    "CREATE INDEX snapshots_of ON snapshots(workspace, id);"
    "CREATE INDEX snapshots_layer ON snapshots(layer);"
    "CREATE TABLE names (workspace INTEGER NOT NULL REFERENCES workspaces(id), name TEXT NOT NULL,"
    " snapshot TEXT NOT NULL REFERENCES snapshots(id), PRIMARY KEY (workspace, name)) STRICT, WITHOUT ROWID;"
    // What a base held of a path when it was changed first.
    "CREATE TABLE facts (snapshot TEXT NOT NULL REFERENCES snapshots(id), path BLOB NOT NULL, kind INTEGER NOT NULL,"
    " mode INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, digest TEXT, unsure INTEGER NOT NULL,"
    " PRIMARY KEY (snapshot, path)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE runs (id TEXT PRIMARY KEY, workspace INTEGER NOT NULL REFERENCES workspaces(id),"
    " snapshot TEXT NOT NULL REFERENCES snapshots(id), result TEXT REFERENCES snapshots(id), words TEXT NOT NULL,"
    " policy TEXT NOT NULL, plan TEXT NOT NULL, state TEXT NOT NULL, created INTEGER NOT NULL, ended INTEGER,"
    " status INTEGER, log TEXT, report TEXT) STRICT;"
    "CREATE INDEX runs_of ON runs(workspace, id);"
    "CREATE INDEX runs_under_way ON runs(state) WHERE state = 'running';"
    "CREATE TABLE promotions (id TEXT PRIMARY KEY, workspace INTEGER NOT NULL REFERENCES workspaces(id),"
    " snapshot TEXT NOT NULL REFERENCES snapshots(id), digest TEXT NOT NULL, state TEXT NOT NULL,"
    " created INTEGER NOT NULL) STRICT;"
    "CREATE INDEX promotions_of ON promotions(workspace, id);"
    // What it wrote: before and after, in the order in which it did.
    "CREATE TABLE promoted (promotion TEXT NOT NULL REFERENCES promotions(id), number INTEGER NOT NULL,"
    " path BLOB NOT NULL, old_kind INTEGER NOT NULL, old_mode INTEGER NOT NULL, old_mtime INTEGER NOT NULL,"
    " old_digest TEXT, new_kind INTEGER NOT NULL, new_mode INTEGER NOT NULL, new_mtime INTEGER NOT NULL,"
    " new_digest TEXT, PRIMARY KEY (promotion, number)) STRICT, WITHOUT ROWID;",
};
enum { VERSION = sizeof migrations / sizeof *migrations };

static bool said(struct store *store, const char *what)
{
    warnx("the store %s: %s: %s", store->path, what, sqlite3_errmsg(store->db));
    return false;
}

// ---- statements ---------------------------------------------------------------------------------------------------

static bool each(struct store *store, bool (*row)(void *, sqlite3_stmt *), void *context, const char *sql,
                 const char *types, va_list values)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return said(store, "a statement");
    for (int i = 1; *types; types++, i++)
        switch (*types) {
        case 'i': sqlite3_bind_int64(statement, i, va_arg(values, int64_t)); break;
        case 't': sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_TRANSIENT); break;
        case 'b': {
            const void *bytes = va_arg(values, const void *);
            sqlite3_bind_blob64(statement, i, bytes, va_arg(values, size_t), SQLITE_TRANSIENT);
            break;
        }
        }
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW)
        if (row && !row(context, statement)) {
            result = SQLITE_DONE;
            break;
        }
    bool fine = result == SQLITE_DONE || said(store, "it can't be read or written");
    sqlite3_finalize(statement);
    return fine;
}

bool store_each(struct store *store, bool (*row)(void *, sqlite3_stmt *), void *context, const char *sql,
                const char *types, ...)
{
    va_list values;
    va_start(values, types);
    bool fine = each(store, row, context, sql, types, values);
    va_end(values);
    return fine;
}

bool store_do(struct store *store, const char *sql, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    bool fine = each(store, NULL, NULL, sql, types, values);
    va_end(values);
    return fine;
}

static bool take_number(void *context, sqlite3_stmt *row)
{
    *(int64_t *)context = sqlite3_column_int64(row, 0);
    return false;
}

int64_t store_number(struct store *store, const char *sql, const char *types, ...)
{
    int64_t number = -1;
    va_list values;
    va_start(values, types);
    bool fine = each(store, take_number, &number, sql, types, values);
    va_end(values);
    return fine ? number : -1;
}

struct wanted_text {
    char *text;
    size_t size;
    int rows;
};

static bool take_text(void *context, sqlite3_stmt *row)
{
    struct wanted_text *wanted = context;
    const char *text = (const char *)sqlite3_column_text(row, 0);
    if (wanted->rows++ == 0)
        snprintf(wanted->text, wanted->size, "%s", text ? text : "");
    return wanted->rows < 2;
}

bool store_text(struct store *store, char *text, size_t size, const char *sql, const char *types, ...)
{
    struct wanted_text wanted = {text, size, 0};
    *text = '\0';
    va_list values;
    va_start(values, types);
    bool fine = each(store, take_text, &wanted, sql, types, values);
    va_end(values);
    return fine;
}

bool store_begin(struct store *store)
{
    return store_do(store, "BEGIN IMMEDIATE", "");
}

bool store_commit(struct store *store)
{
    return store_do(store, "COMMIT", "");
}

void store_rollback(struct store *store)
{
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

// ---- what is under way --------------------------------------------------------------------------------------------

static int open_mark(struct store *store, const char *id, int flags)
{
    char path[ID_SIZE + 16];
    snprintf(path, sizeof path, "running/%s", id);
    return openat(store->folder, path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int store_mark(struct store *store, const char *id)
{
    for (;;) {
        struct stat status;
        int fd = open_mark(store, id, O_RDWR | O_CREAT);
        if (fd < 0 || flock(fd, LOCK_EX) != 0 || fstat(fd, &status) != 0) {
            warn("the store %s: cannot mark what is under way", store->path);
            if (fd >= 0)
                close(fd);
            return -1;
        }
        if (status.st_nlink)
            return fd;
        close(fd); // another took it for one that was left, before it was held
    }
}

bool store_is_marked(struct store *store, const char *id)
{
    int fd = open_mark(store, id, O_RDONLY);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return held;
}

void store_unmark(struct store *store, const char *id, int mark)
{
    char path[ID_SIZE + 16];
    snprintf(path, sizeof path, "running/%s.tar", id); // what sbxrun left, and nobody took
    unlinkat(store->folder, path, 0);
    path[strlen(path) - 4] = '\0';
    unlinkat(store->folder, path, 0);
    if (mark >= 0)
        close(mark);
}

struct lost {
    struct store *store;
    char ids[64][ID_SIZE];
    int count;
};

static bool note_lost(void *context, sqlite3_stmt *row)
{
    struct lost *lost = context;
    const char *id = (const char *)sqlite3_column_text(row, 0);
    if (!store_is_marked(lost->store, id))
        snprintf(lost->ids[lost->count++], ID_SIZE, "%s", id);
    return lost->count < 64;
}

// Marks that nobody holds, with what lies beside them.
static void sweep_marks(struct store *store)
{
    int fd = openat(store->folder, "running", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char id[ID_SIZE];
        if (entry->d_name[0] == '.' ||
            snprintf(id, sizeof id, "%.*s", (int)strcspn(entry->d_name, "."), entry->d_name) >= ID_SIZE)
            continue;
        int mark = open_mark(store, id, O_RDONLY);
        if (mark < 0 ? errno == ENOENT : flock(mark, LOCK_EX | LOCK_NB) == 0)
            store_unmark(store, id, -1);
        if (mark >= 0)
            close(mark);
    }
    if (list)
        closedir(list);
    else if (fd >= 0)
        close(fd);
}

static bool lose_runs(struct store *store)
{
    struct lost lost = {.store = store};
    if (!store_each(store, note_lost, &lost, "SELECT id FROM runs WHERE state = 'running'", ""))
        return false;
    for (int i = 0; i < lost.count; i++)
        if (!store_do(store, "UPDATE runs SET state = 'lost', ended = ? WHERE id = ? AND state = 'running'", "it",
                      (int64_t)now_milliseconds(), lost.ids[i]))
            return false;
    sweep_marks(store);
    return true;
}

// ---- opening ------------------------------------------------------------------------------------------------------

static bool find_folder(char path[4096])
{
    const char *own = getenv("AISBX_HOME"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length = own && own[0] == '/'       ? snprintf(path, 4096, "%s", own)
                 : state && state[0] == '/' ? snprintf(path, 4096, "%s/aisbx", state)
                 : home && home[0] == '/'   ? snprintf(path, 4096, "%s/.local/state/aisbx", home)
                                            : 0;
    if (own && own[0] != '/')
        return warnx("AISBX_HOME is no absolute path"), false;
    if (length <= 0 || length >= 4096)
        return warnx("there is no folder for the store: set AISBX_HOME or HOME"), false;
    return true;
}

static bool make_folders(const char *path)
{
    char above[4096];
    snprintf(above, sizeof above, "%s", path);
    for (char *slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(above, 0700) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return mkdir(above, 0700) == 0 || errno == EEXIST;
}

static bool migrate(struct store *store)
{
    int64_t version = store_number(store, "PRAGMA user_version", "");
    if (version < 0)
        return false;
    if (version > VERSION)
        return warnx("the store %s is of a newer aisbx (version %lld of it; this one knows %d)", store->path,
                     (long long)version, VERSION),
               false;
    if (version == VERSION)
        return true;
    if (!store_begin(store))
        return false;
    char text[64];
    for (version = store_number(store, "PRAGMA user_version", ""); version >= 0 && version < VERSION; version++)
        if (sqlite3_exec(store->db, migrations[version], NULL, NULL, NULL) != SQLITE_OK)
            return said(store, "it can't be made"), store_rollback(store), false;
    snprintf(text, sizeof text, "PRAGMA user_version = %d", VERSION);
    return store_do(store, text, "") && store_commit(store);
}

bool store_open(struct store *store)
{
    struct stat status;
    *store = (struct store){.folder = -1, .blobs = {-1}};
    if (!find_folder(store->path))
        return false;
    char real[PATH_MAX];
    if (make_folders(store->path) && realpath(store->path, real))
        snprintf(store->path, sizeof store->path, "%s", real);
    if (!make_folders(store->path) || (store->folder = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return warn("the store %s can't be made or opened", store->path), false;
    if (fstat(store->folder, &status) != 0 || status.st_uid != geteuid() || status.st_mode & 077)
        return warnx("the store %s is not this user's alone: `chmod 700` it, or set AISBX_HOME", store->path), false;
    if (!blobs_open(&store->blobs, store->folder) ||
        (mkdirat(store->folder, "running", 0700) != 0 && errno != EEXIST) ||
        (mkdirat(store->folder, "logs", 0700) != 0 && errno != EEXIST))
        return warn("the store %s can't be written", store->path), false;
    char path[4096 + 16];
    snprintf(path, sizeof path, "%s/store.db", store->path);
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, NULL) !=
        SQLITE_OK)
        return said(store, "it can't be opened");
    sqlite3_busy_timeout(store->db, 10000);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return store_do(store, "PRAGMA journal_mode = WAL", "") && store_do(store, "PRAGMA synchronous = FULL", "") &&
           store_do(store, "PRAGMA foreign_keys = ON", "") && migrate(store) && lose_runs(store);
}

void store_close(struct store *store)
{
    sqlite3_close(store->db);
    blobs_close(&store->blobs);
    if (store->folder >= 0)
        close(store->folder);
    *store = (struct store){.folder = -1, .blobs = {-1}};
}

// ---- finding ------------------------------------------------------------------------------------------------------

bool store_find(struct store *store, int64_t workspace, const char *table, const char *typed, char id[ID_SIZE])
{
    char sql[160];
    *id = '\0';
    if (strcmp(table, "snapshots") == 0 &&
        !store_text(store, id, ID_SIZE, "SELECT snapshot FROM names WHERE workspace = ? AND name = ?", "it", workspace,
                    typed))
        return false;
    if (*id)
        return true;
    // What a person types is taken as it is: neither % nor _ stands for others.
    snprintf(sql, sizeof sql, "SELECT id FROM %s WHERE workspace = ? AND substr(id, 1, length(?)) = ?", table);
    struct wanted_text wanted = {id, ID_SIZE, 0};
    if (!*typed || !store_each(store, take_text, &wanted, sql, "itt", workspace, typed, typed))
        return false;
    if (wanted.rows == 1)
        return true;
    warnx(wanted.rows ? "%s: several have names that begin so: type more of it"
                      : "%s: there is none of that name here (`aisbx ls` lists them)",
          typed);
    return false;
}
