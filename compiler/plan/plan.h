// Plans: what will be done, as data. No decisions are left but "does this host offer it?".
//
// A plan says nothing of a host: the same policy gives the same plan everywhere. As JSON it is canonical, its SHA-256
// names it, and docs/plan.md describes it. Everything lives in the arena it was made in.
#pragma once

#include "compiler/code/cbpf.h"
#include "compiler/sets/net_set.h"
#include "lang/proxy_url.h"
#include "lang/tables.h"

struct plan_rule { // where a part of the plan comes from
    struct str file, text, because;
    uint32_t line, column;
};

#define NO_RULE UINT32_MAX // the plan's own doing

enum plan_from {
    PLAN_INHERIT,
    PLAN_HOST,
    PLAN_TMPFS,
    PLAN_OVERLAY,
    PLAN_IMAGE,
    PLAN_PROC,
    PLAN_DEV,
    PLAN_SECRET,
    PLAN_TEXT,
    PLAN_SANDBOX,
    PLAN_FROM_COUNT
};
enum plan_base { PLAN_ABSOLUTE, PLAN_POLICY, PLAN_CWD, PLAN_HOME, PLAN_BASE_COUNT };

struct plan_view { // one place of the view; sorted so that what lies above comes first
    struct str path;
    unsigned verbs;      // what is allowed here and below, until a deeper place says otherwise; 0: nothing
    enum plan_from from; // PLAN_INHERIT: content of the place above
    enum plan_base base; // HOST, OVERLAY, IMAGE
    struct str host;
    uint64_t size;     // TMPFS; OVERLAY, of what differs: bytes
    struct str secret; // SECRET: its name
    struct str text;   // TEXT: it; SANDBOX: which of tables.h's sandbox files
    bool if_exists;
    uint32_t rule;
};

struct plan_net {
    bool deny, exception; // an exception belongs to the deny before it
    struct net_box box;
    uint32_t rule;
};

struct plan_proxy { // through which names are reached
    bool set;
    struct proxy_url url;
    uint32_t rule;
};

struct plan_env {
    struct str name, value;
    bool keep;
};

struct plan_limit {
    bool set;
    uint64_t value;
    uint32_t rule;
};

struct plan_require {
    enum feature feature;
    uint64_t version; // 0: any
    bool degrade;
    struct str because;
    uint32_t rule;
};

struct plan_secret { // where its value comes from; never the value
    struct str name;
    struct str variable; // of the caller's environment; empty: a file
    enum plan_base base;
    struct str host;
    uint32_t rule;
};

struct plan_origin { // a file that a plan was made of; or one that was looked for, and would have been
    struct str path; // as it was asked for, from the caller's working directory
    bool is_there;
};

enum plan_user { PLAN_USER_NOBODY, PLAN_USER_ROOT, PLAN_USER_SELF, PLAN_USER_NUMBER, PLAN_USER_COUNT };

struct plan {
    struct arena *arena;
    struct str name, folder;     // folder: of the policy file, absolute; not part of the JSON
    struct plan_origin *origins; // nor are these
    size_t origin_count;
    struct str *command;
    size_t command_count;
    enum plan_user user;
    uint32_t user_number;
    struct str cwd; // empty: "/"
    struct plan_env *env;
    size_t env_count;
    uint64_t capabilities;
    struct plan_view *view;
    size_t view_count;
    struct bpf_program filters[ARCH_COUNT]; // length 0: not made
    struct plan_net *net;
    size_t net_count;
    struct plan_proxy proxy;
    unsigned broker; // broker.h: the calls that the filter hands to the supervisor
    struct plan_limit limits[LIMIT_COUNT];
    struct plan_require *requires;
    size_t require_count;
    struct plan_secret *secrets;
    size_t secret_count;
    struct plan_rule *rules;
    size_t rule_count;
};

extern const char *const plan_from_names[PLAN_FROM_COUNT], *const plan_base_names[PLAN_BASE_COUNT],
                                                               *const plan_user_names[PLAN_USER_COUNT];

const struct plan_secret *plan_secret_find(const struct plan *, struct str name); // NULL when there is none

// What the plan allows at a path of the view, by the deepest place above it: verbs.
unsigned plan_verbs(const struct plan *, struct str path);

// The canonical JSON, ending in a newline. Every filter must have been made.
struct str plan_write(struct arena *, const struct plan *);

// Reads what plan_write wrote, from anyone. NULL when it is anything else; *why says what and where.
struct plan *plan_read(struct arena *, struct str json, struct str *why);

// SHA-256 (FIPS 180-4) of plan_write's bytes, in hex.
struct str plan_hash(struct arena *, struct str json);
