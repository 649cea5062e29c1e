// The broker's unix sockets (unix(7)): those that lie in the view, by the path that they are found at.
//
// A path is followed once, in the view's own root, to a descriptor. The rule is asked about where that descriptor lies,
// and the call is made on the descriptor. Whoever is at the other end sees the command's user, not sbxrun's.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "compiler/network/net_rules.h"
#include "compiler/sets/path_set.h"
#include "enforcer/network/broker_calls.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"

enum { BOUND_MOST = 1000 };

struct bound { // a socket that the broker bound
    uint64_t cookie;
    struct bound *next;
    char path[];
};

// ---- paths --------------------------------------------------------------------------------------------------------

// Where a descriptor lies, seen from the view's root.
static int path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n <= 0 || path[0] != '/')
        return EACCES;
    path[n] = '\0';
    return 0;
}

// The caller's path, from the view's root. Abstract addresses have none: no rule can name them.
static int whole_path(struct brokered *call, const struct destination *to, char path[PATH_MAX])
{
    const struct sockaddr_un *address = (const void *)&to->address;
    size_t most =
        to->length > offsetof(struct sockaddr_un, sun_path) ? to->length - offsetof(struct sockaddr_un, sun_path) : 0;
    size_t length = strnlen(address->sun_path, most);
    if (!length)
        return EACCES;
    char folder[PATH_MAX] = "", link[64];
    if (address->sun_path[0] != '/') {
        snprintf(link, sizeof link, "/proc/%d/cwd", call->notified.caller.thread);
        ssize_t n = readlink(link, folder, sizeof folder - 1);
        if (n <= 0 || folder[0] != '/' || !notified_waits(&call->notified))
            return EACCES;
        folder[n] = '\0';
    }
    return snprintf(path, PATH_MAX, "%s/%.*s", folder, (int)length, address->sun_path) < PATH_MAX ? 0 : ENAMETOOLONG;
}

static int open_inside(struct brokered *call, const char *path, uint64_t flags)
{
    if (call->broker->root < 0)
        return -1;
    return sys_openat2(call->broker->root, path, O_PATH | flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static bool decide(struct brokered *call, unsigned verb, const struct destination *to, const char *path)
{
    struct net_point point = {.verb = verb, .protocol = PROTOCOL_UNIX, .place = NET_UNIX, .name = str_from(path)};
    struct decision decision = {.name = point.name};
    bool allowed = network_allows(call->broker->settings.plan, &point, &decision.rule);
    (allowed ? broker_allowed : broker_denied)(call->broker, verb, PROTOCOL_UNIX, to, &decision);
    return allowed;
}

int unix_reach(struct brokered *call, struct destination *to, int *place)
{
    char path[PATH_MAX];
    struct stat status;
    *place = -1;
    if (to->address.ss_family != AF_UNIX || call->kind.domain != AF_UNIX)
        return EINVAL;
    int error = whole_path(call, to, path);
    if (error)
        return error;
    closing_fd int found = open_inside(call, path, 0);
    if (found < 0)
        return errno;
    if ((error = path_of(found, path)))
        return error;
    if (!decide(call, VERB_CONNECT, to, path))
        return EACCES;
    if (fstat(found, &status) != 0 || !S_ISSOCK(status.st_mode))
        return ECONNREFUSED;
    struct sockaddr_un *address = (void *)&to->address;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    to->length = (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
                 (socklen_t)snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d", found);
    *place = take_fd(found);
    return 0;
}

// ---- the calls ----------------------------------------------------------------------------------------------------

static void woken(int signal)
{
    (void)signal;
}

// Where another sleeper is written down. NULL: there are as many as there may be.
static pid_t *free_sleeper(struct broker *broker)
{
    for (int i = 0; i < SLEEPERS_MOST; i++)
        if (!broker->sleepers[i] || waitpid(broker->sleepers[i], NULL, __WALL | WNOHANG) != 0)
            return &broker->sleepers[i];
    return NULL;
}

// A server that takes no more callers can only be waited for by a process that sleeps: one of its own does, and
// answers.
static void connect_elsewhere(struct brokered *call, const struct destination *to, int flags)
{
    struct broker *broker = call->broker;
    pid_t parent = getpid(), *sleeper = free_sleeper(broker);
    if (!sleeper) {
        notified_answer(&call->notified, ENOBUFS, 0);
        return;
    }
    long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL); // ends without a signal to sbxrun
    if (pid == 0) {
        struct itimerval look = {{0, 200000}, {0, 200000}}; // whether its caller still waits
        struct sigaction quietly = {.sa_handler = woken};
        sigset_t alarms;
        sigemptyset(&alarms);
        sigaddset(&alarms, SIGALRM);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigaction(SIGALRM, &quietly, NULL);
        sigprocmask(SIG_UNBLOCK, &alarms, NULL);
        setitimer(ITIMER_REAL, &look, NULL);
        fcntl(call->held, F_SETFL, flags);
        int error = outside_for_good() == 0 ? EINTR : EACCES;
        while (error == EINTR && getppid() == parent && notified_waits(&call->notified))
            error = connect(call->held, (const struct sockaddr *)&to->address, to->length) == 0 ? 0 : errno;
        if (error != EINTR)
            notified_answer(&call->notified, error, 0);
        _exit(0);
    }
    *sleeper = pid > 0 ? (pid_t)pid : 0;
    if (pid < 0)
        notified_answer(&call->notified, ENOBUFS, 0);
}

void unix_connect(struct brokered *call, struct destination *to)
{
    closing_fd int place = -1;
    int error;
    if (to->address.ss_family == AF_UNSPEC && call->kind.domain == AF_UNIX &&
        call->kind.type == SOCK_DGRAM) { // forgets its peer
        error = broker_connect(call->held, (struct sockaddr *)&to->address, to->length);
    } else if ((error = unix_reach(call, to, &place)) == 0) {
        int flags = fcntl(call->held, F_GETFL);
        fcntl(call->held, F_SETFL, flags | O_NONBLOCK);
        error = broker_connect(call->held, (struct sockaddr *)&to->address, to->length);
        if ((error == EAGAIN || error == EINPROGRESS) && call->kind.blocking) {
            connect_elsewhere(call, to, flags);
            return;
        }
        fcntl(call->held, F_SETFL, flags);
    }
    notified_answer(&call->notified, error, 0);
}

// Where a socket is bound is asked again when it is to listen. Of more than there is room for, the oldest is forgotten.
static bool remember(struct brokered *call, const char *path)
{
    size_t size = strlen(path) + 1, count = 1;
    struct bound **last = &call->broker->bound, *bound = malloc(sizeof *bound + size);
    if (!bound)
        return false;
    for (; *last && count < BOUND_MOST; count++)
        last = &(*last)->next;
    free(*last);
    *last = NULL;
    *bound = (struct bound){socket_cookie(call->held), call->broker->bound};
    memcpy(bound->path, path, size);
    call->broker->bound = bound;
    return true;
}

void unix_end(struct broker *broker)
{
    for (struct bound *bound = broker->bound, *next; bound; bound = next) {
        next = bound->next;
        free(bound);
    }
}

static mode_t umask_of(const struct notified *call)
{
    long mask = notified_status(call->caller.thread, "Umask", 8);
    return mask >= 0 ? (mode_t)mask : 077;
}

void unix_bind(struct brokered *call, struct destination *to)
{
    char path[PATH_MAX], folder[PATH_MAX];
    int error = to->address.ss_family != AF_UNIX || call->kind.domain != AF_UNIX ? EINVAL : whole_path(call, to, path);
    const char *name = error ? NULL : strrchr(path, '/') + 1;
    if (!error && (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
        error = EADDRINUSE; // a folder
    if (error) {
        notified_answer(&call->notified, error, 0);
        return;
    }
    snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path);
    closing_fd int at = open_inside(call, folder, O_DIRECTORY), here = open(".", O_PATH | O_CLOEXEC);
    char whole[PATH_MAX + NAME_MAX + 2];
    if (at < 0) {
        error = errno;
    } else if (!(error = path_of(at, folder))) {
        snprintf(whole, sizeof whole, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
        if (!(plan_verbs(call->broker->settings.plan, str_from(whole)) & VERB_CREATE) ||
            !decide(call, VERB_BIND, to, whole))
            error = EACCES;
        else if (fchdir(at) != 0)
            error = errno;
    }
    if (!error) { // by its name alone: nothing else of its address is followed again
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        socklen_t length = (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
                           (socklen_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
        mode_t own = umask(umask_of(&call->notified));
        error = bind(call->held, (struct sockaddr *)&address, length) == 0 ? 0 : errno;
        umask(own);
        if (!error && !remember(call, whole))
            error = ENOBUFS;
    }
    if (here >= 0 && fchdir(here) != 0)
        abort();
    notified_answer(&call->notified, error, 0);
}

void unix_listen(struct brokered *call)
{
    int error = EACCES; // an abstract address, or none
    uint64_t cookie = socket_cookie(call->held);
    for (const struct bound *bound = call->broker->bound; bound; bound = bound->next)
        if (bound->cookie == cookie) {
            struct destination at = {.address.ss_family = AF_UNIX};
            error = !decide(call, VERB_LISTEN, &at, bound->path)                ? EACCES
                    : listen(call->held, (int)call->notified.arguments[1]) == 0 ? 0
                                                                                : errno;
            break;
        }
    notified_answer(&call->notified, error, 0);
}
