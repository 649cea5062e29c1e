// Tries on the network.
#include "tests/attacks/attack.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int address_of(const char *text, int port, struct sockaddr_storage *address, socklen_t *length)
{
    struct sockaddr_in *four = (void *)address;
    struct sockaddr_in6 *six = (void *)address;
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        *length = sizeof *four;
        return AF_INET;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
        return -1;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    *length = sizeof *six;
    return AF_INET6;
}

static int tcp(char **arguments) // address, port: somebody listens there
{
    struct sockaddr_storage address;
    socklen_t length;
    int family = address_of(arguments[0], atoi(arguments[1]), &address, &length), fd = socket(family, SOCK_STREAM, 0);
    return fd < 0 ? errno : result_of(connect(fd, (void *)&address, length));
}

static int udp(char **arguments) // address, port: an answer comes back where somebody is
{
    struct sockaddr_storage address;
    socklen_t length;
    int family = address_of(arguments[0], atoi(arguments[1]), &address, &length), fd = socket(family, SOCK_DGRAM, 0),
        one = 1;
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
    return sendto(fd, "secret", 6, 0, (void *)&address, length) == 6 ? 0 : errno;
}

static int unix_socket(char **arguments) // an abstract name after `@`, or a path
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(arguments[0]);
    memcpy(address.sun_path, arguments[0], length < sizeof address.sun_path ? length : 0);
    if (arguments[0][0] == '@')
        address.sun_path[0] = '\0';
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    int error = 0;
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_UNIX, types[i], 0);
        error = fd < 0 ? errno
                       : result_of(connect(fd, (void *)&address,
                                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)));
        if (!error)
            return 0;
        if (error == EPROTOTYPE)
            return 0; // it was found
    }
    return error;
}

static int pair_that_sends(int type, char **arguments)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int ends[2];
    size_t length = strlen(arguments[0]);
    memcpy(address.sun_path, arguments[0], length < sizeof address.sun_path ? length : 0);
    if (arguments[0][0] == '@')
        address.sun_path[0] = '\0';
    if (socketpair(AF_UNIX, type, 0, ends) != 0)
        return errno;
    int error =
        result_of(connect(ends[0], (void *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)));
    return error == EPROTOTYPE ? 0 : error;
}

static int pair_to(char **arguments) // one of a pair of datagram sockets sends elsewhere
{
    return pair_that_sends(SOCK_DGRAM, arguments);
}

static int raw_pair_to(char **arguments) // which the kernel makes datagram sockets (net/unix/af_unix.c)
{
    return pair_that_sends(SOCK_RAW, arguments);
}

// ---- a socket that may be reached, changed for one that may not meanwhile -------------------------------------------

static struct changing {
    struct sockaddr_un address, sides[2]; // what is read, and what stands there in turn
    char link[108], next[108];
} changing;

static void *change(void *unused)
{
    (void)unused;
    for (unsigned turn = 0;; turn++) {
        memcpy(&changing.address, &changing.sides[turn & 1], sizeof changing.address);
        symlink(changing.sides[turn & 1].sun_path, changing.next);
        rename(changing.next, changing.link);
    }
    return NULL;
}

// Paths: a socket of the host's, a folder of its own, a folder of the host's. Got it: it reached the one, or its own
// socket lies in the other.
static int unix_race(char **arguments)
{
    enum { TURNS = 2000 };
    struct sockaddr_un own = {.sun_family = AF_UNIX}, links[2] = {own, own}, peer;
    char within[108], of_host[108];
    pthread_t thread;
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), reached = 0;
    snprintf(own.sun_path, sizeof own.sun_path, "%s/own", arguments[1]);
    unlink(own.sun_path);
    if (server < 0 || bind(server, (void *)&own, sizeof own) != 0 || listen(server, 64) != 0)
        return errno;
    changing.sides[0] = changing.sides[1] = own;
    snprintf(changing.sides[1].sun_path, sizeof own.sun_path, "%s", arguments[0]);
    snprintf(changing.link, sizeof changing.link, "%s/link", arguments[1]);
    snprintf(changing.next, sizeof changing.next, "%s/next", arguments[1]);
    snprintf(links[0].sun_path, sizeof links[0].sun_path, "%s", changing.link);
    pthread_create(&thread, NULL, change, NULL);
    for (int turn = 0; turn < TURNS; turn++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0), got = -1;
        socklen_t length = sizeof peer;
        memset(&peer, 0, sizeof peer);
        bool at = connect(fd, turn & 1 ? (void *)&links[0] : (void *)&changing.address, sizeof own) == 0;
        if (at && getpeername(fd, (void *)&peer, &length) == 0 && strcmp(peer.sun_path, own.sun_path) != 0)
            return 0;
        reached += at;
        while ((got = accept(server, NULL, NULL)) >= 0)
            close(got);
        close(fd);
    }
    snprintf(within, sizeof within, "%s/folder", arguments[1]);
    mkdir(within, 0700);
    memcpy(changing.sides[0].sun_path, within, sizeof within);
    snprintf(changing.sides[1].sun_path, sizeof own.sun_path, "%s", arguments[2]);
    snprintf(links[1].sun_path, sizeof links[1].sun_path, "%.100s/raced", changing.link);
    snprintf(of_host, sizeof of_host, "%s/raced", arguments[2]);
    for (int turn = 0; turn < TURNS / 4; turn++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        bind(fd, (void *)&links[1], sizeof own);
        if (unlink(of_host) == 0)
            return 0;
        unlink(links[1].sun_path);
        close(fd);
    }
    return reached ? EACCES : EIO; // it has to be able to reach its own
}

static int serve(char **arguments) // listens where the host could reach it
{
    struct sockaddr_storage address;
    socklen_t length;
    int family = address_of(arguments[0], atoi(arguments[1]), &address, &length), fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return errno;
    int error = result_of(bind(fd, (void *)&address, length));
    return error ? error : result_of(listen(fd, 1));
}

// ---- where a rule lets it go somewhere -----------------------------------------------------------------------------

// What stands beside a datagram: address or path, port, which. It is the first message of its socket.
static int beside(char **arguments)
{
    static const struct {
        const char *name;
        int level, type, flags;
        unsigned char data[16];
        size_t size;
    } kinds[] = {
        {"source-route", IPPROTO_IP, IP_RETOPTS, 0, {131, 7, 4, 127, 0, 0, 2, 0}, 8}, // IPOPT_LSRR, by 127.0.0.2
        {"interface", IPPROTO_IP, IP_PKTINFO, 0, {1}, sizeof(struct in_pktinfo)},
        {"mark", SOL_SOCKET, SO_MARK, 0, {1}, 4},
        {"root", SOL_SOCKET, SCM_CREDENTIALS, 0, {1}, 12}, // process 1, user and group 0
        {"probe", 0, 0, 0x10, {0}, 0},                     // MSG_PROBE (linux/socket.h)
        {"zerocopy", 0, 0, MSG_ZEROCOPY, {0}, 0},
    };
    struct sockaddr_storage address = {0};
    socklen_t length;
    struct sockaddr_un *path = (void *)&address;
    int family = address_of(arguments[0], atoi(arguments[1]), &address, &length);
    if (family < 0) {
        family = address.ss_family = AF_UNIX;
        length = sizeof *path;
        memcpy(path->sun_path, arguments[0], strnlen(arguments[0], sizeof path->sun_path - 1));
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, arguments[2]) == 0) {
            char control[64] __attribute__((aligned(8))) = {0};
            struct cmsghdr *c = (void *)control;
            struct iovec data = {"secret", 6};
            struct msghdr message = {.msg_name = &address, .msg_namelen = length, .msg_iov = &data, .msg_iovlen = 1};
            if (kinds[i].size) {
                *c = (struct cmsghdr){
                    .cmsg_len = CMSG_LEN(kinds[i].size), .cmsg_level = kinds[i].level, .cmsg_type = kinds[i].type};
                memcpy(CMSG_DATA(c), kinds[i].data, kinds[i].size);
                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(kinds[i].size);
            }
            int fd = socket(family, SOCK_DGRAM, 0);
            return fd < 0 || sendmsg(fd, &message, kinds[i].flags) < 0 ? errno : 0;
        }
    return EINVAL;
}

static int fast_open(char **arguments) // connects without connect
{
    struct sockaddr_storage address;
    socklen_t length;
    int family = address_of(arguments[0], atoi(arguments[1]), &address, &length), fd = socket(family, SOCK_STREAM, 0);
    return fd < 0 || sendto(fd, "secret", 6, MSG_FASTOPEN, (void *)&address, length) < 0 ? errno : 0;
}

// A socket that was connected where it may, and is no more, listens: on every address, at a port of the kernel's
// choice.
static int listen_after(char **arguments)
{
    struct sockaddr_storage address;
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    socklen_t length;
    int family = address_of(arguments[0], atoi(arguments[1]), &address, &length), fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (void *)&address, length) != 0 || connect(fd, &none, sizeof none) != 0)
        return EIO; // it does not come to that
    return result_of(listen(fd, 1));
}

const struct attack_row network_attacks[] = {
    {"tcp", tcp},
    {"udp", udp},
    {"unix", unix_socket},
    {"pair", pair_to},
    {"raw-pair", raw_pair_to},
    {"unix-race", unix_race},
    {"serve", serve},
    {"beside", beside},
    {"fast-open", fast_open},
    {"listen-after", listen_after},
    {NULL, NULL},
};
