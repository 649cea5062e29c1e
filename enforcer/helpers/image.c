// Images in the cache.
#include "enforcer/helpers/image.h"

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

// ---- the cache ----------------------------------------------------------------------------------------------------

struct cache {
    int fd;
    char path[PATH_MAX];
    uid_t user; // who its images belong to: those on the host who the sandboxes of this user are
    gid_t group;
};

static int open_cache(struct cache *cache, uint32_t rule, struct failure *failure)
{
    const char *problem;
    if (helper_user(&cache->user, &cache->group, failure))
        return -1;
    cache->fd = cache_folder_open("unpacked", cache->path, &problem);
    return cache->fd >= 0 ? 0
                          : fail(failure, rule, errno, "the cache of images%s%s: %s", *cache->path ? ", " : "",
                                 cache->path, problem);
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
static bool name_image(const char *hash, char name[NAME_ROOM])
{
    char seal[SEAL + 1];
    return seal_make("image", str_from(hash), (struct str){0}, seal) &&
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

// Opens an image that is whole, and holds it: nobody removes it meanwhile.
static int open_image(int cache, const char *name)
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
            moved += renameat(folder, entry->d_name, at, above) == 0;
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
                const struct plan_view *place, uint64_t lifetime, char name[NAME_ROOM], struct failure *failure)
{
    char said[400] = "";
    int ends[2];
    snprintf(name, NAME_ROOM, "new-%d-%llx", (int)getpid(), (unsigned long long)clock_now());
    closing_fd int folder = make_folder(cache->fd, name, hash, right);
    if (folder < 0)
        return fail(failure, place->rule, errno, "cannot make a folder in the cache of images");
    if (lseek(archive, 0, SEEK_SET) != 0 || fchown(folder, cache->user, cache->group) != 0 ||
        pipe2(ends, O_CLOEXEC) != 0) {
        remove_tree(cache->fd, name);
        return fail(failure, place->rule, errno, "cannot unpack %s", shown);
    }
    char path[PATH_MAX + NAME_ROOM];
    snprintf(path, sizeof path, "%s/%s", cache->path, name);
    pid_t pid = helper_start(
        &(struct helper){
            .program = HELPER_IMAGE, .folder = path, .given = (int[]){archive, ends[1], ends[1]}, .count = 3},
        failure);
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
    int there = whole ? open_image(cache->fd, right) : -1; // somebody else was sooner
    if (there >= 0) {
        strcpy(name, right);
        return there;
    }
    if (pid < 0) {
        failure->rule = place->rule;
        return -1;
    }
    return fail(failure, place->rule, 0, "cannot unpack %s: %s", shown,
                ended     ? ended
                : said[0] ? said
                          : "sbximage died");
}

static int find_image(struct view *view, size_t i, const struct view_bases *bases, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    struct arena *arena = view->plan->arena;
    const char *path = view_host_path(arena, p->base, p->host, bases);
    if (!path)
        return fail(failure, p->rule, 0, "cannot tell where the image %.*s is on the host: %s", STR_ARGS(p->host),
                    view_base_lacks(p->base));
    closing_fd int place = host_open(view, path, NULL);
    struct stat status;
    if (place < 0 && errno == ENOENT && p->if_exists) {
        view->places[i].skipped = true;
        return 0;
    }
    if (place < 0 || fstat(place, &status) != 0)
        return errno == ELOOP ? host_refused(p->rule, errno, path, NULL, failure)
                              : fail_with_advice(failure, p->rule, errno,
                                                 errno == ENOENT ? "if the sandbox may do without it, add `if exists`"
                                                                 : NULL,
                                                 "cannot open the image %s", path);
    if (!S_ISREG(status.st_mode))
        return fail_with_advice(failure, p->rule, 0,
                                "an image is a tar archive: a folder is shown by `from`, a copy by `from overlay`",
                                "the image %s is not a file", path);
    struct cache cache = {.fd = -1};
    char again[64], hash[HASH + 1], sealed[NAME_ROOM] = "", name[NAME_ROOM];
    snprintf(again, sizeof again, "/proc/self/fd/%d", place);
    closing_fd int archive = open(again, O_RDONLY | O_CLOEXEC);
    if (archive < 0)
        return fail(failure, p->rule, errno, "cannot read the image %s", path);
    if (open_cache(&cache, p->rule, failure))
        return -1;
    closing_fd int folder = cache.fd;
    closing_fd int image =
        find_note(folder, &status, hash) && name_image(hash, sealed) ? open_image(folder, sealed) : -1;
    strcpy(name, sealed);
    if (image < 0) {
        closing_fd int copy = open_unnamed(folder);
        if (copy < 0 || !copy_and_hash(archive, copy, hash))
            return fail(failure, p->rule, errno, "cannot copy the image %s into the cache of images", path);
        keep_note(folder, archive, &status, hash);
        bool kept = name_image(hash, sealed);
        strcpy(name, kept ? sealed : "");
        if (!kept || (image = open_image(folder, sealed)) < 0)
            image = fill(&cache, copy, hash, kept ? sealed : NULL, path, p, view->plan->limits[LIMIT_lifetime].value,
                         name, failure);
        if (image < 0)
            return -1;
        view->places[i].unkept = !kept;
    }
    view->places[i].host = str_format(arena, "%s/%s", cache.path, name).text;
    view->places[i].of_outside = fstat(image, &status) == 0 && status.st_uid == cache.user;
    view->places[i].image = take_fd(image);
    return 0;
}

int images_prepare(struct view *view, const struct view_bases *bases, struct failure *failure)
{
    for (size_t i = 0; i < view->plan->view_count; i++)
        if (view->plan->view[i].from == PLAN_IMAGE && find_image(view, i, bases, failure))
            return -1;
    return 0;
}

void images_release(const struct view *view)
{
    for (size_t i = 0; view->places && i < view->plan->view_count; i++) {
        const struct view_place *place = &view->places[i];
        const char *name = place->unkept ? strrchr(place->host, '/') + 1 : NULL;
        closing_fd int image = place->image > 0 ? place->image : -1; // 0 is standard input
        closing_fd int cache = image >= 0 && name ? openat(image, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (cache >= 0)
            remove_tree(cache, name);
    }
}
