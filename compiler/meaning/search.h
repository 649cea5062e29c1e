// Looking for one operation in a set of them: how every question about sets is answered.
#pragma once

#include "compiler/meaning/policy.h"

// Looks in the set that `rule` stands for (its exceptions taken out) for an operation that the policy allows, or one
// that it denies. 1: found, in *point; 0: there is none; -1: undecided (entangled conditions).
int operation_find(struct policy *, const struct rule *set, bool allowed, struct operation_point *point);

const struct path_set *rule_paths(struct arena *, const struct rule *); // of files, its exceptions taken out

// Looks for an operation that a policy allows and its ceiling, which shares its graph, does not, in parts of it (enum
// within). As above.
int operation_exceeds(struct policy *, struct policy *ceiling, unsigned parts, struct operation_point *point);

// The operation in the language's own words.
struct str operation_text(struct policy *, const struct operation_point *);
void call_print(struct text *, const struct operation_point *,
                unsigned arguments); // a system call with some of its arguments (bits); no policy is asked

// The sets of a policy's network rules, whose borders cut out the cells that a question must look at. Returns how many
// were written to `sets`, at most two a rule.
size_t policy_net_sets(const struct policy *, const struct net_set **sets);
