// Settings: limits take the smaller, scalars the nearer, variables each once.
#include "compiler/meaning/builder.h"
#include "compiler/sets/seccomp.h"
#include "compiler/sets/quantity.h"

uint32_t builder_action(struct str name)
{
    return str_is(name, "kill") ? SECCOMP_KILL : SECCOMP_ERRNO | (uint32_t)errno_find(name);
}

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
        diagnostic_label(b->diagnostics, d, new.span, "%s",
                         new.distance ? "this one differs; set it in the policy that uses both"
                                      : "a policy has one: leave one of the two away");
        diagnostic_label(b->diagnostics, d, old->span, new.distance ? "from this one" : "the other");
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
    size_t known = (uintptr_t)map_put(&b->env, new.name, (void *)(uintptr_t)(policy->env_count + 1));
    if (known) { // the nearer one is there already
        const struct env_value *old = &policy->env[known - 1];
        if (old->distance == new.distance && (old->keep != new.keep || !str_equal(old->value, new.value))) {
            struct diagnostic *d = diagnose(b->diagnostics, SBX0607, new.span, STR_ARGS(new.name));
            diagnostic_label(b->diagnostics, d, new.span, "%s",
                             new.distance ? "this one differs; set it in the policy that uses both"
                                          : "leave one of the two away");
            diagnostic_label(b->diagnostics, d, old->span, new.distance ? "from this one" : "the other");
        }
        return;
    }
    if (policy->env_count == b->env_capacity) {
        size_t capacity = b->env_capacity ? b->env_capacity * 2 : 16;
        policy->env =
            arena_grow(b->arena, policy->env, policy->env_count * sizeof *policy->env, capacity * sizeof *policy->env);
        b->env_capacity = capacity;
    }
    policy->env[policy->env_count++] = new;
}

void builder_check_range(struct builder *b, const struct range *range, uint64_t number, enum type type,
                         const char *name, struct span span)
{
    const char *advice = range == &place_sizes ? "a place that is limited to nothing would not be limited at all"
                                               : "leave it away for no limit";
    struct str least = quantity_text(b->arena, type, range->least), most = quantity_text(b->arena, type, range->most);
    if (number < range->least)
        diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0608, span, name, STR_ARGS(least)), span, "%s",
                         advice);
    if (number > range->most)
        diagnostic_label(b->diagnostics, diagnose(b->diagnostics, SBX0611, span, name, STR_ARGS(most)), span, "%s",
                         advice);
}

static void add_limit(struct builder *b, const struct setting *setting)
{
    int limit = limit_find(setting->name.text);
    const struct expr *value = builder_evaluate(b, setting->values);
    if (limit < 0 || !value) {
        builder_leave_out(b);
        return;
    }
    uint64_t number = value->number;
    if (limit_types[limit] == TYPE_DECIMAL && value->kind == EXPR_INT && __builtin_mul_overflow(number, 1000u, &number))
        number = UINT64_MAX;
    builder_check_range(b, &limit_ranges[limit], number, limit_types[limit], limit_names[limit], setting->span);
    struct setting_value *old = &b->policy->limits[limit], before = *old,
                         new = {.span = setting->span, .set = true, .number = number,
                                .distance = b->instance->distance};
    if (!before.set || new.number < before.number)
        *old = new;
    if (!before.set)
        return;
    const struct setting_value *needless = old->span.start == new.span.start ? &before : &new;
    if (needless->distance == 0 && (old->distance == 0 || needless->number > old->number)) {
        struct needless_limit *made = NEW(b->arena, struct needless_limit);
        *made = (struct needless_limit){(enum limit)limit, needless->span, old->span, b->policy->needless_limits};
        b->policy->needless_limits = made;
    }
}

void builder_add_setting(struct builder *b, const struct setting *setting)
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
            const struct expr *word = builder_evaluate(b, e);
            if (!word) {
                builder_leave_out(b);
                return;
            }
            value.list[i++] = word->text;
        }
        settle(b, &policy->command, value, "command");
        break;
    }
    case SETTING_DEFAULT:
        value.number = builder_action(setting->name.text);
        settle(b, &policy->fallback, value, "default");
        break;
    case SETTING_LIMIT: add_limit(b, setting); break;
    case SETTING_USER: {
        const struct expr *number = setting->values ? builder_evaluate(b, setting->values) : NULL;
        value.text = number ? STR("number") : setting->name.text;
        value.number = number ? number->number : str_is(value.text, "nobody") ? 65534 : 0;
        settle(b, &policy->user, value, "user");
        break;
    }
    case SETTING_CWD: {
        const struct expr *path = builder_evaluate(b, setting->values);
        if (!path || !check_view_path(b->compilation, path)) {
            builder_leave_out(b);
            return;
        }
        value.text = path->text;
        settle(b, &policy->cwd, value, "cwd");
        break;
    }
    case SETTING_PROXY: {
        const struct expr *url = builder_evaluate(b, setting->values);
        struct proxy_url parsed;
        if (!url || !check_proxy(b->compilation, url, &parsed)) {
            builder_leave_out(b);
            return;
        }
        value.text = url->text;
        settle(b, &policy->proxy, value, "via proxy");
        break;
    }
    case SETTING_ENV_KEEP:
        for (const struct name_list *name = setting->names; name; name = name->next)
            add_env(b, (struct env_value){.name = name->name.text, .keep = true, .span = setting->span});
        break;
    case SETTING_ENV_SET: {
        const struct expr *text = builder_evaluate(b, setting->values);
        if (!text)
            builder_leave_out(b);
        else
            add_env(
                b, (struct env_value){.name = setting->name.text, .value = value_text(b, text), .span = setting->span});
        break;
    }
    }
}
