// Lints: rules that mean something, but hardly what their author thinks. Each rests on a question about sets that was
// answered exactly.
#pragma once

#include "compiler/meaning/allowed_finding.h"
#include "compiler/meaning/policy.h"

// The warnings. What a policy `use`s is not its author's, so only the policy's own rules are judged, beside everything
// it uses. A comment on the rule's lines or right above allows a finding: `# allow SBX0715: it compiles and tests
// there`.
void lint_policy(struct policy *);

// The parts of lint_policy.
void lint_allows(struct policy *);   // allows that others make needless, or that a deny takes back
void lint_denies(struct policy *);   // denies of what nothing allows, or another deny denies
void lint_pairs(struct policy *);    // two rules that can be one
void lint_places(struct policy *);   // allows of what is not there, or hidden by memory; what is written unsaid
void lint_git(struct policy *);      // what the host's git obeys of a repository
void lint_ranges(struct policy *);   // ranges of addresses that hold more than they look
void lint_loopback(struct policy *); // connections to where nobody can serve
void lint_settings(struct policy *); // commands, limits and variables

// Whether new memory hides what the host has at a path of the rule, which means that.
bool lint_is_hidden(const struct policy *, const struct rule *, struct str path);
void lint_dangers(struct policy *);  // writable and executable places; calls that make other rules pointless
