// From modules to a policy: follows `use`, fills in parameters, resolves names to numbers and paths, settles scalar settings.
#include <stdlib.h>
#include <string.h>

#include "compiler/cbpf.h"
#include "compiler/condition.h"
#include "compiler/derive.h"
#include "compiler/policy.h"

enum { INSTANCES_MOST = 1000 };

struct instance { // a policy with its parameters' values
    struct policy_decl *decl;
    struct expr **values;
    const struct use_chain *chain;
    unsigned distance;
};

struct builder {
    struct compilation *compilation;
    struct arena *arena;
    struct diagnostics *diagnostics;
    struct policy *policy;
    struct instance *instances;
    size_t instance_count;
    size_t rule_capacity, env_capacity;
    const struct instance *instance; // the one being worked on
    struct module *module;           // its module
};

// ---- values -----------------------------------------------------------------------------------------------------------------

static struct expr *evaluate_in(struct module *module, const struct policy_decl *decl, struct expr *const *values, struct expr *expr)
{
    for (int depth = 0; expr && expr->kind == EXPR_REFERENCE && depth < 66; depth++) {
        struct binding binding = binding_find(module, depth ? NULL : decl, expr->text);
        if (binding.parameter) {
            size_t index = 0;
            for (struct parameter *p = decl->parameters; p != binding.parameter; p = p->next)
                index++;
            return values ? values[index] : NULL;
        }
        if (!binding.let)
            return NULL;
        expr = binding.let->value;
    }
    return expr;
}

static struct expr *evaluate(struct builder *b, struct expr *expr)
{
    return evaluate_in(b->module, b->instance ? b->instance->decl : NULL, b->instance ? b->instance->values : NULL, expr);
}

static bool constant_in_scope(void *context, const struct constant *constant, uint64_t *value)
{
    struct expr reference = {.kind = EXPR_REFERENCE, .span = constant->span, .text = constant->name};
    struct expr *number = evaluate(context, &reference);
    if (!number || number->kind != EXPR_INT)
        return false;
    *value = number->prefix.length ? -number->number : number->number;
    return true;
}

// ---- host paths ---------------------------------------------------------------------------------------------------------------

// Joins and makes normal: no "//", ".", or ".." that can be taken back. An absolute result starts with "/".
static struct str normal_path(struct arena *arena, struct str folder, struct str path)
{
    bool absolute = (path.length && path.text[0] == '/') || (folder.length && folder.text[0] == '/');
    struct str whole = path.length && path.text[0] == '/' ? path : str_format(arena, "%.*s/%.*s", STR_ARGS(folder), STR_ARGS(path));
    struct str *parts = NEW_ARRAY(arena, struct str, whole.length / 2 + 2);
    size_t count = 0;
    for (size_t i = 0; i < whole.length;) {
        size_t end = i;
        while (end < whole.length && whole.text[end] != '/')
            end++;
        struct str part = {whole.text + i, end - i};
        i = end + 1;
        if (part.length == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..") && count && !str_is(parts[count - 1], ".."))
            count--;
        else if (!str_is(part, "..") || !absolute)
            parts[count++] = part;
    }
    struct text text = {.arena = arena};
    for (size_t i = 0; i < count; i++)
        text_addf(&text, "%s%.*s", absolute || i ? "/" : "", STR_ARGS(parts[i]));
    return text.length ? text_str(&text) : absolute ? STR("/") : STR(".");
}

static struct str relative_to(struct arena *arena, struct str folder, struct str path)
{
    struct text text = {.arena = arena};
    size_t common = folder.length == 1 ? 1 : 0;
    for (size_t i = 0; i <= folder.length && folder.length > 1; i++) {
        bool folder_border = i == folder.length || folder.text[i] == '/';
        bool path_border = i == path.length || (i < path.length && path.text[i] == '/');
        if (folder_border && path_border)
            common = i;
        if (i == folder.length || i == path.length || folder.text[i] != path.text[i])
            break;
    }
    for (size_t i = common; i < folder.length; i++)
        if (folder.text[i] == '/')
            text_addf(&text, "../");
    struct str rest = {path.text + common, path.length - common};
    if (rest.length && rest.text[0] == '/')
        rest = (struct str){rest.text + 1, rest.length - 1};
    text_add(&text, rest.text, rest.length);
    if (text.length && text.data[text.length - 1] == '/')
        text.data[--text.length] = '\0';
    return text.length ? text_str(&text) : STR(".");
}

// `kind` is FROM_POLICY, FROM_CWD or FROM_HOME. A path is relative to the file in which it stands; one from the command line to the
// caller's working directory. The plan keeps what depends on the host's side by name.
static struct host_path host_path_of(struct builder *b, const struct expr *expr, enum source_kind kind)
{
    const struct source *source = source_of(&b->compilation->sources, expr->span);
    if (expr->text.length && expr->text.text[0] == '/')
        return (struct host_path){HOST_ABSOLUTE, normal_path(b->arena, STR("/"), expr->text)};
    if (kind == FROM_HOME || kind == FROM_CWD)
        return (struct host_path){kind == FROM_HOME ? HOST_HOME : HOST_CWD, normal_path(b->arena, STR(""), expr->text)};
    if (!source || source->folder.length == 0)
        return (struct host_path){HOST_CWD, normal_path(b->arena, STR(""), expr->text)};
    struct str absolute = normal_path(b->arena, source->folder, expr->text);
    return (struct host_path){HOST_POLICY, relative_to(b->arena, b->policy->decl->module->source->folder, absolute)};
}

// ---- operations ---------------------------------------------------------------------------------------------------------------

static bool list_paths(struct builder *b, struct expr *exprs, struct str **paths, size_t *count)
{
    size_t n = 0;
    for (const struct expr *e = exprs; e; e = e->next)
        n++;
    *paths = NEW_ARRAY(b->arena, struct str, n);
    *count = 0;
    for (struct expr *e = exprs; e; e = e->next) {
        const struct expr *value = evaluate(b, e);
        if (!value || value->kind != EXPR_STRING || !check_view_path(b->compilation, value))
            return false;
        (*paths)[(*count)++] = value->text;
    }
    return true;
}

static bool add_boxes(struct builder *b, struct net_set *set, size_t *capacity, struct net_box box, const struct ports *ports)
{
    do {
        box.port_first = 0;
        box.port_last = 65535;
        if (ports) {
            const struct expr *first = evaluate(b, ports->first), *last = ports->last ? evaluate(b, ports->last) : first;
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

static bool add_target(struct builder *b, const struct operation *operation, struct expr *target, struct net_set *set, size_t *capacity)
{
    struct expr *value = evaluate(b, target);
    if (!value)
        return false;
    const struct ports *ports = NULL;
    if (value->kind == EXPR_ENDPOINT) {
        ports = value->ports;
        // An endpoint from a `let` or a parameter has its own names; the caller's arguments are evaluated already.
        value = evaluate(b, value->host);
        if (!value)
            return false;
    }
    unsigned protocols = operation->protocols;
    bool unix_path = value->kind == EXPR_STRING && value->text.length && value->text.text[0] == '/';
    struct net_box box = {.verbs = operation->verbs, .protocols = protocols ? protocols : unix_path ? PROTOCOL_UNIX : PROTOCOL_TCP | PROTOCOL_UDP};
    if (unix_path != (box.protocols == PROTOCOL_UNIX)) {
        struct diagnostic *d = diagnose(b->diagnostics, SBX0417, target->span, STR_ARGS(value->kind == EXPR_STRING ? value->text : STR("this")), unix_path ? "tcp or udp" : "unix");
        diagnostic_label(b->diagnostics, d, target->span, unix_path ? "write `unix` before a path" : "`unix` takes a path that starts with `/`");
        return false;
    }
    switch (value->kind) {
    case EXPR_PREFIX:
        box.place = NET_ADDRESS;
        box.first = net_prefix_first(&value->prefix);
        box.last = net_prefix_last(&value->prefix);
        return add_boxes(b, set, capacity, box, ports);
    case EXPR_LOOPBACK: {
        const struct prefix *const both[] = {&net_loopback_v4, &net_loopback_v6};
        for (int i = 0; i < 2; i++) {
            box.place = NET_ADDRESS;
            box.first = net_prefix_first(both[i]);
            box.last = net_prefix_last(both[i]);
            if (!add_boxes(b, set, capacity, box, ports))
                return false;
        }
        return true;
    }
    case EXPR_HOST_LOOPBACK:
        box.place = NET_HOST_LOOPBACK;
        return add_boxes(b, set, capacity, box, ports);
    case EXPR_STRING:
        if (unix_path) {
            if (ports) {
                diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0416, target->span), target->span, "leave the `:` and what follows away");
                return false;
            }
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
        return add_boxes(b, set, capacity, box, ports);
    default:
        return false;
    }
}

static bool net_of(struct builder *b, const struct operation *operation, struct net_set *set)
{
    size_t capacity = 0;
    for (struct expr *target = operation->targets; target; target = target->next)
        if (!add_target(b, operation, target, set, &capacity))
            return false;
    return true;
}

static bool match_call(struct builder *b, const struct operation *operation, size_t call, unsigned architectures, struct span span, struct call_match *match)
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
        match->tests[arch] = condition_resolve(b->arena, operation->condition, row, (enum arch)arch, constant_in_scope, b, &missing);
        if (missing && constant_find(missing->name)) {
            struct diagnostic *d = diagnose(b->diagnostics, SBX0511, missing->span, str_format(b->arena, "%.*s", STR_ARGS(missing->name)).text, arch_names[arch]);
            diagnostic_label(b->diagnostics, d, missing->span, "put the rule in an `on %s { … }` block", arch_names[!arch]);
        }
        if (!match->tests[arch])
            return false;
        uint32_t words[SECCOMP_WORDS];
        graph_node node = test_graph(b->policy->graph, match->tests[arch]);
        int holds = graph_find(b->policy->graph, node, 1, words, SECCOMP_WORDS), fails = graph_find(b->policy->graph, node, 0, words, SECCOMP_WORDS);
        if (holds < 0 || fails < 0) {
            diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0514, operation->condition->span, row->name), operation->condition->span, "write it with fewer masks of one argument");
            return false;
        }
        if (!holds || !fails) {
            struct diagnostic *d = diagnose(b->diagnostics, SBX0512, operation->condition->span, holds ? "true" : "false");
            diagnostic_label(b->diagnostics, d, operation->condition->span, holds ? "so `%s` needs no condition here" : "no call of `%s` could ever meet it", row->name);
            return false;
        }
    }
    (void)span;
    return true;
}

static bool calls_of(struct builder *b, const struct operation *operation, unsigned architectures, struct call_matches *matches)
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
            if (index < 0 || !match_call(b, operation, (size_t)index, architectures, call->name.span, &matches->list[matches->count]))
                return false;
            matches->count++;
        }
    }
    return true;
}

static bool resolve_into(struct builder *b, const struct operation *operation, unsigned architectures, struct rule *rule)
{
    rule->domain = operation->domain;
    rule->verbs = operation->verbs;
    switch (operation->domain) {
    case DOMAIN_FILES:
        return list_paths(b, operation->paths, &rule->paths, &rule->path_count);
    case DOMAIN_NET:
        return net_of(b, operation, &rule->net);
    case DOMAIN_CALLS:
        return calls_of(b, operation, architectures, &rule->calls);
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

bool operation_resolve(struct policy *policy, struct module *module, const struct operation *operation, struct rule *rule)
{
    struct builder b = {.compilation = policy->compilation, .arena = policy->arena, .diagnostics = &policy->compilation->diagnostics, .policy = policy, .module = module};
    *rule = (struct rule){.number = UINT32_MAX, .effect = EFFECT_ASK, .span = operation->span};
    return resolve_into(&b, operation, ARCH_ALL_MASK, rule);
}

static uint32_t action_named(struct str name)
{
    return str_is(name, "kill") ? SECCOMP_KILL : SECCOMP_ERRNO | (uint32_t)errno_find(name);
}

static struct rule *new_rule(struct builder *b)
{
    struct policy *policy = b->policy;
    if (policy->rule_count == b->rule_capacity) {
        size_t capacity = b->rule_capacity ? b->rule_capacity * 2 : 64;
        policy->rules = arena_grow(b->arena, policy->rules, policy->rule_count * sizeof *policy->rules, capacity * sizeof *policy->rules);
        b->rule_capacity = capacity;
    }
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
        const struct expr *path = evaluate(b, content->path);
        if (!path)
            return NULL;
        made->host = host_path_of(b, path, content->kind == FROM_OVERLAY || content->kind == FROM_IMAGE ? content->path_kind : content->kind);
    }
    if (content->size) {
        const struct expr *size = evaluate(b, content->size);
        if (!size)
            return NULL;
        made->size = size->number;
    }
    made->secret = content->secret.text;
    return made;
}

static void add_rule(struct builder *b, const struct rule_decl *decl)
{
    struct rule made = {.effect = decl->effect, .span = decl->span, .because = decl->because, .chain = b->instance->chain, .if_exists = decl->if_exists};
    made.action = SECCOMP_ERRNO | (uint32_t)errno_find(STR("EPERM"));
    if (!resolve_into(b, &decl->operation, decl->architectures, &made))
        return;
    if (decl->except) {
        struct rule spared = {0};
        if (!resolve_into(b, decl->except, decl->architectures, &spared))
            return;
        made.excepts = spared.paths;
        made.except_count = spared.path_count;
        made.net_except = spared.net;
        made.calls_except = spared.calls;
    }
    if (decl->content && !(made.content = content_of(b, decl->content)))
        return;
    if (decl->deny_with.text.length)
        made.action = action_named(decl->deny_with.text);
    struct rule *rule = new_rule(b);
    made.number = rule->number;
    *rule = made;
}

// ---- settings -----------------------------------------------------------------------------------------------------------------

static bool same_value(const struct setting_value *a, const struct setting_value *b)
{
    if (a->number != b->number || !str_equal(a->text, b->text) || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!str_equal(a->list[i], b->list[i]))
            return false;
    return true;
}

// Of scalar settings the policy that is run decides, else the nearest `use`.
static void settle(struct builder *b, struct setting_value *old, struct setting_value new, const char *name)
{
    new.set = true;
    new.distance = b->instance->distance;
    if (!old->set) {
        *old = new;
    } else if (old->distance == new.distance && !same_value(old, &new)) {
        struct diagnostic *d = diagnose(b->diagnostics, SBX0606, new.span, name);
        diagnostic_label(b->diagnostics, d, new.span, "this one differs; set it in the policy that uses both");
        diagnostic_label(b->diagnostics, d, old->span, "from this one");
    }
}

static struct str value_text(struct builder *b, const struct expr *value)
{
    switch (value->kind) {
    case EXPR_INT: return str_format(b->arena, "%llu", (unsigned long long)value->number);
    case EXPR_BOOL: return value->number ? STR("true") : STR("false");
    default: return value->text;
    }
}

static void add_env(struct builder *b, struct env_value new)
{
    struct policy *policy = b->policy;
    new.distance = b->instance->distance;
    for (size_t i = 0; i < policy->env_count; i++) {
        struct env_value *old = &policy->env[i];
        if (!str_equal(old->name, new.name))
            continue;
        if (old->distance == new.distance && (old->keep != new.keep || !str_equal(old->value, new.value))) {
            struct diagnostic *d = diagnose(b->diagnostics, SBX0607, new.span, STR_ARGS(new.name));
            diagnostic_label(b->diagnostics, d, new.span, "this one");
            diagnostic_label(b->diagnostics, d, old->span, "and this one");
        }
        return; // the nearer one is there already
    }
    if (policy->env_count == b->env_capacity) {
        size_t capacity = b->env_capacity ? b->env_capacity * 2 : 16;
        policy->env = arena_grow(b->arena, policy->env, policy->env_count * sizeof *policy->env, capacity * sizeof *policy->env);
        b->env_capacity = capacity;
    }
    policy->env[policy->env_count++] = new;
}

static void add_limit(struct builder *b, const struct setting *setting)
{
    int limit = limit_find(setting->name.text);
    const struct expr *value = evaluate(b, setting->values);
    if (limit < 0 || !value)
        return;
    uint64_t number = value->number;
    if (limit_types[limit] == TYPE_DECIMAL && value->kind == EXPR_INT && __builtin_mul_overflow(number, 1000u, &number))
        number = UINT64_MAX;
    if (number == 0 && limit != LIMIT_swap && limit != LIMIT_output && limit != LIMIT_file_size)
        diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0608, setting->span), setting->span, "leave it away for no limit");
    struct setting_value *old = &b->policy->limits[limit];
    if (!old->set || number < old->number)
        *old = (struct setting_value){.span = setting->span, .set = true, .number = number, .distance = b->instance->distance};
}

static void add_setting(struct builder *b, const struct setting *setting)
{
    struct policy *policy = b->policy;
    struct setting_value value = {.span = setting->span};
    switch (setting->kind) {
    case SETTING_SUMMARY:
        if (b->instance->distance == 0)
            policy->summary = (struct setting_value){.span = setting->span, .set = true, .text = setting->values->text};
        break;
    case SETTING_COMMAND: {
        for (const struct expr *e = setting->values; e; e = e->next)
            value.count++;
        value.list = NEW_ARRAY(b->arena, struct str, value.count);
        size_t i = 0;
        for (struct expr *e = setting->values; e; e = e->next) {
            const struct expr *word = evaluate(b, e);
            if (!word)
                return;
            value.list[i++] = word->text;
        }
        settle(b, &policy->command, value, "command");
        break;
    }
    case SETTING_DEFAULT:
        value.number = action_named(setting->name.text);
        settle(b, &policy->fallback, value, "default");
        break;
    case SETTING_LIMIT:
        add_limit(b, setting);
        break;
    case SETTING_USER: {
        const struct expr *number = setting->values ? evaluate(b, setting->values) : NULL;
        value.text = number ? STR("number") : setting->name.text;
        value.number = number ? number->number : str_is(value.text, "nobody") ? 65534 : 0;
        settle(b, &policy->user, value, "user");
        break;
    }
    case SETTING_CWD: {
        const struct expr *path = evaluate(b, setting->values);
        if (!path || !check_view_path(b->compilation, path))
            return;
        value.text = path->text;
        settle(b, &policy->cwd, value, "cwd");
        break;
    }
    case SETTING_ENV_KEEP:
        for (const struct name_list *name = setting->names; name; name = name->next)
            add_env(b, (struct env_value){.name = name->name.text, .keep = true, .span = setting->span});
        break;
    case SETTING_ENV_SET: {
        const struct expr *text = evaluate(b, setting->values);
        if (text)
            add_env(b, (struct env_value){.name = setting->name.text, .value = value_text(b, text), .span = setting->span});
        break;
    }
    }
}

// ---- uses -----------------------------------------------------------------------------------------------------------------------

static bool same_expr(const struct expr *a, const struct expr *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->kind != b->kind || a->number != b->number || !str_equal(a->text, b->text))
        return false;
    if (memcmp(&a->prefix, &b->prefix, sizeof a->prefix) != 0 || (a->kind == EXPR_STRING && a->span.source != b->span.source))
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
            for (const struct parameter *p = use->target->parameters; p && !str_equal(p->name.text, argument->name.text); p = p->next)
                at++;
        }
        if (at < count) {
            struct expr *value = evaluate(b, argument->value);
            if (value && value->kind == EXPR_ENDPOINT) { // its host and ports may be names of this scope
                struct expr *copy = NEW(b->arena, struct expr);
                *copy = *value;
                copy->host = evaluate(b, value->host);
                struct ports *ring = NULL;
                for (const struct ports *p = value->ports; p; p = p->next) {
                    struct ports *port = NEW(b->arena, struct ports);
                    *port = (struct ports){evaluate(b, p->first), p->last ? evaluate(b, p->last) : NULL, NULL};
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

static struct instance *add_instance(struct builder *b, struct policy_decl *decl, struct expr **values, const struct use_chain *chain, unsigned distance, struct span span)
{
    default_values(decl, values);
    for (size_t i = 0; i < b->instance_count; i++) {
        struct instance *known = &b->instances[i];
        if (known->decl != decl)
            continue;
        bool same = true;
        size_t index = 0;
        for (const struct parameter *p = decl->parameters; p && same; p = p->next, index++)
            same = same_expr(known->values[index], values[index]);
        if (same)
            return known;
    }
    if (b->instance_count == INSTANCES_MOST) {
        diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0316, span), span, "a policy is made of at most 1,000 others");
        return NULL;
    }
    b->instances[b->instance_count] = (struct instance){decl, values, chain, distance};
    return &b->instances[b->instance_count++];
}

static void add_secret(struct builder *b, const struct secret_decl *decl, size_t index)
{
    const struct expr *source = evaluate(b, decl->source), *at = evaluate(b, decl->at);
    if (!source || !at || !check_view_path(b->compilation, at))
        return;
    struct secret_value *secret = &b->policy->secrets[index];
    *secret = (struct secret_value){.name = decl->name.text, .at = at->text, .span = decl->span};
    if (decl->from_env)
        secret->variable = source->text;
    else
        secret->host = host_path_of(b, source, decl->path_kind);
    b->policy->secret_count++;
}

static struct policy *build_in(struct compilation *, struct policy_decl *, struct expr *const *, struct graph *);

static void add_instance_items(struct builder *b)
{
    const struct policy_decl *decl = b->instance->decl;
    struct policy *policy = b->policy;
    for (const struct rule_decl *rule = decl->rules; rule; rule = rule->next)
        if (b->instance->distance == 0 || rule->effect != EFFECT_EXPECT_ALLOW)
            if (b->instance->distance == 0 || rule->effect != EFFECT_EXPECT_DENY) // a library's tests are about the library
                add_rule(b, rule);
    for (const struct setting *setting = decl->settings; setting; setting = setting->next)
        add_setting(b, setting);
    size_t count = 0;
    for (const struct secret_decl *secret = decl->secrets; secret; secret = secret->next)
        count++;
    policy->secrets = arena_grow(b->arena, policy->secrets, policy->secret_count * sizeof *policy->secrets, (policy->secret_count + count) * sizeof *policy->secrets);
    for (const struct secret_decl *secret = decl->secrets; secret; secret = secret->next)
        add_secret(b, secret, policy->secret_count);
    for (const struct require_decl *require = decl->requires; require; require = require->next) {
        policy->requires = arena_grow(b->arena, policy->requires, policy->require_count * sizeof *policy->requires, (policy->require_count + 1) * sizeof *policy->requires);
        policy->requires[policy->require_count++] = require;
    }
    for (const struct use_decl *use = decl->uses; use; use = use->next) {
        if (!use->target)
            continue;
        struct expr **values = argument_values(b, use);
        if (use->within) {
            default_values(use->target, values);
            struct policy *ceiling = build_in(b->compilation, use->target, values, policy->graph);
            if (!ceiling)
                continue;
            policy->withins = arena_grow(b->arena, policy->withins, policy->within_count * sizeof *policy->withins, (policy->within_count + 1) * sizeof *policy->withins);
            policy->withins[policy->within_count++] = (struct obligation){use, b->instance->chain, ceiling};
            continue;
        }
        struct use_chain *chain = NEW(b->arena, struct use_chain);
        *chain = (struct use_chain){use, decl, b->instance->chain};
        add_instance(b, use->target, values, chain, b->instance->distance + 1, use->span);
    }
}

// ---- the whole -------------------------------------------------------------------------------------------------------------------

static bool same_content(const struct view_content *a, const struct view_content *b)
{
    return a->kind == b->kind && a->host.base == b->host.base && str_equal(a->host.path, b->host.path) && a->size == b->size && str_equal(a->secret, b->secret);
}

static void check_contents(struct builder *b)
{
    struct map seen = {.arena = b->arena};
    for (size_t i = 0; i < b->policy->rule_count; i++) {
        struct rule *rule = &b->policy->rules[i];
        if (rule->domain != DOMAIN_FILES || !rule->content)
            continue;
        const struct rule *other = map_put(&seen, rule->paths[0], rule);
        if (!other || same_content(other->content, rule->content))
            continue;
        struct diagnostic *d = diagnose(b->diagnostics, SBX0415, rule->span, STR_ARGS(rule->paths[0]));
        diagnostic_label(b->diagnostics, d, rule->span, "this one");
        diagnostic_label(b->diagnostics, d, other->span, "and this one");
    }
}

static const struct call_match *match_for(const struct call_matches *matches, size_t call)
{
    for (size_t i = 0; i < matches->count; i++)
        if (matches->list[i].call == call)
            return &matches->list[i];
    return NULL;
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
            *entry = (struct call_rule){rule, match, match_for(&rule->calls_except, match->call), policy->calls[match->call]};
            policy->calls[match->call] = entry;
        }
    }
}

static void add_derived(void *context, const struct operation *operation, const char *because, struct module *module)
{
    struct builder *b = context;
    b->module = module;
    struct rule made = {.effect = EFFECT_DENY, .span = b->policy->decl->name.span, .because = str_from(because), .derived = true};
    made.action = SECCOMP_ERRNO | (uint32_t)errno_find(STR("EACCES"));
    if (!resolve_into(b, operation, ARCH_ALL_MASK, &made))
        abort(); // the rules in derive.c are ours
    bool allowed = false; // a call that nothing allows needs no deny
    for (size_t i = 0; i < b->policy->rule_count && !allowed; i++)
        allowed = b->policy->rules[i].effect == EFFECT_ALLOW && match_for(&b->policy->rules[i].calls, made.calls.list[0].call);
    if (!allowed)
        return;
    struct rule *rule = new_rule(b);
    made.number = rule->number;
    *rule = made;
}

// A ceiling shares the graph of the policy beneath it, so that their verdicts can be compared.
static struct policy *build_in(struct compilation *compilation, struct policy_decl *decl, struct expr *const *values, struct graph *graph)
{
    struct arena *arena = compilation->arena;
    unsigned errors = compilation->diagnostics.errors;
    struct policy *policy = NEW(arena, struct policy);
    *policy = (struct policy){.compilation = compilation, .arena = arena, .decl = decl, .graph = graph};
    struct builder b = {.compilation = compilation, .arena = arena, .diagnostics = &compilation->diagnostics, .policy = policy};
    b.instances = NEW_ARRAY(arena, struct instance, INSTANCES_MOST);
    size_t count = 0, index = 0;
    for (const struct parameter *p = decl->parameters; p; p = p->next)
        count++;
    struct expr **own = NEW_ARRAY(arena, struct expr *, count);
    for (size_t i = 0; i < count && values; i++)
        own[i] = values[i];
    default_values(decl, own);
    for (const struct parameter *p = decl->parameters; p; p = p->next, index++)
        if (!own[index]) {
            struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0317, p->name.span, STR_ARGS(p->name.text));
            diagnostic_label(&compilation->diagnostics, d, p->name.span, "give it one with `-D %.*s=…`", STR_ARGS(p->name.text));
            return NULL;
        }
    policy->fallback.number = SECCOMP_ERRNO | (uint32_t)errno_find(STR("EPERM"));
    policy->unseen = group_find(compilation, module_prelude(compilation), STR("unseen-arguments"));
    add_instance(&b, decl, own, NULL, 0, decl->name.span);
    for (size_t i = 0; i < b.instance_count; i++) {
        b.instance = &b.instances[i];
        b.module = b.instance->decl->module;
        add_instance_items(&b);
    }
    b.instance = NULL;
    derive_rules(policy, add_derived, &b);
    check_contents(&b);
    index_calls(&b);
    return compilation->diagnostics.errors == errors ? policy : NULL;
}

struct policy *policy_build(struct compilation *compilation, struct policy_decl *decl, struct expr *const *values)
{
    return build_in(compilation, decl, values, graph_new(compilation->arena));
}
