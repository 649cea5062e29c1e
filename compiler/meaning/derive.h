// Rules on system calls that follow from the rules on the network, and those that hold in every policy.
//
// The sandbox's network namespace has nothing in it but, when asked for, its own loopback. Which protocols and verbs a
// policy allows at all is decided by seccomp: a protocol that no rule allows has no sockets, a verb that no rule allows
// has no call. What no rule on the network can be about (other families and types of sockets, other protocols, options
// that lead elsewhere) is in no list of what may be, and so nowhere.
#pragma once

#include "compiler/meaning/policy.h"

// `yields`: to an allow that is about nothing else, which says that it means that.
typedef void derive_add(void *context, const struct operation *, const char *error, const char *because,
                        struct module *, bool yields);
void derive_rules(struct policy *, derive_add *, void *context);
