// Proxies of the host.
#include "enforcer/network/proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/helpers/helper.h"
#include "enforcer/network/names_wire.h"
#include "enforcer/network/opener.h"
#include "enforcer/host/scoped.h"

// ---- where it is --------------------------------------------------------------------------------------------------

static bool take_address(const char *text, uint16_t port, struct proxy_place *place)
{
    struct sockaddr_in *four = (void *)&place->address;
    struct sockaddr_in6 *six = (void *)&place->address;
    *place = (struct proxy_place){.length = 0};
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        place->length = sizeof *four;
    } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        place->length = sizeof *six;
    }
    return place->length > 0;
}

static void reap(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

// sbxnames, for this one question.
static bool ask_resolver(struct str name, uint16_t port, struct proxy_place *place, struct failure *failure)
{
    struct names_question question = {.ask = NAMES_FIND, .length = (uint8_t)name.length};
    struct names_answer answer = {0};
    struct timeval patience = {.tv_sec = 20};
    uid_t user;
    gid_t group;
    closing_fd int mine = -1, its = -1, opens = -1;
    int ends[2];
    if (name.length > sizeof question.name || helper_user(&user, &group, failure) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    mine = ends[0];
    its = ends[1];
    memcpy(question.name, name.text, name.length);
    pid_t opener = opener_start(user, group, 0, &opens);
    pid_t pid =
        opener < 0 ? -1
                   : helper_start(&(struct helper){.program = HELPER_NAMES,
                                                   .given = (int[]){[NAMES_FD_SBXRUN] = its, [NAMES_FD_OPENER] = opens},
                                                   .count = NAMES_FD_FIRST},
                                  failure);
    close(its);
    its = -1;
    setsockopt(mine, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool told = pid > 0 && send(mine, &question, sizeof question, MSG_NOSIGNAL) == sizeof question &&
                recv(mine, &answer, sizeof answer, 0) == sizeof answer && answer.yes;
    reap(pid);
    reap(opener);
    char text[INET6_ADDRSTRLEN];
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    bool four = memcmp(answer.address, mapped, sizeof mapped) == 0;
    return told && inet_ntop(four ? AF_INET : AF_INET6, answer.address + (four ? 12 : 0), text, sizeof text) &&
           take_address(text, port, place);
}

int proxy_find(const struct plan *plan, struct proxy_place *place, struct failure *failure)
{
    const struct proxy_url *url = &plan->proxy.url;
    const char *host = str_copy(plan->arena, url->host).text;
    if (take_address(host, url->port, place) || ask_resolver(url->host, url->port, place, failure))
        return 0;
    return fail_with_advice(failure, plan->proxy.rule, 0, "write its address, or put it into /etc/hosts",
                            "the proxy's name %s leads nowhere on this host", host);
}

// ---- talking to it ------------------------------------------------------------------------------------------------

enum { HEAD_MOST = 16384, SENT_MOST = 2048, USER_MOST = 255 };

enum talk_stage {
    SEND_CONNECT,
    READ_HEAD,
    SEND_METHODS,
    READ_METHOD,
    SEND_USER,
    READ_USER,
    SEND_REQUEST,
    READ_REPLY,
    TALK_DONE
};

struct proxy_talk {
    enum proxy_kind kind;
    enum talk_stage stage;
    uint16_t port;
    char name[256], user[USER_MOST + 1], password[USER_MOST + 1];
    bool has_user;
    uint8_t out[SENT_MOST];
    size_t out_length, out_done;
    char said[128];
};

static void base64(char *out, const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += 3) {
        uint32_t bits = (uint32_t)(uint8_t)text[i] << 16 | (i + 1 < length ? (uint32_t)(uint8_t)text[i + 1] << 8 : 0) |
                        (i + 2 < length ? (uint8_t)text[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            *out++ = i + k > length ? '=' : letters[bits >> (18 - 6 * k) & 63];
    }
    *out = '\0';
}

static void say_connect(struct proxy_talk *talk)
{
    char both[2 * USER_MOST + 2], coded[4 * (2 * USER_MOST + 4) / 3 + 4] = "";
    snprintf(both, sizeof both, "%s:%s", talk->user, talk->password);
    if (talk->has_user)
        base64(coded, both);
    talk->out_length =
        (size_t)snprintf((char *)talk->out, sizeof talk->out, "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n%s%s%s\r\n",
                         talk->name, talk->port, talk->name, talk->port,
                         talk->has_user ? "Proxy-Authorization: Basic " : "", coded, talk->has_user ? "\r\n" : "");
    talk->stage = SEND_CONNECT;
    explicit_bzero(both, sizeof both);
    explicit_bzero(coded, sizeof coded);
}

static void say(struct proxy_talk *talk, enum talk_stage stage, const void *data, size_t length)
{
    memcpy(talk->out + talk->out_length, data, length);
    talk->out_length += length;
    talk->stage = stage;
}

static void say_sized(struct proxy_talk *talk, enum talk_stage stage, const char *text)
{
    uint8_t length = (uint8_t)strlen(text);
    say(talk, stage, &length, 1);
    say(talk, stage, text, length);
}

static void say_request(struct proxy_talk *talk)
{
    say(talk, SEND_REQUEST, (uint8_t[]){5, 1, 0, 3}, 4); // version, CONNECT, reserved, a name
    say_sized(talk, SEND_REQUEST, talk->name);
    say(talk, SEND_REQUEST, (uint8_t[]){(uint8_t)(talk->port >> 8), (uint8_t)talk->port}, 2);
}

struct proxy_talk *proxy_talk_new(enum proxy_kind kind, struct str name, uint16_t port, const char *credentials)
{
    struct proxy_talk *talk = calloc(1, sizeof *talk);
    const char *colon = credentials ? strchr(credentials, ':') : NULL;
    size_t user = colon         ? (size_t)(colon - credentials)
                  : credentials ? strlen(credentials)
                                : 0,
           password = colon ? strlen(colon + 1) : 0;
    bool plain = true; // what /etc/hosts has may hold anything
    for (size_t i = 0; i < name.length; i++)
        plain = plain && (isalnum((unsigned char)name.text[i]) || strchr("-_.", name.text[i]));
    if (!talk || !plain || name.length >= sizeof talk->name || user > USER_MOST || password > USER_MOST) {
        free(talk);
        return NULL;
    }
    talk->kind = kind;
    talk->port = port;
    memcpy(talk->name, name.text, name.length);
    talk->has_user = credentials != NULL;
    memcpy(talk->user, credentials ? credentials : "", user);
    memcpy(talk->password, colon ? colon + 1 : "", password);
    if (kind == PROXY_HTTP)
        say_connect(talk);
    else
        say(talk, SEND_METHODS, talk->has_user ? (uint8_t[]){5, 2, 0, 2} : (uint8_t[]){5, 1, 0},
            talk->has_user ? 4 : 3);
    return talk;
}

void proxy_talk_free(struct proxy_talk *talk)
{
    if (talk)
        explicit_bzero(talk, sizeof *talk);
    free(talk);
}

// Reads `length` bytes or none of them. 0, EAGAIN, or an errno.
static int read_exactly(int fd, uint8_t *data, size_t length)
{
    ssize_t n = recv(fd, data, length, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0)
        return ECONNREFUSED;
    if (n < 0)
        return errno == EINTR ? EAGAIN : errno;
    if ((size_t)n < length)
        return EAGAIN;
    return recv(fd, data, length, MSG_DONTWAIT) == (ssize_t)length ? 0 : EIO;
}

static int refused(struct proxy_talk *talk, int error, const char *what)
{
    snprintf(talk->said, sizeof talk->said, "%s", what);
    return error;
}

// What follows the head belongs to the command, so the head alone is taken.
static int read_head(struct proxy_talk *talk, int fd)
{
    static uint8_t head[HEAD_MOST + 1]; // and an end for sscanf
    ssize_t n = recv(fd, head, HEAD_MOST, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0)
        return n == 0 ? refused(talk, ECONNREFUSED, "it hung up") : errno == EINTR ? EAGAIN : errno;
    const uint8_t *end = memmem(head, (size_t)n, "\r\n\r\n", 4);
    if (!end)
        return n == HEAD_MOST ? refused(talk, EPROTO, "its answer is no HTTP") : EAGAIN;
    size_t length = (size_t)(end - head) + 4;
    unsigned status = 0;
    if (recv(fd, head, length, MSG_DONTWAIT) != (ssize_t)length || memcmp(head, "HTTP/1.", 7) != 0 || length < 16 ||
        sscanf((char *)head + 8, " %3u", &status) != 1)
        return refused(talk, EPROTO, "its answer is no HTTP");
    if (status / 100 == 2) {
        talk->stage = TALK_DONE;
        return 0;
    }
    const char *why = status == 407 ? " (it wants a user and a password: " PROXY_CREDENTIALS ")" : "";
    snprintf(talk->said, sizeof talk->said, "it answered %u%s", status, why);
    return status == 407 || status == 403 ? EACCES : status == 504 ? ETIMEDOUT : ECONNREFUSED;
}

static int read_method(struct proxy_talk *talk, int fd)
{
    uint8_t reply[2];
    int error = read_exactly(fd, reply, 2);
    if (error)
        return error;
    if (reply[0] != 5)
        return refused(talk, EPROTO, "it speaks no SOCKS5");
    if (reply[1] == 0) {
        say_request(talk);
        return 0;
    }
    if (reply[1] != 2 || !talk->has_user)
        return refused(talk, EACCES, "it wants a user and a password: " PROXY_CREDENTIALS);
    say(talk, SEND_USER, (uint8_t[]){1}, 1);
    say_sized(talk, SEND_USER, talk->user);
    say_sized(talk, SEND_USER, talk->password);
    return 0;
}

static int read_user(struct proxy_talk *talk, int fd)
{
    uint8_t reply[2];
    int error = read_exactly(fd, reply, 2);
    if (error)
        return error;
    if (reply[1] != 0)
        return refused(talk, EACCES, "it does not know the user, or that is not the password");
    say_request(talk);
    return 0;
}

static int read_reply(struct proxy_talk *talk, int fd)
{
    static const int errors[] = {0,         ECONNREFUSED, EACCES, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED,
                                 ETIMEDOUT, EPROTO,       EPROTO};
    uint8_t reply[4 + 1 + 255 + 2];
    ssize_t n = recv(fd, reply, sizeof reply, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0)
        return n == 0 ? refused(talk, ECONNREFUSED, "it hung up") : errno == EINTR ? EAGAIN : errno;
    if (n < 5)
        return EAGAIN;
    size_t length = 4 + 2 + (reply[3] == 1 ? 4 : reply[3] == 4 ? 16 : reply[3] == 3 ? 1u + reply[4] : 0);
    if (reply[0] != 5 || length == 6)
        return refused(talk, EPROTO, "it speaks no SOCKS5");
    uint8_t code = reply[1];
    int error = read_exactly(fd, reply, length);
    if (error)
        return error;
    talk->stage = TALK_DONE;
    if (code)
        snprintf(talk->said, sizeof talk->said, "it answered %u", code);
    return code < sizeof errors / sizeof *errors ? errors[code] : ECONNREFUSED;
}

int proxy_talk_step(struct proxy_talk *talk, int fd, short *events, const char **said)
{
    static int (*const readers[TALK_DONE])(struct proxy_talk *, int) = {
        [READ_HEAD] = read_head, [READ_METHOD] = read_method, [READ_USER] = read_user, [READ_REPLY] = read_reply};
    *said = talk->said;
    while (talk->stage != TALK_DONE) {
        if (readers[talk->stage]) {
            *events = POLLIN;
            int error = readers[talk->stage](talk, fd);
            if (error)
                return error;
            continue;
        }
        *events = POLLOUT;
        ssize_t n =
            send(fd, talk->out + talk->out_done, talk->out_length - talk->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EINTR || errno == EAGAIN ? EAGAIN : errno;
        talk->out_done += (size_t)n;
        if (talk->out_done < talk->out_length)
            continue;
        explicit_bzero(talk->out, sizeof talk->out);
        talk->out_length = talk->out_done = 0;
        talk->stage++; // each thing said is followed by its answer
    }
    return 0;
}
