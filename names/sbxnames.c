// sbxnames: answers the questions for names that a sandbox asks, with the host's resolvers, as far as sbxrun lets it.
//
// A program of its own, because DNS is read here: what a sandbox asks and what servers answer. It holds the two sockets at which the sandbox
// asks and one to sbxrun (enforcer/names_wire.h), which decides about every name and every address. A thread for each question. Wire format:
// ldns. RFC 1035, 2181, 6891 (EDNS), 9460 (SVCB and HTTPS).
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/names_wire.h"

enum {
    THREADS_MOST = 64,
    QUESTION_MOST = 4096,
    PACKET_MOST = 65535,
    SERVERS_MOST = 3, // resolv.conf(5)
    CHAIN_MOST = 16,  // links from a name to its addresses
    UDP_SIZE = 1232,  // what fits every path
    TTL_MOST = 86400,
    IDLE_MS = 5000,
    STAND_IN_TTL = 60,
};

#define TYPE_SVCB ((ldns_rr_type)64)
#define TYPE_HTTPS ((ldns_rr_type)65)

static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER, counting = PTHREAD_MUTEX_INITIALIZER;
static int threads;

// ---- sbxrun ---------------------------------------------------------------------------------------------------------------------------------

static struct names_answer ask(enum names_ask what, const char *name, const uint8_t address[16], uint32_t seconds)
{
    struct names_question question = {.ask = (uint8_t)what, .seconds = seconds};
    size_t length = strlen(name);
    struct names_answer answer = {.yes = NAMES_NO};
    if (length > sizeof question.name)
        return answer;
    question.length = (uint8_t)length;
    memcpy(question.name, name, length);
    if (address)
        memcpy(question.address, address, 16);
    pthread_mutex_lock(&asking);
    bool told = send(NAMES_FD_SBXRUN, &question, sizeof question, MSG_NOSIGNAL) == sizeof question && recv(NAMES_FD_SBXRUN, &answer, sizeof answer, 0) == sizeof answer;
    pthread_mutex_unlock(&asking);
    if (!told)
        _exit(0); // it is gone
    return answer;
}

// ---- the host's configuration ---------------------------------------------------------------------------------------------------------------

struct servers {
    struct sockaddr_storage list[SERVERS_MOST];
    socklen_t lengths[SERVERS_MOST];
    int count, timeout_ms, attempts;
};

static void add_server(struct servers *servers, const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    if (servers->count == SERVERS_MOST)
        return;
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
        memcpy(&servers->list[servers->count], &four, sizeof four);
        servers->lengths[servers->count++] = sizeof four;
    } else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
        memcpy(&servers->list[servers->count], &six, sizeof six);
        servers->lengths[servers->count++] = sizeof six;
    }
}

static struct servers read_servers(void)
{
    struct servers servers = {.timeout_ms = 5000, .attempts = 2};
    FILE *file = fopen("/etc/resolv.conf", "re");
    char line[512], word[64];
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "nameserver %63s", word) == 1)
            add_server(&servers, word);
        const char *option = strncmp(line, "options", 7) == 0 ? line : NULL;
        const char *timeout = option ? strstr(option, "timeout:") : NULL, *attempts = option ? strstr(option, "attempts:") : NULL;
        if (timeout && atoi(timeout + 8) > 0 && atoi(timeout + 8) <= 30)
            servers.timeout_ms = 1000 * atoi(timeout + 8);
        if (attempts && atoi(attempts + 9) > 0 && atoi(attempts + 9) <= 5)
            servers.attempts = atoi(attempts + 9);
    }
    if (file)
        fclose(file);
    if (!servers.count)
        add_server(&servers, "127.0.0.1");
    return servers;
}

// The addresses of a name in /etc/hosts (hosts(5)), into an answer.
static bool find_in_hosts(const char *name, ldns_rr_type type, ldns_rr_list *found)
{
    FILE *file = fopen("/etc/hosts", "re");
    char line[1024];
    bool known = false;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "#\n")] = '\0';
        char *rest = NULL, *address = strtok_r(line, " \t", &rest);
        for (char *alias; address && (alias = strtok_r(NULL, " \t", &rest));) {
            ldns_rr *rr = NULL;
            char text[512];
            if (strcasecmp(alias, name) != 0)
                continue;
            known = true;
            snprintf(text, sizeof text, "%s. 60 IN %s %s", name, strchr(address, ':') ? "AAAA" : "A", address);
            if ((strchr(address, ':') != NULL) == (type == LDNS_RR_TYPE_AAAA) && ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) == LDNS_STATUS_OK)
                ldns_rr_list_push_rr(found, rr);
        }
    }
    if (file)
        fclose(file);
    return known;
}

// ---- the host's resolvers -------------------------------------------------------------------------------------------------------------------

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool wait_for(int fd, short events, long until)
{
    struct pollfd ready = {.fd = fd, .events = events};
    long left = until - now_ms();
    return left > 0 && poll(&ready, 1, (int)left) == 1;
}

static bool move_all(int fd, uint8_t *data, size_t length, bool sends, long until)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = sends ? send(fd, data + done, length - done, MSG_NOSIGNAL | MSG_DONTWAIT) : recv(fd, data + done, length - done, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n > 0)
            done += (size_t)n;
        else if (!wait_for(fd, sends ? POLLOUT : POLLIN, until))
            return false;
    }
    return true;
}

// The answer to `wire` if it is one to that question; the caller frees it.
static ldns_pkt *read_answer(const uint8_t *data, size_t length, const ldns_pkt *query)
{
    ldns_pkt *answer = NULL;
    if (ldns_wire2pkt(&answer, data, length) != LDNS_STATUS_OK)
        return NULL;
    const ldns_rr *asked = ldns_rr_list_rr(ldns_pkt_question(query), 0), *theirs = ldns_pkt_qdcount(answer) == 1 ? ldns_rr_list_rr(ldns_pkt_question(answer), 0) : NULL;
    if (theirs && ldns_pkt_qr(answer) && ldns_pkt_id(answer) == ldns_pkt_id(query) && ldns_rr_get_type(theirs) == ldns_rr_get_type(asked) &&
        ldns_rr_get_class(theirs) == LDNS_RR_CLASS_IN && ldns_dname_compare(ldns_rr_owner(theirs), ldns_rr_owner(asked)) == 0)
        return answer;
    ldns_pkt_free(answer);
    return NULL;
}

static ldns_pkt *ask_by_tcp(const struct sockaddr_storage *server, socklen_t length, uint8_t *wire, size_t size, const ldns_pkt *query, long until)
{
    int fd = socket(server->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    socklen_t error_size = sizeof error;
    uint8_t head[2] = {(uint8_t)(size >> 8), (uint8_t)size}, *data = malloc(PACKET_MOST);
    ldns_pkt *answer = NULL;
    if (fd >= 0 && data && (connect(fd, (const struct sockaddr *)server, length) == 0 || (errno == EINPROGRESS && wait_for(fd, POLLOUT, until))) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) == 0 && !error && move_all(fd, head, 2, true, until) && move_all(fd, wire, size, true, until) &&
        move_all(fd, head, 2, false, until)) {
        size_t count = (size_t)head[0] << 8 | head[1];
        if (move_all(fd, data, count, false, until))
            answer = read_answer(data, count, query);
    }
    free(data);
    if (fd >= 0)
        close(fd);
    return answer;
}

// A socket of its own for each question, connected, so that nobody else's answer comes in.
static ldns_pkt *ask_by_udp(const struct sockaddr_storage *server, socklen_t length, const uint8_t *wire, size_t size, const ldns_pkt *query, long until)
{
    int fd = socket(server->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    uint8_t data[4096];
    ldns_pkt *answer = NULL;
    if (fd >= 0 && connect(fd, (const struct sockaddr *)server, length) == 0 && send(fd, wire, size, MSG_NOSIGNAL) == (ssize_t)size)
        while (!answer && wait_for(fd, POLLIN, until)) {
            ssize_t n = recv(fd, data, sizeof data, 0);
            if (n < 0 && errno != EAGAIN && errno != EINTR)
                break; // nobody listens there
            answer = n > 0 ? read_answer(data, (size_t)n, query) : NULL; // what is no answer to it is passed over
        }
    if (fd >= 0)
        close(fd);
    return answer;
}

// NULL: no resolver answers.
static ldns_pkt *resolve(ldns_rdf *name, ldns_rr_type type)
{
    struct servers servers = read_servers();
    ldns_pkt *query = ldns_pkt_query_new(ldns_rdf_clone(name), type, LDNS_RR_CLASS_IN, LDNS_RD), *answer = NULL;
    uint8_t *wire = NULL;
    size_t size = 0;
    uint16_t id;
    if (!query || getrandom(&id, sizeof id, 0) != sizeof id)
        return ldns_pkt_free(query), NULL;
    ldns_pkt_set_id(query, id);
    ldns_pkt_set_edns_udp_size(query, UDP_SIZE);
    if (ldns_pkt2wire(&wire, query, &size) != LDNS_STATUS_OK)
        return ldns_pkt_free(query), NULL;
    for (int try = 0; try < servers.attempts * servers.count && !answer; try++) {
        int i = try % servers.count;
        long until = now_ms() + servers.timeout_ms;
        answer = ask_by_udp(&servers.list[i], servers.lengths[i], wire, size, query, until);
        if (answer && ldns_pkt_tc(answer)) {
            ldns_pkt_free(answer);
            answer = ask_by_tcp(&servers.list[i], servers.lengths[i], wire, size, query, until);
        }
        bool failed = answer && ldns_pkt_get_rcode(answer) != LDNS_RCODE_NOERROR && ldns_pkt_get_rcode(answer) != LDNS_RCODE_NXDOMAIN;
        if (failed && try + 1 < servers.attempts * servers.count) { // another may know better
            ldns_pkt_free(answer);
            answer = NULL;
        }
    }
    free(wire);
    ldns_pkt_free(query);
    return answer;
}

// ---- what may be answered -------------------------------------------------------------------------------------------------------------------

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

static bool may_have(const char *name, const ldns_rr *rr)
{
    const uint8_t *data = ldns_rdf_data(ldns_rr_rdf(rr, 0));
    uint8_t address[16] = {[10] = 0xFF, [11] = 0xFF};
    if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_A)
        memcpy(address + 12, data, 4);
    else
        memcpy(address, data, 16);
    return ask(NAMES_PIN, name, address, ldns_rr_ttl(rr) < TTL_MOST ? ldns_rr_ttl(rr) : TTL_MOST).yes == NAMES_YES;
}

static bool target_allowed(const ldns_rdf *target)
{
    char text[256];
    return canonical(target, text) && ask(NAMES_MAY, text, NULL, 0).yes != NAMES_NO;
}

// SVCB and HTTPS as wire: priority, target, parameters. Addresses in it are hints that nobody checked: they are left out.
static ldns_rr *strip_service(const ldns_rr *rr)
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
        if (at != size || (!itself && !target_allowed(target)) || ldns_wire2rr(&result, kept, used, &position, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
            result = NULL;
    }
    ldns_rdf_deep_free(target);
    free(wire);
    return result;
}

// Adds what of an answer's records is allowed: the chain of names from the one asked for, and at its end what was asked for.
static void take_allowed(ldns_rr_list *taken, const ldns_rr_list *records, const ldns_rdf *asked, const char *name, ldns_rr_type type)
{
    const ldns_rdf *owner = asked;
    for (int links = 0; links < CHAIN_MOST; links++) {
        const ldns_rdf *next = NULL;
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
                kept = may_have(name, rr) ? ldns_rr_clone(rr) : NULL;
            } else if (type == LDNS_RR_TYPE_SRV) {
                kept = target_allowed(ldns_rr_rdf(rr, 3)) ? ldns_rr_clone(rr) : NULL;
            } else {
                kept = strip_service(rr);
            }
            if (kept && ldns_rr_ttl(kept) > TTL_MOST)
                ldns_rr_set_ttl(kept, TTL_MOST);
            if (kept)
                ldns_rr_list_push_rr(taken, kept);
        }
        if (!next)
            return;
        owner = next;
    }
}

// ---- questions ------------------------------------------------------------------------------------------------------------------------------

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

// The name is reached through a proxy, which alone looks it up: for the sandbox an address of IPv4 stands for it, and it has nothing else.
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

// Answers one question. The caller frees the answer; NULL: there is none to give.
static uint8_t *respond(const uint8_t *data, size_t length, bool tcp, size_t *size)
{
    ldns_pkt *query = NULL, *found = NULL, *answer = ldns_pkt_new();
    uint8_t *wire = NULL;
    char name[256];
    if (length < 12 || data[2] & 0x80) // no question
        return ldns_pkt_free(answer), NULL;
    ldns_pkt_set_qr(answer, true);
    ldns_pkt_set_ra(answer, true);
    ldns_pkt_set_id(answer, (uint16_t)(data[0] << 8 | data[1]));
    size_t most = tcp ? PACKET_MOST : 512;
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
        ldns_pkt_set_edns_udp_size(answer, UDP_SIZE);
        if (!tcp && ldns_pkt_edns_udp_size(query) > most)
            most = ldns_pkt_edns_udp_size(query) < UDP_SIZE ? ldns_pkt_edns_udp_size(query) : UDP_SIZE;
    }
    if (question)
        ldns_pkt_push_rr(answer, LDNS_SECTION_QUESTION, ldns_rr_clone(question)); // with the letters' case as it came
    ldns_rr_type type = question ? ldns_rr_get_type(question) : 0;
    ldns_pkt_rcode code = LDNS_RCODE_NOERROR;
    struct names_answer may = {.yes = NAMES_NO};
    bool wanted = type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA || type == LDNS_RR_TYPE_SRV || type == TYPE_SVCB || type == TYPE_HTTPS;
    if (ldns_pkt_get_opcode(query) != LDNS_PACKET_QUERY)
        code = LDNS_RCODE_NOTIMPL;
    else if (!question)
        code = LDNS_RCODE_FORMERR;
    else if (ldns_pkt_edns(query) && ldns_pkt_edns_version(query) != 0)
        ldns_pkt_set_edns_extended_rcode(answer, 1); // BADVERS
    else if (ldns_rr_get_class(question) != LDNS_RR_CLASS_IN || !canonical(ldns_rr_owner(question), name) || !(may = ask(NAMES_MAY, name, NULL, 0)).yes)
        code = LDNS_RCODE_REFUSED;
    else if (may.yes == NAMES_STANDS_IN)
        push_stand_in(answer, ldns_rr_owner(question), type, may.address);
    else if (wanted) { // other kinds lead nowhere that could be connected to: there are none
        ldns_rr_list *records = ldns_rr_list_new(), *taken = ldns_rr_list_new();
        if (!find_in_hosts(name, type, records)) {
            found = resolve(ldns_rr_owner(question), type);
            code = found ? ldns_pkt_get_rcode(found) : LDNS_RCODE_SERVFAIL;
        }
        take_allowed(taken, found ? ldns_pkt_answer(found) : records, ldns_rr_owner(question), name, type);
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

struct job {
    int connection; // -1: by UDP
    int socket;     // at which it was asked
    struct sockaddr_storage from;
    socklen_t from_length;
    size_t length;
    uint8_t data[QUESTION_MOST];
};

static void serve_connection(struct job *job)
{
    uint8_t head[2];
    for (long until = now_ms() + IDLE_MS; move_all(job->connection, head, 2, false, until); until = now_ms() + IDLE_MS) {
        size_t length = (size_t)head[0] << 8 | head[1], size;
        if (length > sizeof job->data || !move_all(job->connection, job->data, length, false, until))
            break;
        uint8_t *answer = respond(job->data, length, true, &size);
        if (!answer)
            break;
        uint8_t answer_head[2] = {(uint8_t)(size >> 8), (uint8_t)size};
        bool sent = move_all(job->connection, answer_head, 2, true, now_ms() + IDLE_MS) && move_all(job->connection, answer, size, true, now_ms() + IDLE_MS);
        free(answer);
        if (!sent)
            break;
    }
    close(job->connection);
}

static void *serve(void *argument)
{
    struct job *job = argument;
    size_t size;
    if (job->connection >= 0) {
        serve_connection(job);
    } else {
        uint8_t *answer = respond(job->data, job->length, false, &size);
        if (answer)
            sendto(job->socket, answer, size, MSG_NOSIGNAL, (struct sockaddr *)&job->from, job->from_length);
        free(answer);
    }
    free(job);
    pthread_mutex_lock(&counting);
    threads--;
    pthread_mutex_unlock(&counting);
    return NULL;
}

static void start(struct job *job)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_mutex_lock(&counting);
    bool room = threads < THREADS_MOST;
    threads += room;
    pthread_mutex_unlock(&counting);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    if (!room || pthread_create(&thread, &attributes, serve, job) != 0) { // who asks asks again
        if (job->connection >= 0)
            close(job->connection);
        free(job);
        if (room) {
            pthread_mutex_lock(&counting);
            threads--;
            pthread_mutex_unlock(&counting);
        }
    }
    pthread_attr_destroy(&attributes);
}

// Answers sbxrun's own question.
static int find(void)
{
    struct names_question question;
    struct names_answer answer = {.yes = NAMES_NO};
    char name[256];
    if (recv(NAMES_FD_SBXRUN, &question, sizeof question, 0) != sizeof question || question.ask != NAMES_FIND || question.length > sizeof question.name)
        return 1;
    snprintf(name, sizeof name, "%.*s", question.length, question.name);
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA};
    ldns_rdf *owner = ldns_dname_new_frm_str(name);
    for (int i = 0; i < 2 && owner && !answer.yes; i++) {
        ldns_rr_list *hosts = ldns_rr_list_new();
        bool known = find_in_hosts(name, types[i], hosts);
        ldns_pkt *found = known ? NULL : resolve(owner, types[i]);
        ldns_rr_list *records = known ? hosts : found ? ldns_pkt_rr_list_by_type(found, types[i], LDNS_SECTION_ANSWER) : NULL;
        if (records && ldns_rr_list_rr_count(records)) {
            memcpy(answer.address, (uint8_t[16]){[10] = 0xFF, [11] = 0xFF}, 16);
            memcpy(answer.address + (i ? 0 : 12), ldns_rdf_data(ldns_rr_rdf(ldns_rr_list_rr(records, 0), 0)), i ? 16 : 4);
            answer.yes = NAMES_YES;
        }
    }
    return send(NAMES_FD_SBXRUN, &answer, sizeof answer, MSG_NOSIGNAL) == sizeof answer ? 0 : 1;
}

int main(void)
{
    struct pollfd waits[NAMES_FD_FIRST + NAMES_SOCKETS_MOST] = {[NAMES_FD_SBXRUN] = {NAMES_FD_SBXRUN, 0, 0}};
    int types[NAMES_FD_FIRST + NAMES_SOCKETS_MOST], count = NAMES_FD_FIRST;
    for (socklen_t size = sizeof *types; count < NAMES_FD_FIRST + NAMES_SOCKETS_MOST && getsockopt(count, SOL_SOCKET, SO_TYPE, &types[count], &size) == 0; count++)
        waits[count] = (struct pollfd){count, POLLIN, 0};
    if (count == NAMES_FD_FIRST)
        return find();
    struct job *job = NULL;
    while (poll(waits, (nfds_t)count, -1) >= 0 || errno == EINTR) {
        if (waits[NAMES_FD_SBXRUN].revents)
            return 0; // hung up
        for (int i = NAMES_FD_FIRST; i < count; i++) {
            if (!waits[i].revents)
                continue;
            if (!job && !(job = calloc(1, sizeof *job)))
                return 1;
            job->socket = i;
            job->connection = types[i] == SOCK_STREAM ? accept4(i, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
            job->from_length = sizeof job->from;
            ssize_t n = types[i] == SOCK_STREAM ? job->connection : recvfrom(i, job->data, sizeof job->data, MSG_DONTWAIT, (struct sockaddr *)&job->from, &job->from_length);
            if (n < 0)
                continue;
            job->length = (size_t)n;
            start(job);
            job = NULL;
        }
    }
    return 1;
}
