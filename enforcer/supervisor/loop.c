// The supervisor's loop.
#include "enforcer/supervisor/loop.h"

#include <sys/syscall.h>
#include <unistd.h>

static int add(int loop, struct watch *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop, EPOLL_CTL_ADD, source->fd, &event);
}

int supervisor_add(struct supervisor *s, struct watch *source, uint32_t events)
{
    return add(s->loop, source, events);
}

int supervisor_pace(struct supervisor *s, struct watch *source, uint32_t events)
{
    return add(s->paced, source, events);
}

void supervisor_kill(struct supervisor *s, enum ended reason)
{
    if (s->over)
        return;
    if (s->reason == ENDED_EXITED)
        s->reason = reason;
    syscall(SYS_pidfd_send_signal, s->init, SIGKILL, NULL, 0);
}
