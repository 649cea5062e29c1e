// What the parts of learning share (learn.h): what is known of programs and places, and the policy that is being
// written.
#pragma once

#include "compiler/learn/learn.h"
#include "compiler/meaning/policy.h"

// ---- learn_known.c ----

enum { LIBRARIES_MOST = 16 };

struct known_library {          // a module of the standard library for programs of the distribution
    const char *module, *holds; // which other one it has in it
    const char *programs;       // words; a last * stands for any more
};
extern const struct known_library known_libraries[]; // ends with one without a module

bool known_runs(const struct known_library *, struct str program); // is it one of its programs? A path
struct str known_folder(struct str path);                   // that it lies in; "/": of itself
bool known_is_secret(struct str path);                      // whoever has it has an identity, or what others pay for
bool known_is_system(struct str path);                      // a command that changes it is not one for a sandbox
bool known_is_common(const struct seen *, struct str path); // a folder that holds much that is not the command's
const char *known_probe(const struct net_point *); // why it needs no rule: programs ask for the way there alone; NULL
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
    bool has_unseen; // more lies in the folders that are shown than was looked at for secrets
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
// What is seen and not allowed; one for each operation, whose first reason is kept.
struct note *learner_note(struct learner *, struct str operation, const char *why, uint64_t count);
void learner_end_seen(struct text *, uint64_t count, const char *more); // the end of a rule: how often it was needed

// ---- learn_secrets.c ----

// Notes what looks like a secret on the host beneath the places that are shown, and is none of the command's own.
void learner_secrets(struct learner *);

// ---- learn_files.c, learn_net.c, learn_calls.c ----

// Each makes rules of its part of the record. `policy` is what is there already: the modules', and for the later ones
// the files'.
void learner_files(struct learner *, struct policy *);
void learner_net(struct learner *, struct policy *);
void learner_calls(struct learner *, struct policy *);

// Each asks the finished policy for its part of the record, and counts. What is not allowed gets a rule, where one
// could be missing; the `last` time a note.
void learner_ask_files(struct learner *, struct policy *, bool last, struct learned *);
void learner_ask_net(struct learner *, struct policy *, bool last, struct learned *);
void learner_ask_calls(struct learner *, struct policy *, bool last, struct learned *);

// What beneath the caller's home a program looks for by HOME: hidden names, but where the program itself lies, or
// which the command names. Empty: it is none; else the path beneath the home, which is one inside too, with another
// HOME.
struct str learner_beneath_home(const struct learner *, struct str path);
struct str learner_inside(const struct learner *, struct str path); // where it will be in the sandbox

struct str learner_file_operation(struct learner *, const char *verb, struct str path); // as a note has it

// The folder in which the command makes or removes something: one that was there before.
struct str learner_made_in(const struct learner *, struct str path);
