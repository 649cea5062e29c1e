// Observing a command.
#include "enforcer/actions/observe.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/code/cbpf.h"
#include "enforcer/host/caller.h"
#include "enforcer/host/clock.h"
#include "enforcer/network/destination.h"
#include "enforcer/supervisor/named.h"
#include "enforcer/supervisor/notified.h"
#include "enforcer/host/scoped.h"
#include "enforcer/network/twin.h"

struct observer {
    struct seen *seen;
    struct notified_source source;
    struct map names;   // addresses as text, to the name that was asked for
    struct map abstract; // names of unix sockets without a path that it has bound
    struct map sockets; // that the command binds or listens on, by their inodes
    int thread;         // whose call is looked at
    uint64_t tasks;     // processes and threads now, as far as their calls say
};

// ---- which calls are looked at ------------------------------------------------------------------------------------

enum look {
    LOOK_MAP,
    LOOK_CONNECT,
    LOOK_BIND,
    LOOK_LISTEN,
    LOOK_SEND,
    LOOK_SEND_MESSAGE,
    LOOK_RECEIVE,
    LOOK_BORN,
    LOOK_GONE,
    LOOK_GONE_ALL
};

static const struct looked {
    const char *call;
    enum look look;
} looked[] = {
    {"mmap", LOOK_MAP},
    {"connect", LOOK_CONNECT},
    {"bind", LOOK_BIND},
    {"listen", LOOK_LISTEN},
    {"sendto", LOOK_SEND},
    {"sendmsg", LOOK_SEND_MESSAGE},
    {"sendmmsg", LOOK_SEND_MESSAGE},
    {"recvfrom", LOOK_RECEIVE},
    {"recvmsg", LOOK_RECEIVE},
    {"recvmmsg", LOOK_RECEIVE},
    {"clone", LOOK_BORN},
    {"clone3", LOOK_BORN},
    {"fork", LOOK_BORN},
    {"vfork", LOOK_BORN},
    {"exit", LOOK_GONE},
    {"exit_group", LOOK_GONE_ALL},
};

static const struct looked *looked_at(uint32_t number)
{
    int call = syscall_by_number(ARCH_HERE, number);
    for (size_t i = 0; call >= 0 && i < sizeof looked / sizeof *looked; i++)
        if (strcmp(looked[i].call, syscall_row((size_t)call)->name) == 0)
            return &looked[i];
    return NULL;
}

static bool is_usual(const struct plan *usual, const uint64_t *arguments, uint32_t number, bool *whatever_arguments)
{
    uint32_t words[SECCOMP_WORDS];
    cbpf_words(words, arch_audit[ARCH_HERE], number, arguments);
    const struct bpf_program *filter = &usual->filters[ARCH_HERE];
    if (whatever_arguments)
        *whatever_arguments = cbpf_arguments_asked(filter, words) == 0;
    return cbpf_run(filter, words, NULL) == SECCOMP_ALLOW;
}

enum { FILTER_MOST = 2048 };

// By runs of numbers: most calls between two that are told apart are alike. Of mmap, what maps a file to execute it.
static size_t make_filter(const struct plan *usual, struct sock_filter code[FILTER_MOST])
{
    const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                             tell = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    unsigned end = syscall_numbers_end(ARCH_HERE);
    size_t length = 0;
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch_audit[ARCH_HERE], 1, 0);
    code[length++] = allow; // i386: seen by nobody, and killed by every policy
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 2);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3]));
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 1);
    code[length++] = allow;
    code[length++] = tell;
    bool telling = false;
    for (unsigned number = 0; number <= end && length + 4 < FILTER_MOST; number++) {
        bool whatever, told = number < end && (looked_at(number) || named_by(number) ||
                                               !is_usual(usual, NULL, number, &whatever) || !whatever);
        if (number == 0) {
            telling = told;
        } else if (told != telling || number == end) { // all numbers below this one, and not below the last
            code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, number, 1, 0);
            code[length++] = telling ? tell : allow;
            telling = told;
        }
    }
    code[length++] = tell; // newer than this edition
    return length;
}

// ---- files --------------------------------------------------------------------------------------------------------

// A process's own folder in /proc: `seen` has "self" for its number, which is another one each time, and `at` the
// number for "self", which is ours here. False: it does not fit.
static bool see_process(const struct observer *o, const char *path, char seen[PATH_MAX], char at[PATH_MAX])
{
    static const char proc[] = "/proc/", self[] = "self", thread[] = "thread-self";
    const char *name = path + sizeof proc - 1;
    size_t length = strncmp(path, proc, sizeof proc - 1) == 0 ? strcspn(name, "/") : 0;
    bool is_number = length && strspn(name, "0123456789") == length;
    bool is_self = (length == sizeof self - 1 && memcmp(name, self, length) == 0) ||
                   (length == sizeof thread - 1 && memcmp(name, thread, length) == 0);
    int seen_length = snprintf(seen, PATH_MAX, is_number ? "/proc/self%s" : "%s", is_number ? name + length : path);
    int at_length = is_self ? snprintf(at, PATH_MAX, "/proc/%d%s", o->thread, name + length)
                            : snprintf(at, PATH_MAX, "%s", path);
    return seen_length < PATH_MAX && at_length < PATH_MAX;
}

static void see_path(struct observer *o, const char *named, unsigned verbs)
{
    struct stat status, behind;
    char real[PATH_MAX], path[PATH_MAX], name_seen[PATH_MAX];
    if (!see_process(o, named, name_seen, path))
        return;
    bool is = lstat(path, &status) == 0;
    if (!is && !(verbs & VERB_CREATE))
        return; // it looked for something that is not there
    if (is && verbs == VERB_CREATE)
        verbs = 0; // mkdir of what is there already
    struct seen_path *seen = seen_path_add(o->seen, str_from(name_seen), verbs, 1);
    seen->folder |= is && S_ISDIR(status.st_mode);
    seen->made |= !is;
    if (!is) { // behind links above it
        char above[PATH_MAX];
        strcpy(above, path);
        char *name = strrchr(above, '/');
        *name++ = '\0';
        if (realpath(*above ? above : "/", real) && strcmp(real, *above ? above : "/") != 0 &&
            strlen(real) + strlen(name) + 2 < PATH_MAX) {
            strcat(strcat(real, "/"), name);
            seen_path_add(o->seen, str_from(real), verbs, 1)->made = true;
        }
        return;
    }
    if (realpath(path, real) && strcmp(real, path) != 0 && strncmp(real, "/proc/", 6) != 0 && stat(real, &behind) == 0)
        seen_path_add(o->seen, str_from(real), verbs & ~(unsigned)(VERB_CREATE | VERB_DELETE), 1)->folder |=
            S_ISDIR(behind.st_mode);
}

// A script's interpreter is executed by the kernel itself.
static void see_program(struct observer *o, const char *path, int depth)
{
    char line[256] = "", seen[PATH_MAX], at[PATH_MAX];
    closing_fd int fd = see_process(o, path, seen, at) ? open(at, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0)
        return;
    see_path(o, path, VERB_EXEC | VERB_READ);
    if (depth > 4 || read(fd, line, sizeof line - 1) < 3 || line[0] != '#' || line[1] != '!')
        return;
    char *name = line + 2 + strspn(line + 2, " \t");
    name[strcspn(name, " \t\n")] = '\0';
    if (name[0] == '/')
        see_program(o, name, depth + 1);
}

// ---- the network --------------------------------------------------------------------------------------------------

static bool read_address(const struct notified *call, uint64_t at, uint64_t length, struct destination *to)
{
    return at && length && destination_read(call, at, length, AF_UNSPEC, to) == 0;
}

static unsigned protocol_at(struct notified *call, int argument, int *fd)
{
    struct socket_kind kind;
    *fd = notified_take(call, (int)call->arguments[argument]);
    if (*fd < 0 || socket_examine(*fd, &kind) != 0)
        return 0;
    return socket_protocol(&kind);
}

static struct str socket_key(struct observer *o, unsigned long long inode)
{
    return str_format(o->seen->arena, "%llu", inode);
}

enum listener { LISTENER_NONE, LISTENER_OWN, LISTENER_OTHER };

// Who is there at that port of the caller's network: one of the sockets that the command has bound, or others (proc(5),
// net/tcp).
static enum listener who_listens(struct observer *o, unsigned protocol, uint16_t port)
{
    static const char *const tables[] = {"tcp", "tcp6", "udp", "udp6"};
    enum { TCP_LISTEN = 10 }; // include/net/tcp_states.h
    enum listener found = LISTENER_NONE;
    for (size_t i = protocol == PROTOCOL_UDP ? 2 : 0, end = i + 2; i < end; i++) {
        char path[64], line[512];
        snprintf(path, sizeof path, "/proc/%d/net/%s", o->thread, tables[i]);
        FILE *table = fopen(path, "re");
        while (table && fgets(line, sizeof line, table)) {
            unsigned local, state;
            unsigned long long inode;
            if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %llu", &local, &state,
                       &inode) != 3 ||
                local != port || (protocol == PROTOCOL_TCP && state != TCP_LISTEN))
                continue;
            found = map_get(&o->sockets, socket_key(o, inode)) ? LISTENER_OWN : LISTENER_OTHER;
            if (found == LISTENER_OWN)
                break;
        }
        if (table)
            fclose(table);
        if (found == LISTENER_OWN)
            break;
    }
    return found;
}

static struct str key_of(struct observer *o, const char *what, unsigned long long high, unsigned long long low)
{
    return str_format(o->seen->arena, "%s %llx %llx", what, high, low);
}

// Where a socket at that path really lies: a rule is about that. False: nowhere.
static bool lies_at(char path[PATH_MAX], bool is_new)
{
    char real[PATH_MAX], *name = strrchr(path, '/');
    if (!is_new)
        return realpath(path, real) && strcpy(path, real);
    char last[PATH_MAX];
    strcpy(last, name);
    *name = '\0';
    if (!realpath(*path ? path : "/", real) || strlen(real) + strlen(last) >= PATH_MAX)
        return false;
    strcat(strcpy(path, strcmp(real, "/") == 0 ? "" : real), last);
    return true;
}

static void see_destination(struct observer *o, const struct notified *call, unsigned verb, unsigned protocol,
                            const struct destination *to)
{
    struct net_point point = {
        .verb = verb, .protocol = protocol, .place = NET_ADDRESS, .address = to->number, .port = to->port};
    if (to->address.ss_family == AF_UNIX) {
        const struct sockaddr_un *address = (const void *)&to->address;
        char path[PATH_MAX], base[PATH_MAX];
        size_t length = to->length - offsetof(struct sockaddr_un, sun_path);
        point = (struct net_point){.verb = verb, .protocol = PROTOCOL_UNIX, .place = NET_UNIX, .name = NET_OWN_UNIX};
        if (to->length <= offsetof(struct sockaddr_un, sun_path) || !address->sun_path[0]) { // abstract
            struct str name = str_copy(o->seen->arena, (struct str){address->sun_path, length});
            if (verb == VERB_BIND)
                map_put(&o->abstract, name, o);
            if (map_get(&o->abstract, name)) // nothing outside can be reached so
                seen_net_add(o->seen, &point, 1);
            return;
        }
        snprintf(path, sizeof path, "%.*s", (int)strnlen(address->sun_path, length), address->sun_path);
        if (path[0] != '/') {
            char given[PATH_MAX];
            strcpy(given, path);
            if (!named_link(call, "cwd", base) || strlen(base) + strlen(given) + 2 > PATH_MAX)
                return;
            strcat(strcat(strcpy(path, base), "/"), given);
        }
        named_make_normal(path);
        if (verb == VERB_CONNECT && access(path, F_OK) != 0)
            return;
        see_path(o, path, verb == VERB_CONNECT ? VERB_READ : VERB_CREATE);
        if (!lies_at(path, verb == VERB_BIND))
            return;
        point.name = str_copy(o->seen->arena, str_from(path));
        seen_net_add(o->seen, &point, 1);
        return;
    }
    if (!protocol || protocol == PROTOCOL_UNIX ||
        (verb == VERB_CONNECT && to->port == 0)) // UNSPEC, and how C libraries sort addresses
        return;
    bool loopback = to->number == 1 || (uint32_t)(to->number >> 24) == (0xFFFF00u | 127) || to->any;
    if (verb == VERB_CONNECT && loopback)
        switch (who_listens(o, protocol, to->port)) {
        case LISTENER_NONE: return; // it looked for something that is not there
        case LISTENER_OWN: break;
        case LISTENER_OTHER: point.place = NET_HOST_LOOPBACK; break;
        }
    const struct str *name =
        map_get(&o->names, key_of(o, "name", (unsigned long long)(to->number >> 64), (unsigned long long)to->number));
    if (verb == VERB_CONNECT && name) {
        point.place = NET_NAME;
        point.name = *name;
    }
    seen_net_add(o->seen, &point, 1);
}

// What was asked for is in the answer too. It waits in the socket when its reader comes, most often, and is only looked
// at.
static void see_answer(struct observer *o, int fd)
{
    unsigned char data[4096];
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof peer;
    struct destination from;
    ssize_t n = recvfrom(fd, data, sizeof data, MSG_PEEK | MSG_DONTWAIT, (struct sockaddr *)&peer, &length);
    if (n < (ssize_t)sizeof(HEADER) || destination_of(&from, (struct sockaddr *)&peer, length) != 0 ||
        from.port != NS_DEFAULTPORT)
        return;
    ns_msg message;
    ns_rr record;
    if (ns_initparse(data, (int)n, &message) != 0 || ns_parserr(&message, ns_s_qd, 0, &record) != 0)
        return;
    struct str *name = NEW(o->seen->arena, struct str);
    *name = net_canonical_name(o->seen->arena, str_copy(o->seen->arena, str_from(ns_rr_name(record))));
    for (int i = 0; i < ns_msg_count(message, ns_s_an) && ns_parserr(&message, ns_s_an, i, &record) == 0; i++) {
        net_address number = 0;
        if (ns_rr_type(record) == ns_t_a && ns_rr_rdlen(record) == 4)
            number = 0xFFFF;
        else if (ns_rr_type(record) != ns_t_aaaa || ns_rr_rdlen(record) != 16)
            continue;
        for (int byte = 0; byte < ns_rr_rdlen(record); byte++)
            number = number << 8 | ns_rr_rdata(record)[byte];
        map_put(&o->names, key_of(o, "name", (unsigned long long)(number >> 64), (unsigned long long)number), name);
    }
}

static bool is_resolver(const struct destination *to)
{
    return to->port == NS_DEFAULTPORT; // names are sbxrun's to resolve
}

// ---- calls --------------------------------------------------------------------------------------------------------

static void see(struct observer *o, struct notified *call, const struct looked *how)
{
    char path[PATH_MAX];
    struct destination to;
    closing_fd int fd = -1;
    switch (how->look) {
    case LOOK_MAP: {
        char number[32];
        snprintf(number, sizeof number, "fd/%d", (int)call->arguments[4]);
        if (named_link(call, number, path))
            see_path(o, path, VERB_EXEC | VERB_READ);
        return;
    }
    case LOOK_CONNECT:
    case LOOK_BIND: {
        unsigned protocol = protocol_at(call, 0, &fd);
        if (fd >= 0 && how->look == LOOK_BIND)
            map_put(&o->sockets, socket_key(o, socket_inode(fd)), o);
        if (read_address(call, call->arguments[1], (uint32_t)call->arguments[2], &to) &&
            !(how->look == LOOK_CONNECT && is_resolver(&to)))
            see_destination(o, call, how->look == LOOK_BIND ? VERB_BIND : VERB_CONNECT, protocol, &to);
        return;
    }
    case LOOK_LISTEN: { // one that was not bound gets a port by it
        unsigned protocol = protocol_at(call, 0, &fd);
        struct net_point point = {.verb = VERB_LISTEN, .protocol = protocol, .place = NET_ADDRESS, .address = 1};
        if (fd >= 0 && !map_put(&o->sockets, socket_key(o, socket_inode(fd)), o) && protocol == PROTOCOL_TCP)
            seen_net_add(o->seen, &point, 1);
        return;
    }
    case LOOK_SEND:
        if (read_address(call, call->arguments[4], (uint32_t)call->arguments[5], &to) && !is_resolver(&to))
            see_destination(o, call, VERB_CONNECT, protocol_at(call, 0, &fd), &to);
        return;
    case LOOK_SEND_MESSAGE: {
        struct msghdr header; // of the first, which sendmmsg has at the same place
        if (notified_read(call, call->arguments[1], &header, sizeof header) == sizeof header &&
            read_address(call, (uint64_t)(uintptr_t)header.msg_name, header.msg_namelen, &to) && !is_resolver(&to))
            see_destination(o, call, VERB_CONNECT, protocol_at(call, 0, &fd), &to);
        return;
    }
    case LOOK_RECEIVE:
        if (protocol_at(call, 0, &fd) == PROTOCOL_UDP)
            see_answer(o, fd);
        return;
    case LOOK_BORN:
        if (++o->tasks > o->seen->processes)
            o->seen->processes = o->tasks;
        return;
    case LOOK_GONE: o->tasks -= o->tasks > 1; return;
    case LOOK_GONE_ALL: {
        long threads = notified_status(call->caller.thread, "Threads", 10);
        o->tasks = threads > 0 && o->tasks > (uint64_t)threads ? o->tasks - (uint64_t)threads : 0;
        return;
    }
    }
}

static void call_came(struct observer *o, const struct plan *usual)
{
    struct notified call;
    if (notified_next(&o->source, &call) <= 0)
        return;
    static struct named files[NAMED_MOST];
    o->thread = call.caller.thread;
    const struct looked *how = looked_at((uint32_t)call.number);
    if (how)
        see(o, &call, how);
    for (int i = 0, count = named_read(&call, files); i < count; i++)
        files[i].verbs &VERB_EXEC ? see_program(o, files[i].path, 0) : see_path(o, files[i].path, files[i].verbs);
    if (!is_usual(usual, call.arguments, (uint32_t)call.number, NULL)) {
        int row = syscall_by_number(ARCH_HERE, (unsigned)call.number);
        for (int i = 0; row >= 0 && i < SYSCALL_ARGUMENTS; i++) // no rule asks where something lies
            if (i >= syscall_row((size_t)row)->argument_count ||
                argument_is_pointer(syscall_row((size_t)row)->arguments[i].type))
                call.arguments[i] = 0;
        seen_call_add(o->seen, (uint32_t)call.number, call.arguments, 1);
    }
    notified_continue(&call);
    notified_release(&call);
}

// ---- the run ------------------------------------------------------------------------------------------------------

struct start { // shared with the command until its exec
    int listener, error;
};

static int run_it(char *const *argv, const struct sock_fprog *filter, volatile struct start *start)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    int listener =
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            ? -1
            : (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                           SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, filter);
    if (listener < 0 && errno == EINVAL)
        listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, filter);
    if (listener < 0) {
        start->error = errno;
        return 125;
    }
    start->listener = listener;
    execvp(argv[0], argv);
    return errno == ENOENT ? 127 : 126;
}

// The command begins as a process that shares our descriptors, so that its filter's listener is ours too; with exec it
// has a table of its own.
static pid_t begin(char *const *argv, const struct sock_fprog *filter, int *listener, struct failure *failure)
{
    volatile struct start *start = mmap(NULL, sizeof *start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        fail(failure, NO_RULE, errno, "cannot share memory with the command");
        return -1;
    }
    *start = (struct start){-1, 0};
    caller_lend_environment(true);
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_FILES, NULL, NULL, NULL, NULL);
    caller_lend_environment(false);
    if (child == 0) {
        caller_give();
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        _exit(run_it(argv, filter, start));
    }
    while (child > 0 && start->listener < 0 && !start->error)
        usleep(200);
    *listener = start->listener;
    if (child < 0 || start->error)
        fail_with_advice(failure, NO_RULE, child < 0 ? errno : start->error,
                         "it takes a listener on system calls: not inside of another sandbox",
                         "cannot observe the command");
    bool failed = child < 0 || start->error;
    munmap((void *)start, sizeof *start);
    if (failed && child > 0)
        waitpid(child, NULL, 0);
    return failed ? -1 : child;
}

int observe(struct seen *seen, char *const *argv, const struct plan *usual, struct failure *failure)
{
    static struct sock_filter code[FILTER_MOST];
    struct sock_fprog filter = {(unsigned short)make_filter(usual, code), code};
    struct observer o = {.seen = seen,
                         .source = {-1, NOTIFIED_NOBODY},
                         .names = {.arena = seen->arena},
                         .abstract = {.arena = seen->arena},
                         .sockets = {.arena = seen->arena},
                         .tasks = 1};
    uint64_t began = clock_now();
    signal(SIGINT, SIG_IGN); // the command's own affair; what it did until then is learned
    signal(SIGQUIT, SIG_IGN);
    pid_t child = begin(argv, &filter, &o.source.listener, failure);
    if (child < 0)
        return -1;
    closing_fd int process = (int)syscall(SYS_pidfd_open, child, 0);
    seen->runs++;
    enum { LEFT = 2000 }; // milliseconds that processes which it leaves behind are still looked at
    bool ended = false;
    for (;;) {
        struct pollfd waits[] = {{.fd = o.source.listener, .events = POLLIN},
                                 {.fd = ended ? -1 : process, .events = POLLIN}};
        int count = poll(waits, 2, ended ? LEFT : -1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0 || (waits[0].revents && !(waits[0].revents & POLLIN)))
            break;
        if (waits[0].revents & POLLIN)
            call_came(&o, usual);
        ended |= waits[1].revents != 0;
    }
    notified_end(&o.source);
    int status = 0;
    struct rusage usage = {0};
    while (wait4(child, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    uint64_t memory = (uint64_t)usage.ru_maxrss * 1024, wall = (clock_now() - began) / 1000000;
    seen->memory = memory > seen->memory ? memory : seen->memory;
    seen->wall = wall > seen->wall ? wall : seen->wall;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
