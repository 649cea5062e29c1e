// What a command was seen to do: files, connections, system calls, and the most that it used.
//
// A record is made while a command runs (enforcer/actions/observe.h), can be written and read, and records of several
// runs merge. It holds no content of files and no value of a variable.
#pragma once

#include "compiler/plan/json.h"
#include "compiler/sets/net_set.h"
#include "lang/tables.h"

struct seen_path {
    struct str path; // absolute and normal, as the command named it or behind links
    unsigned verbs;  // VERB_FILES; 0: it was only looked at (stat), which a folder above an allowed path always lets
    uint64_t count;
    bool folder;
    bool made; // it was not there before the command made it
};

struct seen_call { // one that needs a rule of its own: with the arguments that it was made with
    uint32_t number;
    uint64_t arguments[SYSCALL_ARGUMENTS];
    uint64_t count;
};

struct seen_net {
    struct net_point point; // by name where the command asked for one
    uint64_t count;
};

struct seen {
    struct arena *arena;
    uint64_t runs;
    struct str *command; // of the first run
    size_t command_count;
    struct str cwd, home;
    struct seen_path **paths;
    size_t path_count;
    struct seen_call **calls;
    size_t call_count;
    struct seen_net **nets;
    size_t net_count;
    uint64_t memory, processes, wall, files; // at most: bytes, processes at once, milliseconds, open files
    struct map path_index, call_index, net_index;
};

struct seen *seen_new(struct arena *);
struct seen_path *seen_path_add(struct seen *, struct str path, unsigned verbs,
                                uint64_t count); // in whatever order; the one that is kept
void seen_call_add(struct seen *, uint32_t number, const uint64_t arguments[SYSCALL_ARGUMENTS], uint64_t count);
void seen_net_add(struct seen *, const struct net_point *, uint64_t count);

struct str seen_write(struct arena *, const struct seen *);
bool seen_read(struct seen *, struct str text,
               const char **why); // adds what a record holds; false: it is none, and nothing was added
