// The broker: makes the connections that the command's own system calls can't, in its empty network, and only those
// that a rule allows.
//
// Sources in the supervisor's loop, and an answer to calls (calls.h). The command's filter hands connect, bind, listen
// and, where udp or unix sockets may reach the host, the sending calls to it (compiler/meaning/broker.h). It reads the
// address once, asks the policy function about that copy and acts on that copy, on a descriptor that it has taken once
// (notified.h): a socket of the sandbox's own network is connected or bound as it is; for a destination of the host's,
// a twin is made in the host's network, connected, and put in the socket's place (twin.h). No call is ever let through
// to the kernel, which would read the caller's memory again. A blocking caller waits on its call, never the loop.
#pragma once

#include "enforcer/host/outside.h"
#include "enforcer/network/net_guard.h"
#include "enforcer/network/network.h"
#include "enforcer/supervisor/calls.h"

struct broker;

struct broker_settings {
    const struct plan *plan;
    const struct network *network; // as it was claimed
    struct events *events;
    struct net_guard *guard; // NULL: none
};

// Whoever is at the other end of the host's sockets sees `outside`, and no call may do more than that user's: from here
// on the broker answers. False if that is NULL.
bool broker_act_as(struct broker *, const struct outside *);
struct broker *broker_new(const struct broker_settings *, struct failure *); // NULL and the failure
struct call_maker broker_maker(struct broker *);                             // how it makes calls; of NULL: nobody
void broker_free(struct broker *);                                           // all that waits gets no answer any more
