// What a filter of system calls decides on, and how it answers (seccomp(2)).
#pragma once

#include "compiler/sets/graph.h"

// Words of a decision graph: struct seccomp_data in the order that decides soonest.
enum seccomp_word { WORD_ARCH, WORD_NUMBER, WORD_ARGUMENTS }; // then per argument its high and its low half
#define WORD_HIGH(argument) (WORD_ARGUMENTS + 2 * (uint32_t)(argument))
#define WORD_LOW(argument) (WORD_HIGH(argument) + 1)
enum { SECCOMP_WORDS = WORD_ARGUMENTS + 12 };

// Leaves are the kernel's own return values (include/uapi/linux/seccomp.h).
#define SECCOMP_ALLOW 0x7FFF0000u
#define SECCOMP_ERRNO 0x00050000u  // | errno
#define SECCOMP_KILL 0x80000000u   // the whole process
#define SECCOMP_NOTIFY 0x7FC00000u // SECCOMP_RET_USER_NOTIF: what broker.h hands to the supervisor
