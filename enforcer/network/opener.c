// The opener.
#include "enforcer/network/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "enforcer/host/outside.h"
#include "enforcer/host/resolvers.h"
#include "enforcer/host/scoped.h"
#include "enforcer/limits/cgroup.h"
#include "enforcer/network/names_wire.h"

// A socket to a resolver, connected or about to be; -1.
static int open_socket(net_address server, int type)
{
    struct sockaddr_storage place;
    socklen_t length = address_place(server, NAMES_PORT, &place);
    closing_fd int fd = socket(place.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 || (connect(fd, (struct sockaddr *)&place, length) != 0 && errno != EINPROGRESS) ? -1 : take_fd(fd);
}

static int open_asked(const struct names_request *request, const struct servers *servers)
{
    switch (request->open) {
    case NAMES_OPEN_HOSTS: return open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    case NAMES_OPEN_UDP:
    case NAMES_OPEN_TCP:
        return request->server < servers->count
                   ? open_socket(servers->list[request->server],
                                 request->open == NAMES_OPEN_TCP ? SOCK_STREAM : SOCK_DGRAM)
                   : -1;
    default: return -1;
    }
}

static _Noreturn void serve(int socket)
{
    struct names_request request;
    for (ssize_t n; (n = recv(socket, &request, sizeof request, 0)) != 0;) {
        struct servers servers;
        if (n < 0 && errno == EINTR)
            continue;
        if (n != sizeof request)
            break;
        servers_read(&servers);
        closing_fd int fd = open_asked(&request, &servers);
        struct names_opened opened = {fd >= 0, (uint8_t)servers.count, (uint8_t)servers.attempts, servers.timeout_ms};
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(sizeof fd)];
        } control = {.header = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
        *(int *)CMSG_DATA(&control.header) = fd;
        struct iovec data = {&opened, sizeof opened};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = fd >= 0 ? &control : NULL,
                                 .msg_controllen = fd >= 0 ? sizeof control : 0};
        if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
            break;
    }
    _exit(0);
}

static _Noreturn void become_opener(uid_t user, gid_t group, int socket, pid_t parent)
{
    if (dup2(socket, 0) != 0 || close_range(1, ~0U, 0) != 0)
        _exit(1);
    if (geteuid() == 0 && user != 0 &&
        (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0))
        _exit(1);
    if (outside_for_good() != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    serve(0);
}

pid_t opener_start(uid_t user, gid_t group, int control_group, int *end)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        if (control_group > 0 && cgroup_join(control_group, 0) != 0)
            _exit(1);
        become_opener(user, group, ends[1], parent);
    }
    close(ends[1]);
    *end = ends[0];
    if (pid < 0)
        close(ends[0]);
    return pid;
}
