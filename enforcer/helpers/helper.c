// Helpers: programs beside sbxrun that read what others wrote.
#include "enforcer/helpers/helper.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "enforcer/limits/cgroup.h"
#include "enforcer/host/host.h"
#include "enforcer/host/kernel.h"

// Where the kernel has no Landlock, a helper's own care has to do.
static void confine(bool writes)
{
    const uint64_t all = ((1ULL << 13) - 1) | (host_landlock_abi() >= 2 ? LANDLOCK_FS_REFER : 0);
    const struct landlock_ruleset handled = {.handled_access_fs = all};
    const struct {
        const char *path;
        uint64_t rights;
    } rules[] = {{"/", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE},
                 {".", all}};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, 8, 0);
    for (int i = 0; ruleset >= 0 && i < (writes ? 2 : 1); i++) {
        struct landlock_path_beneath_attr rule = {.allowed_access = rules[i].rights,
                                                  .parent_fd = open(rules[i].path, O_PATH | O_CLOEXEC)};
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
            _exit(126);
    }
    if (ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        _exit(126);
}

// Where it may be: beside sbxrun (empty when that can't be told), and where packages put it.
static void places_of(const char *name, char own[PATH_MAX], char elsewhere[64])
{
    ssize_t length = readlink("/proc/self/exe", own, PATH_MAX - strlen(name) - 1);
    while (length > 0 && own[length - 1] != '/')
        length--;
    own[length > 0 ? length : 0] = '\0';
    if (*own)
        strcat(own, name);
    snprintf(elsewhere, 64, "/usr/bin/%s", name);
}

bool helper_exists(const char *name)
{
    char own[PATH_MAX], elsewhere[64];
    places_of(name, own, elsewhere);
    return access(own, X_OK) == 0 || access(elsewhere, X_OK) == 0;
}

_Noreturn void helper_run(const struct helper *helper)
{
    char own[PATH_MAX], elsewhere[64];
    places_of(helper->name, own, elsewhere);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != helper->parent) // it died before that counted
        _exit(126);
    if (helper->control_group > 0 && cgroup_join(helper->control_group) != 0)
        _exit(126);
    if (helper->folder >= 0 && fchdir(helper->folder) != 0)
        _exit(126);
    int high[HELPER_FDS_MOST]; // out of the way of the numbers that they get
    for (int i = 0; i < helper->count; i++)
        if (i == HELPER_FDS_MOST || (high[i] = fcntl(helper->fds[i], F_DUPFD_CLOEXEC, HELPER_FDS_MOST)) < 0)
            _exit(126);
    for (int i = 0; i < helper->count; i++)
        if (dup2(high[i], i) < 0)
            _exit(126);
    if (close_range((unsigned)helper->count, ~0U, CLOSE_RANGE_CLOEXEC) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(126);
    if (geteuid() == 0 && helper->user != 0 &&
        (setgroups(0, NULL) != 0 || setresgid(helper->group, helper->group, helper->group) != 0 ||
         setresuid(helper->user, helper->user, helper->user) != 0 ||
         prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)) // changing users forgets it
        _exit(126);
    confine(helper->folder >= 0);
    char *const arguments[] = {(char *)helper->name, NULL}, *const environment[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (own[0] == '/')
        execve(own, arguments, environment);
    execve(elsewhere, arguments, environment);
    _exit(127);
}
