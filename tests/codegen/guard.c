// The guard's programs: what they decide is what the rules say, on random rules and operations; the prover proves that,
// and finds mistakes made in them.
#include "compiler/network/guard_code.h"
#include "compiler/network/net_rules.h"
#include "compiler/plan/plan.h"
#include "compiler/plan/lower.h"
#include "compiler/prove/prove_guard.h"
#include "tests/policies.h"
#include "tests/tap.h"

enum { SECONDS = 30, POLICIES = 150, OPERATIONS = 4000, PROVED_POLICIES = 25, TRIES = 3000 };

static const char *const targets[] = {"10.0.0.0/8",
                                      "10.1.0.0/16",
                                      "10.1.2.3",
                                      "0.0.0.0/0",
                                      "127.0.0.0/8",
                                      "loopback",
                                      "[2001:db8::]/32",
                                      "[::]/0",
                                      "[2001:db8::7]",
                                      "host-loopback",
                                      "\"a.test\"",
                                      "\"*.a.test\"",
                                      "\"b.a.test\"",
                                      "\"*.b.a.test\"",
                                      "\"c.test\"",
                                      "192.0.2.0/24",
                                      "198.51.100.4",
                                      "host-loopback",
                                      "[::ffff:10.0.0.0]/104",
                                      "\"a.test\"",
                                      "any",
                                      "127.0.0.1",
                                      "[::1]",
                                      "\"a.test\" private",
                                      "\"*.a.test\" private"};
static const char *const ports[] = {"", ":443", ":80", ":8000..8999", ":1024..65535", ":53", ":0..1023", ":8080"};
static const char *const names[] = {"a.test", "x.a.test", "b.a.test", "y.b.a.test", "c.test", "d.test"};

// What only an `allow` can say stands last.
enum { ONLY_ALLOWED = 2, TARGETS = sizeof targets / sizeof *targets };

static void random_target(struct text *text, bool deny)
{
    const char *target;
    size_t at;
    do
        target = targets[at = random_below(TARGETS)];
    while (deny ? at >= TARGETS - ONLY_ALLOWED : strcmp(target, "any") == 0);
    size_t name = strcspn(target, " "); // the port stands before `private`
    text_addf(text, "%.*s%s%s", (int)name, target, ports[random_below(sizeof ports / sizeof *ports)], target + name);
}

static struct str random_policy(struct arena *arena)
{
    struct text text = {.arena = arena};
    unsigned rules = 1 + random_below(7);
    text_addf(&text, "sbx 1; policy p { net { allow connect tcp host-loopback:9; ");
    for (unsigned i = 0; i < rules; i++) {
        bool deny = random_below(3) == 0;
        static const char *const verbs[] = {"connect", "connect", "connect", "listen", "bind", "bind, listen"};
        static const char *const protocols[] = {"", " tcp", " udp"};
        text_addf(&text, "%s %s%s ", deny ? "deny" : "allow", verbs[random_below(6)], protocols[random_below(3)]);
        random_target(&text, deny);
        if (deny && random_below(2)) {
            text_addf(&text, " except ");
            random_target(&text, true);
        }
        text_addf(&text, "; ");
    }
    text_addf(&text, "} }");
    return text_str(&text);
}

// What enforcer/network/destination.h decides, in words of the plan: one operation of the host's network.
static bool decided(const struct plan *plan, bool listen, unsigned protocol, net_address address, uint16_t port,
                    const bool *pinned)
{
    uint32_t rule;
    bool loopback = address <= 1 || address == (net_address)0xFFFF << 32 || address >> 24 == 0xFFFF7F;
    net_address meant = address == 0 ? 1 : address == (net_address)0xFFFF << 32 ? address | 0x7F000001 : address;
    struct net_point point = {.verb = listen ? VERB_LISTEN : VERB_CONNECT,
                              .protocol = protocol,
                              .place = loopback ? NET_HOST_LOOPBACK : NET_ADDRESS,
                              .address = loopback ? meant : address,
                              .port = port};
    if (listen) {
        bool may_listen = network_allows(plan, &point, &rule);
        for (int here = !loopback; here < 2; here++) {
            uint32_t by;
            point.verb = VERB_BIND;
            point.place = here ? NET_ADDRESS : NET_HOST_LOOPBACK;
            point.address = here ? address : meant;
            if (network_allows(plan, &point, &by))
                return may_listen;
        }
        return false;
    }
    if (network_allows(plan, &point, &rule))
        return true;
    if (loopback)
        return false;
    point.place = NET_NAME;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        point.name = str_from(names[i]);
        if (pinned[i] && network_allows(plan, &point, &rule))
            return true;
    }
    return false;
}

static net_address random_address(void)
{
    static const uint32_t four[] = {0x0A000001, 0x0A010203, 0x0A010204, 0x7F000001, 0x7F0000FF, 0x80000000,
                                    0,          0xC0000201, 0xC6336404, 0x0AFFFFFF, 0x0B000000, 0x7EFFFFFF};
    if (random_below(3))
        return (net_address)0xFFFF << 32 | (random_below(4) ? four[random_below(12)] : (uint32_t)random_bits());
    static const uint64_t high[] = {0x20010DB800000000u, 0x20010DB900000000u, 0, 0xFE80000000000000u};
    return (net_address)high[random_below(4)] << 64 | (random_below(2) ? random_below(9) : random_bits());
}

static uint16_t random_port(void)
{
    static const uint16_t some[] = {443, 80, 8000, 8999, 9000, 7999, 1023, 1024, 53, 0, 65535, 8080, 9};
    return random_below(4) ? some[random_below(13)] : (uint16_t)random_bits();
}

static struct ebpf_program decision_of(const struct guard_program *program, int which)
{
    return (struct ebpf_program){program->program.code + program->decisions[which].first,
                                 program->decisions[which].length};
}

// One policy's decisions on random operations; counts how many were wrong, and how many allowed.
static void try_operations(const struct plan *plan, const struct net_graphs *graphs,
                           const struct guard_program *programs, unsigned *wrong, unsigned *allowed)
{
    for (int i = 0; i < OPERATIONS; i++) {
        bool listen = random_below(4) == 0, pinned[sizeof names / sizeof *names];
        unsigned protocol = random_below(2) ? PROTOCOL_TCP : PROTOCOL_UDP;
        net_address address = random_address(), rest = address;
        uint16_t port = random_port();
        uint32_t words[NET_WORDS] =
            {[NET_WORD_PROTOCOL] = protocol == PROTOCOL_TCP ? NET_TCP : NET_UDP, [NET_WORD_PORT] = port},
                 leaf = 0;
        for (int w = 3; w >= 0; w--, rest >>= 32)
            words[NET_WORD_ADDRESS + w] = (uint32_t)rest;
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            int group = net_graphs_group(graphs, str_from(names[n]));
            pinned[n] = random_below(3) == 0;
            if (pinned[n] && group >= 0)
                words[NET_WORD_NAMES] |= 1u << group;
        }
        struct ebpf_program decision = decision_of(&programs[listen ? GUARD_BIND6 : GUARD_CONNECT4], 0);
        bool ran = ebpf_run(&decision, GUARD_WORDS_AT, words, NET_WORDS, &leaf),
             right = decided(plan, listen, protocol, address, port, pinned);
        *wrong += !ran || right != !!(leaf & NET_GRAPH_ALLOW);
        *allowed += right;
    }
}

static void check_random(void)
{
    unsigned wrong = 0, allowed = 0, policies = 0, proved = 0, tried = 0;
    for (int i = 0; i < POLICIES; i++) {
        struct compilation *compilation;
        struct arena *arena = arena_new();
        struct policy *policy = policy_load_text(&compilation, random_policy(arena).text, true);
        struct plan *plan = policy ? policy_lower(policy, 0) : NULL;
        struct net_graphs graphs;
        struct guard_program programs[GUARD_HOOKS];
        const char *why;
        if (plan && guard_programs(arena, plan, &graphs, programs, &why)) {
            policies++;
            try_operations(plan, &graphs, programs, &wrong, &allowed);
            struct z3 z3 = {0};
            for (int listen = 0; listen < 2 && i < PROVED_POLICIES; listen++) {
                struct guard_counterexample example;
                struct ebpf_program decision = decision_of(&programs[listen ? GUARD_BIND4 : GUARD_CONNECT6], 0);
                tried++;
                proved += guard_prove_decision(&z3, policy, &graphs, &decision, listen, SECONDS, &example) == PROVED;
            }
            z3_close(&z3);
        }
        compilation_free(compilation);
        arena_free(arena);
    }
    ok(policies > POLICIES / 2 && allowed > policies && wrong == 0,
       "%u operations on each of %u policies: %u are allowed, %u decided otherwise than the rules say", OPERATIONS,
       policies, allowed, wrong);
    ok(proved == tried && tried, "%u of %u decisions are proved", proved, tried);
}

static bool differ(const struct ebpf_program *a, const struct ebpf_program *b)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t words[NET_WORDS], left = 0, right = 0;
        for (int w = 0; w < NET_WORDS; w++) {
            uint32_t near = (uint32_t)a->code[random_below((unsigned)a->length)].immediate;
            words[w] = random_below(3) ? near + random_below(3) - 1 : random_below(20);
        }
        words[NET_WORD_PROTOCOL] = random_below(4) ? (random_below(2) ? NET_TCP : NET_UDP) : words[NET_WORD_PROTOCOL];
        if (ebpf_run(a, GUARD_WORDS_AT, words, NET_WORDS, &left) &&
            ebpf_run(b, GUARD_WORDS_AT, words, NET_WORDS, &right) && (left ^ right) & NET_GRAPH_ALLOW)
            return true;
    }
    return false;
}

static void check_mutants(void)
{
    struct compilation *compilation;
    struct policy *policy =
        policy_from_text(&compilation,
                         "sbx 1; policy p { net { allow connect tcp \"a.test\":443, \"*.a.test\":80; allow connect udp "
                         "10.0.0.0/8:53; deny connect 10.1.0.0/16 except "
                         "10.1.2.0/24; allow listen tcp host-loopback:8080; allow connect tcp host-loopback:5432; } }");
    struct plan *plan = policy_lower(policy, 0);
    struct net_graphs graphs;
    struct guard_program programs[GUARD_HOOKS];
    struct z3 z3 = {0};
    const char *why;
    unsigned changed = 0, refuted = 0, same = 0, undecided = 0, missed = 0;
    bool made = guard_programs(policy->arena, plan, &graphs, programs, &why);
    for (int listen = 0; listen < 2 && made; listen++) {
        struct ebpf_program decision = decision_of(&programs[GUARD_INGRESS], listen),
                            original = {malloc(decision.length * sizeof *decision.code), decision.length};
        memcpy(original.code, decision.code, decision.length * sizeof *decision.code);
        for (size_t i = 0; i < decision.length; i++)
            for (int way = 0; way < 5; way++) {
                struct ebpf_instruction *in = &decision.code[i];
                struct guard_counterexample example;
                in->immediate = way == 0 ? in->immediate + 1 : way == 1 ? in->immediate ^ INT32_MIN : in->immediate;
                in->offset = (int16_t)(way == 2   ? in->offset + (in->code == EBPF_LOAD_WORD ? 4 : 1)
                                       : way == 3 ? in->offset - (in->code == EBPF_LOAD_WORD ? 4 : 1)
                                                  : in->offset);
                in->code = way == 4 && in->code == EBPF_JUMP_GE32 ? EBPF_JUMP : in->code;
                if (memcmp(in, &original.code[i], sizeof *in) != 0) {
                    changed++;
                    switch (guard_prove_decision(&z3, policy, &graphs, &decision, listen, SECONDS, &example)) {
                    case REFUTED: refuted++; break;
                    case NOT_PROVED: undecided++; break;
                    case PROVED: same++; missed += differ(&original, &decision);
                    }
                }
                *in = original.code[i];
            }
        free(original.code);
    }
    ok(changed > 100 && refuted > changed / 3 && !missed,
       "of %u mutants %u are refuted by an operation, %u are proved to mean the same, %u are no decisions, %u missed",
       changed, refuted, same, undecided, missed);
    ok(made && prove_guard(&z3, policy, plan) && compilation->diagnostics.errors == 0, "a proof says nothing");
    plan->net[0].box.port_first = plan->net[0].box.port_last =
        444; // the plan, and so the programs, is not what the policy says
    ok(!prove_guard(&z3, policy, plan) && compilation->diagnostics.errors == 1, "a difference is an error");
    struct diagnostic *d = compilation->diagnostics.first;
    ok(d && strstr(d->label.text, "connect tcp "), "with an operation on which they differ: %s",
       d ? d->label.text : "");
    z3_close(&z3);
    compilation_free(compilation);
}

static void check_guard_of_proxy(void)
{
    struct compilation *compilation;
    struct policy *policy =
        policy_from_text(&compilation,
                         "sbx 1; policy p { net { allow connect tcp \"a.test\":443, 10.0.0.0/8:1..4000; deny connect "
                         "10.1.0.0/16; via proxy \"http://p.test:3128\"; } }");
    struct plan *plan = policy_lower(policy, 0);
    struct net_graphs graphs;
    struct guard_program programs[GUARD_HOOKS];
    const char *why;
    struct z3 z3 = {0};
    bool made = guard_programs(policy->arena, plan, &graphs, programs, &why) && prove_guard(&z3, policy, plan);
    z3_close(&z3);
    uint32_t words[NET_WORDS] = {NET_TCP, 0, 0, 0xFFFF, 0xC0000201, 3128, 1}, leaf[4];
    struct ebpf_program decision = decision_of(&programs[GUARD_CONNECT4], 0);
    for (int i = 0; i < 4 && made; i++) {
        words[NET_WORD_PORT] = i == 1 ? 443 : 3128;
        words[NET_WORD_NAMES] = i != 2;
        words[NET_WORD_ADDRESS + 3] = i == 3 ? 0x0A010001 : 0xC0000201;
        ebpf_run(&decision, GUARD_WORDS_AT, words, NET_WORDS, &leaf[i]);
    }
    ok(made && leaf[0] == NET_GRAPH_ALLOW && leaf[1] != NET_GRAPH_ALLOW && leaf[2] != NET_GRAPH_ALLOW &&
           leaf[3] == NET_GRAPH_ALLOW,
       "with a proxy its address is allowed at its port, even where a rule denies it to the command, and no name's is");
    compilation_free(compilation);
}

static void check_groups(void)
{
    struct text text = {.arena = arena_new()};
    struct compilation *compilation;
    text_addf(&text, "sbx 1; policy p { net { ");
    for (int i = 0; i < 200; i++)
        text_addf(&text, "allow connect tcp \"n%d.test\":%d; ", i, i < 100 ? 443 : 80);
    text_addf(&text, "} }");
    struct policy *policy = policy_from_text(&compilation, text_str(&text).text);
    struct net_graphs graphs;
    struct guard_program programs[GUARD_HOOKS];
    const char *why;
    ok(guard_programs(policy->arena, policy_lower(policy, 0), &graphs, programs, &why) && graphs.group_count == 2,
       "200 names that may go to one of two ports are two groups");
    struct text many = {.arena = text.arena};
    text_addf(&many, "sbx 1; policy p { net { ");
    for (int i = 0; i < 33; i++)
        text_addf(&many, "allow connect tcp \"n%d.test\":%d; ", i, i + 1);
    text_addf(&many, "} }");
    policy = policy_from_text(&compilation, text_str(&many).text);
    bool made = guard_programs(policy->arena, policy_lower(policy, 0), &graphs, programs, &why);
    ok(!made && strstr(why, "more than 32"), "33 groups are too many, and that is said: %s", why);
}

int main(void)
{
    check_random();
    check_mutants();
    check_guard_of_proxy();
    check_groups();
    return tap_done();
}
