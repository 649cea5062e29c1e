// Learning: from what a command was seen to do to a policy that lets it do that, as a person would write it.
//
// Modules of the standard library stand for the programs that it ran. What they don't allow is folded: files to folders
// where several of one were used, never to one that holds other things than the command's (a home, /etc, the root);
// names instead of addresses; one rule for calls of one kind, with the arguments that decide. What a program finds by
// HOME is learned as it lies inside. What looks like a secret, or gives power over the machine, is not allowed but
// noted. The result is compiled, and each operation of the record is asked of it: what is not allowed and not noted
// gets a rule of its own, or a note.
#pragma once

#include "compiler/front/driver.h"
#include "compiler/learn/seen.h"

// The line of a learned policy that says which record it was made of, before the record's hash (plan_hash). A record
// that a policy does not name is nobody's.
#define LEARN_RECORD "# Its record: "

struct learned {
    struct str text;
    size_t operations, allowed, noted; // of the record; those that the policy allows, proved by its own verdicts; those
                                       // that its last lines name
    size_t rules;                      // of its own
};

// `folder` (absolute) and `name`: of the policy. `given`: of a file beside it that the policy goes on from, and its
// policy; empty: none. False and *problem: the record or the given policy makes none.
bool learn(struct arena *, const struct seen *, struct str folder, struct str name, struct str given,
           struct str given_policy, const struct driver_options *, struct learned *, const char **problem);
