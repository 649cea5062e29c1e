// One compilation: its sources, its modules, what was found wrong (load.h loads them).
#pragma once

#include "lang/ast.h"
#include "lang/diagnostic.h"

struct lookup {      // of a file that a user or an import names: what else a compilation depends on than its arguments
    struct str path; // as it was asked for
    struct str file; // where that leads; empty: nothing was there, and the next place was tried
    struct str text; // what was read there
    struct lookup *next;
};

struct compilation {
    struct arena *arena;
    struct sources sources;
    struct diagnostics diagnostics;
    struct str *roots; // -I, resolved; what imports may reach besides the importing file's folder
    size_t root_count;
    const struct map *opened; // texts (struct str) by path, which are read instead of the files there: what an editor
                              // has open; may be NULL
    struct module *modules;   // all that were loaded
    struct lookup *lookups;   // the last first
    struct module
        *prelude; // the edition's own groups of system calls, which every module sees; there once a module was loaded
    unsigned group_depth; // of groups within groups, while they are resolved
    bool unreadable;      // a file named by the user could not be read
};

struct compilation *compilation_new(struct arena *); // which it owns from then on
void compilation_free(struct compilation *);

// Does a compilation's work, from reading to what is made of it, within its budget of memory and time. Where that runs
// out the work is left where it was (arena_within), and an error among the findings says so: nothing is made of it any
// more.
enum { BUDGET_MEBIBYTES = 352, BUDGET_SECONDS = 8 };
bool compilation_work(struct compilation *, void (*work)(void *), void *context); // false when it ran out

// Indexes a source and looks whether it is text at all (source_flaw). False, and a diagnostic, when it is not: then
// that is the one thing to mend first, for half a file would only give errors that follow from it.
bool source_check(struct compilation *, struct source *);

// Adds a root for imports. False (and errno) when it is not a folder.
bool compilation_add_root(struct compilation *, const char *folder);

// The policy of a module that is meant by its name: the one called like the file, or its only one. NULL when there is
// none.
struct policy_decl *module_main_policy(const struct module *);
struct policy_decl *module_find_policy(const struct module *, struct str name);

// The module whose text a source is; NULL when that was not loaded as one.
const struct module *module_of_source(const struct compilation *, uint32_t source);

// The standard library, compiled in: "base" is std.base.
struct library_file {
    const char *name, *text;
    size_t length;
};
const struct library_file *library_find(struct str name); // NULL when absent
const struct library_file *library_at(size_t index);      // NULL past the end

struct str name_list_text(struct arena *, const struct name_list *, const char *separator); // "a.b.c"
struct str path_stem(struct str path);                                                      // "/a/python.sbx": "python"
