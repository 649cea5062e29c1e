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

bool policy_decl_is_whole(const struct policy_decl *); // all its parameters have values

// All policies of a module whose parameters have values, or with --policy or -D the one that is meant. Of each NULL
// while the compilation has an error; what is wrong is said of all of them. *problem as below, or NULL.
struct policy **driver_policies(struct compilation *, struct module *, const struct driver_options *, size_t *count,
                                const char **problem);

// What the author of policies should hear besides their errors: lints, obligations, expectations; of those that are not
// NULL. Their plans, whose filters are not proved; NULL when a finding forbids them.
struct plan **driver_judge(struct compilation *, struct policy **, size_t count);

// The only maker of a policy that something is made of, an answer or a run: the one that the options mean in a module
// (NULL: there is none), beside another of the compilation (policy_build_beside) or, with NULL, alone. NULL while the
// compilation has an error, whoever asks and for what, one in a value of -D or an obligation or expectation that does
// not hold like any other: findings lie in the compilation, *problem says what is wrong with the options, or is NULL.
struct policy *compilation_policy(struct compilation *, struct module *, const struct driver_options *,
                                  struct policy *beside, const char **problem);

// The same of a file, with its import roots.
struct policy *driver_policy(struct compilation *, const char *path, const struct driver_options *,
                             struct policy *beside, const char **problem);
