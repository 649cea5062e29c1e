// From modules to a policy: follows `use`, fills in parameters, makes rules.
#include <stdlib.h>
#include <string.h>

#include "compiler/meaning/builder.h"
#include "compiler/sets/seccomp.h"
#include "compiler/meaning/derive.h"

enum { INSTANCES_MOST = 1000 };

static void reserve_rules(struct builder *b, size_t capacity)
{
    struct policy *policy = b->policy;
    policy->rules = arena_grow(b->arena, policy->rules, policy->rule_count * sizeof *policy->rules,
                               capacity * sizeof *policy->rules);
    b->rule_capacity = capacity;
}

static struct rule *new_rule(struct builder *b)
{
    struct policy *policy = b->policy;
    if (policy->rule_count == b->rule_capacity)
        reserve_rules(b, b->rule_capacity * 2);
    struct rule *rule = &policy->rules[policy->rule_count];
    *rule = (struct rule){.number = (uint32_t)policy->rule_count};
    policy->rule_count++;
    return rule;
}

static const struct view_content *content_of(struct builder *b, const struct content *content)
{
    struct view_content *made = NEW(b->arena, struct view_content);
    made->kind = content->kind == FROM_CWD || content->kind == FROM_HOME ? FROM_POLICY : content->kind;
    if (content->path) {
        const struct expr *path = builder_evaluate(b, content->path);
        if (!path || !check_host_path(b->compilation, path))
            return NULL;
        made->host = builder_host_path(
            b, path, content->kind == FROM_OVERLAY || content->kind == FROM_IMAGE ? content->path_kind : content->kind);
    }
    if (content->size) {
        const struct expr *size = builder_evaluate(b, content->size);
        if (!size)
            return NULL;
        builder_check_range(b, &place_sizes, size->number, TYPE_SIZE, "size", content->size->span);
        made->size = size->number;
    } else if (content->kind == FROM_OVERLAY || content->kind == FROM_IMAGE) {
        made->size = OVERLAY_SIZE;
    }
    made->secret = content->secret.text;
    made->text = content->about.text;
    if (content->text) {
        const struct expr *text = builder_evaluate(b, content->text);
        if (!text)
            return NULL;
        made->text = text->text;
    }
    return made;
}

// Fills in what a rule means; false where an error says why it means nothing.
static bool resolve_rule(struct builder *b, const struct rule_decl *decl, struct rule *made)
{
    if (!builder_resolve(b, &decl->operation, decl->architectures, made))
        return false;
    // What can't be opened can't be written or executed either.
    if (made->domain == DOMAIN_FILES && made->effect == EFFECT_DENY && made->verbs & VERB_READ)
        made->verbs = VERB_FILES;
    if (decl->except) {
        struct rule spared = {.effect = decl->effect};
        b->spares = true;
        bool resolved = builder_resolve(b, decl->except, decl->architectures, &spared);
        b->spares = false;
        if (!resolved)
            return false;
        made->excepts = spared.paths;
        made->except_count = spared.path_count;
        made->net_except = spared.net;
        made->calls_except = spared.calls;
    }
    return !decl->content || (made->content = content_of(b, decl->content));
}

static void add_rule(struct builder *b, const struct rule_decl *decl)
{
    struct rule made = {.effect = decl->effect,
                        .span = decl->span,
                        .because = decl->because,
                        .chain = b->instance->chain,
                        .if_exists = decl->if_exists};
    made.action = SECCOMP_ERRNO | (uint32_t)errno_find(STR("EPERM"));
    if (decl->deny_with.text.length)
        made.action = builder_action(decl->deny_with.text);
    if (!resolve_rule(b, decl, &made)) {
        builder_leave_out(b);
        return;
    }
    struct rule *rule = new_rule(b);
    made.number = rule->number;
    *rule = made;
}

static bool same_expr(const struct expr *a, const struct expr *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->kind != b->kind || a->number != b->number || !str_equal(a->text, b->text))
        return false;
    if (memcmp(&a->prefix, &b->prefix, sizeof a->prefix) != 0 ||
        (a->kind == EXPR_STRING && a->span.source != b->span.source))
        return false; // a relative path means something else in another file
    return a->kind != EXPR_ENDPOINT;
}

// The values of a use's parameters, evaluated where the `use` stands.
static struct expr **argument_values(struct builder *b, const struct use_decl *use)
{
    size_t count = 0, index = 0;
    for (const struct parameter *p = use->target->parameters; p; p = p->next)
        count++;
    struct expr **values = NEW_ARRAY(b->arena, struct expr *, count);
    for (const struct argument *argument = use->arguments; argument; argument = argument->next, index++) {
        size_t at = index;
        if (argument->name.text.length) {
            at = 0;
            for (const struct parameter *p = use->target->parameters;
                 p && !str_equal(p->name.text, argument->name.text); p = p->next)
                at++;
        }
        if (at < count) {
            struct expr *value = builder_evaluate(b, argument->value);
            if (value && value->kind == EXPR_ENDPOINT) { // its host and ports may be names of this scope
                struct expr *copy = NEW(b->arena, struct expr);
                *copy = *value;
                copy->host = builder_evaluate(b, value->host);
                struct ports *ring = NULL;
                for (const struct ports *p = value->ports; p; p = p->next) {
                    struct ports *port = NEW(b->arena, struct ports);
                    *port = (struct ports){builder_evaluate(b, p->first), p->last ? builder_evaluate(b, p->last) : NULL,
                                           NULL};
                    ring = RING_ADD(ring, port);
                }
                copy->ports = RING_LIST(ring);
                value = copy;
            }
            values[at] = value;
        }
    }
    return values;
}

// Fills in defaults, in the scope of the policy that has them.
static void default_values(const struct policy_decl *decl, struct expr **values)
{
    size_t i = 0;
    for (const struct parameter *p = decl->parameters; p; p = p->next, i++)
        if (!values[i] && p->value)
            values[i] = evaluate_in(decl->module, NULL, NULL, p->value);
}

static bool same_values(const struct policy_decl *decl, struct expr *const *a, struct expr *const *b)
{
    size_t index = 0;
    for (const struct parameter *p = decl->parameters; p; p = p->next, index++)
        if (!same_expr(a[index], b[index]))
            return false;
    return true;
}

static struct instance *add_instance(struct builder *b, struct policy_decl *decl, struct expr **values,
                                     const struct use_chain *chain, unsigned distance, struct span span)
{
    default_values(decl, values);
    for (size_t i = 0; i < b->instance_count; i++) {
        struct instance *known = &b->instances[i];
        if (known->decl != decl)
            continue;
        if (same_values(decl, known->values, values))
            return known;
    }
    if (b->instance_count == INSTANCES_MOST) {
        diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0316, span), span,
                         "a policy is made of at most 1,000 others");
        return NULL;
    }
    if (b->instance_count == b->instance_capacity) {
        b->instance_capacity = b->instance_capacity ? 2 * b->instance_capacity : 8;
        b->instances = arena_grow(b->arena, b->instances, b->instance_count * sizeof *b->instances,
                                  b->instance_capacity * sizeof *b->instances);
    }
    b->instances[b->instance_count] = (struct instance){decl, values, chain, distance};
    return &b->instances[b->instance_count++];
}

static void add_secret(struct builder *b, const struct secret_decl *decl, size_t index)
{
    const struct expr *source = builder_evaluate(b, decl->source), *at = builder_evaluate(b, decl->at);
    if (!source || !at || !check_view_path(b->compilation, at) ||
        (decl->from_env ? !check_variable(b->compilation, source->text, source->span)
                        : !check_host_path(b->compilation, source))) {
        builder_leave_out(b);
        return;
    }
    struct secret_value secret = {.name = decl->name.text, .at = at->text, .span = decl->span};
    if (decl->from_env)
        secret.variable = source->text;
    else
        secret.host = builder_host_path(b, source, decl->path_kind);
    const struct secret_value *other = map_put(&b->secrets, decl->name.text, &b->policy->secrets[index]);
    if (!other) {
        b->policy->secrets[index] = secret;
        b->policy->secret_count++;
    } else if (!str_equal(other->variable, secret.variable) || other->host.base != secret.host.base ||
               !str_equal(other->host.path, secret.host.path)) {
        struct diagnostic *d = diagnose(b->diagnostics, SBX0609, secret.span, STR_ARGS(secret.name));
        diagnostic_label(b->diagnostics, d, secret.span, "this one");
        diagnostic_label(b->diagnostics, d, other->span, "and this one");
    }
}

// Of a ceiling only those parts count (enum within); what its net rules say of system calls is one of the network's.
static struct policy *build_in(struct compilation *, struct policy_decl *, struct expr *const *values, struct graph *,
                               unsigned parts, bool is_ceiling);

// A `within`, whose ceiling is made once. What a ceiling lies within is its own affair.
static void add_ceiling(struct builder *b, const struct use_decl *use, struct expr **values)
{
    struct policy *policy = b->policy;
    default_values(use->target, values);
    if (b->is_ceiling)
        return;
    for (size_t i = 0; i < policy->within_count; i++) {
        const struct obligation *known = &policy->withins[i];
        if (known->use->target == use->target && known->use->within == use->within &&
            same_values(use->target, known->values, values))
            return;
    }
    struct policy *ceiling = build_in(b->compilation, use->target, values, policy->graph, use->within, true);
    if (ceiling)
        policy->withins[policy->within_count++] = (struct obligation){use, b->instance->chain, values, ceiling};
}

static void add_instance_items(struct builder *b)
{
    const struct policy_decl *decl = b->instance->decl;
    struct policy *policy = b->policy;
    for (const struct rule_decl *rule = decl->rules; rule; rule = rule->next)
        if (b->instance->distance == 0 || rule->effect != EFFECT_EXPECT_ALLOW)
            if (b->instance->distance == 0 ||
                rule->effect != EFFECT_EXPECT_DENY) // a library's tests are about the library
                add_rule(b, rule);
    for (const struct setting *setting = decl->settings; setting; setting = setting->next)
        builder_add_setting(b, setting);
    size_t count = 0;
    for (const struct secret_decl *secret = decl->secrets; secret; secret = secret->next)
        count++;
    policy->secrets = arena_grow(b->arena, policy->secrets, policy->secret_count * sizeof *policy->secrets,
                                 (policy->secret_count + count) * sizeof *policy->secrets);
    for (const struct secret_decl *secret = decl->secrets; secret; secret = secret->next)
        add_secret(b, secret, policy->secret_count);
    count = 0;
    for (const struct require_decl *require = decl->requires; require; require = require->next)
        count++;
    policy->requires = arena_grow(b->arena, policy->requires, policy->require_count * sizeof *policy->requires,
                                  (policy->require_count + count) * sizeof *policy->requires);
    for (const struct require_decl *require = decl->requires; require; require = require->next)
    policy->requires[policy->require_count++] = require;
    count = 0;
    for (const struct use_decl *use = decl->uses; use; use = use->next)
        count += use->within != 0;
    policy->withins = arena_grow(b->arena, policy->withins, policy->within_count * sizeof *policy->withins,
                                 (policy->within_count + count) * sizeof *policy->withins);
    for (const struct use_decl *use = decl->uses; use; use = use->next) {
        if (!use->target)
            continue;
        struct expr **values = argument_values(b, use);
        if (use->within) {
            add_ceiling(b, use, values);
            continue;
        }
        struct use_chain *chain = NEW(b->arena, struct use_chain);
        *chain = (struct use_chain){use, decl, b->instance->chain};
        add_instance(b, use->target, values, chain, b->instance->distance + 1, use->span);
    }
}

static bool same_content(const struct view_content *a, const struct view_content *b)
{
    return a->kind == b->kind && a->host.base == b->host.base && str_equal(a->host.path, b->host.path) &&
           a->size == b->size && str_equal(a->secret, b->secret) && str_equal(a->text, b->text);
}

static void check_contents(struct builder *b)
{
    struct map seen = {.arena = b->arena};
    for (size_t i = 0; i < b->policy->rule_count; i++) {
        struct rule *rule = &b->policy->rules[i];
        if (rule->domain != DOMAIN_FILES || !rule->content)
            continue;
        const struct rule *other = map_put(&seen, rule->paths[0], rule);
        if (!other || same_content(other->content, rule->content) || other->content->kind == FROM_SANDBOX ||
            rule->content->kind == FROM_SANDBOX)
            continue; // what is made gives way
        struct diagnostic *d = diagnose(b->diagnostics, SBX0415, rule->span, STR_ARGS(rule->paths[0]));
        diagnostic_label(b->diagnostics, d, rule->span, "this one");
        diagnostic_label(b->diagnostics, d, other->span, "and this one");
    }
}

static void index_calls(struct builder *b)
{
    struct policy *policy = b->policy;
    policy->calls = NEW_ARRAY(b->arena, struct call_rule *, syscall_count());
    for (size_t i = policy->rule_count; i-- > 0;) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain != DOMAIN_CALLS || (rule->effect != EFFECT_ALLOW && rule->effect != EFFECT_DENY))
            continue;
        for (size_t k = rule->calls.count; k-- > 0;) {
            const struct call_match *match = &rule->calls.list[k];
            struct call_rule *entry = NEW(b->arena, struct call_rule);
            *entry = (struct call_rule){rule, match, call_match_for(&rule->calls_except, match->call),
                                        policy->calls[match->call]};
            policy->calls[match->call] = entry;
        }
    }
}

static void index_net(struct policy *policy)
{
    policy->net_rules = NEW_ARRAY(policy->arena, const struct rule *, policy->rule_count);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain == DOMAIN_NET && (rule->effect == EFFECT_ALLOW || rule->effect == EFFECT_DENY))
            policy->net_rules[policy->net_rule_count++] = rule;
    }
}

// True if a rule on that call is about nothing but what the match is.
static bool is_within(struct graph *graph, const struct rule *rule, const struct call_match *match)
{
    const struct call_match *own = call_match_for(&rule->calls, match->call);
    graph_node no = graph_leaf(graph, 0);
    for (int arch = 0; own && arch < ARCH_COUNT; arch++)
        if (own->architectures & match->architectures & 1u << arch) {
            uint32_t words[SECCOMP_WORDS];
            graph_node beyond = graph_select(graph, test_graph(graph, match->tests[arch]), no,
                                             test_graph(graph, own->tests[arch]));
            if (graph_find(graph, beyond, 1, words, SECCOMP_WORDS) != 0)
                return false;
        }
    return own;
}

static void add_derived(void *context, const struct operation *operation, const char *error, const char *because,
                        struct module *module, bool yields)
{
    struct builder *b = context;
    b->module = module;
    struct rule made = {
        .effect = EFFECT_DENY, .span = b->policy->decl->name.span, .because = str_from(because), .derived = true};
    made.action = SECCOMP_ERRNO | (uint32_t)errno_find(str_from(error));
    if (!builder_resolve(b, operation, ARCH_ALL_MASK, &made)) {
        if (!graph_is_exhausted(b->policy->graph))
            abort(); // the rules in derive.c are ours
        return;      // an error stands already
    }
    bool allowed = false, lifted = false; // a call that nothing allows needs no deny
    for (size_t i = 0; i < b->policy->rule_count; i++) {
        struct rule *rule = &b->policy->rules[i];
        if (rule->effect != EFFECT_ALLOW || !call_match_for(&rule->calls, made.calls.list[0].call))
            continue;
        allowed = true;
        bool within = yields && is_within(b->policy->graph, rule, &made.calls.list[0]);
        rule->lifts |= within;
        lifted |= within;
    }
    if (!allowed || lifted)
        return;
    struct rule *rule = new_rule(b);
    made.number = rule->number;
    *rule = made;
}

// A ceiling shares the graph of the policy beneath it, so that their verdicts can be compared.
static struct policy *build_in(struct compilation *compilation, struct policy_decl *decl, struct expr *const *values,
                               struct graph *graph, unsigned parts, bool is_ceiling)
{
    struct arena *arena = compilation->arena;
    struct policy *policy = NEW(arena, struct policy);
    *policy = (struct policy){.compilation = compilation, .arena = arena, .decl = decl, .graph = graph};
    struct builder b = {.compilation = compilation,
                        .arena = arena,
                        .diagnostics = &compilation->diagnostics,
                        .policy = policy,
                        .is_ceiling = is_ceiling,
                        .env = {.arena = arena},
                        .secrets = {.arena = arena}};
    size_t count = 0, index = 0, own_rules = 0;
    for (const struct parameter *p = decl->parameters; p; p = p->next)
        count++;
    for (const struct rule_decl *rule = decl->rules; rule; rule = rule->next)
        own_rules++;
    reserve_rules(&b, own_rules + (decl->uses ? 128 : 1)); // with those of a usual library
    struct expr **own = NEW_ARRAY(arena, struct expr *, count);
    for (size_t i = 0; i < count && values; i++)
        own[i] = values[i];
    default_values(decl, own);
    for (const struct parameter *p = decl->parameters; p; p = p->next, index++)
        if (!own[index]) {
            struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0317, p->name.span, STR_ARGS(p->name.text));
            diagnostic_label(&compilation->diagnostics, d, p->name.span, "give it one with `-D %.*s=…`",
                             STR_ARGS(p->name.text));
            return NULL;
        }
    policy->fallback.number = SECCOMP_ERRNO | (uint32_t)errno_find(STR("EPERM"));
    policy->unseen = group_find(compilation, compilation->prelude, STR("unseen-arguments"));
    add_instance(&b, decl, own, NULL, 0, decl->name.span);
    for (size_t i = 0; i < b.instance_count; i++) {
        struct instance instance = b.instances[i]; // the list grows
        b.instance = &instance;
        b.module = instance.decl->module;
        add_instance_items(&b);
    }
    b.instance = NULL;
    if (parts & WITHIN_NET)
        derive_rules(policy, add_derived, &b);
    check_contents(&b);
    index_calls(&b);
    index_net(policy);
    return compilation->diagnostics.errors ? NULL : policy;
}

struct policy *policy_build(struct compilation *compilation, struct policy_decl *decl, struct expr *const *values)
{
    return build_in(compilation, decl, values, graph_new(compilation->arena), WITHIN_ALL, false);
}

struct policy *policy_build_beside(struct policy *policy, struct policy_decl *decl, struct expr *const *values)
{
    return build_in(policy->compilation, decl, values, policy->graph, WITHIN_ALL, false);
}
