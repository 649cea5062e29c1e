// Calls that the filter denies as they are made, and that come to the same when sbxrun makes them with less:
//
//   memfd_create            without a word on whether the memory may be executed, where the plan allows it with
//                           MFD_NOEXEC_SEAL: the caller gets memory that can't (memfd_create(2)), as with the setting
//                           vm.memfd_noexec of 1
//   setrlimit, prlimit64    of RLIMIT_CORE, to none, where the plan allows the call of another limit: there is none
//                           anyway, and the limit stays as it is
//
// Older programs and sanitizers do either, and give up when it fails.
#pragma once

#include "compiler/plan/plan.h"
#include "enforcer/host/identity.h"
#include "enforcer/supervisor/notified.h"

enum { LESSER_MEMORIES = 4096 }; // in a run: what the kernel keeps of each is not the command's

// Answers the call if it is one of these. False: it is not, or could not be made. `made` counts memories.
bool lesser_make(const struct plan *, const struct identity *, const struct notified *, unsigned *made);
