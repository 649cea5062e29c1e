// What the parts of the checker share: where names are looked for, and values in that scope. Nothing else includes it.
#pragma once

#include "lang/check.h"

struct scope {
    struct compilation *compilation;
    struct diagnostics *diagnostics;
    struct module *module;
    struct policy_decl *policy; // may be NULL
    struct map secrets;         // of the policy, by name
};

const char *expr_kind_name(enum expr_kind); // "a string"
const char *type_example(enum type);        // as it is written
const char *type_article(enum type);        // "a size", "an int"

// The literal behind a value, through `let`s; NULL for a parameter (then *type is its type) or an error, which is
// recorded.
const struct expr *scope_follow(struct scope *, const struct expr *, enum type *);

// A value in a place that wants a type. True unless something was wrong, which is recorded.
bool scope_check_value(struct scope *, const struct expr *, enum type want);
bool scope_check_target(struct scope *, const struct expr *, unsigned protocols); // of a net rule
bool scope_check_calls(struct scope *, const struct operation *);
void scope_check_group(struct scope *, struct group_decl *); // and its members
void scope_check_uses(struct scope *);                       // of the policy: their targets and arguments
void scope_check_use_circles(struct compilation *, struct policy_decl *);

bool report_type(struct diagnostics *, const struct expr *, enum type wanted, const char *got); // false
