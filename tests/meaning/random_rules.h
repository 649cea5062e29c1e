// Random rules of each domain, as text and as data, and what the language says of them, written down once more in the
// dullest way.
#pragma once

#include "compiler/meaning/search.h"
#include "tests/policies.h"
#include "tests/tap.h"

enum { RULES = 8, PATHS = 3 };

// A number at or next to an end of a signed, an unsigned, a 32-bit or a 64-bit range, or a small one.
static inline uint64_t edge_value(void)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      6,
                                      0x7FFFFFFF,
                                      0x80000000,
                                      0xFFFFFFFF,
                                      0x100000000,
                                      0x100000001,
                                      INT64_MAX,
                                      (uint64_t)INT64_MIN,
                                      (uint64_t)INT64_MIN + 1,
                                      UINT64_MAX,
                                      UINT64_MAX - 1};
    return values[random_below(sizeof values / sizeof *values)];
}

static const char *const components[] = {"a", "b", "ab", "c"};

static inline void random_path(char *path, int most)
{
    int depth = (int)random_below((unsigned)most + 1);
    *path = '\0';
    for (int i = 0; i < depth; i++)
        strcat(strcat(path, "/"), components[random_below(4)]);
    if (!depth)
        strcpy(path, "/");
}

static inline bool lies_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strcmp(folder, "/") == 0 ||
           (strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/'));
}

struct file_rule {
    bool deny;
    unsigned verbs;
    char paths[PATHS][64], excepts[PATHS][64];
    int path_count, except_count;
};

static const struct {
    const char *name;
    unsigned verb;
} verbs[] = {{"read", VERB_READ},
             {"modify", VERB_MODIFY},
             {"create", VERB_CREATE},
             {"delete", VERB_DELETE},
             {"exec", VERB_EXEC}};

static inline bool naive_file(const struct file_rule *rules, int count, const char *path, unsigned verb)
{
    bool allowed = false;
    for (int i = 0; i < count; i++) {
        bool covers = false, spared = false;
        for (int k = 0; k < rules[i].path_count; k++)
            covers |= lies_in(path, rules[i].paths[k]);
        for (int k = 0; k < rules[i].except_count; k++)
            spared |= lies_in(path, rules[i].excepts[k]);
        bool hides = rules[i].deny && rules[i].verbs & VERB_READ; // what can't be opened can't be written or executed
        if (!covers || spared || !(hides || rules[i].verbs & verb))
            continue;
        if (rules[i].deny)
            return false;
        allowed = true;
    }
    return allowed;
}

static inline void write_paths(char *text, char paths[][64], int count)
{
    for (int i = 0; i < count; i++)
        sprintf(text + strlen(text), "%s\"%s\"", i ? ", " : " ", paths[i]);
}

static inline int make_file_rules(struct file_rule *rules, char *text)
{
    int count = 1 + (int)random_below(RULES);
    for (int i = 0; i < count; i++) {
        struct file_rule *rule = &rules[i];
        *rule = (struct file_rule){.deny = random_below(3) == 0};
        strcat(text, rule->deny ? "deny " : "allow ");
        rule->verbs = 0;
        for (int v = 0; v < 5; v++)
            if (random_below(2) || (v == 4 && !rule->verbs)) {
                sprintf(text + strlen(text), "%s%s", rule->verbs ? ", " : "", verbs[v].name);
                rule->verbs |= verbs[v].verb;
            }
        rule->path_count = 1 + (int)random_below(PATHS);
        rule->except_count = rule->deny ? (int)random_below(PATHS) : 0;
        for (int k = 0; k < rule->path_count; k++)
            random_path(rule->paths[k], 3);
        for (int k = 0; k < rule->except_count; k++)
            random_path(rule->excepts[k], 4);
        write_paths(text, rule->paths, rule->path_count);
        if (rule->except_count) {
            strcat(text, " except");
            write_paths(text, rule->excepts, rule->except_count);
        }
        strcat(text, "; ");
    }
    return count;
}

struct net_rule {
    bool deny;
    unsigned protocols;
    uint32_t first, last, except_first, except_last; // IPv4
    uint16_t port_first, port_last;
    bool has_except;
};

static inline bool naive_net(const struct net_rule *rules, int count, uint32_t address, uint16_t port,
                             unsigned protocol)
{
    bool allowed = false;
    for (int i = 0; i < count; i++) {
        const struct net_rule *r = &rules[i];
        if (!(r->protocols & protocol) || address < r->first || address > r->last || port < r->port_first ||
            port > r->port_last)
            continue;
        if (r->has_except && address >= r->except_first && address <= r->except_last)
            continue;
        if (r->deny)
            return false;
        allowed = true;
    }
    return allowed;
}

static inline void random_cidr(uint32_t *first, uint32_t *last, char *text)
{
    unsigned length = 28 + random_below(5);
    uint32_t mask = ~0u << (32 - length);
    *first = (0x0A000000u | random_below(64)) & mask;
    *last = *first | ~mask;
    sprintf(text + strlen(text), "%u.%u.%u.%u/%u", *first >> 24, *first >> 16 & 255, *first >> 8 & 255, *first & 255,
            length);
}

static inline int make_net_rules(struct net_rule *rules, char *text)
{
    int count = 1 + (int)random_below(RULES);
    for (int i = 0; i < count; i++) {
        struct net_rule *r = &rules[i];
        *r = (struct net_rule){
            .deny = random_below(3) == 0, .protocols = 1 + random_below(3), .port_first = (uint16_t)random_below(8)};
        r->port_last = (uint16_t)(r->port_first + random_below(8));
        sprintf(text + strlen(text), "%s connect %s ", r->deny ? "deny" : "allow",
                r->protocols == 1   ? "tcp"
                : r->protocols == 2 ? "udp"
                                    : "tcp, udp");
        random_cidr(&r->first, &r->last, text);
        sprintf(text + strlen(text), ":%u..%u", r->port_first, r->port_last);
        r->has_except = r->deny && random_below(2);
        if (r->has_except) {
            strcat(text, " except ");
            random_cidr(&r->except_first, &r->except_last, text);
        }
        strcat(text, "; ");
    }
    return count;
}

// Conditions on lseek: offset (signed, 64 bits) and whence (a name, 32 bits), and on fchmod: mode (bits, 16).
struct term {
    int kind; // 0 and, 1 or, 2 not, else a test
    struct term *left, *right;
    int64_t a, b;
};

static inline struct term *make_term(struct arena *arena, int depth, char *text)
{
    struct term *t = NEW(arena, struct term);
    t->kind = depth ? (int)random_below(9) : 3 + (int)random_below(6);
    if (t->kind <= 1) {
        strcat(text, "(");
        t->left = make_term(arena, depth - 1, text);
        strcat(text, t->kind ? " or " : " and ");
        t->right = make_term(arena, depth - 1, text);
        strcat(text, ")");
        return t;
    }
    if (t->kind == 2) {
        strcat(text, "not (");
        t->left = make_term(arena, depth - 1, text);
        strcat(text, ")");
        return t;
    }
    static const int64_t offsets[] = {
        -2,        -1,           0, 1, 5, 0x7FFFFFFF, 0x80000000LL, 0xFFFFFFFFLL, 0x100000000LL, 0x100000001LL,
        INT64_MAX, INT64_MIN + 1};
    t->a = offsets[random_below(12)];
    t->b = offsets[random_below(12)];
    if (t->kind == 3)
        sprintf(text + strlen(text), "offset == %lld", (long long)t->a);
    else if (t->kind == 4)
        sprintf(text + strlen(text), "offset < %lld", (long long)t->a);
    else if (t->kind == 5)
        sprintf(text + strlen(text), "offset >= %lld", (long long)t->a);
    else if (t->kind == 6)
        sprintf(text + strlen(text), "whence in { %d, %d }", (int)(t->a = random_below(4)),
                (int)(t->b = random_below(4)));
    else if (t->kind == 8) {
        static const int64_t masks[] = {0xF0, 1, 5, 0xFFFFFFFF, 0x100000001, 0x7FFFFFFF0000, 0x3000000000000000};
        t->b = masks[random_below(7)];
        t->a = offsets[random_below(12)] & t->b;
        sprintf(text + strlen(text), "offset & %lld %s %lld", (long long)t->b,
                (t->left = random_below(2) ? t : NULL) ? "!=" : "==", (long long)t->a);
    } else
        sprintf(text + strlen(text), "whence != %d", (int)(t->a = random_below(4)));
    return t;
}

static inline bool naive_term(const struct term *t, const uint64_t *arguments)
{
    int64_t offset = (int64_t)arguments[1];
    uint32_t whence = (uint32_t)arguments[2]; // the kernel looks at 32 bits
    switch (t->kind) {
    case 0: return naive_term(t->left, arguments) && naive_term(t->right, arguments);
    case 1: return naive_term(t->left, arguments) || naive_term(t->right, arguments);
    case 2: return !naive_term(t->left, arguments);
    case 3: return offset == t->a;
    case 4: return offset < t->a;
    case 5: return offset >= t->a;
    case 6: return whence == (uint32_t)t->a || whence == (uint32_t)t->b;
    case 8: return ((offset & t->b) == t->a) != (t->left != NULL); // left: itself, where it says !=
    default: return whence != (uint32_t)t->a;
    }
}

struct call_rule_made {
    bool deny;
    struct term *term;
};

static inline int make_call_rules(struct arena *arena, struct call_rule_made *rules, char *text)
{
    int count = 1 + (int)random_below(4);
    for (int i = 0; i < count; i++) {
        rules[i].deny = i && random_below(2);
        sprintf(text + strlen(text), "%s lseek where ", rules[i].deny ? "deny" : "allow");
        rules[i].term = make_term(arena, 2, text);
        strcat(text, "; ");
    }
    return count;
}

static inline bool naive_call(const struct call_rule_made *rules, int count, const uint64_t *arguments)
{
    bool allowed = false;
    for (int i = 0; i < count; i++)
        if (naive_term(rules[i].term, arguments)) {
            if (rules[i].deny)
                return false;
            allowed = true;
        }
    return allowed;
}
