// What this host offers, found by asking the kernel. Asked only when a plan needs to know.
#pragma once

#include <stdbool.h>

#include "compiler/plan.h"

int host_landlock_abi(void); // 0 when there is none; landlock(7)
bool host_is_root(void);     // may create user namespaces with any mapping: effective user 0 with CAP_SETUID and CAP_SETGID

// True if the host has a feature in at least that version (0: any). *found says what it has, for the report.
bool host_has(enum feature, uint64_t version, const char **found);

// Why clone3 with the sandbox's namespaces failed, as a sentence that says what to do.
const char *host_namespace_advice(int error);
