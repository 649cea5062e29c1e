// What this host offers.
#include "enforcer/host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

int host_landlock_abi(void)
{
    static int abi = -1;
    if (abi < 0) {
        long answer = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        abi = answer < 0 ? 0 : (int)answer;
    }
    return abi;
}

static bool has_capability(cap_value_t capability)
{
    cap_t caps = cap_get_proc();
    cap_flag_value_t value = CAP_CLEAR;
    if (caps)
        cap_get_flag(caps, capability, CAP_EFFECTIVE, &value);
    cap_free(caps);
    return value == CAP_SET;
}

bool host_can_change_identity(void)
{
    return has_capability(CAP_SETUID) && has_capability(CAP_SETGID) && has_capability(CAP_SYS_ADMIN);
}

bool host_can_load_programs(void)
{
    return has_capability(CAP_NET_ADMIN) && (has_capability(CAP_BPF) || has_capability(CAP_SYS_ADMIN));
}

bool host_is_root(unsigned user)
{
    char text[4096] = "";
    closing_fd int fd = geteuid() == 0 ? open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    for (const char *line = text; n > 0 && line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        unsigned inside, outside, count; // user_namespaces(7)
        if (sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && user >= inside && user - inside < count)
            return true;
    }
    return false;
}

long host_number(const char *path)
{
    char text[32] = "";
    closing_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    return n <= 0 ? -1 : strtol(text, NULL, 10);
}

static const char *namespace_advice(int error)
{
    if (error == ENOSPC || host_number("/proc/sys/user/max_user_namespaces") == 0)
        return "this host allows no more user namespaces: raise sysctl user.max_user_namespaces";
    if (host_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") > 0)
        return "AppArmor forbids user namespaces to this program: give sbxrun a profile with `userns,`, or set sysctl "
               "kernel.apparmor_restrict_unprivileged_userns=0";
    if (host_number("/proc/sys/kernel/unprivileged_userns_clone") == 0)
        return "this host allows user namespaces to root only: set sysctl kernel.unprivileged_userns_clone=1";
    if (error == EPERM)
        return "something around sbxrun forbids namespaces, as containers do by default: allow clone3 with "
               "CLONE_NEWUSER in its seccomp profile, "
               "and run sbxrun outside of any chroot";
    if (error == ENOSYS || error == EINVAL)
        return "sbxrun needs Linux 5.14 or newer, with user, pid, network, ipc, uts and cgroup namespaces, and outside "
               "of any seccomp filter that hides clone3, as another sandbox's does";
    return "";
}

int fail_for_namespaces(struct failure *failure, int error, const char *what)
{
    return fail_with_advice(failure, NO_RULE, error, namespace_advice(error), "%s", what);
}

const char *host_lacks_for_broker(const char **advice)
{
    uint64_t cookie;
    socklen_t size = sizeof cookie;
    closing_fd int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    *advice = "it takes Linux 5.14 or newer";
    if (probe < 0 || getsockopt(probe, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
        return "this kernel does not tell one network from another";
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
        return "this kernel does not let one process answer another's system calls";
    *advice = "kernel.yama.ptrace_scope must be 2 or less";
    if (host_number("/proc/sys/kernel/yama/ptrace_scope") > 2)
        return "this host lets no process read another's memory";
    return NULL;
}
