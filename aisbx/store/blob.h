// Bytes of the store, named by the SHA-256 of what they are, in files that zstd made.
//
// A blob is written beside, synced and renamed before anything names it: one that has its name is whole.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 64 + 1 };

struct blobs {
    int folder; // "blobs"
};

// Opens or makes the folder in `store`, and is among those who keep blobs there until it is closed. False and errno.
bool blobs_open(struct blobs *, int store);

// From here on nobody else keeps any, as is needed to tell which are named by nobody. False: others do.
bool blobs_alone(struct blobs *);

void blobs_close(struct blobs *);

// Keeps what can be read from `fd` on, to its end; *bytes: how much that was. False and errno.
bool blob_keep(const struct blobs *, int fd, char digest[DIGEST_SIZE], uint64_t *bytes);

// The file of one as it lies there (zstd), to be read. -1 and errno: EINVAL for what is no digest.
int blob_open(const struct blobs *, const char *digest);

// Writes what a blob is to `fd`, while its digest is taken. False and errno: EBADMSG when it is not what it is called,
// also where more comes than `most`.
bool blob_write(const struct blobs *, const char *digest, uint64_t most, int fd);

// The same into memory, which the caller frees. NULL and errno: EFBIG for more than `most`.
char *blob_read(const struct blobs *, const char *digest, size_t most, size_t *length);

bool blob_remove(const struct blobs *, const char *digest);

// Calls `each` for every one there is; stops where it returns false.
bool blobs_each(const struct blobs *, bool (*each)(void *context, const char *digest), void *context);
