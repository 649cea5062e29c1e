// The supervisor: one process, one epoll loop.
#include "enforcer/supervisor/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "enforcer/host/scoped.h"
#include "enforcer/supervisor/relay.h"

static void init_ended(struct supervisor *s, struct watch *source, uint32_t events)
{
    (void)events;
    epoll_ctl(s->loop, EPOLL_CTL_DEL, source->fd, NULL);
    s->over = true;
}

static void signal_came(struct supervisor *s, struct watch *source, uint32_t events)
{
    (void)events;
    struct relay *terminal = source->context; // NULL: the command has none of its own
    struct signalfd_siginfo info;
    while (read(source->fd, &info, sizeof info) == sizeof info) {
        int number = (int)info.ssi_signo;
        bool typed = info.ssi_code == SI_KERNEL; // or a hang-up: meant for all in the foreground
        if (terminal && number == SIGWINCH) {    // the command's own tells it
            relay_resize(terminal);
            continue;
        }
        if (terminal && number == SIGCONT)
            relay_take(s, terminal);
        if (s->over && (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT))
            s->streams_open = 0; // who reads what is left of the output takes nothing
        if (number != SIGTSTP) {
            s->pass_on(s->init, number, typed);
            continue;
        }
        s->pass_on(s->init, SIGTSTP, true);
        if (terminal)
            relay_give_back(s, terminal);
        raise(SIGSTOP);
        if (terminal)
            relay_take(s, terminal);
        s->pass_on(s->init, SIGCONT, true);
    }
}

static void lifetime_over(struct supervisor *s, struct watch *source, uint32_t events)
{
    (void)events;
    epoll_ctl(s->loop, EPOLL_CTL_DEL, source->fd, NULL);
    supervisor_kill(s, ENDED_LIFETIME);
    s->streams_open = 0; // nobody takes what is left of the output
}

// cgroup v2: a change of memory.events is priority data, until it is read.
static void memory_changed(struct supervisor *s, struct watch *watch, uint32_t events)
{
    (void)events;
    char text[1024] = "";
    ssize_t n = pread(watch->fd, text, sizeof text - 1, 0);
    const char *kills = n > 0 ? strstr(text, "oom_kill ") : NULL;
    if (kills && kills[9] != '0')
        supervisor_kill(s, ENDED_MEMORY);
}

// cgroup v1: the eventfd counts how often memory ran out.
static void memory_ran_out(struct supervisor *s, struct watch *watch, uint32_t events)
{
    (void)events;
    uint64_t times;
    if (read(watch->fd, &times, sizeof times) == sizeof times)
        supervisor_kill(s, ENDED_MEMORY);
}

// ---- the loop -----------------------------------------------------------------------------------------------------

// Waits for the prompt source and for the others. True if one of the others is ready.
static bool others_are_ready(struct supervisor *s)
{
    struct pollfd waits[] = {{.fd = s->prompt->fd, .events = POLLIN}, {.fd = s->loop, .events = POLLIN}};
    if (poll(waits, 2, -1) <= 0)
        return false;
    if (waits[0].revents)
        s->prompt->ready(s, s->prompt, (uint32_t)waits[0].revents); // POLLIN is EPOLLIN
    return waits[1].revents;
}

// There is no more for the command to read, or it has closed its standard input.
static void input_ended(struct supervisor *s, struct stream *stream)
{
    (void)s;
    close_scoped(&stream->to.fd);
    stream->to.fd = -1;
}

static int loop_until_over(const struct watched *watched, struct stream streams[3], enum ended *reason,
                           struct failure *failure)
{
    closing_fd int loop = epoll_create1(EPOLL_CLOEXEC), timer = -1, output = -1, error = -1;
    int *const outputs[2] = {&output, &error};
    closing_fd int signals = signalfd(-1, watched->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    struct supervisor s = {
        .pass_on = watched->pass_on, .loop = loop, .init = watched->init, .paced = loop, .reason = ENDED_EXITED};
    struct watch init = {watched->init, init_ended, NULL}, signal = {signals, signal_came, watched->terminal},
                 lifetime = {-1, lifetime_over, NULL},
                 memory = {watched->memory_events, watched->memory_is_file ? memory_changed : memory_ran_out, NULL};
    if (loop < 0 || signals < 0 || supervisor_add(&s, &init, EPOLLIN) || supervisor_add(&s, &signal, EPOLLIN))
        return fail(failure, NO_RULE, errno, "cannot watch over the sandbox");
    if (watched->bounds->lifetime) {
        uint64_t ms = watched->bounds->lifetime;
        struct itimerspec when = {.it_value = {.tv_sec = (time_t)(ms / 1000 < INT32_MAX ? ms / 1000 : INT32_MAX),
                                               .tv_nsec = (long)(ms % 1000) * 1000000}};
        lifetime.fd = timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        if (timer < 0 || timerfd_settime(timer, 0, &when, NULL) != 0 || supervisor_add(&s, &lifetime, EPOLLIN))
            return fail(failure, NO_RULE, errno, "cannot limit the lifetime");
    }
    if (memory.fd >= 0 && supervisor_add(&s, &memory, watched->memory_is_file ? EPOLLPRI : EPOLLIN))
        return fail(failure, NO_RULE, errno, "cannot watch the sandbox's memory");
    // Both outputs may be one open file, which a loop takes once: each has a descriptor of its own.
    for (int i = 0; i < 2; i++)
        if (watched->streams[i] >= 0)
            *outputs[i] = isatty(i + 1) ? relay_open(i + 1, O_WRONLY) : fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < 2; i++)
        streams[i] = (struct stream){.from.fd = watched->streams[i],
                                     .to.fd = *outputs[i],
                                     .left = watched->bounds->has_output ? watched->output_left : NULL,
                                     .is_output = true};
    if (stream_add(&s, &streams[0]) || stream_add(&s, &streams[1]))
        return fail(failure, NO_RULE, errno, "cannot watch the sandbox's output");
    if (watched->input >= 0) // of its own, too: it is closed at its end, and may be an output's open file
        streams[2].from.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (watched->input >= 0 && (streams[2].from.fd < 0 || stream_add(&s, &streams[2])))
        return fail(failure, NO_RULE, errno, "cannot watch the sandbox's input");
    if (watched->terminal &&
        relay_add(&s, watched->terminal, watched->bounds->has_output ? watched->output_left : NULL))
        return fail(failure, NO_RULE, errno, "cannot watch the command's terminal");
    if (watched->begin(&s, watched->context))
        return fail(failure, NO_RULE, errno, "cannot watch over the sandbox's calls and what it uses");
    while (!s.over || s.streams_open) {
        struct epoll_event events[8];
        if (s.prompt && !others_are_ready(&s))
            continue;
        int count = epoll_wait(loop, events, 8, -1);
        for (int i = 0; i < count; i++) {
            struct watch *source = events[i].data.ptr;
            if (source->fd >= 0)
                source->ready(&s, source, events[i].events);
        }
    }
    *reason = s.reason;
    return 0;
}

int supervise(const struct watched *watched, enum ended *reason, struct failure *failure)
{
    struct stream streams[3] = {{.from.fd = watched->streams[0]},
                                {.from.fd = watched->streams[1]},
                                {.from.fd = -1, .to.fd = watched->input, .ended = input_ended}};
    int result = loop_until_over(watched, streams, reason, failure);
    for (int i = 0; i < 3; i++)
        close_scoped(&streams[i].from.fd);
    close_scoped(&streams[2].to.fd);
    return result;
}
