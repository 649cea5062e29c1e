// Any question for a name, and any packet as what a server answers: of that only what is allowed is passed on, in a
// packet that reads.
//
//   input: 1 by TCP, 2 hosts(5) has the name, 4 an address stands for it; the question's length, 2 bytes; the question;
//   the server's packet
// tests/fuzz/names.py makes the corpus.
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "names/answers.h"

enum { BY_TCP = 1, IN_HOSTS = 2, STANDS_IN = 4 };

static const uint8_t *theirs;
static size_t theirs_size;
static unsigned kind;

// A name that begins with "e" is of no rule; nor is an address that ends in an odd number.
static bool name_allowed(const char *name)
{
    return *name != 'e';
}

static bool address_allowed(const uint8_t *address, size_t size)
{
    return address[size - 1] % 2 == 0;
}

static struct names_answer ask(enum names_ask what, const char *name, const uint8_t address[16], uint32_t seconds)
{
    (void)seconds;
    bool yes = name_allowed(name) && (what != NAMES_PIN || address_allowed(address, 16));
    for (const char *letter = name; *letter; letter++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", *letter))
            abort(); // sbxrun takes no others
    if (!*name || strlen(name) > sizeof((struct names_question *)0)->name)
        abort();
    return (struct names_answer){.yes = !yes                                    ? NAMES_NO
                                        : what == NAMES_MAY && kind & STANDS_IN ? NAMES_STANDS_IN
                                                                                : NAMES_YES,
                                 .address = {[10] = 0xFF, 0xFF, 198, 18, 0, 2}};
}

static bool in_hosts(const char *name, ldns_rr_type type, ldns_rr_list *found)
{
    (void)name, (void)type, (void)found;
    return kind & IN_HOSTS;
}

static ldns_pkt *resolve(const ldns_rdf *name, ldns_rr_type type)
{
    ldns_pkt *query = ldns_pkt_query_new(ldns_rdf_clone(name), type, LDNS_RR_CLASS_IN, LDNS_RD), *answer = NULL;
    uint8_t *data = malloc(theirs_size > 2 ? theirs_size : 2); // of its exact size, for the sanitizer
    if (theirs_size)
        memcpy(data, theirs, theirs_size);
    data[0] = data[1] = 0; // the identity was guessed
    ldns_pkt_set_id(query, 0);
    answer = answers_read(data, theirs_size, query);
    free(data);
    ldns_pkt_free(query);
    return answer;
}

static void check_target(const ldns_rdf *target)
{
    const uint8_t *data = ldns_rdf_data(target);
    if (data[0] && (data[1] | 0x20) == 'e')
        abort();
}

// Of SVCB and HTTPS: priority, target, parameters.
static void check_service(const ldns_rr *rr)
{
    uint8_t *wire = NULL;
    size_t size = 0, at = ldns_rdf_size(ldns_rr_owner(rr)) + 12;
    ldns_rdf *target = NULL;
    if (ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK ||
        ldns_wire2dname(&target, wire, size, &at) != LDNS_STATUS_OK)
        abort();
    check_target(target);
    for (; at + 4 <= size; at += 4u + (size_t)(wire[at + 2] << 8 | wire[at + 3]))
        if (wire[at] == 0 && (wire[at + 1] == 4 || wire[at + 1] == 6))
            abort(); // an address that nobody checked
    ldns_rdf_deep_free(target);
    free(wire);
}

static void check(const uint8_t *wire, size_t size, const uint8_t *question)
{
    ldns_pkt *answer = NULL;
    if (size > ((kind & BY_TCP) ? ANSWERS_PACKET_MOST : ANSWERS_UDP_SIZE) ||
        ldns_wire2pkt(&answer, wire, size) != LDNS_STATUS_OK)
        abort();
    if (!ldns_pkt_qr(answer) || ldns_pkt_id(answer) != (question[0] << 8 | question[1]))
        abort();
    for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(answer)); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(answer), i);
        const ldns_rdf *first = ldns_rr_rdf(rr, 0);
        switch ((int)ldns_rr_get_type(rr)) {
        case LDNS_RR_TYPE_A:
        case LDNS_RR_TYPE_AAAA:
            if (!address_allowed(ldns_rdf_data(first), ldns_rdf_size(first)))
                abort();
            break;
        case LDNS_RR_TYPE_SRV: check_target(ldns_rr_rdf(rr, 3)); break;
        case LDNS_RR_TYPE_CNAME: break; // a chain may lead through any names
        case 64:
        case 65: check_service(rr); break;
        default: abort();
        }
    }
    ldns_pkt_free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct answers_world world = {ask, in_hosts, resolve};
    size_t length = size < 3 ? 0 : (size_t)(data[1] << 8 | data[2]), wire_size = 0;
    if (size < 3 || length > size - 3)
        return 0;
    kind = data[0];
    theirs = data + 3 + length;
    theirs_size = size - 3 - length;
    uint8_t *question = malloc(length ? length : 1); // likewise
    memcpy(question, data + 3, length);
    uint8_t *wire = answers_give(&world, question, length, kind & BY_TCP, &wire_size);
    if (wire)
        check(wire, wire_size, question);
    free(wire);
    free(question);
    return 0;
}
