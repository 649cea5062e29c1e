// Sends every control message and every flag: control WHAT HOW WHEN ADDRESS PORT. For each that was not refused with
// EPERM (a flag: with EOPNOTSUPP) it prints a line, "LEVEL TYPE ERRNO" or "flag BIT ERRNO"; then "refused N".
//   WHAT: udp, udp6, tcp, unix (ADDRESS is a path)    HOW: sendmsg, sendmmsg
//   WHEN: first (message of its socket), second, connected
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LEVELS = 301, TYPES = 101 };

static struct sockaddr_storage to;
static socklen_t to_length;
static int family, type;
static const char *how, *when;

static void address(const char *what, const char *text, int port)
{
    struct sockaddr_in *four = (void *)&to;
    struct sockaddr_in6 *six = (void *)&to;
    struct sockaddr_un *path = (void *)&to;
    family = strcmp(what, "unix") == 0 ? AF_UNIX : strcmp(what, "udp6") == 0 ? AF_INET6 : AF_INET;
    type = strcmp(what, "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM;
    to.ss_family = (sa_family_t)family;
    to_length = family == AF_UNIX ? sizeof *path : family == AF_INET6 ? sizeof *six : sizeof *four;
    if (family == AF_UNIX)
        strncpy(path->sun_path, text, sizeof path->sun_path - 1);
    else if (family == AF_INET6)
        inet_pton(AF_INET6, text, &six->sin6_addr), six->sin6_port = htons((uint16_t)port);
    else
        inet_pton(AF_INET, text, &four->sin_addr), four->sin_port = htons((uint16_t)port);
}

static int ready_socket(void)
{
    int fd = socket(family, type | SOCK_NONBLOCK, 0);
    if (strcmp(when, "first") != 0 && type != SOCK_STREAM)
        sendto(fd, "x", 1, 0, (void *)&to, to_length);
    if (strcmp(when, "connected") == 0 && connect(fd, (void *)&to, to_length) != 0 && errno != EINPROGRESS)
        perror("connect"), exit(2);
    return fd;
}

static int send_one(int fd, void *control, size_t length, int flags)
{
    struct iovec data = {"x", 1};
    struct mmsghdr message = {
        .msg_hdr = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = length}};
    if (strcmp(when, "connected") != 0) {
        message.msg_hdr.msg_name = &to;
        message.msg_hdr.msg_namelen = to_length;
    }
    long n =
        strcmp(how, "sendmsg") == 0 ? sendmsg(fd, &message.msg_hdr, flags) : sendmmsg(fd, &message, 1, (unsigned)flags);
    return n < 0 ? errno : 0;
}

int main(int count, char **words)
{
    if (count != 6)
        return 2;
    how = words[2];
    when = words[3];
    address(words[1], words[4], atoi(words[5]));
    int fd = ready_socket(), refused = 0;
    for (int level = 0; level < LEVELS; level++)
        for (int kind = 0; kind < TYPES; kind++) {
            char control[CMSG_SPACE(8)] __attribute__((aligned(8))) = {0};
            struct cmsghdr *c = (void *)control;
            *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = level, .cmsg_type = kind};
            int value = 1; // a value that each that is listed may have
            if (strcmp(when, "first") == 0) {
                close(fd);
                fd = ready_socket();
            }
            memcpy(CMSG_DATA(c), level == SOL_SOCKET && kind == SCM_RIGHTS ? &fd : &value, sizeof value);
            int error = send_one(fd, control, sizeof control, MSG_NOSIGNAL);
            if (error == EAGAIN) { // nobody takes so much so soon
                usleep(1000);
                error = send_one(fd, control, sizeof control, MSG_NOSIGNAL);
            }
            if (error == EPERM)
                refused++;
            else
                printf("%d %d %d\n", level, kind, error);
        }
    for (int bit = 0; bit < 31; bit++) {
        close(fd);
        fd = ready_socket();
        int error = send_one(fd, NULL, 0, (int)(1u << bit) | MSG_NOSIGNAL);
        if (error != EOPNOTSUPP)
            printf("flag %d %d\n", bit, error);
    }
    printf("refused %d\n", refused);
    return 0;
}
