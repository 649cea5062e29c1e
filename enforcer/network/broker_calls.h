// What the parts of the broker share: one call that is being answered, and the state behind it.
#pragma once

#include <stddef.h>
#include <sys/timerfd.h>

#include "enforcer/network/broker.h"
#include "enforcer/host/clock.h"
#include "enforcer/host/own_files.h"
#include "enforcer/network/destination.h"
#include "enforcer/network/sockets.h"

struct brokered;
enum {
    WAITING_MOST = 4096, // calls; each holds a socket and its caller's process, and nothing else of the caller's
    SLEEPERS_MOST = 64,
};

struct attempt {        // what a blocking caller waits for: a connection, or that a message can be sent
    struct watch watch; // first; the socket, which is in its caller's place already
    struct broker *broker;
    struct notified call;
    uint64_t cookie, until; // of the socket; when its SO_SNDTIMEO runs out, 0: never
    bool (*again)(
        struct brokered *); // makes the call of a message once more: false if it still waits; NULL: a connection
    uint64_t look;          // when that is to be done, where poll says that it can be sent, and it can't; 0: poll knows
    uint64_t pause;         // between two such looks, in nanoseconds
    unsigned long long inode; // of the socket that the twin of a connection through a proxy will replace
    struct proxy_talk
        *talk;        // a connection through a proxy: `watch` has its twin, which is in nobody's place yet; NULL: not
    uint32_t listens; // for these events, while it talks to a proxy
    bool blocking;    // it waits
    bool done;
    int error, given_up;
    struct attempt *next;
};

struct late { // a message was sent when its caller had been interrupted: it will come again with the same call
    int thread, number; // 0: unused
    uint64_t arguments[6];
    int64_t value;
};

struct stub;

struct told {            // what was told last: most often the same is told next
    struct arena *arena; // owns the rest; NULL: nothing was
    net_address number;
    uint16_t port;
    unsigned verb, protocol;
    struct str name, operation;
};

struct broker {
    struct broker_settings settings;
    const struct outside *outside; // as whom all calls are made
    struct supervisor *supervisor;
    struct names *names; // NULL: no rule allows one
    struct stub *stub;
    int root; // of the view; O_PATH
    int namespaces[2];     // the sandbox's: of users, of mounts
    struct own_files *own; // of the view; NULL: none
    struct watch timer;
    struct attempt *attempts, *idle;
    unsigned waiting, waiting_most; // attempts
    struct late late[16];
    unsigned late_next;
    struct bound *bound; // unix sockets
    struct published *published;
    struct told told;
    pid_t sleepers[SLEEPERS_MOST]; // processes that wait in the place of others; 0: none
    unsigned proxy_failures;
};

struct brokered {
    struct broker *broker;
    struct notified notified; // owned
    int held;                 // the caller's socket
    struct socket_kind kind;
};

// What they share (broker_wait.c).
void broker_denied(struct broker *, unsigned verb, unsigned protocol, const struct destination *,
                   const struct decision *);
void broker_allowed(struct broker *, unsigned verb, unsigned protocol, const struct destination *,
                    const struct decision *);
void broker_refuse(struct brokered *, int error); // or answers it, where that is 0
int broker_twin(struct brokered *, int *twin);    // of the caller's socket; 0, or an errno
int broker_place(struct brokered *, int twin); // where the caller has its socket, which is held no more; 0, or an errno
int broker_to_host(struct brokered *); // puts a twin in its place, not connected, and holds that; 0, or an errno
int broker_connect(int fd, const struct sockaddr *, socklen_t); // for sockets that the caller has too; 0, or an errno
uint64_t broker_send_timeout(int fd);                           // its SO_SNDTIMEO in nanoseconds; 0: none
// Takes fd; answers in time. `again`: of a message, as in an attempt; NULL: of a connection.
void broker_wait(struct brokered *, int fd, bool (*again)(struct brokered *));
void broker_late(struct supervisor *, struct watch *, uint32_t events); // the timer of those that wait no longer
void broker_wait_end(struct broker *);
void broker_sent(struct broker *, const struct notified *call, int64_t value); // answers a call that has had its effect
void broker_wait_through(struct brokered *, int twin,
                         struct proxy_talk *); // takes both; places the twin and answers in time
bool broker_was_sent(
    struct brokered *);               // the same call once more, after a signal: answers it, if it has had its effect
bool broker_again(struct brokered *); // the same of a connect that is still being made

// The calls (broker_connections.c, broker_messages.c). Each answers.
void broker_call_connect(struct brokered *);
void broker_call_bind(struct brokered *);
void broker_call_listen(struct brokered *);
void broker_call_sendto(struct brokered *);
void broker_call_sendmsg(struct brokered *);
void broker_call_sendmmsg(struct brokered *);

// Unix sockets (broker_unix.c).
void unix_connect(struct brokered *, struct destination *);
void unix_bind(struct brokered *, struct destination *);
void unix_listen(struct brokered *);
void unix_end(struct broker *);
int unix_reach(struct brokered *, struct destination *,
               int *place); // for connect and sending: makes the address lead there; 0, or an errno

// Names (broker_names.c): the stub's sockets, which are taken.
void stub_begin(struct broker *, const int *sockets, int count);
void stub_end(struct broker *);
