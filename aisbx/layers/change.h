// The change that layers are, laid one over the other: what is at each path that they have, from the lowest on.
//
// A layer is what a sandbox left, so its names are looked at as a stranger's (docs/report.md says what one may have).
#pragma once

#include "aisbx/layers/state.h"

struct change_entry {
    char *path; // beneath the folder that the layers are of; no part is "", "." or ".."
    struct state state;
    char *link;    // a link's text
    bool replaces; // a folder, of which nothing is left that was in it before
    int layer;     // which one has its bytes, at which of its entries
    uint64_t number;
};

struct change {
    struct change_entry **entries; // sorted by path (paths.h)
    size_t count, room;
    char why[256]; // what is wrong with a layer
};

// Adds the layer with that digest, number `layer`, upon what the change has; of it, what lies beneath the folder
// `place` of the view. False: it can't be read, or is no layer; change->why.
bool change_add(struct change *, const struct blobs *, const char *digest, int layer, const char *place);

void change_free(struct change *);

// The entry of a path. NULL: no layer has it.
const struct change_entry *change_find(const struct change *, const char *path);

// Goes through a layer again and gives the bytes of each file, in pieces, to `take` (the last with length 0), for the
// entries of the change that are this layer's. False: as above, or `take` returned false.
bool change_bytes(struct change *, const struct blobs *, const char *digest, int layer,
                  bool (*take)(void *context, const struct change_entry *, const char *data, size_t length),
                  void *context);

// The digest of what the whole change is: the same for the same change, however many layers make it.
void change_digest(const struct change *, char digest[DIGEST_SIZE]);
