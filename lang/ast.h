// The syntax tree of one module: what was written, with its places.
//
// Built by grammar/sbx.y, checked by lang/check.c, given a meaning by compiler/. Everything lives in the compilation's
// arena and stays as parsed; lists are singly linked in file order.
#pragma once

#include "lang/source.h"

enum verb { // of files and of the network; bits of one mask
    VERB_READ = 1,
    VERB_MODIFY = 2,
    VERB_CREATE = 4,
    VERB_DELETE = 8,
    VERB_EXEC = 16,
    VERB_WRITE = VERB_MODIFY | VERB_CREATE | VERB_DELETE,
    VERB_FILES = VERB_READ | VERB_WRITE | VERB_EXEC,
    VERB_CONNECT = 32,
    VERB_BIND = 64,
    VERB_LISTEN = 128,
    VERB_NET = VERB_CONNECT | VERB_BIND | VERB_LISTEN,
};

enum protocol { PROTOCOL_TCP = 1, PROTOCOL_UDP = 2, PROTOCOL_UNIX = 4, PROTOCOL_ALL = 7 };

enum arch { ARCH_X86_64, ARCH_AARCH64, ARCH_COUNT };
enum { ARCH_ALL_MASK = (1 << ARCH_COUNT) - 1 };

enum type { // of parameters and values
    TYPE_NONE,
    TYPE_PATH,
    TYPE_SIZE,
    TYPE_DURATION,
    TYPE_INT,
    TYPE_BOOL,
    TYPE_STRING,
    TYPE_HOST,
    TYPE_CIDR,
    TYPE_PORT,
    TYPE_ENDPOINT,
    TYPE_DECIMAL, // what `cpu` takes; no parameter has it
};

struct name {
    struct str text;
    struct span span;
};

struct name_list {
    struct name name;
    struct name_list *next;
};

struct prefix { // addresses as IPv6; IPv4 lies at ::ffff:0:0/96 (RFC 4291 §2.5.5.2)
    uint8_t bytes[16];
    unsigned length; // bits, 0..128
};

enum expr_kind {
    EXPR_STRING,
    EXPR_INT,
    EXPR_DECIMAL,
    EXPR_SIZE,
    EXPR_DURATION,
    EXPR_BOOL,
    EXPR_PREFIX,
    EXPR_LOOPBACK,
    EXPR_HOST_LOOPBACK,
    EXPR_ANY, // every target there is
    EXPR_REFERENCE,
    EXPR_ENDPOINT,
};

struct expr {
    enum expr_kind kind;
    struct span span;
    bool flawed;          // what is wrong with it was said: its type is not its author's
    struct str text;      // STRING: the value; REFERENCE: the name without `$`
    uint64_t number;      // INT; SIZE in bytes; DURATION in milliseconds; DECIMAL in thousandths; BOOL
    struct prefix prefix; // PREFIX
    struct expr *host;    // ENDPOINT: what stands before the `:`
    struct ports *ports;  // ENDPOINT
    struct expr *next;
};

struct ports {
    struct expr *first, *last; // last is NULL for one port
    struct ports *next;
};

enum constant_kind { CONSTANT_NUMBER, CONSTANT_NAME, CONSTANT_REFERENCE, CONSTANT_OR };

struct constant { // a number in a condition
    enum constant_kind kind;
    struct span span;
    struct str name;
    uint64_t number;
    bool negative;
    struct constant *left, *right; // OR
    unsigned depth;
};

struct constant_range {
    struct constant *first, *last; // last is NULL for one value
    struct constant_range *next;
};

enum comparison { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
enum condition_kind { CONDITION_COMPARE, CONDITION_MASK, CONDITION_IN, CONDITION_AND, CONDITION_OR, CONDITION_NOT };

struct condition { // on the arguments of a call
    enum condition_kind kind;
    struct span span;
    struct name argument;
    enum comparison comparison;     // COMPARE; MASK: EQ or NE
    struct constant *mask, *value;  // COMPARE, MASK
    struct constant_range *ranges;  // IN
    struct condition *left, *right; // AND, OR; NOT: left
    unsigned depth;                 // how many of those lie within one another
};

struct call { // a system call or a group, as named in a rule
    struct name name;
    bool is_group;
    struct call *next;
};

enum source_kind {
    FROM_SAME,
    FROM_POLICY,
    FROM_CWD,
    FROM_HOME, // a host path: the same one; beside the policy; under the caller's …
    FROM_TMPFS,
    FROM_OVERLAY,
    FROM_IMAGE,
    FROM_PROC,
    FROM_DEV,
    FROM_SECRET,
    FROM_TEXT,    // said in the policy
    FROM_SANDBOX, // made for the run: tables.h, enum sandbox_file
};

struct content { // what `from` says
    enum source_kind kind;
    struct span span;
    struct expr *path;          // host paths, OVERLAY, IMAGE
    enum source_kind path_kind; // OVERLAY: FROM_POLICY, FROM_CWD or FROM_HOME
    struct expr *size;          // TMPFS; OVERLAY: or NULL
    struct name secret;
    struct expr *text; // TEXT
    struct name about; // SANDBOX
};

enum effect { EFFECT_ALLOW, EFFECT_DENY, EFFECT_NEVER, EFFECT_EXPECT_ALLOW, EFFECT_EXPECT_DENY, EFFECT_ASK };
enum domain { DOMAIN_FILES, DOMAIN_NET, DOMAIN_CALLS, DOMAIN_CAPABILITIES };

struct operation { // a set of operations of one domain; what a rule, an expectation or a question is about
    enum domain domain;
    struct span span;
    unsigned verbs;                 // FILES, NET
    struct expr *paths;             // FILES
    unsigned protocols;             // NET
    struct expr *targets;           // NET
    bool private;                   // NET: names also where they lead to private addresses
    struct expr *at;                // NET: names where they lead there; may be NULL
    struct span clause;             // where `private` or `at` stands
    struct call *calls;             // CALLS
    struct condition *condition;    // CALLS, may be NULL
    struct name_list *capabilities; // CAPABILITIES; NULL stands for all of them
};

struct rule_decl {
    enum effect effect;
    struct span span;
    struct operation operation;
    struct operation *except; // same domain and verbs; NULL when the deny has no exception
    struct content *content;  // FILES, may be NULL
    bool if_exists;
    struct name deny_with;  // CALLS: an errno's name or `kill`; empty when not said
    unsigned architectures; // CALLS: bits of enum arch
    struct str because;
    struct rule_decl *next;
};

enum setting_kind {
    SETTING_COMMAND,
    SETTING_SUMMARY,
    SETTING_DEFAULT,
    SETTING_LIMIT,
    SETTING_USER,
    SETTING_CWD,
    SETTING_ENV_KEEP,
    SETTING_ENV_SET,
    SETTING_PROXY,
};

struct setting {
    enum setting_kind kind;
    struct span span;
    struct name name;        // LIMIT, ENV_SET: which; DEFAULT: errno or `kill`; USER: the word
    struct name_list *names; // ENV_KEEP
    struct expr *values;     // COMMAND: all; others: one
    struct setting *next;
};

struct secret_decl {
    struct name name;
    bool from_env;
    struct expr *source; // name of a variable, or a host path
    enum source_kind path_kind;
    struct expr *at;
    struct span span;
    struct secret_decl *next;
};

struct require_decl {
    struct name feature;
    uint64_t version; // 0 when not said
    bool degrade;
    struct str because;
    struct span span;
    struct require_decl *next;
};

struct argument {     // of a `use`
    struct name name; // empty when by position
    struct expr *value;
    struct argument *next;
};

enum within { // the parts of a ceiling that are meant; bits, those of rules 1 << enum domain
    WITHIN_FILES = 1 << DOMAIN_FILES,
    WITHIN_NET = 1 << DOMAIN_NET,
    WITHIN_CALLS = 1 << DOMAIN_CALLS,
    WITHIN_CAPABILITIES = 1 << DOMAIN_CAPABILITIES,
    WITHIN_LIMITS = 1 << 4,
    WITHIN_ALL = (1 << 5) - 1,
};

struct use_decl {           // also `within`
    struct name_list *path; // a.b.c
    struct argument *arguments;
    struct span span;
    unsigned within;            // its parts; 0 of a `use`
    struct policy_decl *target; // set by check.c
    struct use_decl *next;
};

struct parameter {
    struct name name;
    enum type type;
    struct expr *value; // default, or NULL
    struct parameter *next;
};

struct policy_decl {
    struct name name;
    struct parameter *parameters;
    struct use_decl *uses;
    struct rule_decl *rules;
    struct setting *settings;
    struct secret_decl *secrets;
    struct require_decl *requires;
    struct module *module;
    struct span span;
    enum { WALK_NEW, WALK_ON_THE_WAY, WALK_DONE } walk; // check_uses.c: whether its uses were followed
    const struct use_decl *walking;
    struct policy_decl *next;
};

struct let_decl {
    struct name name;
    struct expr *value;
    struct module *module;
    struct span span;
    struct let_decl *next;
};

struct group_decl {
    struct name name; // without `@`
    struct call *members;
    struct module *module;
    struct span span;
    uint16_t *calls; // sorted indices into the table of system calls; set by check.c
    size_t call_count;
    bool resolving, resolved;
    struct group_decl *next;
};

struct import_decl {
    struct name_list *path; // a.b.c, or
    struct name file;       // "…"
    struct name alias;      // may be empty
    struct span span;
    struct module *module; // set by module.c; NULL when it could not be read
    struct import_decl *next;
};

struct module {
    struct source *source;
    struct str key; // what identifies it: its resolved path, or its name in the library
    struct import_decl *imports;
    struct let_decl *lets;
    struct group_decl *groups;
    struct policy_decl *policies;
    struct policy_decl *last_policy;
    struct map let_map, group_map, policy_map, import_map;
    bool loading;
    struct module *importer; // who asked for it first
    struct module *next;
};

// Lists are built as rings: the pointer is the last item, whose `next` is the first, so that adding at the end costs
// nothing.
#define RING_ADD(ring, item)                                                                                           \
    ({                                                                                                                 \
        __auto_type r_ = (ring);                                                                                       \
        __auto_type i_ = (item);                                                                                       \
        if (r_) {                                                                                                      \
            i_->next = r_->next;                                                                                       \
            r_->next = i_;                                                                                             \
        } else {                                                                                                       \
            i_->next = i_;                                                                                             \
        }                                                                                                              \
        i_;                                                                                                            \
    })
#define RING_LIST(ring)                                                                                                \
    ({                                                                                                                 \
        __auto_type r_ = (ring);                                                                                       \
        __auto_type f_ = r_;                                                                                           \
        if (r_) {                                                                                                      \
            f_ = r_->next;                                                                                             \
            r_->next = NULL;                                                                                           \
        }                                                                                                              \
        f_;                                                                                                            \
    })
#define RING_JOIN(a, b)                                                                                                \
    ({                                                                                                                 \
        __auto_type a_ = (a);                                                                                          \
        __auto_type b_ = (b);                                                                                          \
        if (a_ && b_) {                                                                                                \
            __auto_type f_ = a_->next;                                                                                 \
            a_->next = b_->next;                                                                                       \
            b_->next = f_;                                                                                             \
        }                                                                                                              \
        b_ ? b_ : a_;                                                                                                  \
    })
