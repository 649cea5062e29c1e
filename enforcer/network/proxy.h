// Proxies of the host: where one is, and how it is asked for a connection, by HTTP's CONNECT (RFC 9110 section 9.3.6)
// or SOCKS version 5 (RFC 1928, 1929).
//
// Asked is only for names that a rule allows, by the broker, on a twin that the command does not have yet. Who may use
// it is said by SBX_PROXY_CREDENTIALS in sbxrun's own environment, which no sandbox sees.
#pragma once

#include <sys/socket.h>

#include "enforcer/host/failure.h"

struct proxy_place {
    struct sockaddr_storage address;
    socklen_t length; // 0: no proxy is used
};

// Finds the proxy of a plan: its address, or what /etc/hosts or the host's resolver (through sbxnames) has for its
// name. 0, or -1 and the failure.
int proxy_find(const struct plan *, struct proxy_place *, struct failure *);

struct proxy_talk; // one connection being asked for

// `credentials`: user:password; NULL: none. NULL when memory runs out or the credentials are none that can be said.
struct proxy_talk *proxy_talk_new(enum proxy_kind, struct str name, uint16_t port, const char *credentials);
void proxy_talk_free(struct proxy_talk *);

// Goes on on a connected socket that does not wait. 0 when from here on the socket leads to the name: not one byte of
// what comes from there has been read; EAGAIN when it has to wait until poll says *events; else the errno that a
// connect is to get, and *said what the proxy said, for people.
int proxy_talk_step(struct proxy_talk *, int fd, short *events, const char **said);
