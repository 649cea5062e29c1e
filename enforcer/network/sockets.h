// What a command's socket is, and what that makes of a call: the table of sockets.def.
//
// It is asked of the kernel at each call, and of nothing else: copies (dup, fork, SCM_RIGHTS) are the same socket, and
// a connection fails or is reset without a call. What the kernel can't tell is where the broker bound a socket of the
// host's for a rule, which is written down.
#pragma once

#include "enforcer/network/destination.h"
#include "enforcer/network/twin.h"

enum socket_state {
#define SOCKET(state, what, connect, forget, bind, listen, then) SOCKET_##state,
#include "enforcer/network/sockets.def"
#undef SOCKET
    SOCKET_STATES
};

enum socket_call { SOCKET_CONNECT, SOCKET_FORGET, SOCKET_BIND, SOCKET_LISTEN, SOCKET_CALLS };

struct socket_cell {
    enum { SOCKET_RULES, SOCKET_KERNEL, SOCKET_REFUSED } made;
    int error; // where it is refused
};

struct published; // sockets of the host's network that are bound where a rule publishes

enum socket_state socket_state(const struct published *, int fd, const struct socket_kind *);
struct socket_cell socket_cell(enum socket_state, enum socket_call);

// Writes down that the broker bound it there, or takes down whether it did and it is still bound there. Of more than
// there is room for, the oldest is forgotten. False: there is no memory, or it is not.
bool published_add(struct published **, int fd, const struct destination *);
bool published_at(const struct published *, int fd, struct destination *);
void published_end(struct published **);
