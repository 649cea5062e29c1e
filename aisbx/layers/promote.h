// A change brought to the host, and taken back.
//
// Everything is judged before anything is written: of each path the host must be as the base was, or as the change
// wants it. Then bytes are written beside, what was there is kept in the store, a journal says what will be, and each
// file takes its place by one rename; folders before what is in them, what is taken away last. After a crash, who opens
// the workspace next takes back what was begun.
#pragma once

#include "aisbx/layers/facts.h"
#include "aisbx/store/workspace.h"

enum verdict {
    PROMOTE_FINE,     // as the base was
    PROMOTE_THERE,    // the host has it already
    PROMOTE_CONFLICT, // the host has changed since
    PROMOTE_DANGER,   // the host would run or obey it
    PROMOTE_NEVER,    // a device, a link out of the folder
};

struct judged {
    struct difference d;
    enum verdict verdict;
    struct state host;  // as it is now
    const char *reason; // of all but the first
};

// Judges each difference. False: something can't be read on the host; said.
bool promote_judge(const struct workspace *, const struct difference *, size_t count, struct judged *);

struct promote {
    struct store *store;
    const struct workspace *workspace;
    const char *snapshot;
    const char *digest; // of the change
    struct change *change;
    const char (*layers)[DIGEST_SIZE];
    int layer_count;
};

// Writes those with `chosen[i]` to the host: they are there, all or none, when it returns true. False: none, unless it
// says otherwise; said.
bool promote_write(const struct promote *, const struct judged *, const bool *chosen, size_t count, char id[ID_SIZE]);

// Takes back what a promotion wrote. What was edited since stays, and has it refused before anything is written; with
// `as_far`, only that stays. False: said.
bool promote_undo(struct store *, const struct workspace *, const char *id, bool as_far);

// Takes back what a promotion of a process that is gone had begun. False: said.
bool promote_recover(struct store *, const struct workspace *);
