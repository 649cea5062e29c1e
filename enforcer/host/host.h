// What this host offers, found by asking the kernel. Asked only when a plan needs to know.
#pragma once

#include <stdbool.h>

#include "enforcer/host/failure.h"

int host_landlock_abi(void); // 0 when there is none; landlock(7)

// True if sbxrun is root of a namespace that has `user` too, as the machine's own has: root that processes must not run
// as. Root of a namespace with a user or two, as in a rootless container, is somebody ordinary outside.
bool host_is_root(unsigned user);
bool host_can_load_programs(void);   // CAP_BPF and CAP_NET_ADMIN, for bpf(2) on control groups
bool host_can_change_identity(void); // CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN: for maps of users and idmapped mounts

long host_number(const char *path); // that a file of proc(5) holds; -1: there is none

// NULL, or what this host lacks for calls to be made in the command's place (seccomp_unotify(2)), and what to do about
// it.
const char *host_lacks_for_broker(const char **advice);

// Records that namespaces could not be made, and why this host may be so, with what to do about it. Returns -1.
int fail_for_namespaces(struct failure *, int error, const char *what);
