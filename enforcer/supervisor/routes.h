// Sockets of netlink under a limit of memory, which does not count what waits in them (sized.h does the same for what a
// program asks of memory). So there are few at a time, and to know how many, sbxrun makes each in the command's place.
#pragma once

#include "compiler/code/cbpf.h"
#include "compiler/plan/plan.h"
#include "enforcer/host/identity.h"
#include "enforcer/supervisor/notified.h"

enum { ROUTES_MOST = 64 }; // in a sandbox; more are ENOBUFS (socket(2))

struct routes { // the sandbox's namespaces, owned; -1: not known yet
    int user, network;
};

// True if those sockets are to be counted: there is a limit, and some are allowed.
bool routes_count(const struct plan *);

// True if the call makes one. Its filter allowed it.
bool routes_is(const struct notified *);

// Answers it. A process of its own, which is in the sandbox's network and the outside identity, makes the socket.
void routes_answer(const struct routes *, const struct identity *, const struct notified *);
