// aisbx gc and fsck: what the store has, and whether it is whole.
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aisbx/cli/command.h"
#include "aisbx/store/store.h"

// Every name of a blob that a row has.
#define NAMED                                                                                                          \
    "SELECT layer AS digest FROM snapshots WHERE layer IS NOT NULL UNION SELECT log FROM runs WHERE log IS NOT NULL"   \
    " UNION SELECT report FROM runs WHERE report IS NOT NULL"                                                          \
    " UNION SELECT old_digest FROM promoted WHERE old_kind IN (1, 3)"

struct sweep {
    struct store *store;
    size_t removed;
    uint64_t bytes;
};

static bool sweep_blob(void *context, const char *digest)
{
    struct sweep *sweep = context;
    struct stat status;
    if (store_number(sweep->store, "SELECT count(*) FROM (" NAMED ") WHERE digest = ?", "t", digest) != 0)
        return true;
    int fd = blob_open(&sweep->store->blobs, digest);
    bool there = fd >= 0 && fstat(fd, &status) == 0;
    if (fd >= 0)
        close(fd);
    if (there && blob_remove(&sweep->store->blobs, digest)) {
        sweep->removed++;
        sweep->bytes += (uint64_t)status.st_size;
    }
    return true;
}

static void sweep_unfinished(struct sweep *sweep)
{
    int fd = openat(sweep->store->blobs.folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (strncmp(entry->d_name, "new-", 4) == 0 && unlinkat(fd, entry->d_name, 0) == 0)
            sweep->removed++;
    }
    if (list)
        closedir(list);
}

// The logs of lost runs lie where they were written.
static void sweep_logs(struct sweep *sweep)
{
    int fd = openat(sweep->store->folder, "logs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char id[ID_SIZE];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(id, sizeof id, "%.*s", (int)strcspn(entry->d_name, "."), entry->d_name);
        if (store_number(sweep->store, "SELECT count(*) FROM runs WHERE id = ?", "t", id) == 0 &&
            unlinkat(fd, entry->d_name, 0) == 0)
            sweep->removed++;
    }
    if (list)
        closedir(list);
}

int command_gc(int argc, char **argv)
{
    static const struct option options[] = {{"days", required_argument, NULL, 'd'}, {0}};
    long days = 30;
    char *end = "";
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option == 'd')
            days = strtol(optarg, &end, 10);
        else
            return usage("gc");
    if (optind < argc || *end || days < 0 || days > 36500)
        return usage("gc");
    struct store store;
    if (!store_open(&store) || !store_begin(&store))
        return STATUS_REFUSED;
    int64_t since = (int64_t)now_milliseconds() - (int64_t)days * 86400000;
    // Runs and promotions by age; of snapshots those that neither a name, a head, a run nor a promotion stands on.
    bool fine =
        store_do(&store, "DELETE FROM runs WHERE state != 'running' AND created < ?", "i", since) &&
        store_do(&store,
                 "DELETE FROM promoted WHERE promotion IN (SELECT id FROM promotions WHERE state != 'writing' AND"
                 " created < ?)",
                 "i", since) &&
        store_do(&store, "DELETE FROM promotions WHERE state != 'writing' AND created < ?", "i", since) &&
        store_do(&store,
                 "CREATE TEMP TABLE needed AS WITH RECURSIVE chain(id) AS (SELECT head FROM workspaces UNION SELECT"
                 " snapshot FROM names UNION SELECT snapshot FROM runs UNION SELECT result FROM runs UNION SELECT"
                 " snapshot FROM promotions UNION SELECT parent FROM snapshots JOIN chain USING (id))"
                 " SELECT id FROM chain WHERE id IS NOT NULL",
                 "") &&
        store_do(&store, "PRAGMA defer_foreign_keys = ON", "") &&
        store_do(&store, "DELETE FROM facts WHERE snapshot NOT IN (SELECT id FROM needed)", "") &&
        store_do(&store, "DELETE FROM snapshots WHERE id NOT IN (SELECT id FROM needed)", "");
    int gone = fine ? sqlite3_changes(store.db) : 0;
    if (!fine || !store_commit(&store)) {
        store_rollback(&store);
        store_close(&store);
        return STATUS_REFUSED;
    }
    struct sweep sweep = {.store = &store};
    if (blobs_alone(&store.blobs)) {
        blobs_each(&store.blobs, sweep_blob, &sweep);
        sweep_unfinished(&sweep);
        sweep_logs(&sweep);
    } else {
        warnx("another aisbx is at work, so bytes stay until a gc without one");
    }
    printf("%d snapshots and %zu blobs removed, %llu bytes\n", gone, sweep.removed, (unsigned long long)sweep.bytes);
    store_close(&store);
    return STATUS_FINE;
}

struct check {
    struct store *store;
    size_t wrong, seen;
    int nowhere;
};

static bool check_blob(void *context, const char *digest)
{
    struct check *check = context;
    check->seen++;
    if (!blob_write(&check->store->blobs, digest, UINT64_MAX, check->nowhere)) {
        printf("the blob %s: %s\n", digest, errno == EBADMSG ? "its bytes are not what it is called" : strerror(errno));
        check->wrong++;
    }
    return true;
}

static bool check_named(void *context, sqlite3_stmt *row)
{
    struct check *check = context;
    const char *digest = (const char *)sqlite3_column_text(row, 0);
    int fd = blob_open(&check->store->blobs, digest);
    if (fd < 0) {
        printf("the blob %s is not there, and is named\n", digest);
        check->wrong++;
    } else {
        close(fd);
    }
    return true;
}

static bool check_line(void *context, sqlite3_stmt *row)
{
    struct check *check = context;
    const char *line = (const char *)sqlite3_column_text(row, 0);
    if (strcmp(line, "ok") != 0) {
        printf("the database: %s\n", line);
        check->wrong++;
    }
    return true;
}

static bool check_reference(void *context, sqlite3_stmt *row)
{
    struct check *check = context;
    printf("the database: a row of %s names one of %s that is not there\n", sqlite3_column_text(row, 0),
           sqlite3_column_text(row, 2));
    check->wrong++;
    return true;
}

int command_fsck(int argc, char **argv)
{
    (void)argv;
    struct store store;
    if (argc > 1)
        return usage("fsck");
    if (!store_open(&store))
        return STATUS_REFUSED;
    struct check check = {.store = &store, .nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    bool fine = store_each(&store, check_line, &check, "PRAGMA integrity_check", "") &&
                store_each(&store, check_reference, &check, "PRAGMA foreign_key_check", "") &&
                store_each(&store, check_named, &check, NAMED, "") && blobs_each(&store.blobs, check_blob, &check);
    close(check.nowhere);
    if (fine && !check.wrong)
        printf("%zu blobs and all that names them: whole\n", check.seen);
    store_close(&store);
    return fine && !check.wrong ? STATUS_FINE : STATUS_REFUSED;
}
