// What a snapshot changed of the workspace, as diff and promote look at it.
#pragma once

#include "aisbx/layers/promote.h"

struct pending {
    char snapshot[ID_SIZE], digest[DIGEST_SIZE], place[PATH_MAX];
    char layers[LAYERS_MOST][DIGEST_SIZE];
    int layer_count;
    struct change change;
    struct facts facts;
    struct difference *list;
    size_t count;
};

// Of a snapshot; false: it can't be told; said.
bool pending_load(struct store *, const char *snapshot, struct pending *);
void pending_free(struct pending *);
