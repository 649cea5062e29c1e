// The sandbox's own loopback.
#include "enforcer/inside/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"

// Addresses of the host's resolvers. One that can't be had is not there to be asked.
static void add_addresses(const struct loopback *loopback)
{
    closing_fd int four = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                   six = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (size_t i = 0; i < loopback->resolvers.count; i++) {
        net_address address = loopback->resolvers.list[i];
        bool is_four = address >> 32 == 0xFFFF;
        struct ifreq request = {0};
        struct sockaddr_in *at = (void *)&request.ifr_addr;
        struct in6_ifreq request6 = {.ifr6_prefixlen = 128,
                                     .ifr6_ifindex = 1}; // lo is the first interface of a namespace
        snprintf(request.ifr_name, sizeof request.ifr_name, "lo:%u", (unsigned)i % 10);
        *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl((uint32_t)address)};
        for (int byte = 15; byte >= 0; byte--, address >>= 8)
            request6.ifr6_addr.s6_addr[byte] = (uint8_t)address;
        if (!is_four)
            ioctl(six, SIOCSIFADDR, &request6);
        else if (ntohl(at->sin_addr.s_addr) >> 24 != 127)
            ioctl(four, SIOCSIFADDR, &request);
    }
}

static bool set(const char *path, const char *text)
{
    closing_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t length = strlen(text);
    return fd >= 0 && write(fd, text, length) == (ssize_t)length;
}

// The ports that may be bound start there; so do those that the kernel chooses from, which must not lie below (ip(7)).
// It warns where the first and the last of these are both odd or both even.
static bool set_ports(unsigned start)
{
    enum { CHOSEN_FROM = 32768, LAST = 65535 }; // as a new network has it
    char text[16];
    snprintf(text, sizeof text, "%u %u", start, start % 2 && start < LAST ? LAST - 1 : LAST);
    if (start > CHOSEN_FROM && !set("/proc/sys/net/ipv4/ip_local_port_range", text))
        return false;
    snprintf(text, sizeof text, "%u", start);
    return set("/proc/sys/net/ipv4/ip_unprivileged_port_start", text);
}

int loopback_apply(const struct loopback *loopback, struct failure *failure)
{
    if (!loopback->up)
        return 0;
    closing_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        return fail(failure, NO_RULE, errno, "cannot bring the sandbox's own loopback up");
    add_addresses(loopback);
    if (!set_ports(loopback->port_start))
        return fail(failure, NO_RULE, errno, "cannot set the first port that the sandbox may bind");
    return 0;
}
