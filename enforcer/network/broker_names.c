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
#include "enforcer/host/say.h"
#include "enforcer/network/names_wire.h"
#include "enforcer/network/opener.h"
#include "enforcer/host/scoped.h"

enum { STARTS_MOST = 4 }; // a helper that keeps dying is not kept alive

struct stub {
    struct watch helper; // our end; -1 while it does not run
    struct watch sockets[NAMES_SOCKETS_MOST];
    int count;
    struct broker *broker;
    pid_t pid, opener;
    int starts;
    uint64_t started; // the last, monotonic nanoseconds
    bool told_full;   // that there are no more stand-ins
};

static void watch_stub(struct stub *stub, bool on)
{
    struct supervisor *supervisor = stub->broker->supervisor;
    for (int i = 0; i < stub->count; i++)
        if (on)
            supervisor_pace(supervisor, &stub->sockets[i], EPOLLIN);
        else
            epoll_ctl(supervisor->paced, EPOLL_CTL_DEL, stub->sockets[i].fd, NULL);
}

static void end(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    *pid = 0;
}

// What it did not answer waits again. One that has lasted has died of its age: its processor time is limited.
static void helper_gone(struct stub *stub)
{
    const uint64_t lasting = 600000000000;
    if (stub->helper.fd >= 0) {
        epoll_ctl(stub->broker->supervisor->paced, EPOLL_CTL_DEL, stub->helper.fd, NULL);
        close(stub->helper.fd);
        stub->helper.fd = -1;
    }
    end(&stub->pid);
    end(&stub->opener);
    if (clock_now() - stub->started > lasting)
        stub->starts = 0;
    if (stub->starts < STARTS_MOST)
        watch_stub(stub, true);
    else
        say(stderr, "sbxrun: sbxnames died %d times, so no more names are resolved", stub->starts);
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
    enum pin_result pin = may && question.ask == NAMES_PIN
                              ? names_pin(broker->names, name, address, question.seconds, clock_now())
                              : PIN_KEPT;
    if (pin != PIN_KEPT) {
        struct text text = {.arena = arena};
        text_addf(&text, "resolve \"%.*s\" to ", STR_ARGS(name));
        net_address_print(&text, address);
        if (pin == PIN_PRIVATE)
            text_addf(&text, ", a private address");
        if (pin == PIN_FULL)
            text_addf(&text, ", one address more than can be kept");
        event_denied(broker->settings.events, EVENT_DESTINATION, text_str(&text), NO_RULE);
        may = false;
    }
    arena_free(arena);
    answer.yes = may ? NAMES_YES : pin == PIN_FULL ? NAMES_FULL : NAMES_NO;
    if (may && question.ask == NAMES_MAY && broker->settings.network->proxy.length) {
        net_address stand_in = names_stand_in(broker->names, name);
        answer.yes = stand_in ? NAMES_STANDS_IN : NAMES_NO;
        if (!stand_in && !broker->stub->told_full) {
            say(stderr,
                "sbxrun: so many names are reached through the proxy that no address is left to stand for \"%.*s\" "
                "and others",
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
    if (stub->helper.fd >= 0)
        return;
    watch_stub(stub, false);
    const struct broker *broker = stub->broker;
    closing_fd int mine = -1, its = -1, opens = -1;
    int ends[2], group = net_guard_own_group(broker->settings.guard);
    struct failure failure = {0};
    stub->starts++;
    stub->started = clock_now();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return helper_gone(stub);
    mine = ends[0];
    its = ends[1];
    as_itself_begin(); // for its own program and control group
    stub->opener = opener_start(broker->outside->user, broker->outside->group, group, &opens);
    int given[NAMES_FD_FIRST + NAMES_SOCKETS_MOST] = {[NAMES_FD_SBXRUN] = its, [NAMES_FD_OPENER] = opens};
    for (int i = 0; i < stub->count; i++)
        given[NAMES_FD_FIRST + i] = stub->sockets[i].fd;
    stub->pid = stub->opener < 0 ? -1
                                 : helper_start(&(struct helper){.program = HELPER_NAMES,
                                                                 .given = given,
                                                                 .count = NAMES_FD_FIRST + stub->count,
                                                                 .control_group = group},
                                                &failure);
    as_itself_end();
    stub->helper.fd = take_fd(mine);
    if (stub->pid > 0 && supervisor_pace(supervisor, &stub->helper, EPOLLIN) == 0)
        return;
    if (failure.what[0])
        failure_print(stderr, &failure, broker->settings.plan);
    helper_gone(stub);
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
    end(&stub->pid);
    end(&stub->opener);
    for (int i = 0; i < stub->count; i++)
        close(stub->sockets[i].fd);
    free(stub);
}
