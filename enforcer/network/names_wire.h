// What sbxnames and sbxrun say to each other, over a socket of packets: a question, and one answer to each.
#pragma once

#include <stdint.h>

enum names_ask {
    NAMES_MAY,  // may this name be resolved?
    NAMES_PIN,  // may it have this address? If so it is its, for that many seconds
    NAMES_FIND, // the one question that sbxrun asks, of an sbxnames that has no other descriptor: an address of this
                // name
};

struct names_question {
    uint8_t ask;
    uint8_t length;      // of the name
    uint8_t address[16]; // IPv6, IPv4 at ::ffff:0:0/96
    uint32_t seconds;
    char name[253]; // lower case, no last dot
};

enum names_reply {
    NAMES_NO,
    NAMES_YES,
    NAMES_STANDS_IN, // to NAMES_MAY: nothing is asked of anybody, this address stands for the name
    NAMES_FULL,      // to NAMES_PIN: it may, but has as many as it can have; no other would fit either
};

struct names_answer {
    uint8_t yes;
    uint8_t address[16]; // NAMES_STANDS_IN, always of IPv4; NAMES_FIND
};

// What it asks the opener for (opener.h), over another socket of packets. The descriptor comes with the answer
// (SCM_RIGHTS).
enum names_open { NAMES_OPEN_HOSTS, NAMES_OPEN_UDP, NAMES_OPEN_TCP }; // hosts(5); a socket to a resolver of the host

struct names_request {
    uint8_t open, server;
};

struct names_opened { // resolv.conf(5) as it is now
    uint8_t opened, servers, attempts;
    uint32_t timeout_ms;
};

// Its descriptors: to sbxrun, to the opener, then the sockets at which it is asked, udp and tcp, as many as there are.
enum { NAMES_FD_SBXRUN, NAMES_FD_OPENER, NAMES_FD_FIRST, NAMES_SOCKETS_MOST = 8 };
