// Descriptors that the inside hands to the supervisor.
#include "enforcer/host/handover.h"

#include <string.h>
#include <sys/socket.h>

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(HANDOVER_MOST * sizeof(int))];
};

int handover_send(int socket, uint64_t what, const int *fds, int count)
{
    size_t bytes = (size_t)count * sizeof *fds;
    union control control = {
        .header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(bytes)}};
    struct iovec data = {&what, sizeof what};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(bytes)};
    memcpy(CMSG_DATA(&control.header), fds, bytes);
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int handover_receive(int socket, uint64_t *what, int fds[HANDOVER_MOST])
{
    union control control;
    struct iovec data = {what, sizeof *what};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof *what)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(header), bytes);
    return (int)(bytes / sizeof *fds);
}
