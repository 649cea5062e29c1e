// Answers to questions for names.
#include "names/answers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHAIN_MOST = 16,  // links from a name to its addresses
    ASKED_MOST = 256, // addresses of an answer that sbxrun is asked about
    TTL_MOST = 86400,
    STAND_IN_TTL = 60,
};

#define TYPE_SVCB ((ldns_rr_type)64)
#define TYPE_HTTPS ((ldns_rr_type)65)

// ---- what servers say ---------------------------------------------------------------------------------------------

// ldns takes a record that ends before all of its fields are there.
static bool is_whole(const ldns_rr *rr)
{
    size_t fields = ldns_rr_rd_count(rr);
    return fields > 0 && fields >= ldns_rr_descriptor_minimum(ldns_rr_descript(ldns_rr_get_type(rr)));
}

ldns_pkt *answers_read(const uint8_t *data, size_t length, const ldns_pkt *query)
{
    ldns_pkt *answer = NULL;
    if (ldns_wire2pkt(&answer, data, length) != LDNS_STATUS_OK)
        return NULL;
    const ldns_rr *asked = ldns_rr_list_rr(ldns_pkt_question(query), 0),
                  *theirs = ldns_pkt_qdcount(answer) == 1 ? ldns_rr_list_rr(ldns_pkt_question(answer), 0) : NULL;
    bool whole = true;
    for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(answer)); i++)
        whole = whole && is_whole(ldns_rr_list_rr(ldns_pkt_answer(answer), i));
    if (whole && theirs && ldns_pkt_qr(answer) && ldns_pkt_id(answer) == ldns_pkt_id(query) &&
        ldns_rr_get_type(theirs) == ldns_rr_get_type(asked) && ldns_rr_get_class(theirs) == LDNS_RR_CLASS_IN &&
        ldns_dname_compare(ldns_rr_owner(theirs), ldns_rr_owner(asked)) == 0)
        return answer;
    ldns_pkt_free(answer);
    return NULL;
}

// ---- what may be answered -----------------------------------------------------------------------------------------

// A name as rules write it. False when it is none that a rule could name.
static bool canonical(const ldns_rdf *name, char text[256])
{
    const uint8_t *data = ldns_rdf_data(name);
    size_t size = ldns_rdf_size(name), used = 0;
    for (size_t at = 0; at < size && data[at];) {
        size_t length = data[at++];
        if (length > 63 || at + length > size || used + length + 1 > 253)
            return false;
        for (size_t i = 0; i < length; i++) {
            int c = tolower(data[at + i]);
            if (!isalnum(c) && c != '-' && c != '_')
                return false;
            text[used++] = (char)c;
        }
        at += length;
        text[used++] = '.';
    }
    if (!used)
        return false;
    text[used - 1] = '\0';
    return true;
}

static enum names_reply may_have(const struct answers_world *world, const char *name, const ldns_rr *rr)
{
    const uint8_t *data = ldns_rdf_data(ldns_rr_rdf(rr, 0));
    uint8_t address[16] = {[10] = 0xFF, [11] = 0xFF};
    if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_A)
        memcpy(address + 12, data, 4);
    else
        memcpy(address, data, 16);
    return world->ask(NAMES_PIN, name, address, ldns_rr_ttl(rr) < TTL_MOST ? ldns_rr_ttl(rr) : TTL_MOST).yes;
}

static bool target_allowed(const struct answers_world *world, const ldns_rdf *target)
{
    char text[256];
    return canonical(target, text) && world->ask(NAMES_MAY, text, NULL, 0).yes != NAMES_NO;
}

// SVCB and HTTPS as wire: priority, target, parameters. Addresses in it are hints that nobody checked: they are left
// out.
static ldns_rr *strip_service(const struct answers_world *world, const ldns_rr *rr)
{
    enum { KEY_IPV4HINT = 4, KEY_IPV6HINT = 6, LARGEST = 2048 };
    uint8_t kept[LARGEST], *wire = NULL;
    size_t size = 0;
    ldns_rr *result = NULL;
    if (ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK)
        return NULL;
    size_t owner = ldns_rdf_size(ldns_rr_owner(rr)), start = owner + 10, at = start + 2, used = 0;
    ldns_rdf *target = NULL;
    if (size <= LARGEST && size > at && ldns_wire2dname(&target, wire, size, &at) == LDNS_STATUS_OK) {
        bool itself = ldns_rdf_size(target) == 1;
        memcpy(kept, wire, at);
        used = at;
        while (at + 4 <= size) {
            size_t key = (size_t)wire[at] << 8 | wire[at + 1], length = (size_t)wire[at + 2] << 8 | wire[at + 3];
            if (at + 4 + length > size)
                break;
            if (key != KEY_IPV4HINT && key != KEY_IPV6HINT) {
                memcpy(kept + used, wire + at, 4 + length);
                used += 4 + length;
            }
            at += 4 + length;
        }
        kept[start - 2] = (uint8_t)((used - start) >> 8);
        kept[start - 1] = (uint8_t)(used - start);
        size_t position = 0;
        if (at != size || (!itself && !target_allowed(world, target)) ||
            ldns_wire2rr(&result, kept, used, &position, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
            result = NULL;
    }
    ldns_rdf_deep_free(target);
    free(wire);
    return result;
}

// Adds what of an answer's records is allowed: the chain of names from the one asked for, and at its end what was asked
// for. A name that comes a second time ends the chain.
static void take_allowed(const struct answers_world *world, ldns_rr_list *taken, const ldns_rr_list *records,
                         const ldns_rdf *asked, const char *name, ldns_rr_type type)
{
    const ldns_rdf *owners[CHAIN_MOST] = {asked};
    int left = ASKED_MOST;
    for (int links = 0; links < CHAIN_MOST; links++) {
        const ldns_rdf *owner = owners[links], *next = NULL;
        for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
            ldns_rr *rr = ldns_rr_list_rr(records, i), *kept = NULL;
            if (ldns_dname_compare(ldns_rr_owner(rr), owner) != 0 || ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
                continue;
            if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME && !next) {
                next = ldns_rr_rdf(rr, 0);
                kept = ldns_rr_clone(rr);
            } else if (ldns_rr_get_type(rr) != type) {
                continue;
            } else if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) {
                enum names_reply reply = left-- > 0 ? may_have(world, name, rr) : NAMES_FULL;
                left = reply == NAMES_FULL ? 0 : left;
                kept = reply == NAMES_YES ? ldns_rr_clone(rr) : NULL;
            } else if (type == LDNS_RR_TYPE_SRV) {
                kept = target_allowed(world, ldns_rr_rdf(rr, 3)) ? ldns_rr_clone(rr) : NULL;
            } else {
                kept = strip_service(world, rr);
            }
            if (kept && ldns_rr_ttl(kept) > TTL_MOST)
                ldns_rr_set_ttl(kept, TTL_MOST);
            if (kept)
                ldns_rr_list_push_rr(taken, kept);
        }
        for (int i = 0; i <= links && next; i++)
            if (ldns_dname_compare(owners[i], next) == 0)
                next = NULL;
        if (!next || links + 1 == CHAIN_MOST)
            return;
        owners[links + 1] = next;
    }
}

// ---- questions ----------------------------------------------------------------------------------------------------

static uint8_t *to_wire(ldns_pkt *answer, size_t most, size_t *size)
{
    uint8_t *wire = NULL;
    if (ldns_pkt2wire(&wire, answer, size) == LDNS_STATUS_OK && *size <= most)
        return wire;
    free(wire);
    wire = NULL;
    while (ldns_rr_list_rr_count(ldns_pkt_answer(answer))) // it comes again by TCP
        ldns_rr_free(ldns_rr_list_pop_rr(ldns_pkt_answer(answer)));
    ldns_pkt_set_ancount(answer, 0);
    ldns_pkt_set_tc(answer, true);
    return ldns_pkt2wire(&wire, answer, size) == LDNS_STATUS_OK ? wire : NULL;
}

// The name is reached through a proxy, which alone looks it up: for the sandbox an address of IPv4 stands for it, and
// it has nothing else.
static void push_stand_in(ldns_pkt *answer, const ldns_rdf *owner, ldns_rr_type type, const uint8_t address[16])
{
    ldns_rr *rr = type == LDNS_RR_TYPE_A ? ldns_rr_new() : NULL;
    if (!rr)
        return;
    ldns_rr_set_type(rr, LDNS_RR_TYPE_A);
    ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(rr, STAND_IN_TTL);
    ldns_rr_set_owner(rr, ldns_rdf_clone(owner));
    ldns_rr_push_rdf(rr, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, 4, address + 12));
    ldns_pkt_push_rr(answer, LDNS_SECTION_ANSWER, rr);
}

uint8_t *answers_give(const struct answers_world *world, const uint8_t *data, size_t length, bool tcp, size_t *size)
{
    ldns_pkt *query = NULL, *found = NULL, *answer = ldns_pkt_new();
    uint8_t *wire = NULL;
    char name[256];
    if (length < 12 || data[2] & 0x80) // no question
        return ldns_pkt_free(answer), NULL;
    ldns_pkt_set_qr(answer, true);
    ldns_pkt_set_ra(answer, true);
    ldns_pkt_set_id(answer, (uint16_t)(data[0] << 8 | data[1]));
    size_t most = tcp ? ANSWERS_PACKET_MOST : 512;
    if (ldns_wire2pkt(&query, data, length) != LDNS_STATUS_OK) {
        ldns_pkt_set_rcode(answer, LDNS_RCODE_FORMERR);
        wire = to_wire(answer, most, size);
        ldns_pkt_free(answer);
        return wire;
    }
    ldns_pkt_set_rd(answer, ldns_pkt_rd(query));
    ldns_pkt_set_opcode(answer, ldns_pkt_get_opcode(query));
    const ldns_rr *question = ldns_pkt_qdcount(query) == 1 ? ldns_rr_list_rr(ldns_pkt_question(query), 0) : NULL;
    if (ldns_pkt_edns(query)) {
        ldns_pkt_set_edns_udp_size(answer, ANSWERS_UDP_SIZE);
        if (!tcp && ldns_pkt_edns_udp_size(query) > most)
            most = ldns_pkt_edns_udp_size(query) < ANSWERS_UDP_SIZE ? ldns_pkt_edns_udp_size(query) : ANSWERS_UDP_SIZE;
    }
    if (question)
        ldns_pkt_push_rr(answer, LDNS_SECTION_QUESTION, ldns_rr_clone(question)); // with the letters' case as it came
    ldns_rr_type type = question ? ldns_rr_get_type(question) : 0;
    ldns_pkt_rcode code = LDNS_RCODE_NOERROR;
    struct names_answer may = {.yes = NAMES_NO};
    bool wanted = type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA || type == LDNS_RR_TYPE_SRV ||
                  type == TYPE_SVCB || type == TYPE_HTTPS;
    if (ldns_pkt_get_opcode(query) != LDNS_PACKET_QUERY)
        code = LDNS_RCODE_NOTIMPL;
    else if (!question)
        code = LDNS_RCODE_FORMERR;
    else if (ldns_pkt_edns(query) && ldns_pkt_edns_version(query) != 0)
        ldns_pkt_set_edns_extended_rcode(answer, 1); // BADVERS
    else if (ldns_rr_get_class(question) != LDNS_RR_CLASS_IN || !canonical(ldns_rr_owner(question), name) ||
             !(may = world->ask(NAMES_MAY, name, NULL, 0)).yes)
        code = LDNS_RCODE_REFUSED;
    else if (may.yes == NAMES_STANDS_IN)
        push_stand_in(answer, ldns_rr_owner(question), type, may.address);
    else if (wanted) { // other kinds lead nowhere that could be connected to: there are none
        ldns_rr_list *records = ldns_rr_list_new(), *taken = ldns_rr_list_new();
        if (!world->in_hosts(name, type, records)) {
            found = world->resolve(ldns_rr_owner(question), type);
            code = found ? ldns_pkt_get_rcode(found) : LDNS_RCODE_SERVFAIL;
        }
        take_allowed(world, taken, found ? ldns_pkt_answer(found) : records, ldns_rr_owner(question), name, type);
        ldns_pkt_push_rr_list(answer, LDNS_SECTION_ANSWER, taken);
        ldns_rr_list_deep_free(records);
        ldns_rr_list_free(taken);
    }
    ldns_pkt_set_rcode(answer, (uint8_t)code);
    wire = to_wire(answer, most, size);
    ldns_pkt_free(found);
    ldns_pkt_free(query);
    ldns_pkt_free(answer);
    return wire;
}
