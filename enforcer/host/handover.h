// Descriptors that the inside hands to the supervisor, over a socket of packets.
#pragma once

#include <stdint.h>

enum { HANDOVER_MOST = 16 };

// What is handed over: the filter's listener; the view's root, the namespaces of users and of
// mounts, which files are the sandbox's own (own_files.h), and the sockets at which names are asked for; the other
// end of the command's terminal; the namespaces of users and of the network.
enum { HANDED_LISTENER, HANDED_ROOT, HANDED_TERMINAL, HANDED_NETWORK };

// Sends up to HANDOVER_MOST descriptors with a word that says what they are. Allocates nothing. 0, or -1 and errno.
int handover_send(int socket, uint64_t what, const int *fds, int count);

// The next such message, without waiting; the caller owns the descriptors. How many there are, or -1 when no message
// waits.
int handover_receive(int socket, uint64_t *what, int fds[HANDOVER_MOST]);
