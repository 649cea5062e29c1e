// aisbx ls, show and aisbx alone: what there is.
#include <cjson/cJSON.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aisbx/cli/command.h"
#include "aisbx/cli/pending.h"
#include "aisbx/store/shown.h"

// A row as JSON: its columns by their names. Text that begins as a list or an object is one.
static cJSON *row_json(sqlite3_stmt *row)
{
    cJSON *object = cJSON_CreateObject();
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const char *name = sqlite3_column_name(row, i), *text = (const char *)sqlite3_column_text(row, i);
        switch (sqlite3_column_type(row, i)) {
        case SQLITE_INTEGER: cJSON_AddNumberToObject(object, name, (double)sqlite3_column_int64(row, i)); break;
        case SQLITE_NULL: cJSON_AddNullToObject(object, name); break;
        default:
            if (strcmp(name, "words") == 0)
                cJSON_AddItemToObject(object, name, cJSON_Parse(text));
            else
                cJSON_AddStringToObject(object, name, text);
        }
    }
    return object;
}

static void print_json(cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    puts(text ? text : "null");
    free(text);
    cJSON_Delete(json);
}

static bool print_row_json(void *context, sqlite3_stmt *row)
{
    (void)context;
    print_json(row_json(row));
    return true;
}

static void print_words(const char *json)
{
    cJSON *list = cJSON_Parse(json), *word;
    if (!cJSON_GetArraySize(list))
        fputs(" (the policy's command)", stdout);
    cJSON_ArrayForEach(word, list) printf(" %s", shown(cJSON_GetStringValue(word)));
    cJSON_Delete(list);
}

static bool print_run(void *context, sqlite3_stmt *row)
{
    (void)context;
    const char *state = (const char *)sqlite3_column_text(row, 2);
    printf("%s  %s  ", sqlite3_column_text(row, 0), time_text(sqlite3_column_int64(row, 3)));
    if (strcmp(state, "ended") == 0)
        printf("exit %-3d", sqlite3_column_int(row, 5));
    else
        printf("%-8s", state);
    print_words((const char *)sqlite3_column_text(row, 1));
    putchar('\n');
    return true;
}

static bool print_snapshot(void *context, sqlite3_stmt *row)
{
    const char *head = context, *id = (const char *)sqlite3_column_text(row, 0),
               *names = (const char *)sqlite3_column_text(row, 4);
    printf("%s  %s  %2d layers%s%s%s\n", id, time_text(sqlite3_column_int64(row, 3)), sqlite3_column_int(row, 2),
           names ? "  " : "", names ? names : "", strcmp(id, head) == 0 ? "  (head)" : "");
    return true;
}

static bool print_promotion(void *context, sqlite3_stmt *row)
{
    (void)context;
    printf("%s  %s  %-10s  %d files, of %s\n", sqlite3_column_text(row, 0), time_text(sqlite3_column_int64(row, 4)),
           sqlite3_column_text(row, 3), sqlite3_column_int(row, 5), sqlite3_column_text(row, 1));
    return true;
}

static const struct {
    const char *name, *id, *sql;
    bool (*print)(void *context, sqlite3_stmt *);
} lists[] = {
    {"runs", "run_",
     "SELECT id, words, state, created, ended, status, snapshot, result, policy, plan, log, report FROM runs",
     print_run},
    {"snapshots", "snap_",
     "SELECT id, parent, depth AS layers, created, (SELECT group_concat(name, ' ') FROM names WHERE snapshot = id) AS "
     "names,"
     " layer FROM snapshots",
     print_snapshot},
    {"promotions", "prom_",
     "SELECT id, snapshot, digest, state, created, (SELECT count(*) FROM promoted WHERE promotion = id) AS files"
     " FROM promotions",
     print_promotion},
};
enum { LISTS = sizeof lists / sizeof *lists };

int command_ls(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    bool json = false, fine = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option == 'j')
            json = true;
        else
            return usage("ls");
    const char *kind = argv[optind] ? argv[optind] : "runs";
    struct store store;
    struct workspace workspace;
    char sql[512];
    size_t list = 0;
    while (list < LISTS && strcmp(lists[list].name, kind) != 0)
        list++;
    if (list == LISTS || argc - optind > 1)
        return usage("ls");
    if (!store_open(&store) || !workspace_open(&store, &workspace))
        return STATUS_REFUSED;
    snprintf(sql, sizeof sql, "%s WHERE workspace = ? ORDER BY id", lists[list].sql);
    fine = store_each(&store, json ? print_row_json : lists[list].print, workspace.head, sql, "i", workspace.id);
    workspace_close(&workspace);
    store_close(&store);
    return fine ? STATUS_FINE : STATUS_REFUSED;
}

static bool take_row(void *context, sqlite3_stmt *row)
{
    *(cJSON **)context = row_json(row);
    return false;
}

static bool add_file(void *context, sqlite3_stmt *row)
{
    cJSON *file = cJSON_CreateObject();
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s", sqlite3_column_bytes(row, 0), (const char *)sqlite3_column_blob(row, 0));
    cJSON_AddStringToObject(file, "path", shown(path));
    cJSON_AddStringToObject(file, "before", kind_name((enum kind)sqlite3_column_int(row, 1)));
    cJSON_AddStringToObject(file, "after", kind_name((enum kind)sqlite3_column_int(row, 2)));
    cJSON_AddItemToArray(context, file);
    return true;
}

int command_show(int argc, char **argv)
{
    struct store store;
    struct workspace workspace;
    char id[ID_SIZE], sql[512], digest[DIGEST_SIZE];
    cJSON *json = NULL;
    size_t list = 0, length;
    if (argc != 2)
        return usage("show");
    size_t kind = strcspn(argv[1], "_"); // "prom" and "prom_01m8" are promotions
    while (list < LISTS && (strncmp(argv[1], lists[list].id, kind) != 0 || lists[list].id[kind] != '_'))
        list++;
    if (!store_open(&store) || !workspace_open(&store, &workspace))
        return STATUS_REFUSED;
    if (list == LISTS)
        list = 1; // the name of a snapshot
    bool fine = store_find(&store, workspace.id, lists[list].name, argv[1], id);
    snprintf(sql, sizeof sql, "%s WHERE id = ?", lists[list].sql);
    fine = fine && store_each(&store, take_row, &json, sql, "t", id);
    if (fine && list == 0 &&
        store_text(&store, digest, sizeof digest, "SELECT report FROM runs WHERE id = ?", "t", id) && *digest) {
        char *report = blob_read(&store.blobs, digest, 64 << 20, &length);
        cJSON_ReplaceItemInObject(json, "report", report ? cJSON_Parse(report) : cJSON_CreateNull());
        free(report);
    }
    if (fine && list == 2) {
        cJSON *files = cJSON_CreateArray();
        fine = store_each(&store, add_file, files,
                          "SELECT path, old_kind, new_kind FROM promoted WHERE promotion = ? ORDER BY number", "t", id);
        cJSON_ReplaceItemInObject(json, "files", files);
    }
    if (fine)
        print_json(json);
    workspace_close(&workspace);
    store_close(&store);
    return fine ? STATUS_FINE : STATUS_REFUSED;
}

int command_status(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct store store;
    struct workspace workspace;
    struct pending pending;
    if (!store_open(&store) || !workspace_open(&store, &workspace) || !promote_recover(&store, &workspace))
        return STATUS_REFUSED;
    printf("%s\n", shown(workspace.folder));
    bool fine = pending_load(&store, workspace.head, &pending);
    if (fine) {
        int64_t running = store_number(&store, "SELECT count(*) FROM runs WHERE workspace = ? AND state = 'running'",
                                       "i", workspace.id);
        printf("the next run begins with %s: %d layers, %zu names differ\n", workspace.head, pending.layer_count,
               pending.count);
        if (running > 0)
            printf("%lld runs are under way: `aisbx ls`\n", (long long)running);
        if (pending.count)
            puts("`aisbx diff` shows what differs, `aisbx promote` brings it to the host");
    }
    pending_free(&pending);
    workspace_close(&workspace);
    store_close(&store);
    return fine ? STATUS_FINE : STATUS_REFUSED;
}
