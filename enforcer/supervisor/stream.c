// Streams.
#include "enforcer/supervisor/stream.h"

#include <errno.h>
#include <unistd.h>

#define CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

void stream_pause(struct supervisor *s, struct stream *stream)
{
    if (stream->waits_from)
        epoll_ctl(s->loop, EPOLL_CTL_DEL, stream->from.fd, NULL);
    if (stream->waits_to)
        epoll_ctl(s->loop, EPOLL_CTL_DEL, stream->to.fd, NULL);
}

void stream_end(struct supervisor *s, struct stream *stream)
{
    if (stream->from.fd < 0)
        return;
    stream_pause(s, stream);
    close(stream->from.fd);
    stream->from.fd = -1;
    if (stream->is_output && s->streams_open)
        s->streams_open--;
    if (stream->ended)
        stream->ended(s, stream);
}

// One end is waited for at a time: of the other an epoll loop would report that it hung up, whatever it is asked for.
static void turn(struct supervisor *s, struct stream *stream, bool reading)
{
    struct watch *next = reading && stream->waits_from ? &stream->from : &stream->to;
    stream_pause(s, stream);
    if (supervisor_add(s, next, next == &stream->from ? EPOLLIN : EPOLLOUT))
        stream_end(s, stream);
}

void stream_resume(struct supervisor *s, struct stream *stream)
{
    if (stream->from.fd >= 0)
        turn(s, stream, stream->sent == stream->used);
}

// Writes once. False when it was not all.
static bool send_on(struct supervisor *s, struct stream *stream)
{
    ssize_t n = write(stream->to.fd, stream->data + stream->sent, stream->used - stream->sent);
    if (n < 0 && errno != EAGAIN && errno != EINTR) { // nobody reads: the command learns it from its own pipe
        stream_end(s, stream);
        return false;
    }
    stream->sent += n > 0 ? (size_t)n : 0;
    return stream->sent == stream->used;
}

// Reads once. False when there is nothing to send on.
static bool read_on(struct supervisor *s, struct stream *stream)
{
    ssize_t n = read(stream->from.fd, stream->data, sizeof stream->data);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        stream_end(s, stream);
        return false;
    }
    stream->used = !stream->left || (size_t)n < *stream->left ? (size_t)n : *stream->left;
    stream->sent = 0;
    if (stream->left)
        *stream->left -= stream->used;
    if (stream->used < (size_t)n)
        supervisor_kill(s, ENDED_OUTPUT);
    if (stream->used && stream->passes)
        stream->passes(stream, stream->used);
    return stream->used;
}

static void readable(struct supervisor *s, struct watch *source, uint32_t events)
{
    enum { IN_A_ROW = 16 }; // then others have their turn
    (void)events;
    struct stream *stream = CONTAINER(source, struct stream, from);
    for (int i = 0; i < IN_A_ROW && read_on(s, stream); i++) {
        if (!stream->waits_to) {
            while (stream->from.fd >= 0 && !send_on(s, stream))
                ;
        } else if (!stream->never_blocks || !send_on(s, stream)) {
            if (stream->from.fd >= 0)
                turn(s, stream, false);
            return;
        }
        if (!stream->never_blocks)
            return;
    }
}

static void writable(struct supervisor *s, struct watch *source, uint32_t events)
{
    struct stream *stream = CONTAINER(source, struct stream, to);
    if (stream->sent < stream->used && !send_on(s, stream))
        return;
    if (stream->waits_from)
        turn(s, stream, true);
    else
        readable(s, &stream->from, events);
}

// Whether a descriptor can be waited for: 1 or 0; -1 and errno.
static int waits(struct supervisor *s, struct watch *watch)
{
    if (supervisor_add(s, watch, 0) == 0)
        return epoll_ctl(s->loop, EPOLL_CTL_DEL, watch->fd, NULL) == 0 ? 1 : -1;
    return errno == EPERM ? 0 : -1;
}

int stream_add(struct supervisor *s, struct stream *stream)
{
    if (stream->from.fd < 0)
        return 0;
    stream->from.ready = readable;
    stream->to.ready = writable;
    stream->used = stream->sent = 0;
    int from = waits(s, &stream->from), to = waits(s, &stream->to);
    stream->waits_from = from == 1;
    stream->waits_to = to == 1;
    if (!from && !to)
        errno = EPERM; // from a file to a file: no source at all
    if (from < 0 || to < 0 || (!from && !to) ||
        supervisor_add(s, from ? &stream->from : &stream->to, from ? EPOLLIN : EPOLLOUT))
        return -1;
    s->streams_open += stream->is_output;
    return 0;
}
