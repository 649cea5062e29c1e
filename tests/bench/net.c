// Measures a network as a program sees it.   net serve | connect ADDRESS N | stream ADDRESS MIB | many ADDRESS N |
// lookup NAME N
//
// `serve` takes connections on port 7001 of every address and reads them empty. The others print one number:
// microseconds for a connect (the median), Gbit/s, milliseconds until N connections stand at once, microseconds for a
// lookup (the median).
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int serve(void)
{
    static char data[1 << 18];
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(7001)};
    int one = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), loop = epoll_create1(0);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&here, sizeof here) != 0 || listen(server, 20000) != 0)
        return 1;
    epoll_ctl(loop, EPOLL_CTL_ADD, server, &(struct epoll_event){.events = EPOLLIN, .data.fd = server});
    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != server) {
                ssize_t n = read(fd, data, sizeof data);
                if (n == 0 || (n < 0 && errno != EAGAIN))
                    close(fd);
                else if (n > 0 && data[n - 1] == '!') // all of it has come
                    n = write(fd, "!", 1);
                continue;
            }
            for (int c; (c = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0;)
                epoll_ctl(loop, EPOLL_CTL_ADD, c, &(struct epoll_event){.events = EPOLLIN, .data.fd = c});
        }
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return serve();
    if (argc != 4)
        return 2;
    int n = atoi(argv[3]);
    double *times = calloc((size_t)n + 1, sizeof *times), start = now();
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7001)};
    inet_pton(AF_INET, argv[2], &to.sin_addr);
    if (strcmp(argv[1], "connect") == 0 || strcmp(argv[1], "lookup") == 0) {
        for (int i = 0; i < n; i++) {
            struct addrinfo *found, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
            int fd = *argv[1] == 'c' ? socket(AF_INET, SOCK_STREAM, 0) : -1;
            start = now();
            if (*argv[1] == 'c' ? connect(fd, (struct sockaddr *)&to, sizeof to) != 0
                                : getaddrinfo(argv[2], NULL, &hints, &found) != 0)
                return fail(argv[1]);
            times[i] = now() - start;
            if (fd >= 0) // forgotten at once, or the ports of those that ended run out
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
            close(fd);
        }
        qsort(times, (size_t)n, sizeof *times, compare);
        printf("%.1f\n", times[n / 2]);
    } else if (strcmp(argv[1], "stream") == 0) {
        static char data[1 << 17];
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
            return fail("connect");
        start = now();
        for (long left = (long)n << 20; left > 0;) {
            data[sizeof data - 1] = left <= (long)sizeof data ? '!' : 0;
            ssize_t sent = write(fd, data, sizeof data);
            if (sent != (ssize_t)sizeof data)
                return fail("write");
            left -= sent;
        }
        if (read(fd, data, 1) != 1)
            return fail("read");
        printf("%.2f\n", 8.0 * n * 1048576 / (now() - start) / 1e3);
    } else if (strcmp(argv[1], "many") == 0) {
        struct pollfd *all = calloc((size_t)n, sizeof *all);
        for (int i = 0; i < n; i++) {
            all[i] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .events = POLLOUT};
            if (all[i].fd < 0 || (connect(all[i].fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS))
                return fail("connect");
        }
        for (int i = 0; i < n; i++) {
            int error = 0;
            socklen_t size = sizeof error;
            if (poll(&all[i], 1, 20000) != 1 || getsockopt(all[i].fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 ||
                error)
                return fail("poll");
        }
        for (int i = 0; i < n; i++)
            setsockopt(all[i].fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        printf("%.0f\n", (now() - start) / 1e3);
    }
    return 0;
}
