// The broker's sending calls: sendto, sendmsg, sendmmsg (send(2)). What is sent is a copy, to an address that is a
// copy.
#include <errno.h>
#include <limits.h>
#include <netinet/ip.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "enforcer/network/broker_calls.h"
#include "enforcer/host/scoped.h"

enum {
    DATA_MOST = 1 << 20, // more is sent in parts, or is no datagram
    CONTROL_MOST = 8192,
    RIGHTS_MOST = 253,    // descriptors in one message (unix(7))
    MESSAGES_MOST = 64,   // of one sendmmsg; it may send fewer than it was given
    PASSED_SEGMENT = 103, // UDP_SEGMENT
    FLAGS = MSG_EOR | MSG_MORE | MSG_OOB | MSG_CONFIRM,
};

struct message {
    struct destination to; // length 0: nowhere but where the socket is connected
    int place;             // of a unix socket, which the address leads through; -1
    char *data, *control;
    size_t length, control_length;
    int passed[RIGHTS_MOST];
    int passed_count;
    int flags;           // the caller's
    uint64_t written_to; // sendmmsg: where the caller reads how much was sent; 0
};

void message_free(struct message *message)
{
    if (!message)
        return;
    for (int i = 0; i < message->passed_count; i++)
        close(message->passed[i]);
    close_scoped(&message->place);
    free(message->data);
    free(message->control);
    free(message);
}

// As whom it is sent is what the other end is told, asked for or not (unix(7), SO_PASSCRED).
static long send_now(const struct outside *outside, int socket, const struct message *message)
{
    (void)outside;
    struct iovec data = {message->data, message->length};
    struct msghdr header = {.msg_name = message->to.length ? (void *)&message->to.address : NULL,
                            .msg_namelen = message->to.length,
                            .msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = message->control_length ? message->control : NULL,
                            .msg_controllen = message->control_length};
    ssize_t n = sendmsg(socket, &header, (message->flags & FLAGS) | MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

// ---- reading ------------------------------------------------------------------------------------------------------

// Descriptors become ours. What would choose another way for a packet of the host's network is left out: the kernel
// then chooses.
static int read_control(struct brokered *call, struct message *message, uint64_t at, size_t length)
{
    if (!at || !length)
        return 0;
    if (length > CONTROL_MOST)
        return ENOBUFS;
    char theirs[CONTROL_MOST] __attribute__((aligned(8)));
    long n = notified_read(&call->notified, at, theirs, length);
    if (n != (long)length)
        return n < 0 ? (int)-n : EFAULT;
    if (!(message->control = calloc(1, length + 64)))
        return ENOBUFS;
    struct msghdr from = {.msg_control = theirs, .msg_controllen = length};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&from); c; c = CMSG_NXTHDR(&from, c)) {
        size_t left = length - (size_t)((char *)c - theirs);
        if (c->cmsg_len < CMSG_LEN(0) || c->cmsg_len > left)
            return EINVAL;
        struct cmsghdr *ours = (void *)(message->control + message->control_length);
        bool outward = !call->kind.inside;
        size_t size = c->cmsg_len - CMSG_LEN(0);
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && call->kind.domain == AF_UNIX) {
            for (size_t i = 0; i < size / sizeof(int); i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
                if (message->passed_count == RIGHTS_MOST)
                    return EINVAL;
                if ((fd = notified_take(&call->notified, fd)) < 0)
                    return -fd;
                message->passed[message->passed_count++] = fd;
                memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
            }
        } else if (c->cmsg_level == SOL_SOCKET) {
            return EPERM; // credentials would be sbxrun's
        } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type != IP_TOS && c->cmsg_type != IP_TTL) ||
                   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type != IPV6_TCLASS && c->cmsg_type != IPV6_HOPLIMIT)) {
            if (outward && c->cmsg_type != IP_PKTINFO && c->cmsg_type != IPV6_PKTINFO)
                return EPERM;
            if (outward)
                continue;
        } else if (c->cmsg_level != IPPROTO_IP && c->cmsg_level != IPPROTO_IPV6 &&
                   !(c->cmsg_level == IPPROTO_UDP && c->cmsg_type == PASSED_SEGMENT)) {
            return EINVAL;
        }
        memcpy(ours, c, c->cmsg_len);
        message->control_length += CMSG_SPACE(size);
    }
    return 0;
}

static int read_data(struct brokered *call, struct message *message, struct iovec *parts, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].iov_len > SSIZE_MAX - total)
            return EINVAL;
        total += parts[i].iov_len;
    }
    if (total > DATA_MOST && call->kind.type != SOCK_STREAM)
        return EMSGSIZE;
    message->length = total < DATA_MOST ? total : DATA_MOST;
    if (!(message->data = malloc(message->length + 1)))
        return ENOBUFS;
    long n = message->length ? notified_gather(&call->notified, parts, (int)count, message->data, message->length) : 0;
    return n == (long)message->length ? 0 : n < 0 ? (int)-n : EFAULT;
}

// The message of a sendmsg, or of a sendto in that form. 0, or an errno; the caller frees it either way.
static int read_message(struct brokered *call, const struct msghdr *header, struct message *message)
{
    struct iovec parts[IOV_MAX];
    if (header->msg_iovlen > IOV_MAX)
        return EMSGSIZE;
    size_t size = header->msg_iovlen * sizeof *parts;
    long n = size ? notified_read(&call->notified, (uintptr_t)header->msg_iov, parts, size) : 0;
    if (n != (long)size)
        return n < 0 ? (int)-n : EFAULT;
    if (header->msg_name && header->msg_namelen) {
        int error = -destination_read(&call->notified, (uintptr_t)header->msg_name, header->msg_namelen, &message->to);
        if (error)
            return error;
    }
    int error = read_data(call, message, parts, header->msg_iovlen);
    return error ? error : read_control(call, message, (uintptr_t)header->msg_control, header->msg_controllen);
}

// ---- sending ------------------------------------------------------------------------------------------------------

// Decides where a message may go, and makes the caller's socket one that leads there. 0, or an errno.
static int route(struct brokered *call, struct message *message)
{
    struct destination *to = &message->to;
    unsigned protocol = socket_protocol(&call->kind);
    if (call->kind.type == SOCK_STREAM) // goes where it is connected; tcp(7) and unix(7) have no use for an address
        to->length = 0;
    if (!to->length)
        return 0;
    if (call->kind.domain == AF_UNIX)
        return unix_reach(call, to, &message->place);
    if (protocol != PROTOCOL_UDP || (to->address.ss_family != AF_INET && to->address.ss_family != AF_INET6))
        return EAFNOSUPPORT;
    struct decision decision =
        destination_decide(call->broker->settings.plan, call->broker->names, VERB_CONNECT, protocol, to);
    if (decision.way == WAY_REFUSED) {
        broker_denied(call->broker, VERB_CONNECT, protocol, to, &decision);
        return EACCES;
    }
    if (decision.way == WAY_INSIDE)
        return call->kind.inside ? 0 : ENETUNREACH;
    broker_allowed(call->broker, VERB_CONNECT, protocol, to, &decision);
    if (to->any)
        destination_set(to, to->number, to->port);
    if (!call->kind.inside)
        return 0;
    return broker_to_host(call);
}

static void answer(struct broker *broker, const struct notified *call, const struct socket_kind *kind,
                   const struct message *message, long result)
{
    if (result < 0) {
        bool told = notified_answer(call, (int)-result, 0);
        // After the answer: before it, the signal would interrupt the call, which would come again.
        if (told && result == -EPIPE && !(message->flags & MSG_NOSIGNAL) && kind->type == SOCK_STREAM)
            syscall(SYS_pidfd_send_signal, call->caller.process, SIGPIPE, NULL, 0);
        return;
    }
    if (message->written_to) { // sendmmsg sent one
        uint32_t length = (uint32_t)result;
        notified_write(call, message->written_to, &length, sizeof length);
        result = 1;
    }
    broker_sent(broker, call, result);
}

bool message_again(struct attempt *attempt)
{
    long result = send_now(attempt->broker->outside, attempt->watch.fd, attempt->message);
    if (result == -EAGAIN)
        return false;
    struct socket_kind kind;
    if (socket_examine(attempt->watch.fd, &kind) == 0)
        answer(attempt->broker, &attempt->call, &kind, attempt->message, result);
    return true;
}

static struct message *message_new(uint64_t flags)
{
    struct message *message = calloc(1, sizeof *message);
    if (message) {
        message->place = -1;
        message->flags = (int)flags;
    }
    return message;
}

// Sends what was read, unless that failed. How much, or -errno: -EAGAIN when the caller has to wait.
static long deliver(struct brokered *call, struct message *message, int error)
{
    if (!error)
        error = route(call, message);
    return error ? -error : send_now(call->broker->outside, call->held, message);
}

static bool must_wait(const struct brokered *call, const struct message *message, long result)
{
    return result == -EAGAIN && call->kind.blocking && !(message->flags & MSG_DONTWAIT);
}

static void send_one(struct brokered *call, struct message *message, int error)
{
    long result = deliver(call, message, error);
    if (must_wait(call, message, result)) {
        broker_wait(call, take_fd(call->held), message);
        return;
    }
    answer(call->broker, &call->notified, &call->kind, message, result);
    message_free(message);
}

void broker_call_sendto(struct brokered *call)
{
    const uint64_t *a = call->notified.arguments;
    struct message *message = message_new(a[3]);
    struct iovec part = {(void *)(uintptr_t)a[1], a[2]};
    if (!message) {
        notified_answer(&call->notified, ENOBUFS, 0);
        return;
    }
    int error = -destination_read(&call->notified, a[4], (uint32_t)a[5], &message->to);
    send_one(call, message, error ? error : read_data(call, message, &part, 1));
}

static int read_header(struct brokered *call, uint64_t at, void *header, size_t size)
{
    long n = notified_read(&call->notified, at, header, size);
    return n == (long)size ? 0 : n < 0 ? (int)-n : EFAULT;
}

void broker_call_sendmsg(struct brokered *call)
{
    struct msghdr header;
    struct message *message = message_new(call->notified.arguments[2]);
    if (!message) {
        notified_answer(&call->notified, ENOBUFS, 0);
        return;
    }
    int error = read_header(call, call->notified.arguments[1], &header, sizeof header);
    send_one(call, message, error ? error : read_message(call, &header, message));
}

// As many as go at once; the first may have to wait.
void broker_call_sendmmsg(struct brokered *call)
{
    uint64_t at = call->notified.arguments[1];
    uint32_t count = (uint32_t)call->notified.arguments[2], sent = 0;
    long result = 0;
    for (; sent < count && sent < MESSAGES_MOST; sent++, at += sizeof(struct mmsghdr)) {
        struct mmsghdr header;
        struct message *message = message_new(call->notified.arguments[3]);
        if (!message) {
            result = -ENOBUFS;
            break;
        }
        message->written_to = at + offsetof(struct mmsghdr, msg_len);
        int error = read_header(call, at, &header, sizeof header);
        result = deliver(call, message, error ? error : read_message(call, &header.msg_hdr, message));
        if (sent == 0 && must_wait(call, message, result)) {
            broker_wait(call, take_fd(call->held), message);
            return;
        }
        uint32_t length = (uint32_t)result;
        if (result >= 0)
            notified_write(&call->notified, message->written_to, &length, sizeof length);
        message_free(message);
        if (result < 0)
            break;
    }
    if (sent || result >= 0)
        broker_sent(call->broker, &call->notified, sent);
    else
        notified_answer(&call->notified, (int)-result, 0);
}
