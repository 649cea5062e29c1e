// Who the sandbox's processes are.
#include "enforcer/host/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/host/host.h"
#include "enforcer/host/scoped.h"

enum {
    NOBODY = 65534,
    // Above every range that distributions and systemd assign (systemd's UIDS-GIDS), so it owns nothing and no other
    // process runs as it.
    ROOT_RUNS_AS = 0x7FFE0000,
};

int identity_prepare(struct identity *identity, struct failure *failure)
{
    *identity = (struct identity){.as_root = host_is_root(ROOT_RUNS_AS),
                                  .outside_user = geteuid(),
                                  .outside_group = getegid(),
                                  .prepared = cap_init()};
    if (identity->as_root)
        identity->outside_user = identity->outside_group = ROOT_RUNS_AS;
    if (identity->as_root && !host_can_change_identity())
        return fail_with_advice(failure, NO_RULE, 0, "run sbxrun as an ordinary user, or with those capabilities",
                                "sbxrun is root without CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN, so it can't run the "
                                "command as somebody else");
    return identity->prepared ? 0 : fail(failure, NO_RULE, errno, "cannot prepare capabilities");
}

void identity_choose(struct identity *identity, const struct plan *plan)
{
    const uid_t inside[PLAN_USER_COUNT] = {[PLAN_USER_NOBODY] = NOBODY,
                                           [PLAN_USER_ROOT] = 0,
                                           [PLAN_USER_SELF] = geteuid(),
                                           [PLAN_USER_NUMBER] = plan->user_number};
    identity->inside = inside[plan->user];
    identity->capabilities = plan->capabilities;
}

void identity_release(struct identity *identity)
{
    cap_free(identity->prepared);
    identity->prepared = NULL;
}

static int write_file(const char *path, const char *text)
{
    closing_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static int write_maps(const char *process, const struct identity *identity, uid_t user, gid_t group, bool deny_groups,
                      struct failure *failure)
{
    char path[64], map[64];
    snprintf(path, sizeof path, "/proc/%s/setgroups", process);
    if (deny_groups && write_file(path, "deny") != 0)
        return fail(failure, NO_RULE, errno, "cannot write %s", path);
    snprintf(path, sizeof path, "/proc/%s/uid_map", process);
    snprintf(map, sizeof map, "%u %u 1\n", user, identity->outside_user);
    if (write_file(path, map) != 0)
        return fail(failure, NO_RULE, errno, "cannot write %s", path);
    snprintf(path, sizeof path, "/proc/%s/gid_map", process);
    snprintf(map, sizeof map, "%u %u 1\n", group, identity->outside_group);
    return write_file(path, map) != 0 ? fail(failure, NO_RULE, errno, "cannot write %s", path) : 0;
}

int identity_map_self(const struct identity *identity, struct failure *failure)
{
    return write_maps("self", identity, identity->inside, identity->inside, true, failure);
}

int identity_map_other(const struct identity *identity, pid_t pid, struct failure *failure)
{
    char process[16];
    snprintf(process, sizeof process, "%d", (int)pid);
    return write_maps(process, identity, identity->inside, identity->inside, false, failure);
}

static int make_namespace(const struct identity *identity, uid_t user, gid_t group, struct failure *failure)
{
    // A process that only holds the namespace open: it waits until it is killed.
    pid_t parent = getpid(), holder = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (holder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) // it died before that counted
            _exit(0);
        for (;;)
            pause();
    }
    if (holder < 0)
        return fail_for_namespaces(failure, errno, "cannot make a user namespace");
    char process[16], path[64];
    snprintf(process, sizeof process, "%d", (int)holder);
    snprintf(path, sizeof path, "/proc/%s/ns/user", process);
    int fd = -1;
    if (write_maps(process, identity, user, group, false, failure) == 0 &&
        (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        fail(failure, NO_RULE, errno, "cannot open %s", path);
    kill(holder, SIGKILL);
    while (waitpid(holder, NULL, 0) < 0 && errno == EINTR)
        ;
    return fd;
}

int owners_namespace(struct owners *owners, uid_t user, gid_t group, struct failure *failure)
{
    for (size_t i = 0; i < owners->count; i++)
        if (owners->list[i].user == user && owners->list[i].group == group)
            return owners->list[i].namespace;
    if (owners->count == OWNERS_MOST)
        return fail(failure, NO_RULE, 0, "what is shown of the host has more than %d owners", OWNERS_MOST);
    int made = make_namespace(owners->identity, user, group, failure);
    if (made >= 0)
        owners->list[owners->count++] = (struct owner){user, group, made};
    return made;
}

void owners_close(struct owners *owners)
{
    for (size_t i = 0; i < owners->count; i++)
        close_scoped(&owners->list[i].namespace);
}

int identity_become(const struct identity *identity, struct failure *failure)
{
    if (!identity->as_root)
        return 0; // mapped already; an ordinary user's groups stay, and count for nothing inside
    if (setgroups(0, NULL) != 0 || setresgid(identity->inside, identity->inside, identity->inside) != 0 ||
        setresuid(identity->inside, identity->inside, identity->inside) != 0)
        return fail(failure, NO_RULE, errno, "cannot become user %u of the sandbox", identity->inside);
    return 0;
}

int identity_bound(const struct identity *identity, struct failure *failure)
{
    for (cap_value_t c = 0; c < 64; c++)
        if (!(identity->capabilities >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0) {
            if (errno == EINVAL &&
                c > CAP_SYSLOG) // this kernel has no more of them; CAP_SYSLOG is older than all that sbxrun runs on
                break;
            return fail(failure, NO_RULE, errno, "cannot drop capability %d", c);
        }
    return 0;
}

int identity_drop(const struct identity *identity, struct failure *failure)
{
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (cap_clear(identity->prepared) != 0) // the memory is the command's and the first process's
        return fail(failure, NO_RULE, errno, "cannot drop capabilities");
    for (cap_value_t c = 0; c < 64 && identity->capabilities; c++)
        if (identity->capabilities >> c & 1 && CAP_IS_SUPPORTED(c)) {
            cap_set_flag(identity->prepared, CAP_PERMITTED, 1, &c, CAP_SET);
            cap_set_flag(identity->prepared, CAP_EFFECTIVE, 1, &c, CAP_SET);
            cap_set_flag(identity->prepared, CAP_INHERITABLE, 1, &c, CAP_SET);
        }
    if (cap_set_proc(identity->prepared) != 0)
        return fail(failure, NO_RULE, errno, "cannot drop capabilities");
    for (cap_value_t c = 0; c < 64 && identity->capabilities; c++) // so that exec keeps those that are allowed
        if (identity->capabilities >> c & 1 && CAP_IS_SUPPORTED(c) &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) != 0)
            return fail(failure, NO_RULE, errno, "cannot keep capability %d", c);
    return 0;
}

int identity_keep_apart(const struct identity *identity, struct failure *failure)
{
    const cap_value_t kept = CAP_AUDIT_READ; // there is nothing that it lets a user namespace do
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (cap_clear(identity->prepared) != 0 ||
        cap_set_flag(identity->prepared, CAP_PERMITTED, 1, &kept, CAP_SET) != 0 ||
        cap_set_proc(identity->prepared) != 0)
        return fail(failure, NO_RULE, errno, "cannot drop capabilities");
    return 0;
}
