// Archives in the cache.
#include "enforcer/helpers/unpacked.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/host/cache_folder.h"
#include "enforcer/host/clock.h"
#include "enforcer/helpers/helper.h"
#include "enforcer/host/scoped.h"
#include "enforcer/host/seal.h"
#include "enforcer/view/view_source.h"

static const struct {
    const char *word, *folder; // what one is called; where in the cache those lie
    enum helper_program program;
} kinds[] = {
    [UNPACKED_IMAGE] = {"image", "unpacked", HELPER_IMAGE},
    [UNPACKED_LAYER] = {"layer", "layers", HELPER_UNPACK_LAYER},
};

// ---- the cache ----------------------------------------------------------------------------------------------------

struct cache {
    enum unpacked_kind kind;
    int fd;
    char path[PATH_MAX];
    uid_t user; // who its folders belong to: those on the host who the sandboxes of this user are
    gid_t group;
};

static int open_cache(struct cache *cache, uint32_t rule, struct failure *failure)
{
    const char *problem;
    if (helper_user(&cache->user, &cache->group, failure))
        return -1;
    cache->fd = cache_folder_open(kinds[cache->kind].folder, cache->path, &problem);
    return cache->fd >= 0 ? 0
                          : fail(failure, rule, errno, "the cache of %ss%s%s: %s", kinds[cache->kind].word,
                                 *cache->path ? ", " : "", cache->path, problem);
}

// A new file in the cache that has no name.
static int open_unnamed(int cache)
{
    char name[64];
    int fd = openat(cache, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    snprintf(name, sizeof name, "copy-%d-%llx", (int)getpid(), (unsigned long long)clock_now());
    fd = openat(cache, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    unlinkat(cache, name, 0);
    return fd;
}

// Copies an archive, and hashes what it writes: the archive may change meanwhile. False and errno.
static bool copy_and_hash(int archive, int copy, char hex[SHA256_DIGEST_STRING_LENGTH])
{
    static uint8_t block[256 * 1024];
    SHA2_CTX context;
    SHA256Init(&context);
    off_t at = 0;
    for (ssize_t n; (n = pread(archive, block, sizeof block, at)) != 0; at += n) {
        if (n < 0)
            return false;
        if (helper_must_end())
            return errno = EINTR, false;
        for (ssize_t done = 0, wrote; done < n; done += wrote)
            if ((wrote = pwrite(copy, block + done, (size_t)(n - done), at + done)) <= 0)
                return false;
        SHA256Update(&context, block, (size_t)n);
    }
    SHA256End(&context, hex);
    return true;
}

// ---- names --------------------------------------------------------------------------------------------------------

enum { HASH = SHA256_DIGEST_STRING_LENGTH - 1, NAME_ROOM = HASH + 1 + SEAL + 1, NOTE_ROOM = 160 };

// What the folder of the archive with this hash is called: only sbxrun can tell. False: nothing can be sealed.
static bool name_folder(enum unpacked_kind kind, const char *hash, char name[NAME_ROOM])
{
    char seal[SEAL + 1];
    return seal_make(kinds[kind].word, str_from(hash), (struct str){0}, seal) &&
           snprintf(name, NAME_ROOM, "%s-%s", hash, seal) > 0;
}

// What the note on the hash of the file that has this status is called.
static void name_note(const struct stat *status, char name[NOTE_ROOM])
{
    snprintf(name, NOTE_ROOM, "hash-%llx-%llx-%llx-%llx.%09ld-%llx.%09ld", (unsigned long long)status->st_dev,
             (unsigned long long)status->st_ino, (unsigned long long)status->st_size,
             (unsigned long long)status->st_mtim.tv_sec, status->st_mtim.tv_nsec,
             (unsigned long long)status->st_ctim.tv_sec, status->st_ctim.tv_nsec);
}

// The hash of an archive as it was noted when the very same file was hashed before, since a large one takes its time.
// False: it was not.
static bool find_note(int cache, const struct stat *status, char hash[HASH + 1])
{
    char note[NOTE_ROOM], text[NAME_ROOM] = "", right[NAME_ROOM];
    name_note(status, note);
    if (readlinkat(cache, note, text, sizeof text) != HASH + 1 + SEAL)
        return false;
    snprintf(hash, HASH + 1, "%.*s", HASH, text);
    return seal_make("note", str_from(note), str_from(hash), right) && seal_equal(text + HASH + 1, right);
}

static void keep_note(int cache, int archive, const struct stat *before, const char *hash)
{
    char note[NOTE_ROOM], now[NOTE_ROOM], text[NAME_ROOM], seal[SEAL + 1];
    struct stat status;
    name_note(before, note);
    if (fstat(archive, &status) != 0)
        return;
    name_note(&status, now);
    if (strcmp(note, now) != 0 || !seal_make("note", str_from(note), str_from(hash), seal))
        return; // then the next run hashes again
    snprintf(text, sizeof text, "%s-%s", hash, seal);
    unlinkat(cache, note, 0); // one that has no seal any more
    int ignored = symlinkat(text, cache, note);
    (void)ignored;
}

// ---- unpacking ----------------------------------------------------------------------------------------------------

// Opens a folder that is whole, and holds it: nobody removes it meanwhile.
static int open_whole(int cache, const char *name)
{
    int folder = openat(cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0)
        flock(folder, LOCK_SH | LOCK_NB);
    return folder;
}

// Removes a tree however deep it is: what lies deeper is moved up before it is looked into, so that neither descriptors
// nor the stack grow with the depth.
static void remove_tree(int at, const char *name)
{
    char next[64];
    const char *own = strncmp(name, "new-", 4) == 0 ? name + 4 : name; // what is moved up is a leftover, too
    unsigned moved = 0, removed = 0;
    for (const char *current = name;; current = next) {
        closing_fd int folder = openat(at, current, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int again = folder < 0 ? -1 : openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *entries = again < 0 ? NULL : fdopendir(again);
        for (struct dirent *entry; entries && (entry = readdir(entries));) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                unlinkat(folder, entry->d_name, 0) == 0 || unlinkat(folder, entry->d_name, AT_REMOVEDIR) == 0)
                continue;
            char above[64];
            snprintf(above, sizeof above, "new-%.40s-%x", own, moved);
            moved += fchmodat(folder, entry->d_name, 0700, AT_SYMLINK_NOFOLLOW) == 0 && // a layer's may be closed
                     renameat(folder, entry->d_name, at, above) == 0;
        }
        if (entries)
            closedir(entries);
        if (current != name)
            unlinkat(at, current, AT_REMOVEDIR);
        if (removed == moved)
            break;
        snprintf(next, sizeof next, "new-%.40s-%x", own, removed++);
    }
    unlinkat(at, name, AT_REMOVEDIR);
}

// One that a run which was killed has left, or one of this hash whose seal is no seal any more: nobody holds its lock.
// False: there is none.
static bool find_leftover(int cache, const char *hash, const char *right, char name[NAME_MAX + 1])
{
    int again = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    bool found = false;
    for (struct dirent *entry; entries && !found && (entry = readdir(entries));) {
        bool old = right && strncmp(entry->d_name, hash, HASH) == 0 && strcmp(entry->d_name, right) != 0;
        if (!old && strncmp(entry->d_name, "new-", 4) != 0)
            continue;
        closing_fd int folder = openat(cache, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        found = folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) == 0;
        strcpy(name, entry->d_name);
    }
    if (entries)
        closedir(entries);
    return found;
}

// Takes the lock of the cache, unless the run is to end. False and errno.
static bool lock_cache(int cache)
{
    while (flock(cache, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return false;
        if (helper_must_end())
            return errno = EINTR, false;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return true;
}

// Makes a folder of that name, locked, and removes what killed runs have left. -1 and errno.
static int make_folder(int cache, const char *name, const char *hash, const char *right)
{
    char leftover[NAME_MAX + 1], before[NAME_MAX + 1] = "";
    if (!lock_cache(cache)) // or another run would take the new folder for a leftover, before it is locked
        return -1;
    int made = mkdirat(cache, name, 0700);
    closing_fd int folder = made ? -1 : openat(cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) != 0) {
        close(folder);
        folder = -1;
    }
    int error = errno;
    while (find_leftover(cache, hash, right, leftover) && strcmp(leftover, before) != 0) { // twice: it can't be removed
        remove_tree(cache, leftover);
        strcpy(before, leftover);
    }
    flock(cache, LOCK_UN);
    errno = error;
    return take_fd(folder);
}

// Unpacks into a new folder, which gets the name `right` when it is whole; NULL: it keeps the one that it has. Returns
// the folder, locked, and *name; -1 and the failure.
static int fill(const struct cache *cache, int archive, const char *hash, const char *right, const char *shown,
                uint32_t rule, uint64_t lifetime, char name[NAME_ROOM], struct failure *failure)
{
    char said[400] = "";
    int ends[2];
    snprintf(name, NAME_ROOM, "new-%d-%llx", (int)getpid(), (unsigned long long)clock_now());
    closing_fd int folder = make_folder(cache->fd, name, hash, right);
    if (folder < 0)
        return fail(failure, rule, errno, "cannot make a folder in the cache of %ss", kinds[cache->kind].word);
    if (lseek(archive, 0, SEEK_SET) != 0 || fchown(folder, cache->user, cache->group) != 0 ||
        pipe2(ends, O_CLOEXEC) != 0) {
        remove_tree(cache->fd, name);
        return fail(failure, rule, errno, "cannot unpack %s", shown);
    }
    char path[PATH_MAX + NAME_ROOM];
    snprintf(path, sizeof path, "%s/%s", cache->path, name);
    const struct helper helper = {.program = kinds[cache->kind].program,
                                  .folder = path,
                                  .given = (int[]){archive, ends[1], ends[1]},
                                  .count = 3};
    pid_t pid = helper_start(&helper, failure);
    int how = 0;
    const char *ended = NULL;
    close(ends[1]);
    if (pid > 0)
        how = helper_wait(pid, ends[0], lifetime, said, sizeof said, &ended);
    close(ends[0]);
    bool whole = pid > 0 && !ended && WIFEXITED(how) && WEXITSTATUS(how) == 0 && fchmod(folder, 0755) == 0;
    if (whole && !right)
        return take_fd(folder);
    if (whole && renameat(cache->fd, name, cache->fd, right) == 0) {
        strcpy(name, right);
        return take_fd(folder);
    }
    remove_tree(cache->fd, name);
    int there = whole ? open_whole(cache->fd, right) : -1; // somebody else was sooner
    if (there >= 0) {
        strcpy(name, right);
        return there;
    }
    if (pid < 0) {
        failure->rule = rule;
        return -1;
    }
    return fail(failure, rule, 0, "cannot unpack %s: %s", shown,
                ended     ? ended
                : said[0] ? said
                          : "sbximage died");
}

int unpacked_find(const struct view *view, enum unpacked_kind kind, const char *path, uint32_t rule,
                  struct unpacked *unpacked, struct failure *failure)
{
    const char *word = kinds[kind].word;
    closing_fd int place = host_open(view, path, NULL);
    struct stat status;
    if (place < 0 || fstat(place, &status) != 0)
        return errno == ENOENT  ? 1
               : errno == ELOOP ? host_refused(rule, errno, path, NULL, failure)
                                : fail(failure, rule, errno, "cannot open the %s %s", word, path);
    if (!S_ISREG(status.st_mode))
        return fail_with_advice(failure, rule, 0,
                                kind == UNPACKED_LAYER ? "`--keep` writes one"
                                                       : "an image is a tar archive: a folder is shown by `from`, a "
                                                         "copy by `from overlay`",
                                "the %s %s is not a file", word, path);
    struct cache cache = {.kind = kind, .fd = -1};
    char again[64], sealed[NAME_ROOM] = "", name[NAME_ROOM], *hash = unpacked->hash;
    _Static_assert(sizeof unpacked->hash == HASH + 1, "a hash and a NUL");
    snprintf(again, sizeof again, "/proc/self/fd/%d", place);
    closing_fd int archive = open(again, O_RDONLY | O_CLOEXEC);
    if (archive < 0)
        return fail(failure, rule, errno, "cannot read the %s %s", word, path);
    if (open_cache(&cache, rule, failure))
        return -1;
    closing_fd int folder = cache.fd;
    closing_fd int whole =
        find_note(folder, &status, hash) && name_folder(kind, hash, sealed) ? open_whole(folder, sealed) : -1;
    strcpy(name, sealed);
    if (whole < 0) {
        closing_fd int copy = open_unnamed(folder);
        if (copy < 0 || !copy_and_hash(archive, copy, hash))
            return fail(failure, rule, errno, "cannot copy the %s %s into the cache of %ss", word, path, word);
        keep_note(folder, archive, &status, hash);
        bool kept = name_folder(kind, hash, sealed);
        strcpy(name, kept ? sealed : "");
        if (!kept || (whole = open_whole(folder, sealed)) < 0)
            whole = fill(&cache, copy, hash, kept ? sealed : NULL, path, rule, view->plan->limits[LIMIT_lifetime].value,
                         name, failure);
        if (whole < 0)
            return -1;
        unpacked->unkept = !kept;
    }
    unpacked->bytes = (uint64_t)status.st_size;
    unpacked->host = str_format(view->plan->arena, "%s/%s", cache.path, name).text;
    unpacked->of_outside = fstat(whole, &status) == 0 && status.st_uid == cache.user;
    unpacked->folder = take_fd(whole);
    return 0;
}

void unpacked_release(const struct unpacked *unpacked)
{
    if (!unpacked->host)
        return;
    const char *name = unpacked->unkept ? strrchr(unpacked->host, '/') + 1 : NULL;
    closing_fd int folder = unpacked->folder;
    closing_fd int cache = name ? openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (cache >= 0)
        remove_tree(cache, name);
}
