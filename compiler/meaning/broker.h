// The broker's calls: what a policy allows and sbxrun does in the command's place, because more of the network is
// allowed than the sandbox's own loopback.
//
// No filter can see an address, which lies behind a pointer. So where a rule allows anything beyond the sandbox's
// loopback (also unix sockets of its own: nothing else keeps the host's apart, which lie in the view), calls that
// take one are handed to the supervisor (SECCOMP_RET_USER_NOTIF, seccomp_unotify(2)), which reads it once and acts on
// what it read (enforcer/network/broker.h). Which calls those are follows from the net rules alone, so that the filter
// is the same everywhere and can be proved.
#pragma once

#include "compiler/meaning/policy.h"

enum broker_part {
    BROKER_CONNECTIONS = 1, // connect, bind, listen
    BROKER_MESSAGES = 2, // sendto with an address, sendmsg, sendmmsg: when udp outward or a path of unix is allowed, by
                         // any verb, or of the loopback a part of udp
};

unsigned policy_broker(const struct policy *); // the parts that a policy needs; 0: none

// What the filter answers to a call that the policy answers with `action`.
uint32_t broker_answer(unsigned parts, size_t call, const uint64_t arguments[SYSCALL_ARGUMENTS], uint32_t action);

// The row of the call's argument that must be 0 for the broker to be left out; -1: none. False when the broker has no
// part in the call.
bool broker_takes(unsigned parts, size_t call, int *unless_null);
