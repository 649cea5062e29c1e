// Races the broker: threads that rewrite the address, the message and the descriptors of calls that wait for an answer.
//
//   race block                          makes sockets wait again while sbxrun connects them, without end
//   race SECONDS ALLOWED DENIED PORT    prints how many connections and datagrams were made, and how many of them to
//   DENIED; that must be 0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in shared, allowed, denied;
static volatile int over, slot = 100;
static unsigned long made, reached, refused;

static struct sockaddr_in at(const char *text, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
}

static void *flip(void *unused)
{
    volatile uint32_t *number = (volatile uint32_t *)&shared.sin_addr.s_addr;
    while (!over) {
        *number = denied.sin_addr.s_addr;
        *number = allowed.sin_addr.s_addr;
    }
    return unused;
}

// What the descriptor means changes too: a socket of the inside, a connected one, a file.
static void *swap(void *unused)
{
    while (!over) {
        int fresh = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
            other = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), file = dup(1);
        dup2(fresh, slot);
        dup2(other, slot);
        dup2(file, slot);
        dup2(fresh, slot);
        close(fresh), close(other), close(file);
    }
    return unused;
}

static void count(int fd)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 || peer.sin_family != AF_INET)
        return;
    __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
    if (peer.sin_addr.s_addr == denied.sin_addr.s_addr)
        __atomic_fetch_add(&reached, 1, __ATOMIC_RELAXED);
}

static void *connect_fresh(void *unused)
{
    while (!over) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&shared, sizeof shared) == 0)
            count(fd);
        else
            __atomic_fetch_add(&refused, errno == EACCES, __ATOMIC_RELAXED);
        close(fd);
        struct iovec data = {"race", 4};
        struct msghdr message = {.msg_name = &shared, .msg_namelen = sizeof shared, .msg_iov = &data, .msg_iovlen = 1};
        fd = socket(AF_INET, SOCK_DGRAM, 0);
        sendto(fd, "race", 4, 0, (struct sockaddr *)&shared, sizeof shared);
        sendmsg(fd, &message, 0);
        close(fd);
    }
    return unused;
}

static void *connect_slot(void *unused)
{
    while (!over) {
        if (connect(slot, (struct sockaddr *)&shared, sizeof shared) == 0 || errno == EINPROGRESS)
            count(slot);
        sendto(slot, "race", 4, 0, (struct sockaddr *)&shared, sizeof shared);
        connect(slot, (struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_UNSPEC}, sizeof shared);
    }
    return unused;
}

static void *make_wait(void *unused)
{
    for (;;)
        fcntl(slot, F_SETFL, 0);
    return unused;
}

// A server of our own that never accepts: connecting to it waits.
static int block(void)
{
    struct sockaddr_in here = at("127.0.0.1", 9100);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;
    if (bind(server, (struct sockaddr *)&here, sizeof here) != 0 || listen(server, 0) != 0)
        return 1;
    for (int i = 0; i < 3; i++)
        connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&here, sizeof here);
    pthread_create(&thread, NULL, make_wait, NULL);
    pthread_create(&thread, NULL, make_wait, NULL);
    for (;;) {
        int fresh = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        dup2(fresh, slot);
        close(fresh);
        connect(slot, (struct sockaddr *)&here, sizeof here);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "block") == 0)
        return block();
    if (argc != 5)
        return 2;
    allowed = at(argv[2], atoi(argv[4]));
    denied = at(argv[3], atoi(argv[4]));
    shared = allowed;
    signal(SIGPIPE, SIG_IGN);
    static void *(*const what[])(void *) = {flip, flip, swap, connect_fresh, connect_fresh, connect_slot};
    pthread_t threads[sizeof what / sizeof *what];
    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        pthread_create(&threads[i], NULL, what[i], NULL);
    sleep((unsigned)atoi(argv[1]));
    over = 1;
    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        pthread_join(threads[i], NULL);
    printf("made %lu, refused %lu, reached %lu\n", made, refused, reached);
    return reached != 0;
}
