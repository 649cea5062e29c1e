// What sbxc and sbxrun share: from a file's name and -I, -D, --policy to a policy.
#pragma once

#include "compiler/plan/lower.h"
#include "compiler/meaning/obligations.h"

struct driver_options {
    const char *const *roots; // -I
    size_t root_count;
    const char *const *values; // -D name=value
    size_t value_count;
    const char *policy; // --policy, or NULL
};

// Adds the import roots. NULL, or a sentence about what is wrong with the options.
const char *driver_roots(struct compilation *, const struct driver_options *);

// The policy decl that the options mean in a module. NULL and a diagnostic when there is none.
struct policy_decl *driver_select(struct compilation *, struct module *, const struct driver_options *);

// The values that -D gives to a policy's parameters; NULL and *problem when one is wrong.
struct expr **driver_values(struct compilation *, struct policy_decl *, const struct driver_options *,
                            const char **problem);

bool policy_decl_is_whole(const struct policy_decl *); // all its parameters have values

// What a policy's author should hear besides its errors: lints, obligations, expectations. Its plan, whose filters are
// not proved; NULL when findings forbid one.
struct plan *driver_judge(struct policy *);

// All of it: the policy that the options mean in a file, its obligations not looked at yet; beside another of the
// compilation (policy_build_beside) or, with NULL, alone. NULL when there is none: findings lie in the compilation,
// *problem says what is wrong with the options, or is NULL.
struct policy *driver_policy(struct compilation *, const char *path, const struct driver_options *,
                             struct policy *beside, const char **problem);
