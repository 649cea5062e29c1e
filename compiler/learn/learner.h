// What the parts of learning share (learn.h): what is known of programs and places, and the policy that is being
// written.
#pragma once

#include "compiler/learn/learn.h"

// ---- learn_known.c ----

enum { LIBRARIES_MOST = 16 };

struct known_library {          // a module of the standard library for programs of the distribution
    const char *module, *holds; // which other one it has in it; "": none, not even what any program needs
    const char *programs;       // words; a last * stands for any more
};
extern const struct known_library known_libraries[]; // ends with one without a module

bool known_runs(const struct known_library *, struct str program); // is it one of its programs? A path
bool known_is_secret(struct str path);                      // whoever has it has an identity, or what others pay for
bool known_is_system(struct str path);                      // a command that changes it is not one for a sandbox
bool known_is_common(const struct seen *, struct str path); // a folder that holds much that is not the command's
const char *known_probe(const struct net_point *); // why it needs no rule, as it is only asked for the way there; NULL
struct str known_temporary(struct str path); // the folder of temporary files that it lies in, or is; empty: none

// ---- learn_write.c ----

struct place {
    struct str path; // in the sandbox
    struct str home; // what it is beneath the caller's home, where it lies elsewhere inside; empty: it does not
    unsigned verbs;
    uint64_t count;
    size_t entries; // different paths that it stands for
    bool is_memory, gone;
};

struct note {
    struct str operation, path; // path: of a secret, in the sandbox
    const char *why;
    uint64_t count;
    size_t things; // of the record that it is about
    struct note *next;
};

struct learner {
    struct arena *arena;
    const struct seen *seen;
    struct str folder, name, given, given_policy;
    struct str home; // HOME in the sandbox
    bool sets_home;  // where it is none that the modules say
    bool sends_to_paths;
    const struct driver_options *options;
    bool libraries[LIBRARIES_MOST]; // by their place in known_libraries
    struct place *places;
    size_t place_count;
    struct note *notes, **last_note;
    struct str net, calls;               // statements
    size_t net_rules, call_rules, rules; // rules: all of them, as they were last written
    struct map noted;                    // operations
};

struct str learner_write(struct learner *,
                         bool whole); // `whole`: with what is for people and for running it; else only what it allows
void learner_end_seen(struct text *, uint64_t count, const char *more); // the end of a rule: how often it was needed
