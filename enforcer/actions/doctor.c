// `sbxrun --doctor`.
#include "enforcer/actions/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/actions/run.h"
#include "enforcer/limits/cgroup.h"
#include "enforcer/helpers/helper.h"
#include "enforcer/host/host.h"
#include "enforcer/drivers/features.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/say.h"
#include "enforcer/view/missing.h"
#include "enforcer/network/net_guard.h"
#include "enforcer/host/scoped.h"

enum state {
    GOOD,
    LESS,
    MISSING,
    STATE_COUNT
}; // LESS: some policies are refused, or lose a second layer; MISSING: all are

static const char *const state_names[STATE_COUNT] = {"ok", "less", "MISSING"};

struct finding {
    enum state state;
    char found[240];
    const char *means, *fix; // where it is not good; fix: one command, or what to do
};

// ---- trying -------------------------------------------------------------------------------------------------------

// What `go` returns in a process of its own: 0, or an errno.
static int in_child(int (*go)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(go());
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child < 0 ? errno : WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

static int tried_flags; // of what in_child runs

static int make_namespaces(void) // as native.c and sandbox.c do: the first two by clone3
{
    struct clone_args args = {.flags = (uint64_t)(tried_flags & (CLONE_NEWUSER | CLONE_NEWPID)),
                              .exit_signal = SIGCHLD};
    long child = syscall(SYS_clone3, &args, sizeof args);
    int error = errno, status;
    if (child == 0)
        _exit(unshare(tried_flags & ~(CLONE_NEWUSER | CLONE_NEWPID)) == 0 ? 0 : errno);
    return child < 0                                                         ? error
           : waitpid((pid_t)child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                             : EPERM;
}

// In a user, a pid and a mount namespace, as the sandbox's own are: with something mounted over the host's /proc the
// kernel gives no new one.
static int mount_proc(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0)
        return 0; // said elsewhere
    pid_t child = fork();
    if (child == 0) {
        closing_fd int context = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
        if (context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
            _exit(errno);
        int mounted = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
        _exit(mounted < 0 ? errno : 0);
    }
    int status = 0;
    return child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ? EPERM : WEXITSTATUS(status);
}

static int load_filter(unsigned flags)
{
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, allow};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? errno : 0;
}

static int filter_plainly(void)
{
    return load_filter(0);
}

static int filter_with_listener(void)
{
    return load_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static void read_line(const char *path, char *text, size_t size)
{
    closing_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static void judge(struct finding *f, bool good, const char *found, const char *lacking, const char *means,
                  const char *fix)
{
    *f = (struct finding){.state = good ? GOOD : LESS, .means = means, .fix = fix};
    snprintf(f->found, sizeof f->found, "%s", good ? found : lacking);
}

// ---- the findings -------------------------------------------------------------------------------------------------

static bool kernel_is_at_least(unsigned major, unsigned minor)
{
    struct utsname name;
    unsigned have[2] = {0, 0};
    return uname(&name) == 0 && sscanf(name.release, "%u.%u", &have[0], &have[1]) == 2 &&
           (have[0] > major || (have[0] == major && have[1] >= minor));
}

static void find_kernel(struct finding *f)
{
    struct utsname name = {0};
    uname(&name);
    snprintf(f->found, sizeof f->found, "Linux %.64s, %.64s", name.release, name.machine);
    if (kernel_is_at_least(5, 14))
        return;
    *f = (struct finding){.state = MISSING, .means = "sbxrun needs Linux 5.14 or newer", .fix = "a newer kernel"};
    snprintf(f->found, sizeof f->found, "Linux %.64s", name.release);
}

static void find_namespaces(struct finding *f)
{
    static const struct {
        int flag;
        const char *name;
    } kinds[] = {{0, "user"},           {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},      {CLONE_NEWNET, "network"},
                 {CLONE_NEWIPC, "ipc"}, {CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}};
    static struct failure why;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        tried_flags = CLONE_NEWUSER | kinds[i].flag;
        int error = in_child(make_namespaces);
        if (!error)
            continue;
        fail_for_namespaces(&why, error, "no");
        f->state = MISSING;
        snprintf(f->found, sizeof f->found, "no %s namespaces: %s", kinds[i].name, strerror(error));
        f->means = "nothing can be run";
        f->fix = *why.advice ? why.advice : "a kernel with all namespaces, outside of what forbids them";
        return;
    }
    snprintf(f->found, sizeof f->found, "user, mount, pid, network, ipc, uts, cgroup");
}

static void find_proc(struct finding *f)
{
    int error = in_child(mount_proc);
    snprintf(f->found, sizeof f->found, error ? "cannot be mounted anew: %s" : "of its own processes only",
             strerror(error));
    if (!error)
        return;
    f->state = LESS;
    f->means = "policies that show /proc (std.base does) are refused";
    f->fix =
        "something is mounted over parts of this /proc, as in a container: run the container with --security-opt "
        "systempaths=unconfined, or sbxrun outside of it";
}

static void find_seccomp(struct finding *f)
{
    int error = in_child(filter_plainly), listening = in_child(filter_with_listener);
    snprintf(f->found, sizeof f->found,
             error       ? "no filters: %s"
             : listening ? "filters; no listener: %s"
                         : "filters, with a listener",
             strerror(error ? error : listening));
    if (error) {
        f->state = MISSING;
        f->means = "nothing can be run";
        f->fix = error == EPERM ? "something around sbxrun forbids filters: run it outside of that"
                                : "a kernel with CONFIG_SECCOMP_FILTER";
    } else if (listening) {
        f->state = LESS;
        f->means = "policies that allow network are refused, and denied system calls are not told";
        f->fix =
            listening == EBUSY
                ? "a filter around sbxrun has a listener already, as another sandbox's does: run sbxrun outside of it"
                : "a kernel with seccomp's notifications";
    }
}

static void find_landlock(struct finding *f)
{
    int abi = host_landlock_abi();
    char modules[200];
    read_line("/sys/kernel/security/lsm", modules, sizeof modules);
    snprintf(f->found, sizeof f->found, abi ? "ABI %d" : "none", abi);
    if (abi >= 6)
        return;
    f->state = LESS;
    f->means = abi == 0  ? "mounts alone confine files, and rules that part create, modify and delete are refused"
               : abi < 3 ? "truncating and moving between folders are kept by mounts alone"
               : abi < 4 ? "rules on ports of the sandbox's own loopback are kept by fewer layers, or refused"
                         : "abstract sockets and signals are kept by namespaces alone";
    f->fix = abi ? "a newer kernel has more of it"
             : *modules && !strstr(modules, "landlock")
                 ? "add `landlock` to lsm= on the kernel's command line, and boot again"
                 : "a kernel with CONFIG_SECURITY_LANDLOCK";
}

static void find_groups(struct finding *f)
{
    static const struct {
        enum limit limit;
        const char *name;
    } kinds[] = {{LIMIT_memory, "memory"}, {LIMIT_cpu, "cpu"}, {LIMIT_pids, "pids"}, {LIMIT_io, "io"}};
    char runtime[64];
    size_t used = 0;
    bool all = true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool can = cgroup_can(kinds[i].limit);
        all &= can || kinds[i].limit == LIMIT_pids ||
               kinds[i].limit == LIMIT_io; // a resource limit keeps the first too; few ask for the second
        used += (size_t)snprintf(f->found + used, sizeof f->found - used, "%s%s%s", i ? ", " : "", can ? "" : "no ",
                                 kinds[i].name);
    }
    int version = cgroup_version();
    if (version)
        snprintf(f->found + used, sizeof f->found - used, "; version %d", version);
    if (all)
        return;
    f->state = LESS;
    f->means = "limits of memory, swap and cpu are refused unless the policy lets them degrade";
    snprintf(runtime, sizeof runtime, "/run/user/%u/systemd", (unsigned)geteuid());
    f->fix = geteuid() == 0               ? "mount -t cgroup2 none /sys/fs/cgroup"
             : access(runtime, F_OK) == 0 ? "systemd-run --user --scope -p Delegate=yes sbxrun …"
                                          : "run sbxrun as root (its processes are nobody all the same), or in a group "
                                            "that is yours: chown the folder of this shell's group in /sys/fs/cgroup";
}

static void find_broker(struct finding *f)
{
    const char *advice, *lacks = host_lacks_for_broker(&advice);
    bool names = helper_exists(HELPER_NAMES);
    snprintf(f->found, sizeof f->found,
             lacks   ? "%s"
             : names ? "connections are made by sbxrun; names by sbxnames"
                     : "connections are made by sbxrun; sbxnames is not there",
             lacks);
    if (!lacks && names)
        return;
    f->state = LESS;
    f->means =
        lacks ? "policies that allow network are refused" : "policies that allow connections by name are refused";
    f->fix = lacks ? advice : "install sbxnames beside sbxrun: make install";
}

static void find_guard(struct finding *f)
{
    const char *lacks = net_guard_lacks();
    snprintf(f->found, sizeof f->found, lacks ? "none: %s" : "eBPF on the connections that sbxrun makes", lacks);
    if (!lacks)
        return;
    f->state = LESS;
    f->means = "the network's rules are kept once, by sbxrun; `require ebpf` is refused, and bytes are not counted";
    f->fix = host_can_load_programs() ? "mount -t cgroup2 none /sys/fs/cgroup" : "run sbxrun as root";
}

static void find_overlay(struct finding *f)
{
    judge(f, kernel_is_at_least(6, 6), "copy-on-write views in memory", "none in memory",
          "`from overlay`, and images that may be written, are refused", "Linux 6.6 or newer");
}

static void find_identity(struct finding *f)
{
    const char *found;
    bool maps = host_has(FEATURE_idmapped_mounts, 0, &found);
    if (geteuid() != 0) {
        snprintf(f->found, sizeof f->found, "processes are yours (%u) outside", (unsigned)geteuid());
        return;
    }
    judge(f, maps, "processes are an unprivileged user outside; host files by idmapped mounts",
          "root of a namespace, without the capabilities of root", "processes are root of this namespace outside",
          "run it as an ordinary user, or with CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN");
}

static void find_images(struct finding *f)
{
    judge(f, helper_exists(HELPER_IMAGE), "sbximage unpacks them", "sbximage is not there", "`from image` is refused",
          "install sbximage beside sbxrun: make install");
}

static void find_modules(struct finding *f)
{
    char modules[200], scope[16];
    read_line("/sys/kernel/security/lsm", modules, sizeof modules);
    read_line("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof scope);
    snprintf(f->found, sizeof f->found, "%s%s%s", *modules ? modules : "not told (securityfs is not mounted)",
             *scope ? "; ptrace_scope " : "", scope);
}

static const struct {
    const char *name;
    void (*find)(struct finding *);
} checks[] = {
    {"kernel", find_kernel},        {"namespaces", find_namespaces}, {"/proc", find_proc},
    {"system calls", find_seccomp}, {"Landlock", find_landlock},     {"control groups", find_groups},
    {"overlays", find_overlay},     {"identity", find_identity},     {"network", find_broker},
    {"guard", find_guard},          {"images", find_images},         {"security modules", find_modules},
};

// Prints what there is. False if no policy at all can run here.
static bool doctor_host(FILE *out)
{
    bool runs = true;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct finding finding = {.state = GOOD};
        checks[i].find(&finding);
        runs &= finding.state != MISSING;
        say(out, "%-8s %-17s %s", state_names[finding.state], checks[i].name, finding.found);
        if (finding.state == GOOD)
            continue;
        say(out, "%27s%s", "", finding.means);
        say(out, "%27sfix: %s", "", finding.fix);
    }
    return runs;
}

// What came of a policy that was claimed and set up here for a trial: what refused it (in the failure), or what it goes
// without. `plan`: NULL when it is only some policy. False if it was refused.
static bool doctor_policy(FILE *out, const struct plan *plan, const struct run *run, const struct failure *failure)
{
    const struct claims *claims = run->claims;
    const char *found = failure->what[0]         ? "nothing runs here:"
                        : claims->degraded_count ? "commands run here, without"
                                                 : "commands run here, and every rule is enforced.";
    fputc('\n', out);
    if (plan)
        say(out, "Under the policy %.*s %s", STR_ARGS(plan->name), found);
    else
        say(out, "Under a policy of std.base alone %s", found);
    if (failure->what[0]) {
        failure_print(out, failure, run->plan);
        missing_tell(out, run->plan, &run->bases, failure);
        return false;
    }
    for (size_t i = 0; i < claims->degraded_count; i++)
        say(out, "  %.*s, as the policy permits: %.*s", STR_ARGS(claims->degraded[i].lost),
            STR_ARGS(claims->degraded[i].because));
    return true;
}

// A policy for when none is given, in a file to be removed. NULL and errno.
static const char *some_policy(void)
{
    static const char text[] =
        "sbx 1; import std.base; policy trial { use std.base; fs { allow read, write \"/tmp\" from tmpfs size 1MiB; } "
        "}\n";
    static char path[] = "/tmp/sbx-doctor-XXXXXX.sbx";
    closing_fd int fd = mkstemps(path, 4);
    return fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1 ? path : NULL;
}

int examine(struct compilation *compilation, struct arena *shared, struct options *options, uint64_t started)
{
    bool given = options->policy, runs = doctor_host(stdout);
    fflush(stdout);
    if (!given && !(options->policy = some_policy())) {
        say(stderr, "sbxrun: cannot write a policy to /tmp, to try it: %s", strerror(errno));
        return STATUS_NOT_SET_UP;
    }
    struct native *begun = options->driver->begin(compilation->arena, shared, false, TERMINAL_NEVER);
    struct policy *policy = NULL;
    struct plan *plan = load_plan(compilation, options, options->report, &policy);
    if (!given)
        unlink(options->policy);
    if (plan) {
        struct probes *probes = NEW(plan->arena, struct probes);
        struct run *run = run_new(plan, policy, NULL, options, started);
        struct outcome outcome = {.ended = ENDED_NOT_SET_UP};
        struct failure failure = {0};
        *probes = (struct probes){.list = NEW_ARRAY(plan->arena, struct probe, 2), .count = 2};
        probes->list[0] =
            (struct probe){.point = {.domain = DOMAIN_FILES, .verb = VERB_READ, .path = STR("/dev/null")}};
        probes->list[1] = (struct probe){.point = {.domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = SYS_getppid}};
        run->probes = probes;
        if (claim_plan(plan, options->strict, run->claims, &failure) == 0)
            options->driver->run(begun, run, &outcome, &failure);
        for (size_t i = 0; outcome.ended == ENDED_EXITED && i < probes->count; i++)
            if (probes->list[i].result == PROBE_UNCLEAR)
                fail(&failure, NO_RULE, 0, "%s", probes->list[i].note);
        runs &= doctor_policy(stdout, given ? plan : NULL, run, &failure);
    }
    options->driver->end(begun);
    return plan && runs ? 0 : STATUS_NOT_SET_UP;
}
