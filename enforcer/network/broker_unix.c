// The broker's unix sockets (unix(7)): those that lie in the view, by the path that they are found at, and the
// sandbox's own.
//
// A path is followed once, in the view's own root, to a descriptor. The rule is asked about where that descriptor lies,
// and the call is made on the descriptor. Whoever is at the other end sees the command's user, not sbxrun's.
//
// What lies in a file system that was made for the run was made by the sandbox, and an abstract address is one of its
// socket's network: where that is the sandbox's own, none of the host's is in reach, whatever changes meanwhile.
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

#include "compiler/network/net_rules.h"
#include "compiler/sets/path_set.h"
#include "enforcer/network/broker_calls.h"
#include "enforcer/network/named_bind.h"
#include "enforcer/host/clock.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/host/work.h"

enum { BOUND_MOST = 1000 };

struct bound { // a socket that the broker bound
    uint64_t cookie;
    struct bound *next;
    bool own;
    char path[]; // empty: an abstract address
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

// An abstract address, or none, for which bind chooses an abstract one.
static bool is_abstract(const struct destination *to)
{
    return to->address.ss_family == AF_UNIX && (to->length <= offsetof(struct sockaddr_un, sun_path) ||
                                                !((const struct sockaddr_un *)&to->address)->sun_path[0]);
}

// The caller's path, from the view's root.
static int whole_path(struct brokered *call, const struct destination *to, char path[PATH_MAX])
{
    const struct sockaddr_un *address = (const void *)&to->address;
    size_t most =
        to->length > offsetof(struct sockaddr_un, sun_path) ? to->length - offsetof(struct sockaddr_un, sun_path) : 0;
    size_t length = strnlen(address->sun_path, most);
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

// A socket of the sandbox's own may be named as that, or by its path where it has one: either rule allows it, and a
// deny of either holds. What none allows is told as the sandbox's own.
static bool decide(struct brokered *call, unsigned verb, const struct destination *to, const char *path, bool own)
{
    struct str names[2] = {str_from(path)};
    size_t count = *path ? 1 : 0;
    if (own)
        names[count++] = NET_OWN_UNIX;
    struct decision decision = {.rule = NO_RULE};
    bool allowed = false;
    for (size_t i = 0; i < count; i++) {
        struct net_point point = {.verb = verb, .protocol = PROTOCOL_UNIX, .place = NET_UNIX, .name = names[i]};
        struct decision by = {.name = names[i]};
        bool may = network_allows(call->broker->settings.plan, &point, &by.rule), denied = !may && by.rule != NO_RULE;
        if (denied || !allowed)
            decision = by;
        allowed = !denied && (allowed || may);
        if (denied)
            break;
    }
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
    if (is_abstract(to))
        return call->kind.inside && decide(call, VERB_CONNECT, to, "", true) ? 0 : EACCES;
    int error = whole_path(call, to, path);
    if (error)
        return error;
    closing_fd int found = open_inside(call, path, 0);
    if (found < 0)
        return errno;
    if ((error = path_of(found, path)))
        return error;
    if (!decide(call, VERB_CONNECT, to, path, own_files_hold(call->broker->own, found)))
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
        if (!broker->sleepers[i] || work_wait(broker->sleepers[i], NULL, WNOHANG) != 0)
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
        uint64_t patience = broker_send_timeout(call->held), end = patience ? clock_now() + patience : UINT64_MAX;
        int error = outside_for_good() == 0 ? EINTR : EACCES;
        while (error == EINTR && getppid() == parent && notified_waits(&call->notified)) {
            error = connect(call->held, (const struct sockaddr *)&to->address, to->length) == 0 ? 0 : errno;
            if (error == EINTR && clock_now() >= end)
                error = EAGAIN; // each look has begun the socket's time anew
        }
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
static bool remember(struct brokered *call, const char *path, bool own)
{
    size_t size = strlen(path) + 1, count = 1;
    struct bound **last = &call->broker->bound, *bound = malloc(sizeof *bound + size);
    if (!bound)
        return false;
    for (; *last && count < BOUND_MOST; count++)
        last = &(*last)->next;
    free(*last);
    *last = NULL;
    *bound = (struct bound){socket_cookie(call->held), call->broker->bound, own};
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

static int bind_abstract(struct brokered *call, const struct destination *to)
{
    if (call->kind.domain != AF_UNIX)
        return EINVAL;
    if (!call->kind.inside || !decide(call, VERB_BIND, to, "", true))
        return EACCES;
    if (bind(call->held, (const struct sockaddr *)&to->address, to->length) != 0)
        return errno;
    return remember(call, "", true) ? 0 : ENOBUFS;
}

// Does a text go back (".."), and so perhaps through what lies in the folder?
static bool goes_back(const char *text, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++)
        if (text[i] == '.' && text[i + 1] == '.' && (i == 0 || text[i - 1] == '/') &&
            (i + 2 == length || text[i + 2] == '/'))
            return true;
    return false;
}

// Binds it in the folder that is held, in which its name alone is looked for. 0, or an errno.
static int bind_in(struct brokered *call, int folder, const char *name, const struct destination *to, mode_t mask)
{
    const struct broker *broker = call->broker;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = to->length;
    if (length > sizeof address || length < offsetof(struct sockaddr_un, sun_path))
        return EINVAL;
    memcpy(&address, &to->address, length);
    size_t text = strnlen(address.sun_path, length - offsetof(struct sockaddr_un, sun_path));
    if (memchr(address.sun_path, '/', text) && !goes_back(address.sun_path, text))
        return named_bind(broker->outside, broker->namespaces[0], broker->namespaces[1], folder, call->held, &address,
                          length, mask);
    if (strlen(name) >= sizeof address.sun_path)
        return ENAMETOOLONG;
    strcpy(address.sun_path, name);
    length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
    closing_fd int here = open(".", O_PATH | O_CLOEXEC);
    if (here < 0 || fchdir(folder) != 0)
        return errno;
    mode_t own = umask(mask);
    int error = bind(call->held, (const struct sockaddr *)&address, length) == 0 ? 0 : errno;
    umask(own);
    if (fchdir(here) != 0)
        abort();
    return error;
}

void unix_bind(struct brokered *call, struct destination *to)
{
    char path[PATH_MAX], folder[PATH_MAX];
    if (is_abstract(to)) {
        notified_answer(&call->notified, bind_abstract(call, to), 0);
        return;
    }
    int error = to->address.ss_family != AF_UNIX || call->kind.domain != AF_UNIX ? EINVAL : whole_path(call, to, path);
    const char *name = error ? NULL : strrchr(path, '/') + 1;
    if (!error && (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
        error = EADDRINUSE; // a folder
    if (error) {
        notified_answer(&call->notified, error, 0);
        return;
    }
    snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path);
    closing_fd int at = open_inside(call, folder, O_DIRECTORY);
    char whole[PATH_MAX + NAME_MAX + 2];
    bool own = at >= 0 && own_files_hold(call->broker->own, at);
    if (at < 0) {
        error = errno;
    } else if (!(error = path_of(at, folder))) {
        snprintf(whole, sizeof whole, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
        if (!(plan_verbs(call->broker->settings.plan, str_from(whole)) & VERB_CREATE) ||
            !decide(call, VERB_BIND, to, whole, own))
            error = EACCES;
    }
    if (!error) { // nothing else of its address is followed again
        mode_t mask = umask_of(&call->notified);
        error = bind_in(call, at, name, to, mask);
        if (!error && !remember(call, whole, own))
            error = ENOBUFS;
    }
    notified_answer(&call->notified, error, 0);
}

void unix_listen(struct brokered *call)
{
    int error = EACCES; // it is bound nowhere
    uint64_t cookie = socket_cookie(call->held);
    for (const struct bound *bound = call->broker->bound; bound; bound = bound->next)
        if (bound->cookie == cookie) {
            struct destination at = {.address.ss_family = AF_UNIX};
            error = !decide(call, VERB_LISTEN, &at, bound->path, bound->own)    ? EACCES
                    : listen(call->held, (int)call->notified.arguments[1]) == 0 ? 0
                                                                                : errno;
            break;
        }
    notified_answer(&call->notified, error, 0);
}
