// Messages over two descriptors: a header with their length, and a body (Language Server Protocol 3.17, base protocol).
#include "compiler/lsp/lsp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MESSAGE_LARGEST = 64 << 20, HEADER_LARGEST = 4096, READ_SIZE = 64 * 1024 };

struct input {
    int fd;
    struct arena *arena; // of what is read and not yet taken
    struct text text;
    size_t taken;
    bool ended;
};

// The length that a header states; SIZE_MAX when it states none.
static size_t stated_length(struct str header)
{
    for (size_t at = 0; at < header.length;) {
        const char *line = header.text + at, *end = memchr(line, '\n', header.length - at);
        size_t length = end ? (size_t)(end - line) : header.length - at;
        static const char name[] = "Content-Length:";
        if (length >= sizeof name && strncasecmp(line, name, sizeof name - 1) == 0) {
            size_t value = 0, i = sizeof name - 1;
            while (i < length && line[i] == ' ')
                i++;
            size_t first = i;
            for (; i < length && line[i] >= '0' && line[i] <= '9' && value <= MESSAGE_LARGEST; i++)
                value = value * 10 + (size_t)(line[i] - '0');
            if (i > first)
                return value;
        }
        at += length + 1;
    }
    return SIZE_MAX;
}

// Takes the next whole message out of what was read. False when more must be read for one. A header without a length is
// passed over.
static bool take_message(struct input *input, struct str *message)
{
    for (;;) {
        struct str rest = {input->text.data + input->taken, input->text.length - input->taken};
        const char *end = rest.length ? memmem(rest.text, rest.length, "\r\n\r\n", 4) : NULL;
        if (!end && rest.length > HEADER_LARGEST) {
            fprintf(stderr, "sbxc: no header ends in %d bytes of input: this is no language client\n", HEADER_LARGEST);
            input->ended = true;
        }
        if (!end)
            return false;
        struct str header = {rest.text, (size_t)(end - rest.text)};
        size_t length = stated_length(header), body = header.length + 4;
        if (length == SIZE_MAX) {
            fprintf(stderr, "sbxc: a header without Content-Length is passed over\n");
            input->taken += body;
            continue;
        }
        if (length > MESSAGE_LARGEST) {
            fprintf(stderr, "sbxc: a message is larger than %d MiB\n", MESSAGE_LARGEST >> 20);
            input->ended = true;
            return false;
        }
        if (rest.length - body < length)
            return false;
        *message = (struct str){rest.text + body, length};
        input->taken += body + length;
        return true;
    }
}

static void read_more(struct input *input)
{
    if (input->taken) { // what is left starts a new text, so that a long session does not grow
        struct arena *arena = arena_new();
        struct text text = {.arena = arena};
        text_add(&text, input->text.data + input->taken, input->text.length - input->taken);
        arena_free(input->arena);
        *input = (struct input){input->fd, arena, text, 0, input->ended};
    }
    char bytes[READ_SIZE];
    ssize_t count = read(input->fd, bytes, sizeof bytes);
    if (count > 0)
        text_add(&input->text, bytes, (size_t)count);
    else if (count == 0 || errno != EINTR)
        input->ended = true;
}

static bool write_all(int fd, const struct text *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t count = write(fd, text->data + done, text->length - done);
        if (count < 0 && errno != EINTR)
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool is_waiting(int fd)
{
    struct pollfd wait = {fd, POLLIN, 0};
    return poll(&wait, 1, 0) > 0;
}

int lsp_serve(int in, int out, const struct driver_options *options)
{
    struct text answers = {0};
    struct server *server = server_new(options, &answers);
    struct input input = {.fd = in, .arena = arena_new()};
    input.text.arena = input.arena;
    bool reads = true; // there is someone who reads our answers
    while (reads && !server_has_ended(server)) {
        struct arena *arena = arena_new();
        answers = (struct text){.arena = arena};
        struct str message;
        if (take_message(&input, &message))
            server_message(server, message);
        else if (input.ended)
            reads = false;
        else if (is_waiting(in) || !server_work(server))
            read_more(&input);
        reads = write_all(out, &answers) && reads;
        arena_free(arena);
    }
    int status = server_has_ended(server) && server_was_shut_down(server) ? 0 : 1;
    server_free(server);
    arena_free(input.arena);
    return status;
}
