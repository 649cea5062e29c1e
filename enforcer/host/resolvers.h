// The host's resolvers (resolv.conf(5)).
#pragma once

#include <sys/socket.h>

#include "compiler/sets/net_set.h"

enum { NAMES_PORT = 53, RESOLVERS_MOST = 4 };

// Where names are asked for inside: at 127.0.0.1, where programs ask that find no resolv.conf(5), and at the addresses
// of the host's own resolvers, which the sandbox's loopback has too. So whatever resolv.conf the view shows, it leads
// to the stub.
struct resolvers {
    net_address list[RESOLVERS_MOST];
    size_t count;
};
void resolvers_read(struct resolvers *);

enum { SERVERS_MOST = 3 };

struct servers { // whom the host asks, as resolv.conf(5) has it at this moment
    net_address list[SERVERS_MOST];
    size_t count; // at least one
    unsigned timeout_ms, attempts;
};
void servers_read(struct servers *);

bool address_read(const char *text, net_address *); // as inet_pton(3) does, of both families

// A socket address of it, of its family. Its length.
socklen_t address_place(net_address, uint16_t port, struct sockaddr_storage *);
