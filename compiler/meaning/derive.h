// Rules on system calls that follow from the rules on the network.
//
// The sandbox's network namespace has nothing in it but, when asked for, its own loopback. Which protocols and verbs a
// policy allows at all is decided by seccomp: a protocol that no rule allows has no sockets, a verb that no rule allows
// has no call.
#pragma once

#include "compiler/meaning/policy.h"

typedef void derive_add(void *context, const struct operation *, const char *because, struct module *);
void derive_rules(struct policy *, derive_add *, void *context);
