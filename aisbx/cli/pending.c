// What a snapshot changed.
#include "aisbx/cli/pending.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

// Where the view shows the workspace, which layers have in front of their names.
static bool find_place(struct store *store, struct pending *pending)
{
    return store_text(
        store, pending->place, sizeof pending->place,
        "WITH RECURSIVE chain(id) AS (SELECT ? UNION ALL SELECT parent FROM snapshots JOIN chain USING (id)"
        " WHERE parent IS NOT NULL) SELECT place FROM snapshots JOIN chain USING (id) WHERE place IS NOT"
        " NULL ORDER BY id DESC LIMIT 1",
        "t", pending->snapshot);
}

bool pending_load(struct store *store, const char *snapshot, struct pending *pending)
{
    *pending = (struct pending){0};
    snprintf(pending->snapshot, sizeof pending->snapshot, "%s", snapshot);
    pending->layer_count = snapshot_layers(store, snapshot, pending->layers);
    if (pending->layer_count < 0 || !find_place(store, pending) || !facts_load(store, snapshot, &pending->facts))
        return false;
    for (int i = 0; i < pending->layer_count; i++)
        if (!change_add(&pending->change, &store->blobs, pending->layers[i], i, pending->place))
            return warnx("%s", pending->change.why), false;
    change_digest(&pending->change, pending->digest);
    pending->list = differences(&pending->change, &pending->facts, &pending->count);
    return true;
}

void pending_free(struct pending *pending)
{
    free(pending->list);
    change_free(&pending->change);
    facts_free(&pending->facts);
}
