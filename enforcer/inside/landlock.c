// Landlock: the rights on each path of the view once more.
#include "enforcer/inside/landlock.h"

#include <errno.h>
#include <sys/stat.h>

#include "enforcer/host/host.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

static const struct {
    unsigned verbs; // any of these
    uint64_t rights;
} meanings[] = {
    {VERB_READ, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR},
    {VERB_EXEC, LANDLOCK_ACCESS_FS_EXECUTE},
    {VERB_MODIFY, LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_FS_TRUNCATE},
    {VERB_CREATE, LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SYM |
                      LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK},
    {VERB_DELETE, LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR},
    {VERB_CREATE | VERB_DELETE, LANDLOCK_FS_REFER}, // moving between folders asks for the two above on either side
};

enum { FILE_RIGHTS = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE };

static uint64_t handled_by(int abi)
{
    uint64_t rights = (1ULL << 13) - 1;
    rights |= abi >= 2 ? LANDLOCK_FS_REFER : 0;
    rights |= abi >= 3 ? LANDLOCK_FS_TRUNCATE : 0;
    rights |= abi >= 5 ? LANDLOCK_FS_IOCTL_DEV : 0;
    rights |= abi >= 9 ? LANDLOCK_FS_RESOLVE_UNIX : 0; // allowed nowhere: sockets of the host are reached by the broker
                                                       // alone, those of the sandbox are its own
    return rights;
}

static uint64_t rights_of(unsigned verbs, bool device_folder, bool marks)
{
    uint64_t rights = marks && verbs & VERB_CREATE ? LANDLOCK_ACCESS_FS_MAKE_CHAR : 0;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (verbs & meanings[i].verbs)
            rights |= meanings[i].rights;
    return rights | (device_folder && verbs & VERB_MODIFY ? LANDLOCK_FS_IOCTL_DEV : 0);
}

// Known of what was made or opened for the view; what lies in a place above has to be looked at.
static bool is_folder(const struct view *view, size_t i, int fd)
{
    struct stat status;
    switch (view->plan->view[i].from) {
    case PLAN_TMPFS:
    case PLAN_DEV:
    case PLAN_PROC: return true;
    case PLAN_SECRET:
    case PLAN_TEXT: return false;
    case PLAN_SANDBOX:
    case PLAN_HOST:
    case PLAN_OVERLAY:
    case PLAN_IMAGE: return view->places[i].is_folder;
    default: return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    }
}

// The folders that are only the way to something may be listed: all that is shown may be read (claim.c), and what is
// denied is hidden by a mount.
static int allow_ways(int ruleset, struct failure *failure)
{
    closing_fd int root = open("/", O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_DIR, .parent_fd = root};
    return root < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0
               ? fail(failure, NO_RULE, errno, "cannot add / to the Landlock ruleset")
               : 0;
}

int landlock_make(const struct view *view, const struct loopback *loopback, bool standard, bool marks,
                  const struct handed *handed, struct failure *failure)
{
    int abi = host_landlock_abi();
    struct landlock_ruleset attributes = {.handled_access_fs = handled_by(abi),
                                          .handled_access_net = abi >= 4 ? loopback->tcp_rights : 0,
                                          .scoped = abi >= 6 ? LANDLOCK_SCOPES : 0};
    size_t size = abi >= 6 ? sizeof attributes : abi >= 4 ? 16 : 8; // what that version knows of the struct
    closing_fd int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0)
        return fail(failure, NO_RULE, errno, "cannot make a Landlock ruleset");
    for (size_t i = 0; i < view->plan->view_count; i++) {
        const struct plan_view *p = &view->plan->view[i];
        const struct view_place *place = &view->places[i];
        if (place->skipped || view_place_is_link(place) || p->verbs == 0)
            continue;
        closing_fd int opened = place->tree >= 0 ? -1 : view_place_open(place);
        int fd = place->tree >= 0 ? place->tree : opened; // what was attached there is what is seen there
        if (fd < 0)
            return fail(failure, p->rule, errno, "cannot open %s in the view", place->path);
        bool devices = place->content >= 0 && view->plan->view[place->content].from == PLAN_DEV;
        struct landlock_path_beneath_attr rule = {
            .allowed_access = rights_of(p->verbs, devices, marks) & attributes.handled_access_fs, .parent_fd = fd};
        if (!is_folder(view, i, fd))
            rule.allowed_access &= FILE_RIGHTS | LANDLOCK_FS_TRUNCATE | LANDLOCK_FS_IOCTL_DEV;
        if (rule.allowed_access && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
            return fail(failure, p->rule, errno, "cannot add %s to the Landlock ruleset", place->path);
    }
    if (allow_ways(ruleset, failure))
        return -1;
    // What the command is given to read from and write to may be opened again, as `> /dev/stderr` does, but no more
    // than it was opened for.
    int count = standard ? 3 + (handed ? handed->count : 0) : 0;
    for (int i = 0; i < count; i++) {
        int fd = i < 3 ? i : handed->list[i - 3];
        static const uint64_t by_mode[] = {
            LANDLOCK_ACCESS_FS_READ_FILE, LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_FS_TRUNCATE,
            LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_FS_TRUNCATE};
        int mode = fcntl(fd, F_GETFL);
        if (mode < 0 || (mode & O_PATH) || (mode & O_ACCMODE) > O_RDWR)
            continue;
        struct landlock_path_beneath_attr rule = {
            .allowed_access = (by_mode[mode & O_ACCMODE] | LANDLOCK_FS_IOCTL_DEV) & attributes.handled_access_fs,
            .parent_fd = fd};
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
                0); // a pipe or a socket takes none and needs none
    }
    for (size_t i = 0; i < loopback->port_count; i++) {
        struct landlock_port rule = {loopback->ports[i].rights, loopback->ports[i].port};
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PORT, &rule, 0) != 0)
            return fail(failure, NO_RULE, errno, "cannot add tcp port %u to the Landlock ruleset",
                        loopback->ports[i].port);
    }
    return take_fd(ruleset);
}

int landlock_enter(int ruleset, struct failure *failure)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) != 0
               ? fail(failure, NO_RULE, errno, "cannot enter the Landlock domain")
               : 0;
}
