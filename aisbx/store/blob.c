// Bytes of the store.
#include "aisbx/store/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { STEP = 65536, PLACE = 2 + 1 + 62 + 4 + 1 };

bool blobs_open(struct blobs *blobs, int store)
{
    if (mkdirat(store, "blobs", 0700) != 0 && errno != EEXIST)
        return false;
    blobs->folder = openat(store, "blobs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return blobs->folder >= 0 && flock(blobs->folder, LOCK_SH) == 0;
}

bool blobs_alone(struct blobs *blobs)
{
    return flock(blobs->folder, LOCK_EX | LOCK_NB) == 0;
}

void blobs_close(struct blobs *blobs)
{
    if (blobs->folder >= 0)
        close(blobs->folder);
    blobs->folder = -1;
}

// "ab/cdef….zst". False: that is no digest.
static bool place_of(const char *digest, char place[PLACE])
{
    if (strlen(digest) != DIGEST_SIZE - 1 || strspn(digest, "0123456789abcdef") != DIGEST_SIZE - 1)
        return errno = EINVAL, false;
    snprintf(place, PLACE, "%.2s/%s.zst", digest, digest + 2);
    return true;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static bool compress(int from, int to, SHA2_CTX *sha, uint64_t *bytes)
{
    static char in[STEP], out[STEP];
    ZSTD_CCtx *context = ZSTD_createCCtx();
    bool fine = context != NULL;
    *bytes = 0;
    for (bool ended = false; fine && !ended;) {
        ssize_t n = read(from, in, sizeof in);
        if (n < 0 && errno == EINTR)
            continue;
        fine = n >= 0;
        ended = n == 0;
        if (!fine)
            break;
        SHA256Update(sha, (const uint8_t *)in, (size_t)n);
        *bytes += (uint64_t)n;
        ZSTD_inBuffer input = {in, (size_t)n, 0};
        for (size_t left = 1; fine && (ended ? left != 0 : input.pos < input.size);) {
            ZSTD_outBuffer output = {out, sizeof out, 0};
            left = ZSTD_compressStream2(context, &output, &input, ended ? ZSTD_e_end : ZSTD_e_continue);
            fine = !ZSTD_isError(left) && write_all(to, out, output.pos);
        }
    }
    ZSTD_freeCCtx(context);
    return fine;
}

bool blob_keep(const struct blobs *blobs, int fd, char digest[DIGEST_SIZE], uint64_t *bytes)
{
    char fresh[32], place[PLACE], folder[3];
    uint64_t number;
    SHA2_CTX sha;
    struct stat status;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return false;
    snprintf(fresh, sizeof fresh, "new-%016llx", (unsigned long long)number);
    int file = openat(blobs->folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    SHA256Init(&sha);
    bool kept = compress(fd, file, &sha, bytes) && fsync(file) == 0;
    int error = errno;
    if (close(file) != 0 && kept)
        kept = false, error = errno;
    if (kept) {
        SHA256End(&sha, digest);
        place_of(digest, place);
        snprintf(folder, sizeof folder, "%.2s", digest);
        bool there = fstatat(blobs->folder, place, &status, AT_SYMLINK_NOFOLLOW) == 0;
        if (there) {
            unlinkat(blobs->folder, fresh, 0);
            return true;
        }
        bool made = mkdirat(blobs->folder, folder, 0700) == 0;
        kept = (made || errno == EEXIST) && renameat(blobs->folder, fresh, blobs->folder, place) == 0;
        error = errno;
        int beside = kept ? openat(blobs->folder, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (kept && (beside < 0 || fsync(beside) != 0 || (made && fsync(blobs->folder) != 0)))
            kept = false, error = errno;
        if (beside >= 0)
            close(beside);
    }
    if (!kept)
        unlinkat(blobs->folder, fresh, 0);
    errno = error;
    return kept;
}

int blob_open(const struct blobs *blobs, const char *digest)
{
    char place[PLACE];
    return place_of(digest, place) ? openat(blobs->folder, place, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
}

// Gives what a blob is, piece by piece, to `take`.
static bool expand(const struct blobs *blobs, const char *digest, uint64_t most,
                   bool (*take)(void *context, const char *data, size_t length), void *context)
{
    static char in[STEP], out[STEP];
    char now[SHA256_DIGEST_STRING_LENGTH];
    int file = blob_open(blobs, digest);
    if (file < 0)
        return false;
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    SHA2_CTX sha;
    SHA256Init(&sha);
    uint64_t sum = 0;
    bool fine = zstd != NULL;
    int error = ENOMEM;
    for (ssize_t n; fine && (n = read(file, in, sizeof in)) != 0;) {
        if (n < 0) {
            fine = errno == EINTR;
            error = errno;
            continue;
        }
        ZSTD_inBuffer input = {in, (size_t)n, 0};
        for (bool more = true; fine && more;) {
            ZSTD_outBuffer output = {out, sizeof out, 0};
            size_t left = ZSTD_decompressStream(zstd, &output, &input);
            sum += output.pos;
            if (ZSTD_isError(left) || sum > most) {
                fine = false;
                error = EBADMSG;
            } else {
                SHA256Update(&sha, (const uint8_t *)out, output.pos);
                fine = take(context, out, output.pos);
                error = errno;
            }
            more = input.pos < input.size || output.pos == sizeof out;
        }
    }
    SHA256End(&sha, now);
    if (fine && strcmp(now, digest) != 0)
        fine = false, error = EBADMSG;
    ZSTD_freeDCtx(zstd);
    close(file);
    errno = error;
    return fine;
}

static bool to_file(void *context, const char *data, size_t length)
{
    return write_all(*(int *)context, data, length);
}

bool blob_write(const struct blobs *blobs, const char *digest, uint64_t most, int fd)
{
    return expand(blobs, digest, most, to_file, &fd);
}

struct memory {
    char *data;
    size_t length, room, most;
};

static bool to_memory(void *context, const char *data, size_t length)
{
    struct memory *memory = context;
    if (length > memory->most - memory->length)
        return errno = EFBIG, false;
    if (memory->length + length + 1 > memory->room) {
        size_t room = 2 * (memory->length + length) + 1;
        char *larger = realloc(memory->data, room);
        if (!larger)
            return false;
        memory->data = larger;
        memory->room = room;
    }
    memcpy(memory->data + memory->length, data, length);
    memory->length += length;
    memory->data[memory->length] = '\0';
    return true;
}

char *blob_read(const struct blobs *blobs, const char *digest, size_t most, size_t *length)
{
    struct memory memory = {.most = most};
    bool read = to_memory(&memory, "", 0) && expand(blobs, digest, UINT64_MAX, to_memory, &memory);
    if (!read) {
        int error = errno;
        free(memory.data);
        errno = error;
        return NULL;
    }
    *length = memory.length;
    return memory.data;
}

bool blob_remove(const struct blobs *blobs, const char *digest)
{
    char place[PLACE];
    return place_of(digest, place) && unlinkat(blobs->folder, place, 0) == 0;
}

bool blobs_each(const struct blobs *blobs, bool (*each)(void *context, const char *digest), void *context)
{
    bool goes_on = true;
    for (int first = 0; first < 256 && goes_on; first++) {
        char folder[3], digest[DIGEST_SIZE];
        snprintf(folder, sizeof folder, "%02x", first);
        int fd = openat(blobs->folder, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *list = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *entry; list && goes_on && (entry = readdir(list));)
            if (strlen(entry->d_name) == 62 + 4 && strcmp(entry->d_name + 62, ".zst") == 0) {
                snprintf(digest, sizeof digest, "%s%.62s", folder, entry->d_name);
                goes_on = each(context, digest);
            }
        if (list)
            closedir(list);
        else if (fd >= 0)
            close(fd);
    }
    return goes_on;
}
