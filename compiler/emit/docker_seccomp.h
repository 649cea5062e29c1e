// A policy's rules on system calls as a container engine's seccomp profile (compiler/import/profile.h), for x86_64 and
// aarch64.
//
// Each call gets what the policy function answers. Of arguments only what the kernel looks at is compared, by masks, so
// that no high bits slip past a rule; each rule of the profile has one comparison of an argument at most, for engines
// take two as either; and no two rules of a call hold together, for engines don't keep their order.
#pragma once

#include "compiler/emit/wider.h"
#include "compiler/meaning/policy.h"
#include "compiler/plan/json.h"

// True, and `wider` says what is left out; or false, and `wider` is the sentence why there is no such profile.
bool emit_docker_seccomp(struct text *out, struct text *wider, struct policy *, const struct plan *);

// The same for one architecture, in the words of the runtime specification (linux.seccomp), which has no conditions.
// False, and `why` is the sentence.
bool emit_oci_seccomp(struct json_writer *, struct text *why, struct policy *, enum arch);
