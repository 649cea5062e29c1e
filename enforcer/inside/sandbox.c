// The inside: the first process of the sandbox, and the command's until its exec.
#include "enforcer/inside/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/code/cbpf.h"
#include "enforcer/view/differs.h"
#include "enforcer/host/caller.h"
#include "enforcer/host/clock.h"
#include "enforcer/host/handover.h"
#include "enforcer/host/own_files.h"
#include "enforcer/host/host.h"
#include "enforcer/inside/landlock.h"
#include "enforcer/inside/lock_in.h"
#include "enforcer/host/scoped.h"

static _Noreturn void give_up(struct sandbox *sandbox)
{
    sandbox->board.failed = true;
    _exit(125);
}

// ---- the command --------------------------------------------------------------------------------------------------

static const char *variable(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

// Finds the command as execvp(3) would, while this process may still look. The result is `name` itself or in `path`.
static const char *find_command(const char *name, char *const *environment, char path[4096])
{
    if (strchr(name, '/'))
        return name;
    const char *folders = variable(environment, "PATH");
    for (const char *at = folders ? folders : ""; *at;) {
        size_t span = strcspn(at, ":");
        struct stat status;
        if (span && snprintf(path, 4096, "%.*s/%s", (int)span, at, name) < 4096 && stat(path, &status) == 0 &&
            S_ISREG(status.st_mode) && status.st_mode & 0111)
            return path;
        at += span + (at[span] == ':');
    }
    return NULL;
}

static int enter_folder(const struct plan *plan, struct failure *failure)
{
    const char *cwd = plan->cwd.length ? plan->cwd.text : "/";
    char real[4096];
    if (chdir(cwd) != 0)
        return fail_with_advice(failure, NO_RULE, errno, "`cwd` names a folder that the policy's fs rules show",
                                "cannot start in %s", cwd);
    if (syscall(SYS_getcwd, real, sizeof real) < 0 ||
        real[0] != '/') // "(unreachable)" when it lies outside of the root
        return fail_with_advice(failure, NO_RULE, 0, "`cwd` names a folder that the policy's fs rules show",
                                "%s leads out of the view", cwd);
    return 0;
}

// Loads the filter that asks the supervisor. Where nothing but telling depends on it, the plan's own does as well:
// under another filter with a listener there can be no second one (seccomp(2)).
static int load_asking(struct sandbox *sandbox, struct failure *failure)
{
    struct board *board = &sandbox->board;
    unsigned long patient = sandbox->asks_patiently ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0, // Linux 5.19
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    board->listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | patient, &sandbox->asking);
    if (board->listener < 0 && errno == EINVAL && patient)
        board->listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &sandbox->asking);
    if (board->listener >= 0)
        return 0;
    board->untold = errno;
    if (sandbox->must_ask)
        return fail(failure, NO_RULE, errno, "cannot load the filter of system calls with a listener");
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &sandbox->filter) == 0
               ? 0
               : fail(failure, NO_RULE, errno, "cannot load the filter of system calls");
}

// A command that may use keys has a session keyring of its own: in its caller's are the keys of the user's sessions
// (session-keyring(7)).
static int leave_keyring(const struct plan *plan, struct failure *failure)
{
    static const uint32_t calls[] = {SYS_keyctl, SYS_request_key, SYS_add_key};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        uint32_t words[SECCOMP_WORDS];
        cbpf_words(words, arch_audit[ARCH_HERE], calls[i], NULL);
        if (cbpf_run(&plan->filters[ARCH_HERE], words, NULL) != SECCOMP_ALLOW &&
            !cbpf_arguments_asked(&plan->filters[ARCH_HERE], words))
            continue; // whatever its arguments are
        bool left =
            syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS; // a kernel that has no keys
        return left ? 0 : fail(failure, NO_RULE, errno, "cannot give the command a keyring of its own");
    }
    return 0;
}

static _Noreturn void refuse(struct sandbox *sandbox)
{
    sandbox->board.refused = true;
    give_up(sandbox);
}

// Puts what the command is given where it finds it: in the place of standard descriptors and after. What this process
// still needs moves out of the way.
static int take_given(struct sandbox *sandbox, int *ruleset, struct failure *failure)
{
    enum { AWAY = GIVEN_MOST };
    int high[GIVEN_MOST];
    bool taken = sandbox->given_count <= GIVEN_MOST &&
                 (sandbox->lifeline = fcntl(sandbox->lifeline, F_DUPFD_CLOEXEC, AWAY)) >= 0 &&
                 (*ruleset < 0 || (*ruleset = fcntl(*ruleset, F_DUPFD_CLOEXEC, AWAY)) >= 0);
    for (int i = 0; i < sandbox->given_count && taken; i++)
        taken = (high[i] = fcntl(sandbox->given[i], F_DUPFD_CLOEXEC, AWAY)) >= 0;
    for (int i = 0; i < sandbox->given_count && taken; i++)
        taken = dup2(high[i], i) == i;
    return taken ? 0 : fail(failure, NO_RULE, errno, "cannot give the command its descriptors");
}

static _Noreturn void run_command(struct sandbox *sandbox, int ruleset)
{
    struct board *board = &sandbox->board;
    char path[4096];
    if (setsid() < 0) { // no controlling terminal: nothing can be typed into the caller's
        fail(&board->failure, NO_RULE, errno, "cannot give the command a session of its own");
        refuse(sandbox);
    }
    if (terminal_control(&sandbox->terminal, &board->failure) || leave_keyring(sandbox->plan, &board->failure))
        refuse(sandbox);
    for (int i = 0; i < 2; i++)
        if (sandbox->piped[i + 1] && dup2(sandbox->output[i], i + 1) < 0) {
            fail(&board->failure, NO_RULE, errno, "cannot connect the command's output");
            refuse(sandbox);
        }
    if (sandbox->piped[STDIN_FILENO] && dup2(sandbox->input, STDIN_FILENO) < 0) {
        fail(&board->failure, NO_RULE, errno, "cannot connect the command's input");
        refuse(sandbox);
    }
    if (enter_folder(sandbox->plan, &board->failure))
        refuse(sandbox);
    if (sandbox->probes)
        probe_all(sandbox, ruleset);
    const char *command = find_command(sandbox->argv[0], sandbox->environment, path);
    if (!command) {
        board->exec_error = ENOENT;
        _exit(127);
    }
    if (sigprocmask(SIG_SETMASK, &sandbox->caller_mask, NULL) != 0) {
        fail(&board->failure, NO_RULE, errno, "cannot give the command its signals");
        refuse(sandbox);
    }
    caller_give();
    board->ready = clock_now();
    if (sandbox->given && take_given(sandbox, &ruleset, &board->failure))
        refuse(sandbox);
    bool asks = sandbox->asking.len;
    if (sandbox_lock_in(sandbox, ruleset, !asks, &board->failure) || (asks && load_asking(sandbox, &board->failure)))
        refuse(sandbox);
    execve(command, sandbox->argv, sandbox->environment);
    board->exec_error = errno;
    _exit(126);
}

struct beginning {
    struct sandbox *sandbox;
    int ruleset;
};

static int begin_command(void *context)
{
    const struct beginning *beginning = context;
    run_command(beginning->sandbox, beginning->ruleset);
}

// Starts the command's process, which shares this one's memory until its exec, for which this one waits: a copy would
// cost more than all that it does until then. Where the filter has a listener it shares the descriptors as well, so
// that the listener can be handed over: of the calls that it takes the command can't make one, and after its exec it
// has no such descriptor. What probes executes nothing, and is a process like any other. Returns its number; -1 and
// errno.
static pid_t start_command(struct sandbox *sandbox, int ruleset)
{
    static char stack[64 * 1024] __attribute__((aligned(16)));
    int shares = (sandbox->probes ? 0 : CLONE_VM | CLONE_VFORK) | (sandbox->asking.len ? CLONE_FILES : 0);
    return clone(begin_command, stack + sizeof stack, shares | SIGCHLD, &(struct beginning){sandbox, ruleset});
}

// ---- init ---------------------------------------------------------------------------------------------------------

enum { GROUP = 1 }; // sigval of a signal that is for the command's whole group

int sandbox_signal(int init, int signal, bool group)
{
    siginfo_t info = {.si_signo = signal, .si_code = SI_QUEUE};
    info.si_value.sival_int = group ? GROUP : 0;
    return (int)syscall(SYS_pidfd_send_signal, init, signal, &info, 0);
}

// What the places of a limited size hold: the kernel keeps no peak of that. What the command has put there in the place
// of one is not looked at. Returns how many there are.
static size_t measure_disks(const struct sandbox *sandbox, bool ended)
{
    const struct plan *plan = sandbox->plan;
    size_t count = 0;
    for (size_t i = 0; i < plan->view_count; i++) {
        struct disk_use *use = &sandbox->disks[i];
        struct statfs disk;
        struct stat status;
        char path[4096];
        if (!plan->view[i].size ||
            snprintf(path, sizeof path, "%.*s", STR_ARGS(plan->view[i].path)) >= (int)sizeof path)
            continue;
        count++;
        closing_fd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) != 0 || fstatfs(fd, &disk) != 0)
            continue;
        if (use->device == DISK_UNKNOWN)
            use->device = status.st_dev;
        if (use->device != status.st_dev)
            continue;
        uint64_t used = (uint64_t)(disk.f_blocks - disk.f_bfree) * (uint64_t)disk.f_bsize;
        use->peak = use->peak == DISK_UNKNOWN || use->peak < used ? used : use->peak;
        use->used = ended ? used : DISK_UNKNOWN;
    }
    return count;
}

// A signal from outside. A stop is not left to the command's own choice: it has no terminal whose stop it would obey.
// Who is stopped learns of an end only when it goes on.
static void deliver(pid_t whom, int signal)
{
    kill(whom, signal == SIGTSTP ? SIGSTOP : signal);
    if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT)
        kill(whom, SIGCONT);
}

// Reaps, passes on what the supervisor sends, and ends with the command: the kernel then kills whatever is left in the
// pid namespace.
static _Noreturn void reap(struct sandbox *sandbox, pid_t command, bool disks)
{
    enum { SECOND = 1000000000, TENTH = SECOND / 10 };
    uint64_t lifetime = sandbox->bounds->lifetime, end = UINT64_MAX, next = disks ? 0 : UINT64_MAX;
    if (lifetime && lifetime < INT32_MAX)
        end = clock_now() + lifetime * (SECOND / 1000);
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        uint64_t now = clock_now(), first = next < end ? next : end;
        uint64_t left = first > now ? first - now : 0;
        struct timespec wait = {(time_t)(left / SECOND), (long)(left % SECOND)};
        siginfo_t info;
        int got = sigtimedwait(&all, &info, first == UINT64_MAX ? NULL : &wait);
        now = clock_now(); // however many signals come
        if (now >= end) {  // the supervisor would have ended it: it is stopped
            sandbox->board.lifetime_over = true;
            _exit(0);
        }
        if (now >= next) {
            measure_disks(sandbox, false);
            next = now + TENTH;
        }
        if (got < 0)
            continue;
        if (info.si_signo != SIGCHLD) {
            if (info.si_pid == 0)
                deliver(info.si_value.sival_int == GROUP ? -command : command, info.si_signo);
            continue;
        }
        int status;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
            if (pid == command) {
                measure_disks(sandbox, true);
                sandbox->board.command_status = status;
                sandbox->board.command_ended = true;
                _exit(0);
            }
    }
}

// A socket at which names are asked for; -1 and errno.
static int name_socket(net_address address, int type)
{
    struct sockaddr_storage place;
    socklen_t length = address_place(address, NAMES_PORT, &place);
    closing_fd int fd = socket(place.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 || bind(fd, (struct sockaddr *)&place, length) != 0 || (type == SOCK_STREAM && listen(fd, 64) != 0)
               ? -1
               : take_fd(fd);
}

// The mount that was made for a place.
static int made_for(const void *context, size_t place)
{
    const struct view *view = context;
    return view->places[place].skipped ? -1 : view->places[place].tree;
}

// What the broker works on: the view, for the paths of unix sockets, the namespaces in which they are bound, which
// files are the sandbox's own, and the sockets at which names are asked for.
static int hand_over_root(struct sandbox *sandbox, const int namespaces[2], struct failure *failure)
{
    const struct resolvers *resolvers = &sandbox->loopback->resolvers;
    int fds[4 + 2 * RESOLVERS_MOST] = {open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), namespaces[0], namespaces[1],
                                       own_files_tell(sandbox->plan, made_for, sandbox->view)},
        count = 4;
    if (fds[0] < 0 || fds[3] < 0)
        return fail(failure, NO_RULE, errno, "cannot open the root of the view");
    for (size_t i = 0; i < resolvers->count; i++)
        for (int kind = 0; kind < 2; kind++) {
            int fd = name_socket(resolvers->list[i], kind ? SOCK_STREAM : SOCK_DGRAM);
            if (fd >= 0)
                fds[count++] = fd;
            else if (i == 0)
                return fail(failure, NO_RULE, errno, "cannot answer for names inside the sandbox");
        }
    int sent = handover_send(sandbox->lifeline, HANDED_ROOT, fds, count), error = errno;
    while (count)
        close(fds[--count]);
    return sent == 0 ? 0 : fail(failure, NO_RULE, error, "cannot hand over the root of the view");
}

static int hand_over_network(struct sandbox *sandbox, struct failure *failure)
{
    closing_fd int user = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC),
                   network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const int fds[] = {user, network};
    return user < 0 || network < 0 || handover_send(sandbox->lifeline, HANDED_NETWORK, fds, 2) != 0
               ? fail(failure, NO_RULE, errno, "cannot hand over the sandbox's network")
               : 0;
}

static int set_up(struct sandbox *sandbox, int *ruleset, struct failure *failure)
{
    char go;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return fail(failure, NO_RULE, errno, "cannot have the sandbox die with sbxrun");
    if (unshare(SANDBOX_NAMESPACES) != 0)
        return fail_for_namespaces(failure, errno, "cannot make the sandbox's namespaces");
    if (read(sandbox->lifeline, &go, 1) != 1)
        _exit(125); // the supervisor is gone, or has no use for a sandbox
    sched_setaffinity(0, sizeof sandbox->processors, &sandbox->processors);
    if (!sandbox->identity->as_root && identity_map_self(sandbox->identity, failure))
        return -1;
    if (identity_become(sandbox->identity, failure))
        return -1;
    struct pollfd lifeline = {.fd = sandbox->lifeline, .events = POLLIN};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) // changing users forgets it
        return fail(failure, NO_RULE, errno, "cannot have the sandbox die with sbxrun");
    if (poll(&lifeline, 1, 0) != 0)
        _exit(125);
    if (unshare(CLONE_NEWCGROUP) != 0) // only now: its root is the group in which this process is
        return fail(failure, NO_RULE, errno, "cannot make a cgroup namespace");
    if (sethostname("sbx", 3) != 0)
        return fail(failure, NO_RULE, errno, "cannot name the sandbox");
    int namespaces[2] = {-1, -1}; // while there is a /proc to open them by
    if (sandbox->hands_network && hand_over_network(sandbox, failure))
        return -1;
    if (sandbox->plan->broker && ((namespaces[0] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)) < 0 ||
                                  (namespaces[1] = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)) < 0))
        return fail(failure, NO_RULE, errno, "cannot open the sandbox's namespaces");
    umask(0);
    if (sandbox->user_counts)
        user_counts_apply(sandbox->user_counts);
    if (loopback_apply(sandbox->loopback, failure) ||
        (sandbox->opens_view && view_open(sandbox->view, NULL, failure)) ||
        view_enter(sandbox->view, failure) || terminal_make(&sandbox->terminal, sandbox->plan, failure))
        return -1;
    if (sandbox->plan->broker && hand_over_root(sandbox, namespaces, failure))
        return -1;
    if (sandbox->changes >= 0 && differs_send(sandbox->view, sandbox->changes, failure))
        return -1;
    *ruleset = -1;
    if (sandbox->landlock &&
        (*ruleset = landlock_make(sandbox->view, sandbox->loopback, !sandbox->given, sandbox->marks, sandbox->handed,
                                  failure)) < 0)
        return -1;
    return 0;
}

void sandbox_main(struct sandbox *sandbox)
{
    struct failure *failure = &sandbox->board.failure;
    int ruleset = -1;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    if (set_up(sandbox, &ruleset, failure) || identity_bound(sandbox->identity, failure))
        give_up(sandbox);
    if (prctl(PR_SET_DUMPABLE, 0) != 0) { // neither traced nor seen in /proc by what runs inside
        fail(failure, NO_RULE, errno, "cannot hide the sandbox's first process");
        give_up(sandbox);
    }
    if (sandbox->given)
        run_command(sandbox, ruleset);
    bool disks = measure_disks(sandbox, false) > 0;
    pid_t command = start_command(sandbox, ruleset);
    if (command < 0) {
        fail(failure, NO_RULE, errno, "cannot start the command's process");
        give_up(sandbox);
    }
    sandbox->board.started = true;
    if (sandbox->board.listener >= 0 &&
        handover_send(sandbox->lifeline, HANDED_LISTENER, &sandbox->board.listener, 1) != 0) {
        fail(failure, NO_RULE, errno, "cannot hand over the calls that the supervisor answers");
        give_up(sandbox);
    }
    close_range(0, ~0U, 0);
    if (identity_keep_apart(sandbox->identity, failure))
        give_up(sandbox);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        fail(failure, NO_RULE, errno, "cannot have the sandbox's first process give up new privileges");
        give_up(sandbox);
    }
    reap(sandbox, command, disks);
}
