// Where a program can go: addresses, the sandbox's loopback and the host's, names and what they lead to. Random rules
// on them, against what the language says, written down once more over a small world in which every operation is tried.
// Compared are the policy function, the one of the plan that sbxrun asks, and the answers about whole sets.
#include "compiler/meaning/search.h"
#include "compiler/network/net_rules.h"
#include "compiler/plan/lower.h"
#include "lang/question.h"
#include "tests/policies.h"
#include "tests/tap.h"

enum { POLICIES = 1500, RULES_MOST = 6, PORTS = 3 };

// Each stands for all addresses that no target tells from it.
static const struct world_address {
    const char *text;
    net_address number;
    bool private, loopback;
} addresses[] = {
#define FOUR(a, b, c, d) ((net_address)0xFFFF << 32 | (uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
    {"1.0.0.1", FOUR(1, 0, 0, 1), false, false},
    {"1.0.0.2", FOUR(1, 0, 0, 2), false, false},
    {"9.9.9.9", FOUR(9, 9, 9, 9), false, false},
    {"10.0.0.1", FOUR(10, 0, 0, 1), true, false},
    {"10.9.9.9", FOUR(10, 9, 9, 9), true, false},
    {"192.168.0.1", FOUR(192, 168, 0, 1), true, false},
    {"127.0.0.1", FOUR(127, 0, 0, 1), true, true},
    {"127.0.0.2", FOUR(127, 0, 0, 2), true, true},
    {"[::1]", 1, true, true},
    {"[2606::1]", (net_address)0x2606 << 112 | 1, false, false},
    {"[2607::1]", (net_address)0x2607 << 112 | 1, false, false},
    {"[fc00::1]", (net_address)0xFC00 << 112 | 1, true, false},
};
enum { ADDRESSES = sizeof addresses / sizeof *addresses };

static const char *const names[] = {"a.test", "b.test", "x.b.test", "y.b.test", "c.test"};
enum { NAMES = sizeof names / sizeof *names };

enum kind { PREFIX, OWN, HOST, NAME, ANY };

static const struct world_target {
    const char *text;
    enum kind kind;
    unsigned addresses, names; // bits
} targets[] = {
    {"1.0.0.1", PREFIX, 1 << 0, 0},
    {"1.0.0.0/30", PREFIX, 1 << 0 | 1 << 1, 0},
    {"10.0.0.1", PREFIX, 1 << 3, 0},
    {"10.0.0.0/8", PREFIX, 1 << 3 | 1 << 4, 0},
    {"127.0.0.1", PREFIX, 1 << 6, 0},
    {"0.0.0.0", PREFIX, 1 << 6, 0}, // a program that connects to it is at 127.0.0.1
    {"127.0.0.0/8", PREFIX, 1 << 6 | 1 << 7, 0},
    {"[::1]", PREFIX, 1 << 8, 0},
    {"[2606::]/16", PREFIX, 1 << 9, 0},
    {"0.0.0.0/0", PREFIX, 0xFF, 0},
    {"[::]/0", PREFIX, 0xFFF, 0}, // IPv4 lies in it, mapped
    {"loopback", OWN, 1 << 6 | 1 << 7 | 1 << 8, 0},
    {"host-loopback", HOST, 0, 0},
    {"\"a.test\"", NAME, 0, 1},
    {"\"b.test\"", NAME, 0, 2},
    {"\"x.b.test\"", NAME, 0, 4},
    {"\"*.b.test\"", NAME, 0, 12},
    {"any", ANY, 0xFFF, 0xFF},
};
enum { TARGETS = sizeof targets / sizeof *targets };

struct stated { // a target in a rule
    const struct world_target *target;
    unsigned port_first, port_last;
    bool private;
};

struct made {
    bool deny, has_except;
    unsigned protocols;
    struct stated what, except;
};

struct operation_made {
    enum net_place place; // ADDRESS, HOST_LOOPBACK, NAME
    unsigned address, name, port, protocol;
};

// `reached`: as everywhere but in an allow.
static bool about(const struct stated *s, bool reached, const struct operation_made *o)
{
    if (o->port < s->port_first || o->port > s->port_last)
        return false;
    bool there = s->target->addresses >> o->address & 1;
    switch (s->target->kind) {
    case PREFIX: return there && (reached || o->place == NET_ADDRESS);
    case OWN: return there && o->place == NET_ADDRESS;
    case HOST: return o->place == NET_HOST_LOOPBACK;
    case NAME:
        return o->place == NET_NAME && s->target->names >> o->name & 1 && !addresses[o->address].loopback &&
               (reached || s->private || !addresses[o->address].private);
    default: return true;
    }
}

static bool naive(const struct made *rules, int count, const struct operation_made *o)
{
    bool allowed = false;
    for (int i = 0; i < count; i++) {
        const struct made *r = &rules[i];
        if (!(r->protocols & o->protocol) || !about(&r->what, r->deny, o) ||
            (r->has_except && about(&r->except, true, o)))
            continue;
        if (r->deny)
            return false;
        allowed = true;
    }
    return allowed;
}

static bool exists(const struct operation_made *o)
{
    return o->place != NET_HOST_LOOPBACK || addresses[o->address].loopback;
}

static struct net_point point_of(const struct operation_made *o)
{
    return (struct net_point){.verb = VERB_CONNECT,
                              .protocol = o->protocol,
                              .place = o->place,
                              .address = addresses[o->address].number,
                              .name = o->place == NET_NAME ? str_from(names[o->name]) : STR(""),
                              .port = (uint16_t)o->port};
}

static void state(struct stated *s, bool allow, char *text)
{
    do
        s->target = &targets[random_below(TARGETS)];
    while (allow && s->target->kind == ANY);
    s->port_first = random_below(2) ? 0 : random_below(PORTS);
    s->port_last = s->port_first + random_below(PORTS);
    s->private = allow && s->target->kind == NAME && random_below(2);
    sprintf(text + strlen(text), "%s:%u..%u%s", s->target->text, s->port_first, s->port_last,
            s->private ? " private" : "");
}

static int make(struct made *rules, char *text)
{
    int count = 1 + (int)random_below(RULES_MOST);
    for (int i = 0; i < count; i++) {
        struct made *r = &rules[i];
        *r = (struct made){.deny = random_below(5) < 2, .protocols = 1 + random_below(3)};
        sprintf(text + strlen(text), "%s connect %s ", r->deny ? "deny" : "allow",
                r->protocols == 1   ? "tcp"
                : r->protocols == 2 ? "udp"
                                    : "tcp, udp");
        state(&r->what, !r->deny, text);
        r->has_except = r->deny && random_below(3) == 0;
        if (r->has_except) {
            strcat(text, " except ");
            state(&r->except, false, text);
        }
        strcat(text, "; ");
    }
    return count;
}

// By a name a program is somewhere, where that is allowed for an address that it may lead to.
static bool somewhere(const struct made *rules, int count, struct operation_made o)
{
    bool any = false;
    for (o.address = 0; o.address < ADDRESSES; o.address++)
        any |= naive(rules, count, &o);
    return any;
}

static unsigned each_operation(struct policy *policy, const struct plan *plan, const struct made *rules, int count)
{
    unsigned wrong = 0;
    struct operation_made o;
    for (o.place = NET_ADDRESS; o.place <= NET_NAME; o.place++)
        for (o.name = 0; o.name < (o.place == NET_NAME ? NAMES : 1); o.name++)
            for (o.protocol = PROTOCOL_TCP; o.protocol <= PROTOCOL_UDP; o.protocol <<= 1)
                for (o.port = 0; o.port < 2 * PORTS; o.port++)
                    for (o.address = 0; o.address < ADDRESSES; o.address++) {
                        if (!exists(&o))
                            continue;
                        uint32_t rule;
                        struct net_point point = point_of(&o);
                        struct operation_point operation = {.domain = DOMAIN_NET, .verb = VERB_CONNECT, .net = point};
                        bool want = naive(rules, count, &o);
                        wrong += policy_net_allows(policy, &point) != want;
                        wrong += policy_verdict(policy, &operation).allowed != want;
                        wrong += network_allows(plan, &point, &rule) != want;
                        if (o.place != NET_NAME || o.address)
                            continue;
                        operation.net.anywhere = true;
                        want = somewhere(rules, count, o);
                        wrong += policy_verdict(policy, &operation).allowed != want;
                        wrong += policy_net_allows(policy, &operation.net) != want;
                        wrong += network_allows(plan, &operation.net, &rule) != want;
                    }
    return wrong;
}

// A question about a target: is something of it allowed, is something of it denied?
static unsigned ask(struct policy *policy, const struct made *rules, int count, const struct world_target *target)
{
    char text[96];
    struct stated asked = {target, 1 + random_below(PORTS - 1), 0, false};
    asked.port_last = asked.port_first + random_below(PORTS);
    sprintf(text, "connect tcp %s:%u..%u", target->text, asked.port_first, asked.port_last);
    struct operation *operation = operation_parse(policy->compilation, policy->decl->module, text);
    struct rule set;
    if (!operation || !operation_resolve(policy, policy->decl->module, operation, &set))
        return 1;
    bool some_allowed = false, some_denied = false;
    struct operation_made o = {.protocol = PROTOCOL_TCP};
    for (o.place = NET_ADDRESS; o.place <= NET_NAME; o.place++)
        for (o.name = 0; o.name < (o.place == NET_NAME ? NAMES : 1); o.name++)
            for (o.port = asked.port_first; o.port <= asked.port_last; o.port++)
                for (o.address = 0; o.address < ADDRESSES; o.address++) {
                    if (!exists(&o) || !about(&asked, true, &o))
                        continue;
                    bool allowed = naive(rules, count, &o);
                    some_allowed |= allowed;
                    struct operation_made host = o;
                    host.place = NET_HOST_LOOPBACK;
                    bool both_ways = target->kind == PREFIX || target->kind == ANY;
                    if (both_ways && o.place != NET_ADDRESS)
                        continue; // an address is denied when a program reaches nothing there in any way
                    if (both_ways && addresses[o.address].loopback)
                        allowed |= naive(rules, count, &host);
                    some_denied |= !(target->kind == NAME ? somewhere(rules, count, o) : allowed);
                }
    struct operation_point witness;
    unsigned wrong = 0;
    wrong += operation_find(policy, &set, true, &witness) != some_allowed;
    wrong += some_allowed && !policy_verdict(policy, &witness).allowed;
    wrong += operation_find(policy, &set, false, &witness) != some_denied;
    wrong += some_denied && policy_verdict(policy, &witness).allowed;
    return wrong;
}

// The same of a name, where it is said where it leads: there a program also reaches what rules on addresses allow, if
// it may ask for the name at all.
static unsigned ask_at(struct policy *policy, const struct made *rules, int count, unsigned name,
                       const struct world_target *leads)
{
    char text[96];
    unsigned port = 1 + random_below(PORTS);
    sprintf(text, "connect tcp \"%s\":%u at %s", names[name], port, leads->text);
    struct operation *operation = operation_parse(policy->compilation, policy->decl->module, text);
    struct rule set;
    if (!operation || !operation_resolve(policy, policy->decl->module, operation, &set))
        return 1;
    struct operation_made o = {.place = NET_NAME, .name = name};
    bool resolves = false, some_allowed = false, some_denied = false;
    for (o.protocol = PROTOCOL_TCP; o.protocol <= PROTOCOL_UDP; o.protocol <<= 1)
        for (o.port = 0; o.port < 2 * PORTS; o.port++)
            resolves |= somewhere(rules, count, o);
    o.protocol = PROTOCOL_TCP;
    o.port = port;
    for (o.address = 0; o.address < ADDRESSES; o.address++) {
        if (!(leads->addresses >> o.address & 1))
            continue;
        struct operation_made itself = o;
        itself.place = NET_ADDRESS;
        bool allowed = naive(rules, count, &o) || (resolves && naive(rules, count, &itself));
        some_allowed |= allowed;
        some_denied |= !allowed;
    }
    struct operation_point witness;
    unsigned wrong = 0;
    wrong += operation_find(policy, &set, true, &witness) != some_allowed;
    wrong += some_allowed && !policy_verdict(policy, &witness).allowed;
    wrong += operation_find(policy, &set, false, &witness) != some_denied;
    wrong += some_denied && policy_verdict(policy, &witness).allowed;
    return wrong;
}

int main(void)
{
    unsigned wrong_operations = 0, wrong_answers = 0, built = 0;
    for (int i = 0; i < POLICIES; i++) {
        static char text[8192];
        struct compilation *compilation;
        struct made rules[RULES_MOST];
        random_state = (uint64_t)i * 6151 + 5;
        strcpy(text, "sbx 1; policy p { net { ");
        int count = make(rules, text);
        struct policy *policy = policy_load_text(&compilation, strcat(text, "} }"), true);
        unsigned operations = 1, answers = 1;
        if (policy) {
            built++;
            operations = each_operation(policy, policy_lower(policy, 0), rules, count);
            answers = 0;
            for (int t = 0; t < TARGETS; t++)
                answers += ask(policy, rules, count, &targets[t]);
            const struct world_target *leads = &targets[random_below(TARGETS)];
            if (leads->kind == PREFIX && leads->addresses != 0xFFF) // `at` all there are says nothing
                answers += ask_at(policy, rules, count, random_below(NAMES), leads);
        }
        if (operations || answers)
            printf("# %u operations, %u answers wrong: %s\n", operations, answers, text);
        wrong_operations += operations;
        wrong_answers += answers;
        compilation_free(compilation);
    }
    ok(!wrong_operations && built == POLICIES,
       "operations: each of the world under %u policies, %u verdicts of rules, sets or plan wrong", built,
       wrong_operations);
    ok(!wrong_answers, "sets: each target asked of %u policies, %u answers wrong", built, wrong_answers);
    return tap_done();
}
