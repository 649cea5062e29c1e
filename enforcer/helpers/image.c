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
#include <unistd.h>

#include "enforcer/host/cache_folder.h"
#include "enforcer/host/clock.h"
#include "enforcer/helpers/helper.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/view_source.h"

// ---- the cache ----------------------------------------------------------------------------------------------------

// Opens the cache's folder and writes its path. -1 and the failure.
static int open_cache(char path[PATH_MAX], uint32_t rule, struct failure *failure)
{
    const char *problem;
    int fd = cache_folder_open("images", path, &problem);
    return fd >= 0 ? fd : fail(failure, rule, errno, "the cache of images%s%s: %s", *path ? ", " : "", path, problem);
}

static bool hash_file(int fd, char hex[SHA256_DIGEST_STRING_LENGTH])
{
    static uint8_t block[256 * 1024];
    SHA2_CTX context;
    SHA256Init(&context);
    off_t at = 0;
    for (ssize_t n; (n = pread(fd, block, sizeof block, at)) != 0; at += n) {
        if (n < 0)
            return false;
        SHA256Update(&context, block, (size_t)n);
    }
    SHA256End(&context, hex);
    return true;
}

// The hash of an archive: as it was noted when the very same file was hashed before, since a large one takes its time.
static bool hash_of(int cache, int archive, char hex[SHA256_DIGEST_STRING_LENGTH])
{
    struct stat status;
    char name[160];
    if (fstat(archive, &status) != 0)
        return false;
    snprintf(name, sizeof name, "hash-%llx-%llx-%llx-%llx.%09ld-%llx.%09ld", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino, (unsigned long long)status.st_size,
             (unsigned long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
             (unsigned long long)status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
    ssize_t length = readlinkat(cache, name, hex, SHA256_DIGEST_STRING_LENGTH);
    if (length == SHA256_DIGEST_STRING_LENGTH - 1) {
        hex[length] = '\0';
        return true;
    }
    if (!hash_file(archive, hex))
        return false;
    if (symlinkat(hex, cache, name) != 0)
        return errno != 0; // then the next run hashes again
    return true;
}

// ---- unpacking ----------------------------------------------------------------------------------------------------

static void remove_tree(int at, const char *name)
{
    closing_fd int folder = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int again = folder < 0 ? -1 : openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(folder, entry->d_name, 0) != 0)
            remove_tree(folder, entry->d_name);
    }
    if (entries)
        closedir(entries);
    unlinkat(at, name, AT_REMOVEDIR);
}

// Those of runs that were killed: nobody holds their lock.
static void remove_leftovers(int cache)
{
    int again = openat(cache, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (strncmp(entry->d_name, "new-", 4) != 0)
            continue;
        closing_fd int folder = openat(cache, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) == 0)
            remove_tree(cache, entry->d_name);
    }
    if (entries)
        closedir(entries);
}

// Unpacks into a new folder, which gets its name when it is whole.
static int fill(int cache, int archive, const char *hash, const char *shown, uint32_t rule, struct failure *failure)
{
    char name[64], said[200] = "";
    struct stat status;
    snprintf(name, sizeof name, "new-%d-%llx", (int)getpid(), (unsigned long long)clock_now());
    flock(cache, LOCK_EX); // or another run would take the new folder for a leftover, before it is locked
    remove_leftovers(cache);
    if (mkdirat(cache, name, 0700) != 0)
        return fail(failure, rule, errno, "cannot make a folder in the cache of images");
    closing_fd int folder = openat(cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int ends[2] = {-1, -1};
    bool locked = folder >= 0 && flock(folder, LOCK_EX | LOCK_NB) == 0;
    flock(cache, LOCK_UN);
    if (!locked || pipe2(ends, O_CLOEXEC) != 0 || lseek(archive, 0, SEEK_SET) != 0) {
        remove_tree(cache, name);
        return fail(failure, rule, errno, "cannot unpack %s", shown);
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        helper_run(&(struct helper){.name = "sbximage",
                                    .parent = parent,
                                    .folder = folder,
                                    .fds = (int[]){archive, ends[1], ends[1]},
                                    .count = 3});
    close(ends[1]);
    size_t length = 0;
    for (ssize_t n; pid > 0 && (n = read(ends[0], said + length, sizeof said - 1 - length)) != 0;) {
        if (n < 0 && errno != EINTR)
            break;
        length += n > 0 ? (size_t)n : 0;
        if (length == sizeof said - 1)
            break;
    }
    close(ends[0]);
    int how = 0;
    while (pid > 0 && waitpid(pid, &how, 0) < 0 && errno == EINTR)
        ;
    said[strcspn(said, "\n")] = '\0';
    if (pid > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0 && fchmod(folder, 0755) == 0) { // as a root folder is
        if (renameat(cache, name, cache, hash) == 0)
            return 0;
        if (fstatat(cache, hash, &status, AT_SYMLINK_NOFOLLOW) == 0) { // somebody else was sooner
            remove_tree(cache, name);
            return 0;
        }
    }
    remove_tree(cache, name);
    if (pid > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 127)
        return fail_with_advice(failure, rule, 0, "it is installed beside sbxrun",
                                "cannot run sbximage, which unpacks images");
    return fail(failure, rule, 0, "cannot unpack %s: %s", shown, said[0] ? said : "sbximage died");
}

static int find_image(struct view *view, size_t i, const struct view_bases *bases, struct failure *failure)
{
    const struct plan_view *p = &view->plan->view[i];
    struct arena *arena = view->plan->arena;
    const char *path = view_host_path(arena, p->base, p->host, bases);
    if (!path)
        return fail(failure, p->rule, 0, "cannot tell where the image %.*s is on the host", STR_ARGS(p->host));
    closing_fd int place = host_open(view, path);
    struct stat status;
    if (place < 0 && errno == ENOENT && p->if_exists) {
        view->places[i].skipped = true;
        return 0;
    }
    if (place < 0 || fstat(place, &status) != 0)
        return fail(failure, p->rule, errno, "cannot open the image %s", path);
    if (!S_ISREG(status.st_mode))
        return fail(failure, p->rule, 0, "the image %s is not a file", path);
    char again[64], cache_path[PATH_MAX], hash[SHA256_DIGEST_STRING_LENGTH];
    snprintf(again, sizeof again, "/proc/self/fd/%d", place);
    closing_fd int archive = open(again, O_RDONLY | O_CLOEXEC);
    if (archive < 0)
        return fail(failure, p->rule, errno, "cannot read the image %s", path);
    closing_fd int cache = open_cache(cache_path, p->rule, failure);
    if (cache < 0)
        return -1;
    if (!hash_of(cache, archive, hash))
        return fail(failure, p->rule, errno, "cannot read the image %s", path);
    if (fstatat(cache, hash, &status, AT_SYMLINK_NOFOLLOW) != 0 && fill(cache, archive, hash, path, p->rule, failure))
        return -1;
    view->places[i].host = str_format(arena, "%s/%s", cache_path, hash).text;
    return 0;
}

int images_prepare(struct view *view, const struct view_bases *bases, struct failure *failure)
{
    for (size_t i = 0; i < view->plan->view_count; i++)
        if (view->plan->view[i].from == PLAN_IMAGE && find_image(view, i, bases, failure))
            return -1;
    return 0;
}
