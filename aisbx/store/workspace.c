// Workspaces and their snapshots.
#include "aisbx/store/workspace.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool find_root(struct workspace *workspace)
{
    struct stat status;
    if (!getcwd(workspace->folder, sizeof workspace->folder))
        return warn("the working folder can't be told"), false;
    for (;;) {
        snprintf(workspace->policy_folder, sizeof workspace->policy_folder, "%s/.aisbx", workspace->folder);
        if (lstat(workspace->policy_folder, &status) == 0 && S_ISDIR(status.st_mode))
            break;
        char *slash = strrchr(workspace->folder, '/');
        if (!slash || slash == workspace->folder)
            return warnx("neither here nor above is a folder .aisbx: `aisbx init` makes one"), false;
        *slash = '\0';
    }
    snprintf(workspace->policy, sizeof workspace->policy, "%s/policy.sbx", workspace->policy_folder);
    workspace->root = open(workspace->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return workspace->root >= 0 || (warn("%s can't be opened", workspace->folder), false);
}

bool snapshot_new(struct store *store, const struct workspace *workspace, const char *parent, const char *layer,
                  const char *place, char id[ID_SIZE])
{
    id_new("snap", id);
    int64_t depth = parent ? store_number(store, "SELECT depth FROM snapshots WHERE id = ?", "t", parent) : -1;
    return store_do(store,
                    "INSERT INTO snapshots (id, workspace, parent, layer, place, depth, created)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    "titttii", id, workspace->id, parent, layer, place, parent ? depth + (layer != NULL) : (int64_t)0,
                    (int64_t)now_milliseconds());
}

bool workspace_open(struct store *store, struct workspace *workspace)
{
    *workspace = (struct workspace){.root = -1};
    if (!find_root(workspace))
        return false;
    size_t length = strlen(workspace->folder);
    if (strncmp(store->path, workspace->folder, length) == 0 && (store->path[length] == '/' || !store->path[length]))
        return warnx("the store %s lies in the project, where runs could write: set AISBX_HOME to another place",
                     store->path),
               false;
    if (!store_begin(store))
        return false;
    bool fine = store_do(store, "INSERT INTO workspaces (folder) VALUES (?) ON CONFLICT DO NOTHING", "b",
                         (const void *)workspace->folder, length);
    workspace->id = fine ? store_number(store, "SELECT id FROM workspaces WHERE folder = ?", "b",
                                        (const void *)workspace->folder, length)
                         : -1;
    fine = workspace->id >= 0 &&
           store_text(store, workspace->head, ID_SIZE, "SELECT head FROM workspaces WHERE id = ?", "i", workspace->id);
    if (fine && !*workspace->head)
        fine = snapshot_new(store, workspace, NULL, NULL, NULL, workspace->head) &&
               store_do(store, "UPDATE workspaces SET head = ? WHERE id = ?", "ti", workspace->head, workspace->id);
    if (fine && store_commit(store))
        return true;
    store_rollback(store);
    return false;
}

void workspace_close(struct workspace *workspace)
{
    if (workspace->root >= 0)
        close(workspace->root);
    workspace->root = -1;
}

struct layers {
    char (*digests)[DIGEST_SIZE];
    int count;
};

static bool take(void *context, sqlite3_stmt *row)
{
    struct layers *layers = context;
    if (layers->count < LAYERS_MOST)
        snprintf(layers->digests[layers->count], DIGEST_SIZE, "%s", sqlite3_column_text(row, 0));
    layers->count++;
    return true;
}

int snapshot_layers(struct store *store, const char *snapshot, char digests[LAYERS_MOST][DIGEST_SIZE])
{
    struct layers layers = {digests, 0};
    if (!store_each(store, take, &layers,
                    "WITH RECURSIVE chain(id, parent, layer, depth) AS (SELECT id, parent, layer, depth FROM snapshots"
                    " WHERE id = ? UNION ALL SELECT s.id, s.parent, s.layer, s.depth FROM snapshots s JOIN chain ON"
                    " s.id = chain.parent) SELECT layer FROM chain WHERE layer IS NOT NULL ORDER BY depth",
                    "t", snapshot))
        return -1;
    if (layers.count > LAYERS_MOST)
        return warnx(
                   "%s has %d layers, and a run begins with %d at most: promote what is good, or go on from an "
                   "earlier snapshot (`aisbx snap restore`)",
                   snapshot, layers.count, LAYERS_MOST),
               -1;
    return layers.count;
}
