// A policy: what a module's policy means, with all it uses and its parameters filled in.
//
// Rules, settings, and one pure function, policy_verdict. Rules keep where they were written and through which `use`s
// they came.
#pragma once

#include "compiler/sets/condition.h"
#include "compiler/sets/graph.h"
#include "compiler/sets/net_set.h"
#include "compiler/sets/path_set.h"
#include "lang/check.h"

struct use_chain { // how a policy came to be part of another; NULL for the policy that is run
    const struct use_decl *use;
    const struct policy_decl *user;
    const struct use_chain *up;
};

enum host_base {
    HOST_ABSOLUTE,
    HOST_POLICY,
    HOST_CWD,
    HOST_HOME
}; // beside the policy file; the caller's working directory; home

struct host_path {
    enum host_base base;
    struct str path; // absolute, or relative to the base and normal ("." for the base itself)
};

enum { OVERLAY_SIZE = 256 * 1024 * 1024 }; // bytes that may differ, where a policy does not say

struct view_content {
    enum source_kind kind; // FROM_POLICY stands for every host path; FROM_OVERLAY, FROM_IMAGE have one too
    struct host_path host;
    uint64_t size;     // FROM_TMPFS; FROM_OVERLAY, of what differs: bytes
    struct str secret; // FROM_SECRET
    struct str text;   // FROM_TEXT: it; FROM_SANDBOX: its name
};

struct call_match { // one call of a rule
    uint16_t call;
    uint8_t architectures;
    const struct test *tests[ARCH_COUNT]; // NULL: whatever its arguments
};

struct call_matches {
    struct call_match *list;
    size_t count;
};

struct rule {
    uint32_t number; // its index in the policy
    enum effect effect;
    enum domain domain;
    struct span span;
    struct str because;
    const struct use_chain *chain;
    bool derived; // made from the net rules (compiler/meaning/derive.c); its span is the policy's name
    bool lifts;   // a derived deny gives way to it, so that it changes what other allows of the call come to
    unsigned verbs;
    struct str *paths, *excepts; // files
    size_t path_count, except_count;
    const struct view_content *content;
    bool if_exists;
    struct net_set net, net_except;
    struct call_matches calls, calls_except;
    uint32_t action; // calls: what a deny answers (cbpf.h)
    uint64_t capabilities;
};

struct call_rule { // a rule as one call sees it
    const struct rule *rule;
    const struct call_match *match, *except; // except may be NULL
    struct call_rule *next;                  // in the order of rules
};

struct setting_value { // of a scalar setting, and who decided
    struct span span;
    unsigned distance; // `use`s away from the policy that is run
    bool set;
    struct str text;
    uint64_t number;
    struct str *list;
    size_t count;
};

struct env_value {
    struct str name, value;
    bool keep; // take the caller's value
    struct span span;
    unsigned distance;
};

struct secret_value {
    struct str name, at, variable; // variable: of the caller's environment
    struct host_path host;         // else a file
    struct span span;
};

struct policy {
    struct compilation *compilation;
    struct arena *arena;
    const struct policy_decl *decl;
    struct rule *rules;
    size_t rule_count;
    struct call_rule **calls;      // per row of the table of system calls
    const struct rule **net_rules; // the allows and denies of the network
    size_t net_rule_count;
    struct setting_value command, cwd, user, proxy, fallback, summary; // fallback: `default deny with`, as an action
    const struct group_decl *unseen; // calls that answer ENOSYS, not the fallback, where no rule allows them
    struct setting_value limits[LIMIT_COUNT];
    struct needless_limit { // one of the policy's own beside a smaller one, or the same
        enum limit limit;
        struct span span, smaller;
        struct needless_limit *next;
    } * needless_limits;
    struct env_value *env;
    size_t env_count;
    struct secret_value *secrets;
    size_t secret_count;
    const struct require_decl **requires;
    size_t require_count;
    struct obligation { // within
        const struct use_decl *use;
        const struct use_chain *chain;
        struct expr *const *values; // of the ceiling's parameters
        struct policy *ceiling;
    } * withins;
    size_t within_count;
    struct graph *graph;              // shared by all questions about calls
    graph_node *verdicts[ARCH_COUNT]; // per call, made when asked for; NO_NODE before
    struct path_set *allowed_paths;
    struct allowances *allowances; // what comments allow (lint_comment.c)
};

#define NO_NODE UINT32_MAX

// Gives `decl` its meaning. `values` are its arguments in order, NULL for defaults. What is wrong with it is among the
// compilation's diagnostics; NULL while there is an error in the compilation, also one of another policy or of a value.
struct policy *policy_build(struct compilation *, struct policy_decl *, struct expr *const *values);
// The same, in the graph of another policy of the compilation, so that the two can be compared.
struct policy *policy_build_beside(struct policy *, struct policy_decl *, struct expr *const *values);

struct operation_point { // one operation
    enum domain domain;
    unsigned verb;
    struct str path;      // files
    struct net_point net; // net
    enum arch arch;       // calls
    uint32_t number;
    uint64_t arguments[SYSCALL_ARGUMENTS];
    unsigned capability;
};

struct verdict {
    bool allowed, killed;
    int error;               // an errno, when denied and not killed
    const struct rule *rule; // that decided; NULL when no rule allows it
};

struct verdict policy_verdict(const struct policy *, const struct operation_point *);
bool rule_matches(const struct policy *, const struct rule *,
                  const struct operation_point *); // whatever other rules say

// Of several denies of one call the first decides: for qsort_r over struct call_rule *, with an enum arch *.
int deny_order(const void *, const void *, void *arch);
uint32_t policy_fallback(const struct policy *,
                         size_t call); // what a call gets where no rule speaks of it, as seccomp returns it

// The sets behind it.
const struct path_set *policy_paths(struct policy *);            // what may be done to which path
uint64_t policy_capabilities(const struct policy *);             // bits
graph_node policy_call(struct policy *, enum arch, size_t call); // seccomp return values, over the arguments
// True if those graphs could be made, on these architectures (bits); else SBX0706 is among the findings, and nothing
// may be concluded from them.
bool policy_is_decided(struct policy *, unsigned architectures);
// The rules about a call in the order in which they decide: denies, then allows; without one of them. In the policy's
// arena.
const struct call_rule **call_rules_in_order(struct policy *, enum arch, size_t call, const struct rule *absent,
                                             size_t *count);
// The same as if one of its rules were not there.
graph_node policy_call_without(struct policy *, enum arch, size_t call, const struct rule *);
graph_node policy_filter(struct policy *, enum arch); // the whole filter: architecture, number, arguments
// The same of any calls: a node for each row of the table. What the edition does not know, it answers as every policy
// does.
graph_node calls_filter(struct graph *, struct arena *, enum arch, const graph_node *calls);
bool policy_net_allows(const struct policy *, const struct net_point *);

// A rule's operation as a set of its own, for questions and obligations (instantiate.c).
bool operation_resolve(struct policy *, struct module *, const struct operation *, struct rule *);

// "job.sbx:12:9" and the text of a rule.
struct str rule_place(const struct policy *, const struct rule *);
struct str rule_text(const struct policy *, const struct rule *);
