// The whole space of what a socket can be made of, its options, fcntl's commands, operations on keys and resource
// limits, beside the policy function.
//
//   space walk                     makes each call, and prints it with what came of it: inside a sandbox
//   space judge POLICY.sbx < that  what the policy denies was refused with its errno; what it allows did what it does
//                                  outside, in a network of its own without privileges
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/policies.h"
#include "tests/tap.h"

struct
try {
    uint32_t number;
    char on; // what the first argument is: a file, one of a pair, a tcp or udp socket; '-': no descriptor
    uint64_t arguments[6];
    unsigned pointers; // bits: arguments that are a pointer if they are not 0
};

typedef void each(const struct try *);

// ---- the space ----------------------------------------------------------------------------------------------------

static void all_sockets(each *does)
{
    static const int calls[] = {SYS_socket, SYS_socketpair}, others[] = {0, 1, 2, 3, 6, 15, 17, 58, 132, 136, 255, 262};
    static const unsigned flags[] = {0, SOCK_NONBLOCK, SOCK_CLOEXEC, SOCK_NONBLOCK | SOCK_CLOEXEC, 0x10, 0x100000};
    for (size_t c = 0; c < 2; c++)
        for (uint32_t family = 0; family <= 50; family++)
            for (uint32_t type = 0; type < 16; type++) {
                struct try try = {(uint32_t)calls[c], '-', {family, type, 0, c}, 8};
                for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
                    try.arguments[1] = type | flags[f];
                    does(&try);
                }
                try.arguments[1] = type;
                bool internet = family == AF_INET || family == AF_INET6;
                for (uint32_t p = 1; p < (internet ? 265u : sizeof others / sizeof *others); p++) {
                    try.arguments[2] = internet ? p : (uint32_t)others[p];
                    does(&try);
                }
            }
}

static void all_options(each *does)
{
    static const int calls[] = {SYS_setsockopt, SYS_getsockopt}, known[] = {SOL_SOCKET, 0, 41, 6, 17};
    for (size_t c = 0; c < 2; c++)
        for (const char *on = "ptu"; *on; on++) {
            for (size_t k = 0; k < sizeof known / sizeof *known; k++)
                for (uint32_t option = 0; option <= 130; option++)
                    does(&(struct try){
                        (uint32_t)calls[c], *on, {0, (uint32_t)known[k], option, 1, c ? 1 : 4}, c ? 24 : 8});
            for (uint32_t level = 0; level <= 300; level++)
                for (uint32_t option = 0; option < 4; option++)
                    does(&(struct try){(uint32_t)calls[c], *on, {0, level, option, 1, c ? 1 : 4}, c ? 24 : 8});
        }
}

static void all_commands(each *does)
{
    for (uint32_t command = 0; command <= 1100; command++)
        does(&(struct try){SYS_fcntl, 'f', {0, command, 0}, 0});
    for (int bit = 11; bit < 32; bit++)
        does(&(struct try){SYS_fcntl, 'f', {0, 1u << bit, 0}, 0});
}

static void all_keys(each *does)
{
    static const int64_t rings[] = {0, -1, -2, -3, -4, -5, -6, -7, 1, 77777, 0x7fffffff, 0x1fffffffe, 0x100000003};
    enum { RINGS = sizeof rings / sizeof *rings };
    for (int i = 0; i < RINGS; i++) {
        for (uint32_t operation = 0; operation <= 40; operation++)
            for (int k = 0; k < RINGS; k++)
                does(&(struct try){SYS_keyctl,
                                   '-',
                                   {operation, (uint64_t)rings[i], (uint64_t)rings[k % 4], 0, (uint64_t)rings[k]},
                                   0});
        does(&(struct try){SYS_add_key, '-', {1, 1, 1, 4, (uint64_t)rings[i]}, 7});
        for (unsigned callout = 0; callout < 2; callout++)
            does(&(struct try){SYS_request_key, '-', {1, 1, callout, (uint64_t)rings[i]}, 7});
    }
}

static void all_limits(each *does)
{
    for (uint32_t resource = 0; resource <= 20; resource++) {
        does(&(struct try){SYS_setrlimit, '-', {resource, 0}, 0});
        for (unsigned new = 0; new < 2; new ++)
            does(&(struct try){SYS_prlimit64, '-', {0, resource, new, 1}, 12});
    }
}

// ---- one call -----------------------------------------------------------------------------------------------------

enum { ANOTHER = 1000 }; // in the place of an errno: what was made is not what was asked for

// Closes a new socket.
static int made_as_asked(int fd, const uint64_t *asked)
{
    int family = -1, type = -1, protocol = -1;
    socklen_t size = sizeof family;
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    close(fd);
    bool same = (uint64_t)family == asked[0] && (uint64_t)type == (asked[1] & 0xf) &&
                ((uint64_t)protocol == asked[2] || asked[2] == 0 || family == AF_UNIX);
    return same ? 0 : ANOTHER;
}

static int perform(const struct try *try) // its errno
{
    static uint64_t buffer[64];
    uint64_t a[6];
    int pair[2] = {-1, -1}, fd = -1;
    memset(buffer, 0, sizeof buffer);
    for (int i = 0; i < 6; i++)
        a[i] = try->pointers >> i & 1 && try->arguments[i] ? (uintptr_t)buffer : try->arguments[i];
    if (try->number == SYS_getsockopt)
        buffer[0] = 8, a[3] = (uintptr_t)(buffer + 1);
    if (try->number == SYS_add_key || try->number == SYS_request_key)
        memcpy(buffer, "user", 5);
    if (try->number == SYS_prlimit64 && try->arguments[2])
        prlimit(0, (int)try->arguments[1], NULL, (void *)buffer), a[3] = 0; // what it is already
    if (try->on == 'f')
        fd = open("/proc/self/exe", O_RDONLY);
    else if (try->on == 'p')
        fd = socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? pair[0] : -1;
    else if (try->on != '-')
        fd = socket(AF_INET, try->on == 't' ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (try->on != '-')
        a[0] = (uint64_t)fd;
    if (try->on != '-' && fd < 0)
        return -1; // there is no such socket here
    long result = syscall(try->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    int error = result < 0 ? errno : 0;
    if (result >= 0 && try->number == SYS_socket)
        error = made_as_asked((int)result, a);
    if (result >= 0 && try->number == SYS_socketpair) {
        memcpy(pair, buffer, sizeof pair);
        error = made_as_asked(pair[0], a);
    }
    if (result > 2 && try->number == SYS_fcntl && (a[1] == F_DUPFD || a[1] == F_DUPFD_CLOEXEC))
        close((int)result);
    if (fd >= 0)
        close(fd);
    if (pair[1] >= 0)
        close(pair[1]);
    return error;
}

static void print(const struct try *try)
{
    int error = perform(try);
    if (error < 0)
        return;
    printf("%u %c %u", try->number, try->on, try->pointers);
    for (int i = 0; i < 6; i++)
        printf(" %llx", (unsigned long long)try->arguments[i]);
    printf(" %d\n", error);
}

// ---- held against the policy --------------------------------------------------------------------------------------

static const char *said(int error)
{
    return error == 0 ? "done" : error == ANOTHER ? "another kind of socket" : strerrorname_np(error);
}

static int judge(const char *path)
{
    struct compilation *compilation;
    struct policy *policy = policy_from_file(&compilation, path, NULL);
    unsigned long allowed = 0, denied = 0, wrong = 0;
    struct try try;
    unsigned long long a[6];
    int error;
    cap_t none = cap_init();
    if (!ok(policy, "the policy compiles") ||
        !ok(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && cap_set_proc(none) == 0, "a network without privileges"))
        return tap_done();
    syscall(SYS_keyctl, 1, NULL); // KEYCTL_JOIN_SESSION_KEYRING
    while (scanf("%u %c %u %llx %llx %llx %llx %llx %llx %d", &try.number, &try.on, &try.pointers, a, a + 1, a + 2,
                 a + 3, a + 4, a + 5, &error) == 10) {
        struct operation_point point = {.domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = try.number};
        for (int i = 0; i < 6; i++)
            point.arguments[i] = try.arguments[i] = a[i];
        struct verdict verdict = policy_verdict(policy, &point);
        int want = verdict.allowed ? perform(&try) : verdict.error;
        verdict.allowed ? allowed++ : denied++;
        if ((want != error || error == ANOTHER) && wrong++ < 10)
            printf("# call %u on %c (%llx, %llx, %llx, %llx, %llx): %s inside; the policy %s it: %s\n", try.number,
                   try.on, a[0], a[1], a[2], a[3], a[4], said(error), verdict.allowed ? "allows" : "denies",
                   said(want));
    }
    cap_free(none);
    ok(wrong == 0 && allowed > 100 && denied > 1000,
       "%lu calls allowed, %lu denied, %lu otherwise than the policy says", allowed, denied, wrong);
    compilation_free(compilation);
    return tap_done();
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "judge") == 0)
        return judge(argv[2]);
    static void (*const spaces[])(each *) = {all_sockets, all_options, all_commands, all_keys, all_limits};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        spaces[i](print);
    return 0;
}
