// Twins of a command's sockets.
#include "enforcer/network/twin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/host/clock.h"
#include "enforcer/host/scoped.h"
#include "enforcer/host/work.h"

int socket_examine(int fd, struct socket_kind *kind)
{
    socklen_t size = sizeof kind->domain;
    uint64_t network = 0;
    static uint64_t own;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &kind->domain, &size) != 0)
        return -errno;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind->type, &size);
    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &kind->protocol, &size);
    size = sizeof network;
    if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &network, &size) != 0)
        return -errno;
    if (!own) {
        closing_fd int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (probe < 0 || getsockopt(probe, SOL_SOCKET, SO_NETNS_COOKIE, &own, &size) != 0)
            return -errno;
    }
    kind->inside = network != own;
    kind->blocking = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
    return 0;
}

unsigned socket_protocol(const struct socket_kind *kind)
{
    if (kind->domain == AF_UNIX)
        return PROTOCOL_UNIX;
    if (kind->domain != AF_INET && kind->domain != AF_INET6)
        return 0;
    return kind->type == SOCK_STREAM && kind->protocol == IPPROTO_TCP  ? PROTOCOL_TCP
           : kind->type == SOCK_DGRAM && kind->protocol == IPPROTO_UDP ? PROTOCOL_UDP
                                                                       : 0;
}

uint64_t socket_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size);
    return cookie;
}

unsigned long long socket_inode(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

// ---- making -------------------------------------------------------------------------------------------------------

// What a program may have set before it connects, and what it is when it has not: numbers that a new network namespace
// starts with.
static const struct {
    int domain, type; // 0: any
    int level, name, unset;
} options[] = {
    {0, 0, SOL_SOCKET, SO_KEEPALIVE, 0},
    {0, 0, SOL_SOCKET, SO_REUSEADDR, 0},
    {0, 0, SOL_SOCKET, SO_REUSEPORT, 0},
    {0, 0, SOL_SOCKET, SO_OOBINLINE, 0},
    {0, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 0},
    {0, 0, SOL_SOCKET, SO_RCVLOWAT, 1},
    {0, 0, SOL_SOCKET, SO_PRIORITY, 0},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, 0},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_CORK, 0},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPIDLE, 7200},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPINTVL, 75},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPCNT, 9},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_USER_TIMEOUT, 0},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_SYNCNT, 6},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0},
    {0, SOCK_STREAM, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0},
    {AF_INET, 0, IPPROTO_IP, IP_TOS, 0},
    {AF_INET, 0, IPPROTO_IP, IP_TTL, 64},
    {AF_INET, 0, IPPROTO_IP, IP_RECVERR, 0},
    {AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_PKTINFO, 0},
    {AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_RECVTOS, 0},
    {AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_RECVTTL, 0},
    {AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT},
    {AF_INET6, 0, IPPROTO_IPV6, IPV6_V6ONLY, 0},
    {AF_INET6, 0, IPPROTO_IPV6, IPV6_TCLASS, 0},
    {AF_INET6, 0, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64},
    {AF_INET6, 0, IPPROTO_IPV6, IPV6_RECVERR, 0},
    {AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVPKTINFO, 0},
    {AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVTCLASS, 0},
    {AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0},
    {AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_WANT},
    {0, SOCK_DGRAM, IPPROTO_UDP, 103, 0}, // UDP_SEGMENT
    {0, SOCK_DGRAM, IPPROTO_UDP, 104, 0}, // UDP_GRO
};

static void copy_options(int from, int to, const struct socket_kind *kind)
{
    socklen_t size;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int value = options[i].unset;
        size = sizeof value;
        if ((options[i].domain && options[i].domain != kind->domain) ||
            (options[i].type && options[i].type != kind->type))
            continue;
        if (getsockopt(from, options[i].level, options[i].name, &value, &size) == 0 && value != options[i].unset)
            setsockopt(to, options[i].level, options[i].name, &value, sizeof value);
    }
    int locked = 0; // SOCK_SNDBUF_LOCK 1, SOCK_RCVBUF_LOCK 2: it chose a size
    size = sizeof locked;
    getsockopt(from, SOL_SOCKET, SO_BUF_LOCK, &locked, &size);
    for (int side = 0; side < 2; side++) {
        int name = side ? SO_RCVBUF : SO_SNDBUF, value = 0;
        if (!(locked >> side & 1) || getsockopt(from, SOL_SOCKET, name, &value, &size) != 0)
            continue;
        value /= 2; // the kernel doubles what it is told (socket(7))
        setsockopt(to, SOL_SOCKET, name, &value, sizeof value);
    }
    static const int times[] = {SO_RCVTIMEO, SO_SNDTIMEO};
    for (int i = 0; i < 2; i++) {
        struct timeval time;
        size = sizeof time;
        if (getsockopt(from, SOL_SOCKET, times[i], &time, &size) == 0 && (time.tv_sec || time.tv_usec))
            setsockopt(to, SOL_SOCKET, times[i], &time, sizeof time);
    }
    struct linger linger;
    size = sizeof linger;
    if (getsockopt(from, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff)
        setsockopt(to, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int twin_make(const struct outside *outside, int like, const struct socket_kind *kind)
{
    (void)outside;
    int twin = socket(kind->domain, kind->type | SOCK_NONBLOCK | SOCK_CLOEXEC, kind->protocol);
    if (twin < 0)
        return -errno;
    copy_options(like, twin, kind);
    return twin;
}

// ---- placing ------------------------------------------------------------------------------------------------------

enum { LINES_MOST = 1024, NEAR = 4, SPENT_MOST = 4000000 }; // the last: nanoseconds, and one epoll instance

struct entry { // of a caller's table of descriptors (proc(5), fdinfo; `ino` since Linux 5.14)
    bool is_there, closes_on_exec, waits; // it is an epoll instance that waits for something
    int mount;
    unsigned long long inode;
};

static struct entry entry_of(struct notified *call, int fd)
{
    char text[256];
    if (notified_about(call, fd, text, sizeof text) < 0)
        return (struct entry){0};
    const char *flags = strstr(text, "flags:"), *mount = strstr(text, "mnt_id:"), *inode = strstr(text, "ino:");
    return (struct entry){.is_there = true,
                          .closes_on_exec = flags && strtoul(flags + 6, NULL, 8) & O_CLOEXEC,
                          .waits = strstr(text, "\ntfd:"),
                          .mount = mount ? atoi(mount + 7) : -1,
                          .inode = inode ? strtoull(inode + 4, NULL, 10) : 0};
}

// Which of an epoll instance's entries are for a socket; a descriptor may be registered under each of its numbers.
static size_t find_waits(struct notified *call, int instance, unsigned long long inode, struct twin_waiter *waiters,
                         size_t count)
{
    char path[32], line[256];
    snprintf(path, sizeof path, "../fdinfo/%d", instance);
    int info = openat(call->caller.table, path, O_RDONLY | O_CLOEXEC);
    FILE *file = info < 0 ? NULL : fdopen(info, "r");
    for (int lines = 0; file && lines < LINES_MOST && count < PLACES_MOST && fgets(line, sizeof line, file); lines++) {
        int at;
        unsigned events;
        unsigned long long data, found;
        if (sscanf(line, "tfd: %d events: %x data: %llx pos:%*i ino:%llx", &at, &events, &data, &found) == 4 &&
            found == inode) {
            closing_fd int theirs = notified_take(call, instance);
            int kept = theirs < 0 ? -1 : fcntl(theirs, F_DUPFD_CLOEXEC, at + 1);
            if (kept >= 0)
                waiters[count++] = (struct twin_waiter){kept, at, {.events = events, .data.u64 = data}};
        }
    }
    if (file)
        fclose(file);
    else if (info >= 0)
        close(info);
    return count;
}

// An entry is known by its number, so it is made by a process with a table of descriptors of its own, where that number
// is free.
static void wait_again(const struct twin_waiter *waiter, int twin)
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        struct epoll_event event = waiter->event;
        if (twin == waiter->at || dup3(twin, waiter->at, O_CLOEXEC) >= 0)
            epoll_ctl(waiter->instance, EPOLL_CTL_ADD, waiter->at, &event);
        _exit(0);
    }
    while (pid > 0 && work_wait(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

// Adds the caller's descriptor, if it is another of that socket, or waits for it. False: there is no such descriptor.
// The kernel tells all that an epoll instance waits for or nothing, and a program makes as many as it likes.
static bool add_place(struct notified *call, int fd, const struct entry *socket, struct twin_places *places)
{
    struct entry entry = {0};
    if (call->caller.again && fd < NOTIFIED_KEPT && !places->enough) {
        entry = entry_of(call, fd);
    } else { // then a link's text comes sooner
        char number[16], text[64] = "", own[64];
        snprintf(number, sizeof number, "%d", fd);
        snprintf(own, sizeof own, "socket:[%llu]", socket->inode);
        entry.is_there = readlinkat(call->caller.table, number, text, sizeof text - 1) > 0;
        entry.waits = strcmp(text, "anon_inode:[eventpoll]") == 0;
        bool no_links = !entry.is_there && errno == EINVAL; // as in the folder fdinfo
        if (strcmp(text, own) == 0 || (no_links && !places->enough))
            entry = entry_of(call, fd);
        entry.is_there |= no_links;
    }
    if (entry.waits && !places->enough) {
        places->waiter_count = find_waits(call, fd, socket->inode, places->waiters, places->waiter_count);
        places->enough = clock_worked() - places->since > SPENT_MOST;
    } else if (entry.inode && entry.inode == socket->inode && entry.mount == socket->mount &&
               places->count < PLACES_MOST) {
        places->of[places->count++] = (struct twin_at){fd, entry.closes_on_exec};
    }
    return entry.is_there;
}

// The same for all whose files are kept. False if the caller has others.
static bool add_kept(struct notified *call, const struct entry *socket, struct twin_places *places)
{
    struct stat table; // its size is how many descriptors there are, since Linux 6.2
    if (!call->caller.again || fstat(call->caller.table, &table) != 0 || table.st_size == 0 ||
        table.st_size > NOTIFIED_KEPT)
        return false;
    off_t count = 1;
    for (int fd = 0; fd < NOTIFIED_KEPT && count < table.st_size; fd++)
        if (call->caller.about[fd] && fd != places->of[0].fd)
            count += add_place(call, fd, socket, places);
    return count == table.st_size;
}

void twin_places_find(struct notified *call, int at, unsigned long long inode, struct twin_places *places)
{
    struct entry socket = entry_of(call, at);
    if (socket.inode != inode) // it means something else by now
        socket.inode = 0;
    const struct twin_places only = {
        .inode = inode, .count = 1, .of = {{at, socket.closes_on_exec}}, .since = clock_worked()};
    *places = only;
    if (!socket.inode || add_kept(call, &socket, places))
        return;
    twin_places_end(places);
    *places = only;
    // Of a process with many descriptors: the first of them, where its event loops are, and those around this one,
    // where copies of it are.
    char entries[2048] __attribute__((aligned(8)));
    int list = notified_table(call), last = -1, near = at > NEAR ? at - NEAR : 0;
    long size = list >= 0 ? getdents64(list, entries, sizeof entries) : 0, offset = 0;
    bool many = size > (long)sizeof entries / 2;
    while (offset < size || (many && near < at + 4 * NEAR)) {
        int fd;
        if (offset < size) {
            const struct dirent64 *entry = (const void *)(entries + offset);
            offset += entry->d_reclen;
            fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
            last = fd > last ? fd : last;
        } else {
            fd = near++;
            fd = fd <= last ? -1 : fd; // seen
        }
        if (fd >= 0 && fd != at)
            add_place(call, fd, &socket, places);
    }
}

int twin_place(struct notified *call, int twin, const struct twin_places *places)
{
    int error = 0;
    for (size_t i = 0; i < places->count && !error; i++) {
        if (i > 0 && entry_of(call, places->of[i].fd).inode != places->inode)
            continue; // since then it was closed, and may be another's
        int placed = notified_place(call, twin, places->of[i].fd, places->of[i].closes_on_exec);
        error = i == 0 ? placed : 0;
    }
    for (size_t i = 0; i < places->waiter_count && !error; i++)
        wait_again(&places->waiters[i], twin);
    return error;
}

void twin_places_end(struct twin_places *places)
{
    for (size_t i = 0; i < places->waiter_count; i++)
        close(places->waiters[i].instance);
    places->waiter_count = 0;
}
