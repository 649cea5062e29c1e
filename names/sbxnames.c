// sbxnames: answers the questions for names that a sandbox asks, with the host's resolvers, as far as sbxrun lets it.
//
// A program of its own, because DNS is read here: what a sandbox asks and what servers answer; sbxrun walls it in as it
// does a command (enforcer/helpers/names.sbx). It holds the sockets at which the sandbox asks, one to sbxrun, which
// decides about every name and every address, and one to the opener, which makes its sockets to the host's resolvers
// (enforcer/network/names_wire.h). A thread for each question. What is answered: answers.c.
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

#include "names/answers.h"

enum {
    THREADS_MOST = 64,
    QUESTION_MOST = 4096,
    IDLE_MS = 5000,
};

static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER, opening = PTHREAD_MUTEX_INITIALIZER,
                       counting = PTHREAD_MUTEX_INITIALIZER;
static int threads;

// ---- sbxrun -------------------------------------------------------------------------------------------------------

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
    bool told = send(NAMES_FD_SBXRUN, &question, sizeof question, MSG_NOSIGNAL) == sizeof question &&
                recv(NAMES_FD_SBXRUN, &answer, sizeof answer, 0) == sizeof answer;
    pthread_mutex_unlock(&asking);
    if (!told)
        _exit(0); // it is gone
    return answer;
}

// ---- what the opener opens ----------------------------------------------------------------------------------------

// The descriptor, or -1; *opened is filled in either way, and knows of no servers where nobody answers.
static int open_by_opener(enum names_open open, int server, struct names_opened *opened)
{
    struct names_request request = {(uint8_t)open, (uint8_t)server};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {opened, sizeof *opened};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    pthread_mutex_lock(&opening);
    bool told = send(NAMES_FD_OPENER, &request, sizeof request, MSG_NOSIGNAL) == sizeof request &&
                recvmsg(NAMES_FD_OPENER, &message, MSG_CMSG_CLOEXEC) == sizeof *opened;
    pthread_mutex_unlock(&opening);
    const struct cmsghdr *header = told ? CMSG_FIRSTHDR(&message) : NULL;
    int fd = -1;
    if (!told)
        *opened = (struct names_opened){0};
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

// The addresses of a name in /etc/hosts (hosts(5)), into an answer.
static bool find_in_hosts(const char *name, ldns_rr_type type, ldns_rr_list *found)
{
    struct names_opened opened;
    int fd = open_by_opener(NAMES_OPEN_HOSTS, 0, &opened);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
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
            if ((strchr(address, ':') != NULL) == (type == LDNS_RR_TYPE_AAAA) &&
                ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) == LDNS_STATUS_OK)
                ldns_rr_list_push_rr(found, rr);
        }
    }
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return known;
}

// ---- the host's resolvers -----------------------------------------------------------------------------------------

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
        ssize_t n = sends ? send(fd, data + done, length - done, MSG_NOSIGNAL | MSG_DONTWAIT)
                          : recv(fd, data + done, length - done, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n > 0)
            done += (size_t)n;
        else if (!wait_for(fd, sends ? POLLOUT : POLLIN, until))
            return false;
    }
    return true;
}

static ldns_pkt *ask_by_tcp(int fd, uint8_t *wire, size_t size, const ldns_pkt *query, long until)
{
    int error = 0;
    socklen_t error_size = sizeof error;
    uint8_t head[2] = {(uint8_t)(size >> 8), (uint8_t)size}, *data = malloc(ANSWERS_PACKET_MOST);
    ldns_pkt *answer = NULL;
    if (fd >= 0 && data && wait_for(fd, POLLOUT, until) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) == 0 && !error &&
        move_all(fd, head, 2, true, until) && move_all(fd, wire, size, true, until) &&
        move_all(fd, head, 2, false, until)) {
        size_t count = (size_t)head[0] << 8 | head[1];
        if (move_all(fd, data, count, false, until))
            answer = answers_read(data, count, query);
    }
    free(data);
    if (fd >= 0)
        close(fd);
    return answer;
}

// A socket of its own for each question, connected, so that nobody else's answer comes in.
static ldns_pkt *ask_by_udp(int fd, const uint8_t *wire, size_t size, const ldns_pkt *query, long until)
{
    uint8_t data[4096];
    ldns_pkt *answer = NULL;
    if (fd >= 0 && send(fd, wire, size, MSG_NOSIGNAL) == (ssize_t)size)
        while (!answer && wait_for(fd, POLLIN, until)) {
            ssize_t n = recv(fd, data, sizeof data, 0);
            if (n < 0 && errno != EAGAIN && errno != EINTR)
                break;                                                    // nobody listens there
            answer = n > 0 ? answers_read(data, (size_t)n, query) : NULL; // what is no answer to it is passed over
        }
    if (fd >= 0)
        close(fd);
    return answer;
}

// NULL: no resolver answers.
static ldns_pkt *resolve(const ldns_rdf *name, ldns_rr_type type)
{
    ldns_pkt *query = ldns_pkt_query_new(ldns_rdf_clone(name), type, LDNS_RR_CLASS_IN, LDNS_RD), *answer = NULL;
    uint8_t *wire = NULL;
    size_t size = 0;
    uint16_t id;
    if (!query || getrandom(&id, sizeof id, 0) != sizeof id)
        return ldns_pkt_free(query), NULL;
    ldns_pkt_set_id(query, id);
    ldns_pkt_set_edns_udp_size(query, ANSWERS_UDP_SIZE);
    if (ldns_pkt2wire(&wire, query, &size) != LDNS_STATUS_OK)
        return ldns_pkt_free(query), NULL;
    struct names_opened opened = {.servers = 1, .attempts = 1};
    for (int try = 0; try < opened.attempts * opened.servers && !answer; try++) {
        int fd = open_by_opener(NAMES_OPEN_UDP, try % opened.servers, &opened);
        if (!opened.servers)
            break;
        int i = try % opened.servers;
        long until = now_ms() + opened.timeout_ms;
        answer = ask_by_udp(fd, wire, size, query, until);
        if (answer && ldns_pkt_tc(answer)) {
            ldns_pkt_free(answer);
            fd = open_by_opener(NAMES_OPEN_TCP, i, &opened);
            answer = ask_by_tcp(fd, wire, size, query, until);
        }
        bool failed = answer && ldns_pkt_get_rcode(answer) != LDNS_RCODE_NOERROR &&
                      ldns_pkt_get_rcode(answer) != LDNS_RCODE_NXDOMAIN;
        if (failed && try + 1 < opened.attempts * opened.servers) { // another may know better
            ldns_pkt_free(answer);
            answer = NULL;
        }
    }
    free(wire);
    ldns_pkt_free(query);
    return answer;
}

static const struct answers_world world = {ask, find_in_hosts, resolve};

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
    for (long until = now_ms() + IDLE_MS; move_all(job->connection, head, 2, false, until);
         until = now_ms() + IDLE_MS) {
        size_t length = (size_t)head[0] << 8 | head[1], size;
        if (length > sizeof job->data || !move_all(job->connection, job->data, length, false, until))
            break;
        uint8_t *answer = answers_give(&world, job->data, length, true, &size);
        if (!answer)
            break;
        uint8_t answer_head[2] = {(uint8_t)(size >> 8), (uint8_t)size};
        bool sent = move_all(job->connection, answer_head, 2, true, now_ms() + IDLE_MS) &&
                    move_all(job->connection, answer, size, true, now_ms() + IDLE_MS);
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
        uint8_t *answer = answers_give(&world, job->data, job->length, false, &size);
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
    if (recv(NAMES_FD_SBXRUN, &question, sizeof question, 0) != sizeof question || question.ask != NAMES_FIND ||
        question.length > sizeof question.name)
        return 1;
    snprintf(name, sizeof name, "%.*s", question.length, question.name);
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA};
    ldns_rdf *owner = ldns_dname_new_frm_str(name);
    for (int i = 0; i < 2 && owner && !answer.yes; i++) {
        ldns_rr_list *hosts = ldns_rr_list_new();
        bool known = find_in_hosts(name, types[i], hosts);
        ldns_pkt *found = known ? NULL : resolve(owner, types[i]);
        ldns_rr_list *records = known   ? hosts
                                : found ? ldns_pkt_rr_list_by_type(found, types[i], LDNS_SECTION_ANSWER)
                                        : NULL;
        if (records && ldns_rr_list_rr_count(records)) {
            memcpy(answer.address, (uint8_t[16]){[10] = 0xFF, [11] = 0xFF}, 16);
            memcpy(answer.address + (i ? 0 : 12), ldns_rdf_data(ldns_rr_rdf(ldns_rr_list_rr(records, 0), 0)),
                   i ? 16 : 4);
            answer.yes = NAMES_YES;
        }
    }
    return send(NAMES_FD_SBXRUN, &answer, sizeof answer, MSG_NOSIGNAL) == sizeof answer ? 0 : 1;
}

int main(void)
{
    struct pollfd waits[NAMES_FD_FIRST + NAMES_SOCKETS_MOST] = {[NAMES_FD_SBXRUN] = {NAMES_FD_SBXRUN, 0, 0}};
    int types[NAMES_FD_FIRST + NAMES_SOCKETS_MOST], count = NAMES_FD_FIRST;
    for (socklen_t size = sizeof *types; count < NAMES_FD_FIRST + NAMES_SOCKETS_MOST &&
                                         getsockopt(count, SOL_SOCKET, SO_TYPE, &types[count], &size) == 0;
         count++)
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
            ssize_t n = types[i] == SOCK_STREAM ? job->connection
                                                : recvfrom(i, job->data, sizeof job->data, MSG_DONTWAIT,
                                                           (struct sockaddr *)&job->from, &job->from_length);
            if (n < 0)
                continue;
            job->length = (size_t)n;
            start(job);
            job = NULL;
        }
    }
    return 1;
}
