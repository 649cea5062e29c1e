// The guard's decisions and the policy's network rules as formulas, and what Z3 says of their difference.
#include "compiler/prove/prove_guard.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/prove/z3.h"
#include "compiler/sets/net_range.h"

struct question {
    struct z3 *z3;
    Z3_ast words[NET_WORDS];
    const struct policy *policy;
    const struct net_graphs *graphs;
};

static Z3_ast falsehood(const struct question *q)
{
    return q->z3->mk_false(q->z3->context);
}

// ---- the policy ---------------------------------------------------------------------------------------------------

static Z3_ast at_least(const struct question *q, net_address bound, bool at_most)
{
    Z3_ast formula = q->z3->mk_true(q->z3->context);
    for (int word = 3; word >= 0; word--) { // from the lowest word: equal so far leaves it to the lower ones
        Z3_ast here = q->words[NET_WORD_ADDRESS + word], k = z3_word(q->z3, (uint32_t)(bound >> (96 - 32 * word)));
        Z3_ast less = at_most ? z3_not(q->z3, q->z3->mk_bvule(q->z3->context, k, here))
                              : z3_not(q->z3, q->z3->mk_bvule(q->z3->context, here, k));
        formula = z3_either(q->z3, less, z3_both(q->z3, q->z3->mk_eq(q->z3->context, here, k), formula));
    }
    return formula;
}

static Z3_ast address_within(const struct question *q, net_address first, net_address last)
{
    return z3_both(q->z3, at_least(q, first, false), at_least(q, last, true));
}

static Z3_ast protocol_within(const struct question *q, unsigned protocols)
{
    Z3_ast protocol = q->words[NET_WORD_PROTOCOL], formula = falsehood(q);
    if (protocols & PROTOCOL_TCP)
        formula = z3_either(q->z3, formula, q->z3->mk_eq(q->z3->context, protocol, z3_word(q->z3, NET_TCP)));
    if (protocols & PROTOCOL_UDP)
        formula = z3_either(q->z3, formula, q->z3->mk_eq(q->z3->context, protocol, z3_word(q->z3, NET_UDP)));
    return formula;
}

static net_address loopback_meant(net_address address)
{
    return address == 0 ? 1 : address == (net_address)0xFFFF << 32 ? (net_address)0xFFFF7F000001 : address;
}

// The same of the address that is meant: "any" is the first of the loopback.
static Z3_ast loopback_within(const struct question *q, net_address first, net_address last)
{
    static const net_address any[] = {0, (net_address)0xFFFF << 32};
    Z3_ast formula = address_within(q, first, last);
    for (int i = 0; i < 2; i++) {
        bool in = loopback_meant(any[i]) >= first && loopback_meant(any[i]) <= last;
        formula = q->z3->mk_ite(q->z3->context, address_within(q, any[i], any[i]),
                                in ? q->z3->mk_true(q->z3->context) : falsehood(q), formula);
    }
    return formula;
}

static Z3_ast private_address(const struct question *q)
{
    Z3_ast formula = falsehood(q);
    net_address first, end = 0;
    for (bool more = true; more && net_find(end, ~(net_address)0, true, &first);) {
        more = net_find(first, ~(net_address)0, false, &end);
        formula = z3_either(q->z3, formula, address_within(q, first, more ? end - 1 : ~(net_address)0));
    }
    return formula;
}

struct asked { // which operations: a verb at one kind of place, of one name
    unsigned verb;
    enum net_place place;
    struct str name;
};

static Z3_ast set_formula(const struct question *q, const struct net_set *set, const struct asked *asked)
{
    Z3_ast formula = falsehood(q), port = q->words[NET_WORD_PORT];
    for (size_t i = 0; i < set->count; i++) {
        const struct net_box *box = &set->boxes[i];
        bool of_name = net_box_has_name(box), reached = box->place == NET_REACHED;
        if (!(box->verbs & asked->verb) ||
            (asked->place == NET_NAME ? !of_name && !reached : box->place != asked->place && !reached))
            continue;
        struct net_point point = {.verb = asked->verb,
                                  .protocol = box->protocols & -box->protocols,
                                  .place = NET_NAME,
                                  .name = asked->name,
                                  .port = box->port_first,
                                  .anywhere = true};
        if (of_name && !net_set_contains(&(struct net_set){(struct net_box *)box, 1}, &point))
            continue;
        Z3_ast in = z3_both(q->z3, protocol_within(q, box->protocols),
                            z3_both(q->z3, q->z3->mk_bvule(q->z3->context, z3_word(q->z3, box->port_first), port),
                                    q->z3->mk_bvule(q->z3->context, port, z3_word(q->z3, box->port_last))));
        if (net_box_has_addresses(box))
            in = z3_both(q->z3, in,
                         asked->place == NET_HOST_LOOPBACK ? loopback_within(q, box->first, box->last)
                                                           : address_within(q, box->first, box->last));
        else if (of_name && !box->private)
            in = z3_both(q->z3, in, z3_not(q->z3, private_address(q)));
        formula = z3_either(q->z3, formula, in);
    }
    return formula;
}

static Z3_ast rules_formula(const struct question *q, enum effect effect, const struct asked *asked)
{
    Z3_ast formula = falsehood(q);
    for (size_t i = 0; i < q->policy->net_rule_count; i++) {
        const struct rule *rule = q->policy->net_rules[i];
        if (rule->effect == effect)
            formula = z3_either(q->z3, formula,
                                z3_both(q->z3, set_formula(q, &rule->net, asked),
                                        z3_not(q->z3, set_formula(q, &rule->net_except, asked))));
    }
    return formula;
}

static Z3_ast allowed(const struct question *q, unsigned verb, enum net_place place, struct str name)
{
    struct asked asked = {verb, place, name};
    return z3_both(q->z3, rules_formula(q, EFFECT_ALLOW, &asked), z3_not(q->z3, rules_formula(q, EFFECT_DENY, &asked)));
}

static Z3_ast is_loopback(const struct question *q)
{
    Z3_ast formula = address_within(q, net_prefix_first(&net_loopback_v4), net_prefix_last(&net_loopback_v4));
    const net_address others[] = {
        1, 0, (net_address)0xFFFF << 32}; // ::1, and what means "this host" where one connects to it
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        formula = z3_either(q->z3, formula, address_within(q, others[i], others[i]));
    return formula;
}

static Z3_ast policy_formula(const struct question *q, bool listen)
{
    struct str none = STR("");
    if (listen) {
        Z3_ast may_bind =
            z3_either(q->z3, allowed(q, VERB_BIND, NET_HOST_LOOPBACK, none), allowed(q, VERB_BIND, NET_ADDRESS, none));
        Z3_ast there = z3_both(q->z3, allowed(q, VERB_LISTEN, NET_HOST_LOOPBACK, none), may_bind);
        Z3_ast outside =
            z3_both(q->z3, allowed(q, VERB_LISTEN, NET_ADDRESS, none), allowed(q, VERB_BIND, NET_ADDRESS, none));
        return q->z3->mk_ite(q->z3->context, is_loopback(q), there, outside);
    }
    Z3_ast by_name = falsehood(q), to_proxy = falsehood(q);
    struct proxy_url proxy;
    bool has_proxy = q->policy->proxy.set && !proxy_url_parse(q->policy->arena, q->policy->proxy.text, &proxy);
    if (has_proxy)
        to_proxy = z3_both(q->z3,
                           q->z3->mk_eq(q->z3->context,
                                        q->z3->mk_bvand(q->z3->context, q->words[NET_WORD_NAMES], z3_word(q->z3, 1)),
                                        z3_word(q->z3, 1)),
                           z3_both(q->z3, protocol_within(q, PROTOCOL_TCP),
                                   q->z3->mk_eq(q->z3->context, q->words[NET_WORD_PORT], z3_word(q->z3, proxy.port))));
    for (size_t g = 0; g < q->graphs->group_count && !has_proxy; g++) {
        Z3_ast bit = z3_word(q->z3, 1u << g),
               pinned =
                   q->z3->mk_eq(q->z3->context, q->z3->mk_bvand(q->z3->context, q->words[NET_WORD_NAMES], bit), bit);
        by_name = z3_either(q->z3, by_name,
                            z3_both(q->z3, pinned, allowed(q, VERB_CONNECT, NET_NAME, q->graphs->groups[g].name)));
    }
    Z3_ast outside = z3_either(q->z3, allowed(q, VERB_CONNECT, NET_ADDRESS, none), by_name);
    return z3_either(
        q->z3, to_proxy,
        q->z3->mk_ite(q->z3->context, is_loopback(q), allowed(q, VERB_CONNECT, NET_HOST_LOOPBACK, none), outside));
}

// The same of one operation, by the policy function itself.
static bool policy_says(const struct question *q, bool listen, const uint32_t *words)
{
    net_address address = 0;
    uint32_t port = words[NET_WORD_PORT], protocol = words[NET_WORD_PROTOCOL];
    for (int i = 0; i < 4; i++)
        address = address << 32 | words[NET_WORD_ADDRESS + i];
    bool loopback = address <= 1 || address == (net_address)0xFFFF << 32 || (address >> 24 == (net_address)0xFFFF7F);
    struct net_point point = {.verb = listen ? VERB_LISTEN : VERB_CONNECT,
                              .protocol = protocol == NET_TCP ? PROTOCOL_TCP : PROTOCOL_UDP,
                              .place = loopback ? NET_HOST_LOOPBACK : NET_ADDRESS,
                              .address = loopback ? loopback_meant(address) : address,
                              .port = (uint16_t)port};
    if ((protocol != NET_TCP && protocol != NET_UDP) || port > 65535)
        return false;
    bool binds = false;
    for (int here = !loopback; here < 2 && listen; here++) {
        struct net_point bound = point;
        bound.verb = VERB_BIND;
        bound.place = here ? NET_ADDRESS : NET_HOST_LOOPBACK;
        bound.address = here ? address : point.address;
        binds |= policy_net_allows(q->policy, &bound);
    }
    if (listen)
        return policy_net_allows(q->policy, &point) && binds;
    struct proxy_url proxy;
    bool has_proxy = q->policy->proxy.set && !proxy_url_parse(q->policy->arena, q->policy->proxy.text, &proxy);
    if (policy_net_allows(q->policy, &point) ||
        (has_proxy && words[NET_WORD_NAMES] & 1 && protocol == NET_TCP && port == proxy.port))
        return true;
    if (loopback)
        return false;
    point.place = NET_NAME;
    for (size_t g = 0; g < q->graphs->group_count && !has_proxy; g++) {
        point.name = q->graphs->groups[g].name;
        if (words[NET_WORD_NAMES] >> g & 1 && policy_net_allows(q->policy, &point))
            return true;
    }
    return false;
}

// ---- the program --------------------------------------------------------------------------------------------------

struct translation {
    const struct question *q;
    const struct ebpf_program *decision;
    Z3_ast *known; // per instruction at which register 1 does not matter: whether what follows allows
    bool failed;
};

// As the kernel runs it, on 32-bit halves of registers (RFC 9669); `a` is register 1. Jumps go forward only, so this
// ends.
static Z3_ast allows_from(struct translation *t, size_t at, Z3_ast a)
{
    const struct question *q = t->q;
    if (t->failed || at >= t->decision->length) {
        t->failed = true; // the end is reached by what sets the leaf, below
        return falsehood(q);
    }
    const struct ebpf_instruction *in = &t->decision->code[at];
    bool forgets = in->code == EBPF_LOAD_WORD || in->code == EBPF_MOVE_NUMBER32;
    if (forgets && t->known[at])
        return t->known[at];
    size_t target = at + 1 + (size_t)in->offset;
    int word = (in->offset - GUARD_WORDS_AT) / 4;
    Z3_ast k = z3_word(q->z3, (uint32_t)in->immediate), result = NULL;
    bool forward = in->offset >= 0;
    switch (in->code) {
    case EBPF_LOAD_WORD:
        if (in->registers == (1 | EBPF_FRAME << 4) && in->offset >= GUARD_WORDS_AT && in->offset % 4 == 0 &&
            word < NET_WORDS)
            result = allows_from(t, at + 1, q->words[word]);
        break;
    case EBPF_AND_NUMBER32:
        if (in->registers == 1)
            result = allows_from(t, at + 1, q->z3->mk_bvand(q->z3->context, a, k));
        break;
    case EBPF_JUMP: result = forward ? allows_from(t, target, a) : NULL; break;
    case EBPF_JUMP_GE32:
        if (forward && in->registers == 1) {
            Z3_ast yes = allows_from(t, target, a), otherwise = allows_from(t, at + 1, a);
            result = yes == otherwise
                         ? yes
                         : q->z3->mk_ite(q->z3->context, q->z3->mk_bvule(q->z3->context, k, a), yes, otherwise);
        }
        break;
    case EBPF_MOVE_NUMBER32: { // the leaf: then the end, at once or by one jump
        const struct ebpf_instruction *next = in + 1;
        bool ends = at + 1 == t->decision->length ||
                    (next->code == EBPF_JUMP && at + 2 + (size_t)next->offset == t->decision->length);
        if (in->registers == 0 && ends)
            result = (uint32_t)in->immediate & NET_GRAPH_ALLOW ? q->z3->mk_true(q->z3->context) : falsehood(q);
        break;
    }
    default: break;
    }
    t->failed |= !result;
    if (forgets)
        t->known[at] = result;
    return result ? result : falsehood(q);
}

static Z3_ast program_formula(const struct question *q, const struct ebpf_program *decision)
{
    struct translation t = {q, decision, calloc(decision->length + 1, sizeof(Z3_ast)), false};
    Z3_ast formula = t.known ? allows_from(&t, 0, z3_word(q->z3, 0)) : NULL;
    free(t.known);
    return t.failed ? NULL : formula;
}

// ---- the question -------------------------------------------------------------------------------------------------

static enum proof examine(const struct question *q, Z3_model model, const struct ebpf_program *decision, bool listen,
                          struct guard_counterexample *example)
{
    for (int i = 0; i < NET_WORDS; i++)
        example->words[i] = (uint32_t)z3_value(q->z3, model, q->words[i]);
    uint32_t leaf = 0;
    bool ran = ebpf_run(decision, GUARD_WORDS_AT, example->words, NET_WORDS, &leaf);
    example->listen = listen;
    example->allows = leaf & NET_GRAPH_ALLOW;
    if (ran && example->allows != policy_says(q, listen, example->words))
        return REFUTED;
    example->why = "the prover's counterexample is none: a fault of sbxc";
    return NOT_PROVED;
}

static enum proof solve(struct question *q, const struct ebpf_program *decision, bool listen, unsigned seconds,
                        struct guard_counterexample *example)
{
    struct z3 *z3 = q->z3;
    for (int i = 0; i < NET_WORDS; i++)
        q->words[i] = z3->mk_const(z3->context, z3->mk_int_symbol(z3->context, i), z3->word);
    Z3_ast program = program_formula(q, decision), policy = policy_formula(q, listen);
    example->why = "it has an instruction that is not understood";
    if (!program)
        return NOT_PROVED;
    Z3_model model;
    Z3_lbool found = z3_find(z3, z3_not(z3, z3->mk_eq(z3->context, program, policy)), seconds, &model, &example->why);
    if (found != Z3_L_TRUE)
        return found == Z3_L_FALSE ? PROVED : NOT_PROVED;
    enum proof proof = examine(q, model, decision, listen, example);
    z3->model_dec_ref(z3->context, model);
    return proof;
}

enum { BOXES_MOST = 10000 }; // Z3 takes kilobytes for each, and can't be stopped in good order

enum proof guard_prove_decision(struct z3 *z3, const struct policy *policy, const struct net_graphs *graphs,
                                const struct ebpf_program *decision, bool listen, unsigned seconds,
                                struct guard_counterexample *example)
{
    struct question q = {.z3 = z3, .policy = policy, .graphs = graphs};
    *example = (struct guard_counterexample){0};
    size_t boxes = 0;
    for (size_t i = 0; i < policy->net_rule_count; i++)
        boxes += policy->net_rules[i]->net.count + policy->net_rules[i]->net_except.count;
    if (boxes > BOXES_MOST) {
        example->why = "the network rules name more than 10,000 things";
        return NOT_PROVED;
    }
    return z3_ready(z3, boxes + decision->length, &example->why) ? solve(&q, decision, listen, seconds, example)
                                                                 : NOT_PROVED;
}

static struct str operation_of(struct arena *arena, const struct guard_counterexample *example)
{
    struct text text = {.arena = arena};
    net_address address = 0;
    for (int i = 0; i < 4; i++)
        address = address << 32 | example->words[NET_WORD_ADDRESS + i];
    uint32_t protocol = example->words[NET_WORD_PROTOCOL];
    text_addf(&text, "%s %s ", example->listen ? "listen" : "connect",
              protocol == NET_TCP   ? "tcp"
              : protocol == NET_UDP ? "udp"
                                    : "another protocol");
    net_address_print(&text, address);
    text_addf(&text, ":%u", example->words[NET_WORD_PORT]);
    return text_str(&text);
}

bool prove_guard(struct z3 *z3, struct policy *policy, const struct plan *plan)
{
    struct net_graphs graphs;
    struct guard_program programs[GUARD_HOOKS];
    const char *why;
    struct ebpf_program proved[2] = {{0}}; // per question: most hooks have the same decision
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    struct span span = policy->decl->name.span;
    if (!plan->broker || !guard_programs(policy->arena, plan, &graphs, programs, &why))
        return true; // sbxrun then loads none, and refuses where one is required
    for (int hook = 0; hook < GUARD_HOOKS; hook++)
        for (int i = 0; i < programs[hook].decision_count; i++) {
            const struct guard_decision *at = &programs[hook].decisions[i];
            struct ebpf_program decision = {programs[hook].program.code + at->first, at->length},
                                *same = &proved[at->listen];
            if (same->length == decision.length &&
                memcmp(same->code, decision.code, decision.length * sizeof *decision.code) == 0)
                continue;
            struct guard_counterexample example;
            enum proof proof =
                guard_prove_decision(z3, policy, &graphs, &decision, at->listen, PROVE_SECONDS, &example);
            if (proof == PROVED) {
                *same = decision;
                continue;
            }
            struct str name = str_format(policy->arena, "the guard's %s", guard_hook_names[hook]);
            struct diagnostic *d = proof == REFUTED ? diagnose(diagnostics, SBX0515, span, name.text)
                                                    : diagnose(diagnostics, SBX0516, span, name.text);
            if (proof == REFUTED)
                diagnostic_label(diagnostics, d, span, "it %s `%.*s`, and the policy does not",
                                 example.allows ? "allows" : "denies", STR_ARGS(operation_of(policy->arena, &example)));
            else
                diagnostic_label(diagnostics, d, span, "%s", example.why);
            return false;
        }
    return true;
}

bool prove_plan(struct z3 *z3, struct policy *policy, const struct plan *plan)
{
    bool filters = prove_filters(z3, policy, plan->filters), guard = prove_guard(z3, policy, plan);
    return filters && guard;
}
