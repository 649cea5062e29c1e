// Twins: sockets of the host's network that take the place of a command's own, with its type, flags and options.
#pragma once

#include <sys/socket.h>

#include "compiler/net_set.h"
#include "enforcer/notified.h"

struct socket_kind {
    int domain, type, protocol; // AF_INET, SOCK_STREAM, IPPROTO_TCP
    bool inside;                // it belongs to another network than sbxrun's, as only the sandbox's own does
    bool blocking;
};

// What a socket is. 0, or -errno: -ENOTSOCK.
int socket_examine(int fd, struct socket_kind *);
unsigned socket_protocol(const struct socket_kind *); // one of PROTOCOL_; 0: none that a rule can allow
uint64_t socket_cookie(int fd); // names a socket as long as it exists; no two have the same

// A new socket of sbxrun's network like that one, not blocking. The caller owns it; -errno.
int twin_make(int like, const struct socket_kind *);

// Puts a twin into the place of the caller's descriptor `at` and of its other descriptors of that socket, with the close-on-exec flag of each, and in the epoll instances that wait for it (of a process with many descriptors: those among its first, and
// those next to `at`). 0, or -errno.
int twin_place(struct notified *, int twin, int at);
