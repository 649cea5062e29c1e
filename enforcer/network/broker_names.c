// The broker's names: the stub at which the inside asks, and what sbxnames may answer.
//
// DNS is read by a process of its own (names/sbxnames.c), which is started when the first question waits. What it may
// resolve and which address a name may have are decided here.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "enforcer/network/broker_calls.h"
#include "enforcer/helpers/helper.h"
#include "enforcer/network/names_wire.h"
#include "enforcer/host/scoped.h"

enum { STARTS_MOST = 4 }; // a helper that keeps dying is not kept alive

struct stub {
    struct watch helper; // our end; -1 while it does not run
    struct watch sockets[NAMES_SOCKETS_MOST];
    int count;
    struct broker *broker;
    pid_t pid;
    int starts;
    bool told_full; // that there are no more stand-ins
};

static void watch_stub(struct stub *stub, bool on)
{
    struct supervisor *supervisor = stub->broker->supervisor;
    for (int i = 0; i < stub->count; i++)
        if (on)
            supervisor_add(supervisor, &stub->sockets[i], EPOLLIN);
        else
            epoll_ctl(supervisor->loop, EPOLL_CTL_DEL, stub->sockets[i].fd, NULL);
}

static void helper_gone(struct stub *stub)
{
    epoll_ctl(stub->broker->supervisor->loop, EPOLL_CTL_DEL, stub->helper.fd, NULL);
    close(stub->helper.fd);
    stub->helper.fd = -1;
    kill(stub->pid, SIGKILL);
    int status;
    while (waitpid(stub->pid, &status, 0) < 0 && errno == EINTR)
        ;
    stub->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        fprintf(stderr, "sbxrun: cannot run sbxnames, which resolves names; it is installed beside sbxrun\n");
    else if (stub->starts < STARTS_MOST)
        watch_stub(stub, true);
    else
        fprintf(stderr, "sbxrun: sbxnames died %d times, so no more names are resolved\n", stub->starts);
}

// A name as sbxnames writes it: no byte in it means anything to a terminal or a proxy.
static bool is_name(const struct names_question *question)
{
    for (size_t i = 0; i < question->length && i < sizeof question->name; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", question->name[i]) || !question->name[i])
            return false;
    return question->length > 0 && question->length <= sizeof question->name;
}

static void helper_asks(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)supervisor, (void)events;
    struct stub *stub = ((struct broker *)watch->context)->stub;
    struct broker *broker = stub->broker;
    struct names_question question;
    ssize_t n = recv(watch->fd, &question, sizeof question, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != sizeof question || !is_name(&question)) {
        helper_gone(stub);
        return;
    }
    struct str name = {question.name, question.length};
    net_address address = 0;
    for (int i = 0; i < 16; i++)
        address = address << 8 | question.address[i];
    bool may = names_allows(broker->settings.plan, name);
    struct names_answer answer = {.yes = NAMES_NO};
    struct arena *arena = arena_new();
    if (!may)
        event_denied(broker->settings.events, EVENT_DESTINATION, str_format(arena, "resolve \"%.*s\"", STR_ARGS(name)),
                     NO_RULE);
    if (may && question.ask == NAMES_PIN &&
        names_pin(broker->names, name, address, question.seconds, clock_now()) != PIN_KEPT) {
        struct text text = {.arena = arena};
        text_addf(&text, "resolve \"%.*s\" to ", STR_ARGS(name));
        net_address_print(&text, address);
        event_denied(broker->settings.events, EVENT_DESTINATION, text_str(&text), NO_RULE);
        may = false;
    }
    arena_free(arena);
    answer.yes = may ? NAMES_YES : NAMES_NO;
    if (may && question.ask == NAMES_MAY && broker->settings.network->proxy.length) {
        net_address stand_in = names_stand_in(broker->names, name);
        answer.yes = stand_in ? NAMES_STANDS_IN : NAMES_NO;
        if (!stand_in && !broker->stub->told_full) {
            fprintf(stderr,
                    "sbxrun: so many names are reached through the proxy that no address is left to stand for \"%.*s\" "
                    "and others\n",
                    STR_ARGS(name));
            broker->stub->told_full = true;
        }
        for (int i = 15; i >= 0; i--, stand_in >>= 8)
            answer.address[i] = (uint8_t)stand_in;
    }
    if (send(watch->fd, &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof answer)
        helper_gone(stub);
}

static void question_waits(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)watch, (void)events;
    struct stub *stub = ((struct broker *)watch->context)->stub;
    int ends[2];
    if (stub->helper.fd >= 0)
        return;
    watch_stub(stub, false);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    const struct outside *outside = stub->broker->outside;
    int fds[NAMES_FD_FIRST + NAMES_SOCKETS_MOST] = {[NAMES_FD_SBXRUN] = ends[1]};
    for (int i = 0; i < stub->count; i++)
        fds[NAMES_FD_FIRST + i] = stub->sockets[i].fd;
    as_itself_begin(); // for its own program and control group
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        helper_run(&(struct helper){.name = "sbxnames",
                                    .parent = parent,
                                    .folder = -1,
                                    .fds = fds,
                                    .count = NAMES_FD_FIRST + stub->count,
                                    .user = outside->user,
                                    .group = outside->group,
                                    .control_group = net_guard_own_group(stub->broker->settings.guard)});
    as_itself_end();
    close(ends[1]);
    stub->pid = pid;
    stub->helper.fd = ends[0];
    stub->starts++;
    if (pid < 0 || supervisor_add(supervisor, &stub->helper, EPOLLIN) != 0)
        close(ends[0]), stub->helper.fd = -1;
}

void stub_begin(struct broker *broker, const int *sockets, int count)
{
    struct stub *stub = calloc(1, sizeof *stub);
    for (int i = 0; i < count; i++)
        if (stub && stub->count < NAMES_SOCKETS_MOST)
            stub->sockets[stub->count++] = (struct watch){sockets[i], question_waits, broker};
        else
            close(sockets[i]);
    if (!stub)
        return;
    stub->helper = (struct watch){-1, helper_asks, broker};
    stub->broker = broker;
    broker->stub = stub;
    watch_stub(stub, true);
}

void stub_end(struct broker *broker)
{
    struct stub *stub = broker->stub;
    if (!stub)
        return;
    close_scoped(&stub->helper.fd);
    if (stub->pid > 0) {
        kill(stub->pid, SIGKILL);
        while (waitpid(stub->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    for (int i = 0; i < stub->count; i++)
        close(stub->sockets[i].fd);
    free(stub);
}
