// What instantiate.c, operation.c and settings.c share while a policy is built. Nothing else includes it.
#pragma once

#include "compiler/meaning/policy.h"

struct instance { // a policy with its parameters' values
    struct policy_decl *decl;
    struct expr **values;
    const struct use_chain *chain;
    unsigned distance; // `use`s away from the policy that is run
};

struct builder {
    struct compilation *compilation;
    struct arena *arena;
    struct diagnostics *diagnostics;
    struct policy *policy;
    struct instance *instances;
    size_t instance_count, instance_capacity;
    bool is_ceiling; // what is built is one
    size_t rule_capacity, env_capacity;
    struct map env;                  // by name: one more than the index in the policy
    struct map secrets;              // by name: struct secret_value
    const struct instance *instance; // the one being worked on; NULL for questions and derived rules
    struct module *module;           // its module
    bool spares;                     // what is resolved is an exception
};

// The literal that a value stands for here; NULL when it stands for none.
struct expr *builder_evaluate(struct builder *, struct expr *);

// The same in a module, and in a policy of it with those values of its parameters (NULL: it has none yet).
struct expr *evaluate_in(struct module *, const struct policy_decl *, struct expr *const *values, struct expr *);

// An operation in its scope, as the set that `rule` is about. False when it has errors.
bool builder_resolve(struct builder *, const struct operation *, unsigned architectures, struct rule *rule);

const struct call_match *call_match_for(const struct call_matches *, size_t call); // NULL when none is about the call
uint32_t builder_action(struct str name);                                          // of an errno's name, or `kill`
struct host_path builder_host_path(struct builder *, const struct expr *,
                                   enum source_kind); // FROM_POLICY, FROM_CWD or FROM_HOME

// Reports a number of that type that is not in its range; the words are of what `name` calls it.
void builder_check_range(struct builder *, const struct range *, uint64_t number, enum type, const char *name,
                         struct span);

// A part of the text that comes to nothing: only where an error says why, for a deny that is left out in silence
// allows.
void builder_leave_out(struct builder *);

void builder_add_setting(struct builder *, const struct setting *);
