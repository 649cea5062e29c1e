// The names in a module, and what each of them means: for editors and pages. Of modules that were checked.
#pragma once

#include "lang/module.h"

enum name_kind {
    NAME_POLICY,
    NAME_PARAMETER,
    NAME_LET,
    NAME_GROUP,
    NAME_MODULE, // an import's alias, or what an import names
    NAME_SECRET,
    NAME_CALL, // from here on: Linux's names, and the language's
    NAME_ARGUMENT,
    NAME_CONSTANT,
    NAME_ERRNO,
    NAME_CAPABILITY,
    NAME_LIMIT,
    NAME_FEATURE,
};

struct name_use {
    enum name_kind kind;
    struct span span; // without `@` or `$`
    bool defines;     // its definition stands here
    bool spelled;     // as the definition spells it, so that renaming that changes this
    // What it means: policy_decl, parameter, let_decl, group_decl, import_decl or secret_decl. NULL for Linux's names,
    // and for what means nothing.
    const void *decl;
    const struct policy_decl *policy;  // MODULE: the policy that a `use` of the whole module means; else NULL
    struct span target;                // where what it means is defined; no place for Linux's names
    const struct operation *operation; // ARGUMENT, CONSTANT: the calls that it is about; else NULL
    struct str argument;               // CONSTANT in a condition: of which argument
};

struct names {
    struct name_use *list; // in the order of their places
    size_t count;
};

// Every name in a module, in its arena.
struct names *module_names(struct compilation *, const struct module *);
const struct name_use *names_at(const struct names *,
                                uint32_t offset); // the name at a place, its end included; NULL when there is none
