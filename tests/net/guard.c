// A broker that lets everything through, with the guard behind it:    guard PLAN.json TRY...    each a word of the
// table below with its arguments after colons, as connect:tcp:192.0.2.1:7001. Says what came of each, then what the
// guard reported.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/plan/plan.h"
#include "enforcer/host/clock.h"
#include "enforcer/network/net_guard.h"

enum { WORDS = 5 };

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

static struct net_guard *guard;
static int kept[16], kept_count; // connected sockets, for `again`

static struct address address_of(const char *host,
                                 const char *port) // an IPv6 address with "-" in place of ":"; "m" in front: mapped
{
    struct address address = {0};
    struct sockaddr_in *four = (void *)&address.storage;
    struct sockaddr_in6 *six = (void *)&address.storage;
    char text[64];
    snprintf(text, sizeof text, "%s%s", *host == 'm' ? "::ffff:" : "", *host == 'm' ? host + 1 : host);
    for (char *c = text; *c; c++)
        *c = *c == '-' ? ':' : *c;
    if (!strchr(text, ':')) {
        *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
        inet_pton(AF_INET, text, &four->sin_addr);
        address.length = sizeof *four;
    } else {
        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
        inet_pton(AF_INET6, text, &six->sin6_addr);
        address.length = sizeof *six;
    }
    return address;
}

static int make(const char *protocol, const struct address *address)
{
    return socket(address->storage.ss_family, (strcmp(protocol, "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC,
                  0);
}

static int finish(int fd, int result)
{
    int error = result < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

static int try_connect(char **words)
{
    struct address to = address_of(words[2], words[3]);
    int fd = make(words[1], &to), result = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to.storage, to.length);
    if (result == 0 && words[4])
        kept[kept_count++] = dup(fd);
    return finish(fd, result);
}

static int try_again(char **words) // sends on what was connected before, and waits for an answer
{
    int fd = kept[atoi(words[1])];
    char answer[64];
    struct pollfd ready = {fd, POLLIN, 0};
    if (send(fd, "again\n", 6, MSG_NOSIGNAL) < 0)
        return errno;
    return poll(&ready, 1, 1500) == 1 && recv(fd, answer, sizeof answer, 0) > 0 ? 0 : ETIMEDOUT;
}

static int try_sendto(char **words)
{
    struct address to = address_of(words[1], words[2]);
    int fd = make("udp", &to);
    return finish(fd, fd < 0 ? -1 : (int)sendto(fd, "x", 1, 0, (struct sockaddr *)&to.storage, to.length));
}

static int try_bind(char **words)
{
    struct address at = address_of(words[2], words[3]);
    int fd = make(words[1], &at), one = 1;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return finish(fd, fd < 0 ? -1 : bind(fd, (struct sockaddr *)&at.storage, at.length));
}

static int try_socket(char **words)
{
    int fd = socket(atoi(words[1]), atoi(words[2]), atoi(words[3]));
    return finish(fd, fd);
}

// Its packets go to another host first: loose source routing (RFC 791), which an address that was checked says nothing
// of.
static int try_route(char **words)
{
    struct address to = address_of(words[1], words[2]), first = address_of(words[3], "0");
    uint8_t options[8] = {IPOPT_LSRR, 7, 4};
    memcpy(options + 3, &((struct sockaddr_in *)&first.storage)->sin_addr, 4);
    int fd = make("udp", &to);
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, sizeof options) != 0 ||
        connect(fd, (struct sockaddr *)&to.storage, to.length) != 0)
        return finish(fd, -1);
    return finish(fd, (int)send(fd, "x", 1, 0));
}

static int try_pin(char **words)
{
    struct address to = address_of(words[2], "0");
    struct destination destination;
    destination_of(&destination, (struct sockaddr *)&to.storage, to.length);
    net_guard_pin(guard, str_from(words[1]), destination.number, clock_now() + strtoull(words[3], NULL, 10) * 1000000u);
    return 0;
}

static int try_sleep(char **words)
{
    usleep((useconds_t)atoi(words[1]) * 1000);
    return 0;
}

static const struct {
    const char *word;
    int (*go)(char **);
} tries[] = {{"connect", try_connect}, {"again", try_again}, {"sendto", try_sendto}, {"bind", try_bind},
             {"socket", try_socket},   {"route", try_route}, {"pin", try_pin},       {"sleep", try_sleep}};

static char file[1 << 20];

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    struct str why;
    const char *lacks = net_guard_lacks();
    if (lacks) {
        printf("no guard: %s\n", lacks);
        return 77;
    }
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    ssize_t size = read(fd, file, sizeof file);
    struct plan *plan = size > 0 ? plan_read(arena, (struct str){file, (size_t)size}, &why) : NULL;
    struct events *events = plan ? events_new(plan, NULL) : NULL;
    if (!events || !(guard = net_guard_new(plan, &(struct proxy_place){.length = 0}, events, &lacks)) ||
        net_guard_enter(guard) != 0) {
        printf("the guard can't be made: %s\n", lacks ? lacks : "its group can't be entered");
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        char *words[WORDS + 1] = {0}, *copy = strdup(argv[i]), *rest = NULL;
        int count = 0, error = ENOSYS;
        for (char *word = strtok_r(copy, ":", &rest); word && count < WORDS; word = strtok_r(NULL, ":", &rest))
            words[count++] = word;
        for (size_t k = 0; k < sizeof tries / sizeof *tries; k++)
            if (strcmp(tries[k].word, words[0]) == 0)
                error = tries[k].go(words);
        printf("%s: %s\n", argv[i], error ? strerrorname_np(error) : "ok");
        free(copy);
    }
    fflush(stdout);
    net_guard_free(guard);
    struct text text = {.arena = arena};
    struct json_writer writer = {.text = &text, .depth = 1};
    events_write(&writer, events, EVENT_DESTINATION);
    printf("%.*s\n", (int)text.length, text.data);
    events_free(events);
    return 0;
}
