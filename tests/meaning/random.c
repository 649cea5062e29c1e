// Random policies against a naive evaluator: what the language says, written down once more in the dullest way, over the same
// generated rules. Compared are the policy function, the sets behind it, and the answers about whole sets.
#include "compiler/search.h"
#include "tests/policies.h"
#include "tests/tap.h"

enum { RULES = 8, PATHS = 3, POLICIES = 400, QUESTIONS = 200 };

static const char *const components[] = {"a", "b", "ab", "c"};

static void random_path(char *path, int most)
{
    int depth = (int)random_below((unsigned)most + 1);
    *path = '\0';
    for (int i = 0; i < depth; i++)
        strcat(strcat(path, "/"), components[random_below(4)]);
    if (!depth)
        strcpy(path, "/");
}

static bool lies_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strcmp(folder, "/") == 0 || (strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/'));
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
} verbs[] = {{"read", VERB_READ}, {"modify", VERB_MODIFY}, {"create", VERB_CREATE}, {"delete", VERB_DELETE}, {"exec", VERB_EXEC}};

static bool naive_file(const struct file_rule *rules, int count, const char *path, unsigned verb)
{
    bool allowed = false;
    for (int i = 0; i < count; i++) {
        bool covers = false, spared = false;
        for (int k = 0; k < rules[i].path_count; k++)
            covers |= lies_in(path, rules[i].paths[k]);
        for (int k = 0; k < rules[i].except_count; k++)
            spared |= lies_in(path, rules[i].excepts[k]);
        if (!covers || spared || !(rules[i].verbs & verb))
            continue;
        if (rules[i].deny)
            return false;
        allowed = true;
    }
    return allowed;
}

static void write_paths(char *text, char paths[][64], int count)
{
    for (int i = 0; i < count; i++)
        sprintf(text + strlen(text), "%s\"%s\"", i ? ", " : " ", paths[i]);
}

static int make_file_rules(struct file_rule *rules, char *text)
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

static bool naive_net(const struct net_rule *rules, int count, uint32_t address, uint16_t port, unsigned protocol)
{
    bool allowed = false;
    for (int i = 0; i < count; i++) {
        const struct net_rule *r = &rules[i];
        if (!(r->protocols & protocol) || address < r->first || address > r->last || port < r->port_first || port > r->port_last)
            continue;
        if (r->has_except && address >= r->except_first && address <= r->except_last)
            continue;
        if (r->deny)
            return false;
        allowed = true;
    }
    return allowed;
}

static void random_cidr(uint32_t *first, uint32_t *last, char *text)
{
    unsigned length = 28 + random_below(5);
    uint32_t mask = ~0u << (32 - length);
    *first = (0x0A000000u | random_below(64)) & mask;
    *last = *first | ~mask;
    sprintf(text + strlen(text), "%u.%u.%u.%u/%u", *first >> 24, *first >> 16 & 255, *first >> 8 & 255, *first & 255, length);
}

static int make_net_rules(struct net_rule *rules, char *text)
{
    int count = 1 + (int)random_below(RULES);
    for (int i = 0; i < count; i++) {
        struct net_rule *r = &rules[i];
        *r = (struct net_rule){.deny = random_below(3) == 0, .protocols = 1 + random_below(3), .port_first = (uint16_t)random_below(8)};
        r->port_last = (uint16_t)(r->port_first + random_below(8));
        sprintf(text + strlen(text), "%s connect %s ", r->deny ? "deny" : "allow", r->protocols == 1 ? "tcp" : r->protocols == 2 ? "udp" : "tcp, udp");
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

static struct term *make_term(struct arena *arena, int depth, char *text)
{
    struct term *t = NEW(arena, struct term);
    t->kind = depth ? (int)random_below(8) : 3 + (int)random_below(5);
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
    static const int64_t offsets[] = {-2, -1, 0, 1, 5, 0x7FFFFFFF, 0x80000000LL, 0xFFFFFFFFLL, 0x100000000LL, 0x100000001LL, INT64_MAX, INT64_MIN + 1};
    t->a = offsets[random_below(12)];
    t->b = offsets[random_below(12)];
    if (t->kind == 3)
        sprintf(text + strlen(text), "offset == %lld", (long long)t->a);
    else if (t->kind == 4)
        sprintf(text + strlen(text), "offset < %lld", (long long)t->a);
    else if (t->kind == 5)
        sprintf(text + strlen(text), "offset >= %lld", (long long)t->a);
    else if (t->kind == 6)
        sprintf(text + strlen(text), "whence in { %d, %d }", (int)(t->a = random_below(4)), (int)(t->b = random_below(4)));
    else
        sprintf(text + strlen(text), "whence != %d", (int)(t->a = random_below(4)));
    return t;
}

static bool naive_term(const struct term *t, const uint64_t *arguments)
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
    default: return whence != (uint32_t)t->a;
    }
}

struct call_rule_made {
    bool deny;
    struct term *term;
};

static int make_call_rules(struct arena *arena, struct call_rule_made *rules, char *text)
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

static bool naive_call(const struct call_rule_made *rules, int count, const uint64_t *arguments)
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

static unsigned wrong_files(struct policy *policy, const struct file_rule *rules, int count)
{
    unsigned wrong = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        char path[64];
        random_path(path, 5);
        unsigned verb = verbs[random_below(5)].verb;
        struct operation_point point = {.domain = DOMAIN_FILES, .verb = verb, .path = str_from(path)};
        bool want = naive_file(rules, count, path, verb);
        wrong += policy_verdict(policy, &point).allowed != want;
        wrong += !(path_set_verbs(policy_paths(policy), str_from(path)) & verb) != !want;
        // The whole subtree: allowed when every path that a rule could tell apart is.
        struct str one = str_from(path);
        struct rule set = {.effect = EFFECT_ASK, .domain = DOMAIN_FILES, .verbs = verb, .paths = &one, .path_count = 1};
        struct operation_point witness;
        int denied = operation_find(policy, &set, false, &witness), allowed = operation_find(policy, &set, true, &witness);
        bool some_denied = false, some_allowed = false;
        for (int a = 0; a < 4 * 4 * 4 * 4 + 4 * 4 * 4 + 21; a++) { // path itself and all up to four components deeper
            char deeper[128];
            strcpy(deeper, strcmp(path, "/") == 0 ? "" : path);
            int levels = a == 0 ? 0 : a < 5 ? 1 : a < 21 ? 2 : a < 85 ? 3 : 4, rest = a - (a == 0 ? 0 : a < 5 ? 1 : a < 21 ? 5 : a < 85 ? 21 : 85);
            for (int l = 0; l < levels; l++, rest /= 4)
                strcat(strcat(deeper, "/"), components[rest % 4]);
            if (!deeper[0])
                strcpy(deeper, "/");
            *(naive_file(rules, count, deeper, verb) ? &some_allowed : &some_denied) = true;
        }
        wrong += denied != some_denied;
        wrong += allowed != some_allowed;
    }
    return wrong;
}

static unsigned wrong_net(struct policy *policy, const struct net_rule *rules, int count)
{
    unsigned wrong = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        uint32_t address = 0x0A000000u | random_below(80);
        uint16_t port = (uint16_t)random_below(18);
        unsigned protocol = random_below(2) ? PROTOCOL_TCP : PROTOCOL_UDP;
        struct net_point point = {
            .verb = VERB_CONNECT, .protocol = protocol, .place = NET_ADDRESS, .address = (net_address)0xFFFF << 32 | address, .port = port};
        wrong += policy_net_allows(policy, &point) != naive_net(rules, count, address, port, protocol);
    }
    // A whole range at once, against asking one by one.
    struct net_box box = {.verbs = VERB_CONNECT, .protocols = PROTOCOL_TCP, .place = NET_ADDRESS, .port_first = (uint16_t)random_below(8), .port_last = 12};
    box.first = (net_address)0xFFFF << 32 | 0x0A000000u | random_below(32);
    box.last = box.first + random_below(32);
    struct rule set = {.effect = EFFECT_ASK, .domain = DOMAIN_NET, .verbs = VERB_CONNECT, .net = {&box, 1}};
    struct operation_point witness;
    bool some_denied = false, some_allowed = false;
    for (net_address a = box.first; a <= box.last; a++)
        for (unsigned port = box.port_first; port <= box.port_last; port++)
            *(naive_net(rules, count, (uint32_t)a, (uint16_t)port, PROTOCOL_TCP) ? &some_allowed : &some_denied) = true;
    wrong += operation_find(policy, &set, false, &witness) != some_denied;
    wrong += operation_find(policy, &set, true, &witness) != some_allowed;
    return wrong;
}

static unsigned wrong_calls(struct policy *policy, const struct call_rule_made *rules, int count)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      5,
                                      0x7FFFFFFF,
                                      0x80000000,
                                      0xFFFFFFFF,
                                      0x100000000,
                                      0x100000001,
                                      INT64_MAX,
                                      (uint64_t)INT64_MIN,
                                      (uint64_t)INT64_MIN + 1,
                                      UINT64_MAX,
                                      UINT64_MAX - 1,
                                      6,
                                      4};
    unsigned wrong = 0;
    int lseek = syscall_find(STR("lseek"));
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        for (int i = 0; i < QUESTIONS; i++) {
            struct operation_point point = {.domain = DOMAIN_CALLS, .arch = (enum arch)arch, .number = (uint32_t)syscall_row((size_t)lseek)->number[arch]};
            for (int k = 0; k < 6; k++)
                point.arguments[k] = values[random_below(17)];
            point.arguments[2] = random_below(5) | (uint64_t)random_below(2) << 32; // high bits that the kernel ignores
            bool want = naive_call(rules, count, point.arguments);
            wrong += policy_verdict(policy, &point).allowed != want;
            uint32_t words[SECCOMP_WORDS];
            words_of(words, arch_audit[arch], point.number, point.arguments);
            wrong += (graph_evaluate(policy->graph, policy_call(policy, (enum arch)arch, (size_t)lseek), words) == SECCOMP_ALLOW) != want;
            wrong += (graph_evaluate(policy->graph, policy_filter(policy, (enum arch)arch), words) == SECCOMP_ALLOW) != want;
        }
    return wrong;
}

int main(void)
{
    unsigned wrong[3] = {0}, built[3] = {0}, refused = 0;
    for (int i = 0; i < POLICIES; i++) {
        random_state = (uint64_t)i * 7919 + 1;
        static char text[65536];
        struct compilation *compilation;
        struct arena *arena = arena_new();
        struct file_rule files[RULES];
        struct net_rule nets[RULES];
        struct call_rule_made calls[RULES];
        int count;

        strcpy(text, "sbx 1; policy p { fs { ");
        count = make_file_rules(files, text);
        struct policy *policy = policy_from_text(&compilation, strcat(text, "} }"));
        unsigned bad = policy ? wrong_files(policy, files, count) : 1;
        if (bad)
            printf("# %s\n", text);
        wrong[0] += bad;
        built[0]++;
        compilation_free(compilation);

        strcpy(text, "sbx 1; policy p { net { ");
        count = make_net_rules(nets, text);
        policy = policy_from_text(&compilation, strcat(text, "} }"));
        bad = policy ? wrong_net(policy, nets, count) : 1;
        if (bad)
            printf("# %s\n", text);
        wrong[1] += bad;
        built[1]++;
        compilation_free(compilation);

        strcpy(text, "sbx 1; policy p { syscalls { ");
        count = make_call_rules(arena, calls, text);
        strcat(text, "} }");
        policy = policy_load_text(&compilation, text, true); // some conditions are always true or false, which is refused
        if (policy) {
            bad = wrong_calls(policy, calls, count);
            if (bad)
                printf("# %s\n", text);
            wrong[2] += bad;
            built[2]++;
        } else {
            refused++;
        }
        compilation_free(compilation);
        arena_free(arena);
    }
    ok(wrong[0] == 0, "files: %u policies, %u answers wrong", built[0], wrong[0]);
    ok(wrong[1] == 0, "network: %u policies, %u answers wrong", built[1], wrong[1]);
    ok(wrong[2] == 0, "system calls: %u policies, %u answers wrong", built[2], wrong[2]);
    ok(built[2] > POLICIES / 4 && refused > 0, "of %d with conditions %u were refused for one that is always true or false", POLICIES, refused);
    return tap_done();
}
