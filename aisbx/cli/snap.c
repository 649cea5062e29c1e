// aisbx snap: names for states of the copy, and the way back to one.
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "aisbx/cli/command.h"
#include "aisbx/layers/promote.h"

static bool print_name(void *context, sqlite3_stmt *row)
{
    const char *head = context;
    const char *snapshot = (const char *)sqlite3_column_text(row, 1);
    printf("%s  %s%s\n", snapshot, sqlite3_column_text(row, 0), strcmp(snapshot, head) == 0 ? "  (head)" : "");
    return true;
}

// A name is no id, and nothing that a terminal obeys.
static bool is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return *name && strlen(name) <= 64 && strspn(name, letters) == strlen(name) && strncmp(name, "snap_", 5) != 0;
}

static bool act(struct store *store, struct workspace *workspace, const char *what, const char *name)
{
    char id[ID_SIZE];
    if (strcmp(what, "ls") == 0)
        return store_each(store, print_name, workspace->head,
                          "SELECT name, snapshot FROM names WHERE workspace = ? ORDER BY name", "i", workspace->id);
    if (strcmp(what, "save") == 0) {
        if (!is_name(name))
            return warnx("a name is up to 64 letters, digits, '.', '_' and '-', and does not begin as an id does"),
                   false;
        if (!store_do(store,
                      "INSERT INTO names (workspace, name, snapshot) VALUES (?, ?, ?) ON CONFLICT (workspace, name)"
                      " DO UPDATE SET snapshot = excluded.snapshot",
                      "itt", workspace->id, name, workspace->head))
            return false;
        printf("%s is %s\n", name, workspace->head);
        return true;
    }
    if (strcmp(what, "rm") == 0) {
        if (!store_do(store, "DELETE FROM names WHERE workspace = ? AND name = ?", "it", workspace->id, name))
            return false;
        return sqlite3_changes(store->db) == 1 || (warnx("nothing is called %s here", name), false);
    }
    if (!store_find(store, workspace->id, "snapshots", name, id) ||
        !store_do(store, "UPDATE workspaces SET head = ? WHERE id = ?", "ti", id, workspace->id))
        return false;
    printf("the next run begins with %s\n", id);
    return true;
}

int command_snap(int argc, char **argv)
{
    struct store store;
    struct workspace workspace;
    const char *what = argc > 1 ? argv[1] : "ls";
    bool takes = strcmp(what, "save") == 0 || strcmp(what, "restore") == 0 || strcmp(what, "rm") == 0;
    if ((!takes && strcmp(what, "ls") != 0) || argc > 2 + takes || (takes && argc < 3))
        return usage("snap");
    if (!store_open(&store) || !workspace_open(&store, &workspace) || !promote_recover(&store, &workspace))
        return STATUS_REFUSED;
    bool fine = act(&store, &workspace, what, takes ? argv[2] : NULL);
    workspace_close(&workspace);
    store_close(&store);
    return fine ? STATUS_FINE : STATUS_REFUSED;
}
