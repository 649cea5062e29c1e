// The broker's sending calls: sendto, sendmsg, sendmmsg (send(2)). What is sent is a copy, to an address that is a
// copy.
//
// Where a message may go is decided before any of it is copied, and no more of it is here than one piece: a datagram is
// not larger, and of a stream the next piece is read when the last has been sent. A message that has to wait is not
// kept at all. When its socket may be ready its call is made once more from the beginning, as if it came then.
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
    PIECE = 1 << 16,     // bytes: a datagram's most
    CALL_MOST = 1 << 20, // of a stream in one call, which then says how much it sent
    CONTROL_MOST = 8192,
    RIGHTS_MOST = 253,  // descriptors in one message (unix(7))
    MESSAGES_MOST = 64, // of one sendmmsg; it may send fewer than it was given
    SEGMENT = 103,      // UDP_SEGMENT
};

static struct message {    // the one that is being sent
    struct destination to; // length 0: nowhere but where the socket is connected
    enum way way;
    struct decision decision;    // where `to` has a length and is of the internet
    int place;                   // of a unix socket, which the address leads through; -1
    int flags;                   // the caller's
    struct iovec parts[IOV_MAX]; // in the caller's memory: what is still to be read
    size_t part_count, left;     // bytes of them
    size_t length, control_length;
    int passed[RIGHTS_MOST];
    int passed_count;
    char control[CONTROL_MOST] __attribute__((aligned(8)));
    char data[PIECE];
} message;

// ---- what may be sent -----------------------------------------------------------------------------------------------

// Of the flags of send(2); others, which might connect (MSG_FASTOPEN), send nothing (MSG_PROBE) or send what is not a
// copy (MSG_ZEROCOPY), are refused.
static const struct {
    int flag;
    bool passed, last; // to the kernel; with a message's last piece only
} flags[] = {
    {MSG_MORE, true, false}, {MSG_CONFIRM, true, false},   {MSG_EOR, true, true},
    {MSG_OOB, true, true},   {MSG_DONTWAIT, false, false}, {MSG_NOSIGNAL, false, false},
};

// Of control messages (cmsg(3)); others are refused, with EPERM. None of these says where a packet goes. That its
// sender asks for an interface or an address of its own is for the sandbox's network only.
enum carried { ALWAYS, INSIDE, AS_DESCRIPTORS };
static const struct {
    int domain, level, type; // domain 0: of the internet
    enum carried carried;
} controls[] = {
    {AF_UNIX, SOL_SOCKET, SCM_RIGHTS, AS_DESCRIPTORS},
    {0, IPPROTO_IP, IP_TOS, ALWAYS},
    {0, IPPROTO_IP, IP_TTL, ALWAYS},
    {0, IPPROTO_IP, IP_PKTINFO, INSIDE},
    {0, IPPROTO_IPV6, IPV6_TCLASS, ALWAYS},
    {0, IPPROTO_IPV6, IPV6_HOPLIMIT, ALWAYS},
    {0, IPPROTO_IPV6, IPV6_PKTINFO, INSIDE},
    {0, IPPROTO_UDP, SEGMENT, ALWAYS},
};

static int judge_flags(int given)
{
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        given &= ~flags[i].flag;
    return given ? EOPNOTSUPP : 0;
}

static int passed_flags(bool last)
{
    int passed = MSG_DONTWAIT | MSG_NOSIGNAL;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].passed && (last || !flags[i].last))
            passed |= message.flags & flags[i].flag;
    return passed;
}

static bool is_carried(const struct brokered *call, const struct cmsghdr *c, enum carried *carried)
{
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        *carried = controls[i].carried;
        if (c->cmsg_level == controls[i].level && c->cmsg_type == controls[i].type &&
            (call->kind.domain == AF_UNIX) == (controls[i].domain == AF_UNIX) &&
            (*carried != INSIDE || message.way == WAY_INSIDE))
            return true;
    }
    return false;
}

// ---- reading ------------------------------------------------------------------------------------------------------

static int read_whole(struct brokered *call, uint64_t at, void *to, size_t size)
{
    long n = size ? notified_read(&call->notified, at, to, size) : 0;
    return n == (long)size ? 0 : n < 0 ? (int)-n : EFAULT;
}

// Descriptors become ours.
static int take_descriptors(struct brokered *call, struct cmsghdr *c, size_t size)
{
    for (size_t i = 0; i < size / sizeof(int); i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        if (message.passed_count == RIGHTS_MOST)
            return EINVAL;
        if ((fd = notified_take(&call->notified, fd)) < 0)
            return -fd;
        message.passed[message.passed_count++] = fd;
        memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
    }
    return 0;
}

static int read_control(struct brokered *call, uint64_t at, size_t length)
{
    if (!at || !length)
        return 0;
    if (length > CONTROL_MOST)
        return ENOBUFS;
    int error = read_whole(call, at, message.control, length);
    struct msghdr from = {.msg_control = message.control, .msg_controllen = length};
    for (struct cmsghdr *c = error ? NULL : CMSG_FIRSTHDR(&from); c && !error; c = CMSG_NXTHDR(&from, c)) {
        size_t before = (size_t)((char *)c - message.control);
        enum carried carried;
        if (c->cmsg_len < CMSG_LEN(0) || c->cmsg_len > length - before)
            return EINVAL;
        if (!is_carried(call, c, &carried))
            return EPERM;
        if (carried == AS_DESCRIPTORS)
            error = take_descriptors(call, c, c->cmsg_len - CMSG_LEN(0));
        message.control_length = before + c->cmsg_len;
    }
    return error;
}

static int read_parts(struct brokered *call, uint64_t at, size_t count)
{
    if (count > IOV_MAX)
        return EMSGSIZE;
    int error = read_whole(call, at, message.parts, count * sizeof *message.parts);
    message.part_count = count;
    for (size_t i = 0; i < count && !error; i++) {
        if (message.parts[i].iov_len > SSIZE_MAX - message.left)
            return EINVAL;
        message.left += message.parts[i].iov_len;
    }
    return error ? error : message.left > PIECE && call->kind.type != SOCK_STREAM ? EMSGSIZE : 0;
}

// The next piece.
static int read_data(struct brokered *call)
{
    message.length = message.left < PIECE ? message.left : PIECE;
    if (!message.length)
        return 0;
    long n = notified_gather(&call->notified, message.parts, (int)message.part_count, message.data, message.length);
    return n == (long)message.length ? 0 : n < 0 ? (int)-n : EFAULT;
}

static void forget_sent(size_t sent)
{
    message.left -= sent;
    for (size_t i = 0; i < message.part_count && sent; i++) {
        size_t part = message.parts[i].iov_len < sent ? message.parts[i].iov_len : sent;
        message.parts[i].iov_base = (char *)message.parts[i].iov_base + part;
        message.parts[i].iov_len -= part;
        sent -= part;
    }
}

// ---- where it goes ------------------------------------------------------------------------------------------------

// 0, or an errno: it goes nowhere.
static int decide(struct brokered *call)
{
    static const int errors[] = {
        [WAY_REFUSED] = EACCES, [WAY_INSIDE] = ENETUNREACH, [WAY_PROXY] = EHOSTUNREACH, [WAY_NOWHERE] = EHOSTUNREACH};
    struct destination *to = &message.to;
    unsigned protocol = socket_protocol(&call->kind);
    message.way = call->kind.inside ? WAY_INSIDE : WAY_HOST;
    if (call->kind.type == SOCK_STREAM) // goes where it is connected; tcp(7) and unix(7) have no use for an address
        to->length = 0;
    if (!to->length)
        return 0;
    if (call->kind.domain == AF_UNIX)
        return unix_reach(call, to, &message.place);
    if (protocol != PROTOCOL_UDP || (to->address.ss_family != AF_INET && to->address.ss_family != AF_INET6))
        return EAFNOSUPPORT;
    message.decision = destination_decide(call->broker->settings.plan, call->broker->names, VERB_CONNECT, protocol, to);
    message.way = message.decision.way;
    if (message.way == WAY_REFUSED)
        broker_denied(call->broker, VERB_CONNECT, protocol, to, &message.decision);
    bool leads = message.way == WAY_HOST || (message.way == WAY_INSIDE && call->kind.inside);
    return leads ? 0 : errors[message.way];
}

// Makes the caller's socket one that leads there. 0, or an errno.
static int lead(struct brokered *call)
{
    struct destination *to = &message.to;
    if (!to->length || call->kind.domain == AF_UNIX || message.way == WAY_INSIDE)
        return 0;
    broker_allowed(call->broker, VERB_CONNECT, PROTOCOL_UDP, to, &message.decision);
    if (to->any)
        destination_set(to, to->number, to->port);
    return call->kind.inside ? broker_to_host(call) : 0;
}

// ---- sending ------------------------------------------------------------------------------------------------------

// As whom it is sent is what the other end is told, asked for or not (unix(7), SO_PASSCRED).
static long send_piece(const struct outside *outside, int socket)
{
    (void)outside;
    struct iovec data = {message.data, message.length};
    struct msghdr header = {.msg_name = message.to.length ? (void *)&message.to.address : NULL,
                            .msg_namelen = message.to.length,
                            .msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = message.control_length ? message.control : NULL,
                            .msg_controllen = message.control_length};
    ssize_t n = sendmsg(socket, &header, passed_flags(message.length == message.left));
    return n < 0 ? -errno : n;
}

// How much was sent, or -errno: -EAGAIN when the caller has to wait.
static long send_pieces(struct brokered *call)
{
    long sent = 0;
    for (;;) {
        long n = send_piece(call->broker->outside, call->held);
        if (n < 0)
            return sent ? sent : n;
        sent += n;
        bool whole = (size_t)n == message.length;
        forget_sent((size_t)n);
        message.control_length = 0;
        if (!whole || !message.left || sent >= CALL_MOST || read_data(call) != 0)
            return sent;
    }
}

static void message_begin(uint64_t given)
{
    message.to.length = 0;
    message.place = -1;
    message.flags = (int)given;
    message.left = message.length = message.control_length = 0;
    message.passed_count = 0;
}

static void message_end(void)
{
    while (message.passed_count)
        close(message.passed[--message.passed_count]);
    close_scoped(&message.place);
}

static long send_header(struct brokered *call, const struct msghdr *header, uint64_t given)
{
    message_begin(given);
    int error = judge_flags(message.flags);
    if (!error && header->msg_name && header->msg_namelen)
        error = -destination_read(&call->notified, (uintptr_t)header->msg_name, header->msg_namelen, call->kind.domain,
                                  &message.to);
    error = error ? error : decide(call);
    error = error ? error : read_parts(call, (uintptr_t)header->msg_iov, header->msg_iovlen);
    error = error ? error : read_control(call, (uintptr_t)header->msg_control, header->msg_controllen);
    error = error ? error : read_data(call);
    error = error ? error : lead(call);
    long result = error ? -error : send_pieces(call);
    message_end();
    return result;
}

static bool must_wait(const struct brokered *call, uint64_t given, long result)
{
    return result == -EAGAIN && call->kind.blocking && !(given & MSG_DONTWAIT);
}

// True: it is answered. False: it has to wait.
static bool finish(struct brokered *call, uint64_t given, long result)
{
    if (must_wait(call, given, result))
        return false;
    if (result >= 0) {
        broker_sent(call->broker, &call->notified, result);
        return true;
    }
    bool told = notified_answer(&call->notified, (int)-result, 0);
    // After the answer: before it, the signal would interrupt the call, which would come again.
    if (told && result == -EPIPE && !(given & MSG_NOSIGNAL) && call->kind.type == SOCK_STREAM)
        syscall(SYS_pidfd_send_signal, call->notified.caller.process, SIGPIPE, NULL, 0);
    return true;
}

// ---- the calls ----------------------------------------------------------------------------------------------------

static bool sendto_now(struct brokered *call)
{
    const uint64_t *a = call->notified.arguments;
    message_begin(a[3]);
    int error = judge_flags(message.flags);
    error = error ? error : -destination_read(&call->notified, a[4], (uint32_t)a[5], call->kind.domain, &message.to);
    error = error ? error : decide(call);
    message.parts[0] = (struct iovec){(void *)(uintptr_t)a[1], a[2] < CALL_MOST ? a[2] : CALL_MOST};
    message.part_count = 1;
    message.left = message.parts[0].iov_len;
    error = error ? error : message.left > PIECE && call->kind.type != SOCK_STREAM ? EMSGSIZE : 0;
    error = error ? error : read_data(call);
    error = error ? error : lead(call);
    long result = error ? -error : send_pieces(call);
    message_end();
    return finish(call, a[3], result);
}

static bool sendmsg_now(struct brokered *call)
{
    struct msghdr header;
    const uint64_t *a = call->notified.arguments;
    int error = read_whole(call, a[1], &header, sizeof header);
    return finish(call, a[2], error ? -error : send_header(call, &header, a[2]));
}

// As many as go at once; the first may have to wait.
static bool sendmmsg_now(struct brokered *call)
{
    const uint64_t *a = call->notified.arguments;
    uint64_t at = a[1];
    uint32_t count = (uint32_t)a[2], sent = 0;
    long result = 0;
    for (; sent < count && sent < MESSAGES_MOST; sent++, at += sizeof(struct mmsghdr)) {
        struct mmsghdr header;
        int error = read_whole(call, at, &header, sizeof header);
        result = error ? -error : send_header(call, &header.msg_hdr, a[3]);
        if (result < 0)
            break;
        uint32_t length = (uint32_t)result;
        notified_write(&call->notified, at + offsetof(struct mmsghdr, msg_len), &length, sizeof length);
    }
    return finish(call, a[3], sent || result >= 0 ? (long)sent : result);
}

static void make(struct brokered *call, bool (*now)(struct brokered *))
{
    if (!now(call))
        broker_wait(call, take_fd(call->held), now);
}

void broker_call_sendto(struct brokered *call)
{
    make(call, sendto_now);
}

void broker_call_sendmsg(struct brokered *call)
{
    make(call, sendmsg_now);
}

void broker_call_sendmmsg(struct brokered *call)
{
    make(call, sendmmsg_now);
}
