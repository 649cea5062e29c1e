// Checking a module: every name means something, every value has the type its place asks for.
#pragma once

#include "lang/module.h"
#include "lang/proxy_url.h"
#include "lang/tables.h"

void module_check(struct compilation *, struct module *);

// What is wrong with a text as what it is to be, in a policy or in a plan; NULL: nothing.
const char *view_path_flaw(struct str); // absolute and normal
const char *host_name_flaw(struct str); // LDH labels, or "*." and at least two
const char *variable_flaw(struct str);  // of the caller's environment, which the sandbox is to have a value from

// Checks one operation in the scope of a module and, if not NULL, of a policy.
bool operation_check(struct compilation *, struct module *, struct policy_decl *, struct operation *);

// The literals' own rules; each records what is wrong. `expr` is a literal, its references already followed.
bool check_proxy(struct compilation *, const struct expr *, struct proxy_url *); // a string
bool check_view_path(struct compilation *, const struct expr *);                 // absolute, normal, no globs
bool check_host_path(struct compilation *, const struct expr *);                 // no shell's words, no globs
bool check_host_name(struct compilation *, const struct expr *);                 // LDH labels, or "*." and two labels
bool check_variable(struct compilation *, struct str name, struct span);         // of the caller's environment
bool check_port(struct compilation *, const struct expr *);                      // 0..65535

// The `let` or parameter that `$name` means; both NULL when it means nothing.
struct binding {
    struct parameter *parameter;
    struct let_decl *let;
};
struct binding binding_find(const struct module *, const struct policy_decl *, struct str name);

// A group's members as sorted, distinct indices into the table of system calls.
struct group_decl *group_find(struct compilation *, struct module *, struct str name);
