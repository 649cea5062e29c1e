// Conditions on arguments: from what was written to intervals of masked values.
#pragma once

#include "compiler/meaning/policy.h"

typedef bool constant_lookup(void *context, const struct constant *, uint64_t *value); // follows `$name`

// The condition for one call and architecture. NULL when a constant does not exist there (*missing names it) or can't
// be followed.
const struct test *condition_resolve(struct arena *, const struct condition *, const struct syscall_row *, enum arch,
                                     constant_lookup *, void *context, const struct constant **missing);
