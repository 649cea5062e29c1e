// Twins: sockets of the host's network that take the place of a command's own, with its type, flags and options.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include "compiler/sets/net_set.h"
#include "enforcer/host/outside.h"
#include "enforcer/supervisor/notified.h"

struct socket_kind {
    int domain, type, protocol; // AF_INET, SOCK_STREAM, IPPROTO_TCP
    bool inside;                // it belongs to another network than sbxrun's, as only the sandbox's own does
    bool blocking;
};

// What a socket is. 0, or -errno: -ENOTSOCK.
int socket_examine(int fd, struct socket_kind *);
unsigned socket_protocol(const struct socket_kind *); // one of PROTOCOL_; 0: none that a rule can allow
uint64_t socket_cookie(int fd);                       // names a socket as long as it exists; no two have the same
unsigned long long socket_inode(int fd);              // by which proc(5) knows it

// A new socket of sbxrun's network like that one, not blocking. The caller owns it; -errno.
int twin_make(const struct outside *, int like, const struct socket_kind *);

enum { PLACES_MOST = 16 };

// Where a caller has a socket, for a twin to take its place.
struct twin_places {
    unsigned long long inode;
    size_t count, waiter_count;
    struct twin_at { // a descriptor of the caller's
        int fd;
        bool closes_on_exec;
    } of[PLACES_MOST];    // the first is the one of the call
    struct twin_waiter {  // an epoll instance of the caller's that waits for one of them (epoll(7))
        int instance, at; // a descriptor of ours; the caller's number of the socket
        struct epoll_event event;
    } waiters[PLACES_MOST];
    uint64_t since; // processor time (clock.h)
    bool enough;    // of it was spent on epoll instances: no more are looked at
};
#define ending_places __attribute__((cleanup(twin_places_end))) struct twin_places

// Finds the places of the socket of that inode, for the caller's descriptor `at`: that one, its other descriptors of
// the same socket, and the epoll instances that wait for it (of a process with many descriptors: those among its first,
// and those next to `at`; and none after a few milliseconds of looking at what they wait for).
void twin_places_find(struct notified *, int at, unsigned long long inode, struct twin_places *);

// Puts the twin there, with the close-on-exec flag of each. 0, or -errno: then it is in none.
int twin_place(struct notified *, int twin, const struct twin_places *);
void twin_places_end(struct twin_places *);
