// Operations as sets: names to numbers and paths, targets to boxes, conditions to intervals.
#include "compiler/meaning/builder.h"
#include "compiler/sets/net_forms.h"
#include "compiler/sets/seccomp.h"
#include "compiler/sets/condition.h"

static bool constant_in_scope(void *context, const struct constant *constant, uint64_t *value)
{
    struct expr reference = {.kind = EXPR_REFERENCE, .span = constant->span, .text = constant->name};
    struct expr *number = builder_evaluate(context, &reference);
    if (!number || number->kind != EXPR_INT)
        return false;
    *value = number->prefix.length ? -number->number : number->number;
    return true;
}

static bool list_paths(struct builder *b, struct expr *exprs, struct str **paths, size_t *count)
{
    size_t n = 0;
    for (const struct expr *e = exprs; e; e = e->next)
        n++;
    *paths = NEW_ARRAY(b->arena, struct str, n);
    *count = 0;
    for (struct expr *e = exprs; e; e = e->next) {
        const struct expr *value = builder_evaluate(b, e);
        if (!value || value->kind != EXPR_STRING || !check_view_path(b->compilation, value))
            return false;
        (*paths)[(*count)++] = value->text;
    }
    return true;
}

static bool add_boxes(struct builder *b, struct net_set *set, size_t *capacity, struct net_box box,
                      const struct ports *ports)
{
    do {
        box.port_first = 0;
        box.port_last = 65535;
        if (ports) {
            const struct expr *first = builder_evaluate(b, ports->first),
                              *last = ports->last ? builder_evaluate(b, ports->last) : first;
            if (!first || !last || !check_port(b->compilation, first) || !check_port(b->compilation, last))
                return false;
            box.port_first = (uint16_t)first->number;
            box.port_last = (uint16_t)last->number;
        }
        if (set->count == *capacity) {
            size_t more = *capacity ? *capacity * 2 : 4;
            set->boxes = arena_grow(b->arena, set->boxes, set->count * sizeof *set->boxes, more * sizeof *set->boxes);
            *capacity = more;
        }
        set->boxes[set->count++] = box;
        ports = ports ? ports->next : NULL;
    } while (ports);
    return true;
}

// What no target is left out of: every address and name, the host's loopback, every path. Of the sandbox's own unix
// sockets, which lead nowhere, only a deny is.
static bool add_any(struct builder *b, enum effect effect, struct net_set *set, size_t *capacity, struct net_box box,
                    unsigned protocols, const struct ports *ports)
{
    box.place = NET_REACHED;
    box.protocols = protocols ? protocols & (PROTOCOL_TCP | PROTOCOL_UDP) : PROTOCOL_TCP | PROTOCOL_UDP;
    if (box.protocols && !add_boxes(b, set, capacity, box, ports))
        return false;
    if (ports || (protocols && !(protocols & PROTOCOL_UNIX)))
        return true;
    box.place = NET_UNIX;
    box.protocols = PROTOCOL_UNIX;
    box.name = STR("/");
    if (!add_boxes(b, set, capacity, box, NULL))
        return false;
    box.name = NET_OWN_UNIX;
    return effect != EFFECT_DENY || add_boxes(b, set, capacity, box, NULL);
}

// Who connects to "any" address (0.0.0.0, ::) is taken to the loopback by the kernel.
static net_address reached_at(net_address address)
{
    return address == (net_address)0xFFFF << 32 ? net_prefix_first(&net_loopback_v4) + 1
           : address == 0                       ? net_prefix_first(&net_loopback_v6)
                                                : address;
}

// What a deny of IPv4 addresses denies besides: the forms that they have in IPv6. An exception spares only what it
// names for sure.
static bool add_forms(struct builder *b, struct net_set *set, size_t *capacity, struct net_box box,
                      const struct ports *ports)
{
    const net_address mapped = (net_address)0xFFFF << 32, first = box.first, last = box.last;
    if (last < mapped || first > (mapped | UINT32_MAX))
        return true;
    uint32_t from = first > mapped ? (uint32_t)first : 0,
             to = last < (mapped | UINT32_MAX) ? (uint32_t)last : UINT32_MAX;
    for (int form = 1; form < NET_FORMS; form++) {
        bool exact, has = net_form(form, from, to, &box.first, &box.last, &exact);
        if (has && (exact || !b->spares) && (box.first < first || box.last > last) &&
            !add_boxes(b, set, capacity, box, ports))
            return false;
    }
    return true;
}

static bool refuse_ports(struct builder *b, const struct expr *target)
{
    diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0416, target->span), target->span,
                     "leave the `:` and what follows away");
    return false;
}

// `effect`: in an `allow` the addresses alone are meant, elsewhere all that a program reaches there.
static bool add_target(struct builder *b, const struct operation *operation, enum effect effect, struct expr *target,
                       struct net_set *set, size_t *capacity)
{
    bool reached = effect != EFFECT_ALLOW;
    struct expr *value = builder_evaluate(b, target);
    if (!value)
        return false;
    const struct ports *ports = NULL;
    if (value->kind == EXPR_ENDPOINT) {
        ports = value->ports;
        // An endpoint from a `let` or a parameter has its own names; the caller's arguments are evaluated already.
        value = builder_evaluate(b, value->host);
        if (!value)
            return false;
    }
    unsigned protocols = operation->protocols;
    bool unix_path = value->kind == EXPR_STRING && value->text.length && value->text.text[0] == '/';
    struct net_box box = {.verbs = operation->verbs,
                          .protocols = protocols   ? protocols
                                       : unix_path ? PROTOCOL_UNIX
                                                   : PROTOCOL_TCP | PROTOCOL_UDP,
                          .last = ~(net_address)0,
                          .private = operation->private};
    if (value->kind == EXPR_ANY)
        return add_any(b, effect, set, capacity, box, protocols, ports);
    if (unix_path != (box.protocols == PROTOCOL_UNIX) && value->kind != EXPR_LOOPBACK) {
        struct diagnostic *d = diagnose(b->diagnostics, SBX0417, target->span,
                                        STR_ARGS(value->kind == EXPR_STRING ? value->text : STR("this")),
                                        unix_path ? "tcp or udp" : "unix");
        diagnostic_label(b->diagnostics, d, target->span,
                         unix_path ? "write `unix` before a path"
                                   : "`unix` takes a path that starts with `/`, or `loopback`");
        return false;
    }
    switch (value->kind) {
    case EXPR_PREFIX:
        box.private = false;
        box.place = reached ? NET_REACHED : NET_ADDRESS;
        box.first = net_prefix_first(&value->prefix);
        box.last = net_prefix_last(&value->prefix);
        if (box.first == box.last)
            box.first = box.last = reached_at(box.first);
        return add_boxes(b, set, capacity, box, ports) &&
               (effect != EFFECT_DENY || add_forms(b, set, capacity, box, ports));
    case EXPR_LOOPBACK: {
        const struct prefix *const both[] = {&net_loopback_v4, &net_loopback_v6};
        if (protocols & PROTOCOL_UNIX) {
            struct net_box own = box;
            own.place = NET_UNIX;
            own.protocols = PROTOCOL_UNIX;
            own.name = NET_OWN_UNIX;
            box.protocols &= ~(unsigned)PROTOCOL_UNIX;
            if (ports && !box.protocols)
                return refuse_ports(b, target);
            if (!add_boxes(b, set, capacity, own, NULL))
                return false;
        }
        for (int i = 0; i < 2 && box.protocols; i++) {
            box.place = NET_ADDRESS;
            box.first = net_prefix_first(both[i]);
            box.last = net_prefix_last(both[i]);
            if (!add_boxes(b, set, capacity, box, ports))
                return false;
        }
        return true;
    }
    case EXPR_HOST_LOOPBACK: box.place = NET_HOST_LOOPBACK; return add_boxes(b, set, capacity, box, ports);
    case EXPR_STRING:
        if (unix_path) {
            if (ports)
                return refuse_ports(b, target);
            box.place = NET_UNIX;
            box.name = value->text;
            return check_view_path(b->compilation, value) && add_boxes(b, set, capacity, box, NULL);
        }
        if (!check_host_name(b->compilation, value))
            return false;
        box.place = str_starts(value->text, STR("*.")) ? NET_WILDCARD : NET_NAME;
        box.name = value->text;
        if (box.place == NET_WILDCARD)
            box.name = (struct str){box.name.text + 2, box.name.length - 2};
        box.name = net_canonical_name(b->arena, box.name);
        box.private |= reached;
        if (operation->at) {
            box.private = true;
            box.first = net_prefix_first(&operation->at->prefix);
            box.last = net_prefix_last(&operation->at->prefix);
            if (box.first == box.last)
                box.first = box.last = reached_at(box.first);
        }
        return add_boxes(b, set, capacity, box, ports);
    default: return false;
    }
}

static bool net_of(struct builder *b, const struct operation *operation, enum effect effect, struct net_set *set)
{
    size_t capacity = 0;
    for (struct expr *target = operation->targets; target; target = target->next)
        if (!add_target(b, operation, effect, target, set, &capacity))
            return false;
    return true;
}

static bool match_call(struct builder *b, const struct operation *operation, size_t call, unsigned architectures,
                       struct span span, struct call_match *match)
{
    *match = (struct call_match){.call = (uint16_t)call};
    const struct syscall_row *row = syscall_row(call);
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        if (!(architectures >> arch & 1) || row->number[arch] < 0)
            continue; // known, and absent there
        match->architectures |= (uint8_t)(1u << arch);
        if (!operation->condition)
            continue;
        const struct constant *missing;
        match->tests[arch] =
            condition_resolve(b->arena, operation->condition, row, (enum arch)arch, constant_in_scope, b, &missing);
        if (missing && constant_find(missing->name)) {
            struct diagnostic *d =
                diagnose(b->diagnostics, SBX0511, missing->span,
                         str_format(b->arena, "%.*s", STR_ARGS(missing->name)).text, arch_names[arch]);
            diagnostic_label(b->diagnostics, d, missing->span, "put the rule in an `on %s { … }` block",
                             arch_names[!arch]);
        }
        if (!match->tests[arch])
            return false;
        if (graph_is_exhausted(b->policy->graph) && b->diagnostics->errors)
            return false; // by a condition before this one, which was told so
        uint32_t words[SECCOMP_WORDS];
        graph_node node = test_graph(b->policy->graph, match->tests[arch]);
        int holds = graph_find(b->policy->graph, node, 1, words, SECCOMP_WORDS),
            fails = graph_find(b->policy->graph, node, 0, words, SECCOMP_WORDS);
        if (holds < 0 || fails < 0) {
            diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0514, operation->condition->span, row->name),
                             operation->condition->span, "write it with fewer masks, or as several rules");
            return false;
        }
        if (!holds || !fails) {
            struct diagnostic *d =
                diagnose(b->diagnostics, SBX0512, operation->condition->span, holds ? "true" : "false");
            diagnostic_label(b->diagnostics, d, operation->condition->span,
                             holds ? "so `%s` needs no condition here" : "no call of `%s` could ever meet it",
                             row->name);
            return false;
        }
    }
    (void)span;
    return true;
}

static bool calls_of(struct builder *b, const struct operation *operation, unsigned architectures,
                     struct call_matches *matches)
{
    size_t most = 0;
    for (const struct call *call = operation->calls; call; call = call->next) {
        struct group_decl *group = call->is_group ? group_find(b->compilation, b->module, call->name.text) : NULL;
        if (call->is_group && !group)
            return false;
        most += group ? group->call_count : 1;
    }
    matches->list = NEW_ARRAY(b->arena, struct call_match, most);
    for (const struct call *call = operation->calls; call; call = call->next) {
        struct group_decl *group = call->is_group ? group_find(b->compilation, b->module, call->name.text) : NULL;
        for (size_t i = 0; i < (group ? group->call_count : 1); i++) {
            int index = group ? group->calls[i] : syscall_find(call->name.text);
            if (index < 0 || !match_call(b, operation, (size_t)index, architectures, call->name.span,
                                         &matches->list[matches->count]))
                return false;
            matches->count++;
        }
    }
    return true;
}

bool builder_resolve(struct builder *b, const struct operation *operation, unsigned architectures, struct rule *rule)
{
    rule->domain = operation->domain;
    rule->verbs = operation->verbs;
    switch (operation->domain) {
    case DOMAIN_FILES: return list_paths(b, operation->paths, &rule->paths, &rule->path_count);
    case DOMAIN_NET: return net_of(b, operation, rule->effect, &rule->net);
    case DOMAIN_CALLS: return calls_of(b, operation, architectures, &rule->calls);
    case DOMAIN_CAPABILITIES:
        for (const struct name_list *name = operation->capabilities; name; name = name->next) {
            int capability = capability_find(name->name.text);
            if (capability < 0)
                return false;
            rule->capabilities |= 1ull << capability;
        }
        if (!operation->capabilities)
            rule->capabilities = UINT64_MAX;
        return true;
    }
    return false;
}

bool operation_resolve(struct policy *policy, struct module *module, const struct operation *operation,
                       struct rule *rule)
{
    struct builder b = {.compilation = policy->compilation,
                        .arena = policy->arena,
                        .diagnostics = &policy->compilation->diagnostics,
                        .policy = policy,
                        .module = module};
    *rule = (struct rule){.number = UINT32_MAX, .effect = EFFECT_ASK, .span = operation->span};
    return builder_resolve(&b, operation, ARCH_ALL_MASK, rule);
}

const struct call_match *call_match_for(const struct call_matches *matches, size_t call)
{
    for (size_t i = 0; i < matches->count; i++)
        if (matches->list[i].call == call)
            return &matches->list[i];
    return NULL;
}
