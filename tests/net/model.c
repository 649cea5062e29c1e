// Random calls on four sockets:   model faithful|hostile FIRST COUNT
//
// Makes COUNT sequences of calls, each from its own number (FIRST, FIRST + 1, …), so that any can be made again alone.
// Faithful: what a rule allows, and prints what came of each call, "SEQUENCE STEP CALL ERRNO", which is to be the same
// inside and outside. Hostile: whatever can be tried, and prints nothing but "done".
//
// Where it may go: tcp 192.0.2.1:7001 (takes connections) and 7999 (nobody), udp 192.0.2.1:7002, and 127.0.0.1:8080,
// where it may also listen.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 4, STEPS = 40 };

static struct slot {
    int fd; // -1
    struct life {
        bool tcp, tried, bound, listens; // tried: to connect
        int copies;
    } * life; // of the socket, which copies share
} slots[SLOTS];

static uint64_t random_state;
static bool hostile;

static unsigned below(unsigned n) // xorshift64*
{
    random_state ^= random_state >> 12, random_state ^= random_state << 25, random_state ^= random_state >> 27;
    return (unsigned)((random_state * 0x2545F4914F6CDD1DULL) >> 33) % n;
}

static struct sockaddr_in at(const char *host, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &to.sin_addr);
    return to;
}

static struct sockaddr_in somewhere(bool tcp)
{
    static const char *const hosts[] = {"192.0.2.1", "192.0.2.2", "198.51.100.1", "127.0.0.1", "0.0.0.0"};
    static const int ports[] = {7001, 7002, 7999, 8080, 22};
    if (hostile && below(3))
        return at(hosts[below(5)], ports[below(5)]);
    if (!tcp)
        return at("192.0.2.1", 7002);
    unsigned which = below(4);
    return which == 0 ? at("192.0.2.1", 7999) : which == 1 ? at("127.0.0.1", 8080) : at("192.0.2.1", 7001);
}

static int result(long n)
{
    return n < 0 ? errno : 0;
}

// ---- calls --------------------------------------------------------------------------------------------------------

enum { SKIPPED = -1 };

static void close_slot(struct slot *slot)
{
    if (slot->fd < 0)
        return;
    close(slot->fd);
    if (--slot->life->copies == 0)
        free(slot->life);
    *slot = (struct slot){-1, NULL};
}

static void fill(struct slot *slot, int fd, struct life *life)
{
    close_slot(slot);
    life->copies++;
    *slot = (struct slot){fd, life};
}

static int make(struct slot *slot)
{
    struct life *life = calloc(1, sizeof *life);
    life->tcp = below(4) != 0;
    int one = 1, fd = socket(AF_INET, life->tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (life->tcp) { // leaves nothing behind when it is closed
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){0, 300000}, sizeof(struct timeval));
    fill(slot, fd, life);
    return result(fd);
}

static int connect_somewhere(struct slot *slot)
{
    struct sockaddr_in to = somewhere(slot->life->tcp);
    slot->life->tried = true;
    return result(connect(slot->fd, (void *)&to, sizeof to));
}

static int forget(struct slot *slot)
{
    struct sockaddr to = {.sa_family = AF_UNSPEC};
    return result(connect(slot->fd, &to, sizeof to));
}

static int bind_somewhere(struct slot *slot)
{
    struct sockaddr_in to = hostile && below(2)           ? somewhere(slot->life->tcp)
                            : slot->life->tcp && below(2) ? at("127.0.0.1", 8080)
                                                          : at("0.0.0.0", 0);
    if (!hostile && slot->life->tried) // it is in the host's network, where no rule lets it have any port
        return SKIPPED;
    slot->life->bound = true;
    return result(bind(slot->fd, (void *)&to, sizeof to));
}

static int listen_there(struct slot *slot)
{
    if (!hostile && slot->life->tried) // Linux would listen everywhere
        return SKIPPED;
    int error = result(listen(slot->fd, 128));
    slot->life->listens |= !error;
    if (hostile && slot->life->tried && !error)
        usleep(10000); // so that who looks on sees it
    return error;
}

static int accept_one(struct slot *slot)
{
    struct pollfd now = {.fd = slot->fd, .events = POLLIN};
    if (!slot->life->listens || poll(&now, 1, 0) != 1)
        return SKIPPED;
    int flags = fcntl(slot->fd, F_GETFL);
    fcntl(slot->fd, F_SETFL, flags | O_NONBLOCK);
    int fd = accept(slot->fd, NULL, NULL), error = result(fd);
    fcntl(slot->fd, F_SETFL, flags);
    if (fd < 0)
        return error;
    struct life *life = calloc(1, sizeof *life);
    life->tcp = life->tried = true;
    fill(&slots[below(SLOTS)], fd, life);
    return 0;
}

static int copy(struct slot *slot)
{
    struct slot *to = &slots[below(SLOTS)];
    int fd = to == slot ? -1 : dup(slot->fd);
    if (fd >= 0)
        fill(to, fd, slot->life);
    return fd >= 0 ? 0 : SKIPPED;
}

static int shut(struct slot *slot)
{
    int how = (int)below(3);
    struct sockaddr_storage peer;
    int listens = 0;
    getsockopt(slot->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &(socklen_t){sizeof listens});
    if (!hostile && !listens && getpeername(slot->fd, (void *)&peer, &(socklen_t){sizeof peer}) != 0)
        return SKIPPED; // Linux remembers it for a connection to come
    return result(shutdown(slot->fd, how));
}

static int send_on(struct slot *slot)
{
    return result(send(slot->fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int send_to(struct slot *slot)
{
    struct sockaddr_in to = somewhere(slot->life->tcp);
    char control[CMSG_SPACE(sizeof(struct in_pktinfo))] __attribute__((aligned(8))) = {0};
    struct iovec data = {"x", 1};
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &data, .msg_iovlen = 1};
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    if (!slot->life->tcp)
        slot->life->tried = true;
    if (hostile && below(2)) {
        flags |= below(2) ? MSG_FASTOPEN : 1 << below(31);
        message.msg_control = control;
        message.msg_controllen = below(2) ? sizeof control : 0;
        *(struct cmsghdr *)control = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(4 + 4 * below(2)), .cmsg_level = below(2) ? 0 : 1, .cmsg_type = (int)below(40)};
        memset(CMSG_DATA((struct cmsghdr *)control), (int)below(4), 8);
    }
    if (below(2))
        return result(sendmsg(slot->fd, &message, flags));
    return result(sendto(slot->fd, "x", 1, flags, (void *)&to, sizeof to));
}

static int option(struct slot *slot)
{
    static const struct {
        int level, name;
    } options[] = {{SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, TCP_NODELAY}, {SOL_SOCKET, SO_REUSEADDR}};
    int one = 1;
    unsigned which = below(slot->life->tcp ? 3 : 1);
    return result(setsockopt(slot->fd, options[which].level, options[which].name, &one, sizeof one));
}

static int error_of(struct slot *slot)
{
    int error = 0;
    getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
    return error;
}

static int in_child(struct slot *slot)
{
    static int (*const all[])(struct slot *) = {send_on,           option,       shut,   forget,
                                                connect_somewhere, listen_there, send_to};
    if (!hostile && !slot->life->tried && !slot->life->listens) // a connection of one process is not another's
        return SKIPPED;
    unsigned which = below(hostile ? 7 : 3);
    pid_t pid = fork();
    if (pid == 0)
        _exit(all[which](slot) & 0xFF); // SKIPPED is 255
    below(9);                           // it is the child's that went on
    int status = 0;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : errno;
}

static int close_one(struct slot *slot)
{
    close_slot(slot);
    return 0;
}

static const struct {
    const char *name;
    int (*make)(struct slot *);
    unsigned weight;
} calls[] = {
    {"socket", make, 4},
    {"connect", connect_somewhere, 6},
    {"forget", forget, 2},
    {"bind", bind_somewhere, 4},
    {"listen", listen_there, 4},
    {"accept", accept_one, 4},
    {"dup", copy, 2},
    {"shutdown", shut, 1},
    {"send", send_on, 3},
    {"sendto", send_to, 3},
    {"option", option, 1},
    {"error", error_of, 1},
    {"fork", in_child, 1},
    {"close", close_one, 1},
};

int main(int count, char **words)
{
    if (count != 4)
        return 2;
    hostile = strcmp(words[1], "hostile") == 0;
    unsigned total = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        total += calls[i].weight;
    for (int i = 0; i < SLOTS; i++)
        slots[i].fd = -1;
    for (unsigned long number = strtoul(words[2], NULL, 10), end = number + strtoul(words[3], NULL, 10); number < end;
         number++) {
        random_state = (number + 1) * 0x9E3779B97F4A7C15ULL;
        for (int step = 0; step < STEPS; step++) {
            struct slot *slot = &slots[below(SLOTS)];
            unsigned pick = below(total);
            size_t call = 0;
            while (pick >= calls[call].weight)
                pick -= calls[call++].weight;
            uint64_t next = random_state ^ 0xD1B54A32D192ED03ULL; // whatever a call takes, the next step's is the same
            int error = slot->fd < 0 ? make(slot) : calls[call].make(slot);
            random_state = next;
            if (!hostile && error != SKIPPED)
                printf("%lu %d %s %d\n", number, step, calls[call].name, error);
        }
        for (int i = 0; i < SLOTS; i++)
            close_slot(&slots[i]);
    }
    puts("done");
    return 0;
}
