// FIFOs of the host in what may only be read.
#include "enforcer/view/fifos.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/sets/path_set.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/hidden.h"

enum { FOLDERS_MOST = 1000000, DEEPEST = 512 };

struct search {
    const struct view *view;
    const struct identity *identity;
    struct failure *failure;
    uint32_t rule; // of the place that is looked through
    uid_t owner;   // of its folder
    size_t folders;
    char path[8192]; // in the view
};

static bool may_only_read(const struct search *search)
{
    unsigned verbs = plan_verbs(search->view->plan, str_from(search->path));
    return verbs & VERB_READ && !(verbs & VERB_MODIFY);
}

// What the owner of the folder owns is shown to the sandbox of root's as its own (idmapped mounts).
static bool can_write(const struct search *search, const struct stat *status)
{
    bool own = status->st_uid == search->identity->outside_user ||
               (search->identity->as_root && status->st_uid == search->owner);
    return own ? status->st_mode & 0200 : status->st_mode & 022;
}

static int refuse(const struct search *search, const char *format)
{
    return fail_with_advice(search->failure, search->rule, 0, "remove it, deny to read it, or allow it to be modified",
                            format, search->path);
}

static int look(struct search *search, int folder, int depth);

static int look_at(struct search *search, int folder, const char *name, unsigned char type, int depth)
{
    struct stat status;
    if (type == DT_UNKNOWN)
        type = fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ? DT_REG : IFTODT(status.st_mode);
    if (type == DT_DIR) {
        closing_fd int beneath = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (beneath < 0 || hidden_is(search->view, beneath))
            return 0; // what sbxrun may not list, the command may not either; and no sandbox sees sbxrun's caches
        return look(search, take_fd(beneath), depth + 1);
    }
    if (type == DT_FIFO && fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && can_write(search, &status) &&
        may_only_read(search))
        return refuse(search, "%s is a FIFO of the host, and nothing here keeps the command from writing to it");
    return 0;
}

// Closes the folder.
static int look(struct search *search, int folder, int depth)
{
    size_t length = strlen(search->path);
    DIR *list = fdopendir(folder);
    int result = 0;
    if (!list)
        close(folder);
    if (depth > DEEPEST || ++search->folders > FOLDERS_MOST)
        result = refuse(search, "there is more in %s than can be looked through for FIFOs");
    for (struct dirent *entry; list && !result && (entry = readdir(list));) {
        if (entry->d_type == DT_REG || entry->d_type == DT_LNK || strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0)
            continue;
        if (length + strlen(entry->d_name) + 2 > sizeof search->path)
            continue; // no call takes such a path whole
        strcpy(search->path + length, length && search->path[length - 1] == '/' ? "" : "/");
        strcat(search->path, entry->d_name);
        result = look_at(search, folder, entry->d_name, entry->d_type, depth);
        search->path[length] = '\0';
    }
    if (list)
        closedir(list);
    return result;
}

// A place that may only be read, in one that may be modified: no Landlock tells them apart.
static bool lies_in_writable(const struct view *view, size_t i)
{
    const struct plan_view *places = view->plan->view;
    if (!(places[i].verbs & VERB_READ) || places[i].verbs & VERB_MODIFY)
        return false;
    for (int above = view->places[i].above; above >= 0; above = view->places[above].above)
        if (places[above].verbs & VERB_MODIFY)
            return true;
    return false;
}

// Opens what a place shows of the host. -1: what is missing is told when it is opened.
static int open_shown(const struct view *view, size_t i, uid_t *owner)
{
    const struct view_place *place = &view->places[i], *content = &view->places[place->content];
    struct stat status;
    closing_fd int top = sys_openat2(AT_FDCWD, content->host, O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS);
    if (top < 0 || fstat(top, &status) != 0)
        return -1;
    *owner = status.st_uid;
    const char *rest = place->path + (content->path[1] ? strlen(content->path) : 0);
    return sys_openat2(top, rest[0] ? rest + 1 : ".", O_PATH | O_CLOEXEC, INSIDE);
}

int fifos_refuse(const struct view *view, const struct identity *identity, bool landlock, struct failure *failure)
{
    struct search search = {.view = view, .identity = identity, .failure = failure};
    for (size_t i = 0; i < view->plan->view_count; i++) {
        const struct plan_view *p = &view->plan->view[i];
        struct stat status;
        bool looked_through = landlock ? lies_in_writable(view, i) : p->from == PLAN_HOST;
        if (!looked_through || view_content_kind(view, (int)i) != PLAN_HOST ||
            !view->places[view->places[i].content].host || strlen(view->places[i].path) >= sizeof search.path)
            continue;
        strcpy(search.path, view->places[i].path);
        search.rule = p->rule;
        closing_fd int at = open_shown(view, i, &search.owner);
        if (at < 0 || fstat(at, &status) != 0)
            continue;
        if (S_ISFIFO(status.st_mode) && can_write(&search, &status) && may_only_read(&search))
            return refuse(&search, "%s is a FIFO of the host, and nothing here keeps the command from writing to it");
        int folder = S_ISDIR(status.st_mode) ? openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (folder >= 0 && look(&search, folder, 0))
            return -1;
    }
    return 0;
}
