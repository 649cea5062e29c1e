// Binding a unix socket by the very text that its owner gave, for that is what getsockname(2) tells, and what programs
// pass on to those who are to connect.
#pragma once

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "enforcer/host/outside.h"

// Makes the socket's file in `folder`, which is held, and nowhere else: what the text leads to by then does not matter.
// A process of its own does it, whose root holds nothing but that folder at the place that the text names. `user` and
// `mounts`: the sandbox's namespaces. 0, or an errno.
int named_bind(const struct outside *, int user, int mounts, int folder, int socket, const struct sockaddr_un *,
               socklen_t, mode_t umask);
