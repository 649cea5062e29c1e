// What the base of a snapshot held of each path, when a run changed it first: what a change is compared with, and the
// host before a change is brought to it.
#pragma once

#include "aisbx/layers/change.h"
#include "aisbx/store/store.h"

struct fact {
    char *path;
    struct state state;
    bool unsure; // the host's changed while the run that changed it first went on
};

struct facts {
    struct fact *list; // sorted as changes are
    size_t count, room;
};

// Those of a snapshot and of all that it stands on.
bool facts_load(struct store *, const char *snapshot, struct facts *);
void facts_free(struct facts *);
const struct fact *facts_find(const struct facts *, const char *path);

// Looks on the host, beneath the folder `root`, at what a layer (as a change of one) touches and `known` does not have
// yet, and keeps it as the snapshot's, within a transaction. `since`: nanoseconds since 1970, when the run began.
bool facts_keep(struct store *, const char *snapshot, int root, const struct change *, const struct facts *known,
                int64_t since);

struct difference { // between a base and a change of it
    const char *path;
    struct state before, after;
    const struct change_entry *entry; // NULL: it goes with the folder above
    bool unsure;
};

// What differs, folders before what is in them. The list is the caller's, its paths those of the change and the facts.
struct difference *differences(const struct change *, const struct facts *, size_t *count);

// The one of that path. NULL: nothing differs there.
const struct difference *difference_find(const struct difference *, size_t count, const char *path);
