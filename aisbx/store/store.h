// The store: what is known of workspaces, runs, snapshots and promotions, in SQLite; bytes as blobs.
//
// What is acknowledged is there after a crash at any moment: blobs are whole before a transaction names them, and a
// transaction is on the disk before it returns (WAL, synchronous=FULL: sqlite.org/wal.html).
//
// Functions that return false have said why on standard error.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "aisbx/store/blob.h"
#include "aisbx/store/id.h"

struct store {
    sqlite3 *db;
    struct blobs blobs;
    int folder;
    char path[4096];
};

// Opens $AISBX_HOME, else $XDG_STATE_HOME/aisbx, else ~/.local/state/aisbx, made (0700) where it is not there. Refuses
// one that others may write, and one of a newer version. Runs whose aisbx is gone are lost from then on.
bool store_open(struct store *);
void store_close(struct store *);

// One statement with its values: a letter each in `types`: i (int64_t), t (const char *, NULL is NULL), b (const void
// *, size_t). Rows are given to `row`, which may be NULL, until it returns false.
bool store_do(struct store *, const char *sql, const char *types, ...);
bool store_each(struct store *, bool (*row)(void *context, sqlite3_stmt *), void *context, const char *sql,
                const char *types, ...);

// Of the first row: its first column; -1 and "" where there is none. `text` takes `size` bytes.
int64_t store_number(struct store *, const char *sql, const char *types, ...);
bool store_text(struct store *, char *text, size_t size, const char *sql, const char *types, ...);

bool store_begin(struct store *); // a transaction that writes; waits for others, up to ten seconds
bool store_commit(struct store *);
void store_rollback(struct store *);

// The whole name of the object that `typed` is a beginning of, or, of a snapshot, the name that a person gave it in the
// workspace. False: there is none, or there are several.
bool store_find(struct store *, int64_t workspace, const char *table, const char *typed, char id[ID_SIZE]);

// Marks this process as the one that has an object under work, until it ends; who finds a mark without a process knows
// that it is gone.
int store_mark(struct store *, const char *id); // a descriptor to be kept open; -1, said
bool store_is_marked(struct store *, const char *id);
void store_unmark(struct store *, const char *id, int mark);
