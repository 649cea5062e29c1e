// Lowering: from a policy to a plan.
#include "compiler/plan/lower.h"

#include "compiler/meaning/broker.h"
#include "compiler/code/call_code.h"

#include <stdlib.h>
#include <string.h>

static const enum plan_from from_of[] = {
    [FROM_SAME] = PLAN_HOST,   [FROM_POLICY] = PLAN_HOST,     [FROM_CWD] = PLAN_HOST,    [FROM_HOME] = PLAN_HOST,
    [FROM_TMPFS] = PLAN_TMPFS, [FROM_OVERLAY] = PLAN_OVERLAY, [FROM_IMAGE] = PLAN_IMAGE, [FROM_PROC] = PLAN_PROC,
    [FROM_DEV] = PLAN_DEV,     [FROM_SECRET] = PLAN_SECRET,   [FROM_TEXT] = PLAN_TEXT,   [FROM_SANDBOX] = PLAN_SANDBOX,
};

static const enum plan_base base_of[] = {
    [HOST_ABSOLUTE] = PLAN_ABSOLUTE, [HOST_POLICY] = PLAN_POLICY, [HOST_CWD] = PLAN_CWD, [HOST_HOME] = PLAN_HOME};

static int by_path(const void *a, const void *b)
{
    const struct plan_view *x = a, *y = b;
    return path_compare(x->path, y->path);
}

static bool is_file_rule(const struct rule *rule)
{
    return rule->domain == DOMAIN_FILES && (rule->effect == EFFECT_ALLOW || rule->effect == EFFECT_DENY);
}

// One entry per path that a rule names: what the rules say about that very path, merged.
static size_t named_places(struct policy *policy, struct plan_view *places)
{
    size_t count = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!is_file_rule(rule))
            continue;
        for (size_t k = 0; k < rule->path_count + rule->except_count; k++) {
            struct plan_view *place = &places[count++];
            *place = (struct plan_view){
                .path = k < rule->path_count ? rule->paths[k] : rule->excepts[k - rule->path_count],
                .rule = rule->number,
                .if_exists = rule->if_exists,
            };
            const struct view_content *content = k == 0 ? rule->content : NULL;
            if (rule->effect == EFFECT_ALLOW)
                place->from = content ? from_of[content->kind] : PLAN_HOST;
            if (content) {
                place->base = base_of[content->host.base];
                place->host = content->host.path;
                place->size = content->size;
                place->secret = content->secret;
                place->text = content->text;
            } else if (rule->effect == EFFECT_ALLOW) {
                place->host = (struct str){0}; // the same path, unless content above provides it
            }
        }
    }
    return count;
}

static bool is_explicit(const struct plan_view *place)
{
    return place->from != PLAN_INHERIT && (place->from != PLAN_HOST || place->host.length);
}

// Of several contents for one path: what is made about the sandbox gives way to what the policy has of its own.
static int strength(const struct plan_view *place)
{
    return place->from == PLAN_INHERIT ? 0 : place->from == PLAN_SANDBOX ? 1 : is_explicit(place) ? 3 : 2;
}

// Sorts the places and makes one of those that share a path.
static size_t merge_places(struct plan_view *places, size_t count)
{
    qsort(places, count, sizeof *places, by_path);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        struct plan_view *last = used ? &places[used - 1] : NULL;
        if (!last || !str_equal(last->path, places[i].path)) {
            places[used++] = places[i];
            continue;
        }
        struct plan_view next = places[i];
        bool optional =
            (last->from == PLAN_INHERIT || last->if_exists) && (next.from == PLAN_INHERIT || next.if_exists);
        uint32_t rule = last->rule < next.rule ? last->rule : next.rule;
        if (strength(&next) > strength(last) || (is_explicit(&next) && strength(&next) == strength(last))) {
            next.if_exists = optional;
            *last = next;
        }
        last->if_exists = optional;
        if (!is_explicit(last))
            last->rule = rule;
    }
    return used;
}

static void lower_view(struct policy *policy, struct plan *plan)
{
    size_t most = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        most += policy->rules[i].path_count + policy->rules[i].except_count;
    struct plan_view *places = NEW_ARRAY(plan->arena, struct plan_view, most);
    size_t count = merge_places(places, named_places(policy, places));
    const struct path_set *allowed = policy_paths(policy);
    struct { // the places above, and whether content is there at all, and whether a `from` said which
        struct str path;
        bool has_content, is_explicit;
        unsigned verbs;
    } *above = arena_alloc(plan->arena, (count + 1) * sizeof *above);
    size_t depth = 0;
    for (size_t i = 0; i < count; i++) {
        struct plan_view *place = &places[i];
        while (depth && !path_covers(above[depth - 1].path, place->path))
            depth--;
        bool content_above = depth && above[depth - 1].has_content,
             explicit_above = depth && above[depth - 1].is_explicit;
        bool own = is_explicit(place);
        place->verbs = path_set_verbs(allowed, place->path);
        // What a deny keeps from being read is hidden: nothing that can't be opened can be written or executed either.
        if (!own && place->from == PLAN_INHERIT && !(place->verbs & VERB_READ) && depth &&
            above[depth - 1].verbs & VERB_READ)
            place->verbs = 0;
        if (!own && place->from == PLAN_HOST) {
            if (content_above || explicit_above)
                place->from = PLAN_INHERIT; // it is there already, with the content of the place above
            else
                place->host = place->path;
        }
        bool has = content_above || place->from != PLAN_INHERIT;
        bool same_rights = place->from == PLAN_INHERIT && depth && above[depth - 1].verbs == place->verbs;
        above[depth].path = place->path;
        above[depth].has_content = has;
        above[depth].is_explicit = explicit_above || own;
        above[depth].verbs = place->verbs;
        depth++;
        if (has && !same_rights) // where there is nothing there is nothing to deny
            plan->view[plan->view_count++] = *place;
    }
}

static void lower_rules(struct policy *policy, struct plan *plan)
{
    plan->rules = NEW_ARRAY(plan->arena, struct plan_rule,
                            policy->rule_count + LIMIT_COUNT + policy->require_count + policy->secret_count);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        const struct source *source = source_of(&policy->compilation->sources, rule->span);
        struct position at = source ? source_position(source, rule->span.start) : (struct position){0};
        plan->rules[plan->rule_count++] = (struct plan_rule){source ? source->name : STR(""), rule_text(policy, rule),
                                                             rule->because, at.line, at.column};
    }
}

static uint32_t add_source(struct policy *policy, struct plan *plan, struct span span)
{
    struct rule rule = {.span = span};
    const struct source *source = source_of(&policy->compilation->sources, span);
    struct position at = source ? source_position(source, span.start) : (struct position){0};
    plan->rules[plan->rule_count] =
        (struct plan_rule){source ? source->name : STR(""), rule_text(policy, &rule), STR(""), at.line, at.column};
    return (uint32_t)plan->rule_count++;
}

static void lower_net(struct policy *policy, struct plan *plan)
{
    plan->broker = policy_broker(policy);
    size_t most = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        most += policy->rules[i].net.count + policy->rules[i].net_except.count;
    plan->net = NEW_ARRAY(plan->arena, struct plan_net, most);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain != DOMAIN_NET || (rule->effect != EFFECT_ALLOW && rule->effect != EFFECT_DENY))
            continue;
        for (size_t k = 0; k < rule->net.count; k++)
            plan->net[plan->net_count++] =
                (struct plan_net){rule->effect == EFFECT_DENY, false, rule->net.boxes[k], rule->number};
        for (size_t k = 0; k < rule->net_except.count; k++)
            plan->net[plan->net_count++] = (struct plan_net){true, true, rule->net_except.boxes[k], rule->number};
    }
}

static void lower_settings(struct policy *policy, struct plan *plan)
{
    plan->command = policy->command.list;
    plan->command_count = policy->command.count;
    plan->cwd = policy->cwd.text;
    if (policy->proxy.set && !proxy_url_parse(plan->arena, policy->proxy.text, &plan->proxy.url)) {
        plan->proxy.set = true;
        plan->proxy.rule = add_source(policy, plan, policy->proxy.span);
    }
    struct str user = policy->user.set ? policy->user.text : STR("nobody");
    plan->user = str_is(user, "root")     ? PLAN_USER_ROOT
                 : str_is(user, "self")   ? PLAN_USER_SELF
                 : str_is(user, "number") ? PLAN_USER_NUMBER
                                          : PLAN_USER_NOBODY;
    plan->user_number = plan->user == PLAN_USER_NUMBER ? (uint32_t)policy->user.number : 0;
    plan->env = NEW_ARRAY(plan->arena, struct plan_env, policy->env_count);
    for (size_t i = 0; i < policy->env_count; i++)
        plan->env[plan->env_count++] =
            (struct plan_env){policy->env[i].name, policy->env[i].value, policy->env[i].keep};
    plan->capabilities = policy_capabilities(policy);
    for (int i = 0; i < LIMIT_COUNT; i++)
        if (policy->limits[i].set)
            plan->limits[i] =
                (struct plan_limit){true, policy->limits[i].number, add_source(policy, plan, policy->limits[i].span)};
    plan->requires = NEW_ARRAY(plan->arena, struct plan_require, policy->require_count);
    for (size_t i = 0; i < policy->require_count; i++) {
        const struct require_decl *decl = policy->requires[i];
        plan->requires[plan->require_count++] =
            (struct plan_require){(enum feature)feature_find(decl->feature.text), decl->version, decl->degrade,
                                  decl->because, add_source(policy, plan, decl->span)};
    }
    plan->secrets = NEW_ARRAY(plan->arena, struct plan_secret, policy->secret_count);
    for (size_t i = 0; i < policy->secret_count; i++)
        plan->secrets[plan->secret_count++] = (struct plan_secret){
            policy->secrets[i].name, policy->secrets[i].variable, base_of[policy->secrets[i].host.base],
            policy->secrets[i].host.path, add_source(policy, plan, policy->secrets[i].span)};
}

static void lower_origins(const struct compilation *compilation, struct plan *plan)
{
    size_t count = 0;
    for (const struct lookup *lookup = compilation->lookups; lookup; lookup = lookup->next)
        count++;
    plan->origins = NEW_ARRAY(plan->arena, struct plan_origin, count);
    for (const struct lookup *lookup = compilation->lookups; lookup; lookup = lookup->next)
        plan->origins[plan->origin_count++] = (struct plan_origin){lookup->path, lookup->file.length > 0};
}

struct plan *policy_lower(struct policy *policy, unsigned architectures)
{
    struct plan *plan = NEW(policy->arena, struct plan);
    *plan = (struct plan){
        .arena = policy->arena, .name = policy->decl->name.text, .folder = policy->decl->module->source->folder};
    size_t places = 0;
    for (size_t i = 0; i < policy->rule_count; i++)
        places += policy->rules[i].path_count + policy->rules[i].except_count;
    plan->view = NEW_ARRAY(plan->arena, struct plan_view, places);
    lower_origins(policy->compilation, plan);
    lower_view(policy, plan);
    lower_rules(policy, plan);
    lower_net(policy, plan);
    lower_settings(policy, plan);
    if (!policy_is_decided(policy, architectures))
        return NULL;
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        if (!(architectures >> arch & 1))
            continue;
        size_t spare;
        graph_node filter = policy_code(policy, (enum arch)arch, &spare);
        plan->filters[arch] = cbpf_emit(plan->arena, policy->graph, filter, spare);
        if (plan->filters[arch].length > BPF_MOST) {
            struct diagnostics *diagnostics = &policy->compilation->diagnostics;
            struct diagnostic *d =
                diagnose(diagnostics, SBX0513, policy->decl->name.span, arch_names[arch], plan->filters[arch].length);
            diagnostic_label(diagnostics, d, policy->decl->name.span, "fewer conditions on arguments make it shorter");
        }
    }
    return policy->compilation->diagnostics.errors ? NULL : plan;
}
