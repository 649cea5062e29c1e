// A set of system calls in few words: by the edition's groups where it holds a whole one.
#pragma once

#include "compiler/policy.h"

// Writes the members (one flag per row of the table) as "@file-system, @io-event, ioctl". Calls that exist on none of `architectures`
// count for no group.
void calls_print(struct text *, struct compilation *, const bool *member, unsigned architectures);
