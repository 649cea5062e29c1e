// A workspace: a project's folder on the host that has a folder .aisbx with a policy in it.
#pragma once

#include <limits.h>

#include "aisbx/store/store.h"

struct workspace {
    int64_t id;
    int root;              // its folder, open
    char folder[PATH_MAX]; // without links
    char policy_folder[PATH_MAX + 16], policy[PATH_MAX + 32];
    char head[ID_SIZE]; // the snapshot that the next run begins with
};

// The one that the working folder lies in, made known to the store where it is new, with a snapshot that is the folder
// as it is. False: there is none, or it can't be used; said.
bool workspace_open(struct store *, struct workspace *);
void workspace_close(struct workspace *);

// A new snapshot on a parent (NULL: the folder as it is), with a layer (NULL: none), whose names of the workspace begin
// with `place`, in a transaction.
bool snapshot_new(struct store *, const struct workspace *, const char *parent, const char *layer, const char *place,
                  char id[ID_SIZE]);

enum { LAYERS_MOST = 32 };
// The digests of a snapshot's layers, the lowest first. Returns how many, or -1, said.
int snapshot_layers(struct store *, const char *snapshot, char digests[LAYERS_MOST][DIGEST_SIZE]);
