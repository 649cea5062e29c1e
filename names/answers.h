// What a question for a name is answered: of what others say, what is allowed. RFC 1035, 2181, 6891 (EDNS), 9460 (SVCB
// and HTTPS); wire format: ldns. It reads what a sandbox asks and what servers answer, and nothing of either is
// believed. It talks to nobody itself.
#pragma once

#include <ldns/ldns.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enforcer/network/names_wire.h"

// Whom it asks. Each may be called by several threads at once.
struct answers_world {
    // sbxrun's decision. `name` is lower case, without a last dot; `address` (IPv6, or IPv4 mapped) and `seconds` are
    // for NAMES_PIN.
    struct names_answer (*ask)(enum names_ask what, const char *name, const uint8_t address[16], uint32_t seconds);
    // True if hosts(5) has the name; then its addresses of that type are added to `found`, which owns them.
    bool (*in_hosts)(const char *name, ldns_rr_type type, ldns_rr_list *found);
    // The answer of a resolver, as answers_read gave it. The caller frees it. NULL: none answers.
    ldns_pkt *(*resolve)(const ldns_rdf *name, ldns_rr_type type);
};

enum { ANSWERS_PACKET_MOST = 65535, ANSWERS_UDP_SIZE = 1232 }; // bytes; the second fits every path

// A server's packet, if it is a whole answer to `query`, which has one question. The caller frees it. NULL: it is not,
// and is to be passed over.
ldns_pkt *answers_read(const uint8_t *data, size_t length, const ldns_pkt *query);

// Answers the question in `data`: the answer's wire, `*size` bytes, which the caller frees. NULL: there is none to
// give.
uint8_t *answers_give(const struct answers_world *world, const uint8_t *data, size_t length, bool tcp, size_t *size);
