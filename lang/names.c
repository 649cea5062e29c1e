// The names in a module: one walk over its tree.
#include "lang/names.h"

#include <stdlib.h>

#include "lang/check.h"

struct walk {
    struct compilation *compilation;
    const struct module *module;
    const struct policy_decl *policy; // whose parameters count; may be NULL
    struct names *names;
    size_t capacity;
};

static struct name_use *add(struct walk *walk, enum name_kind kind, struct span span)
{
    struct names *names = walk->names;
    if (names->count == walk->capacity) {
        size_t capacity = walk->capacity ? 2 * walk->capacity : 64;
        names->list = arena_grow(walk->compilation->arena, names->list, names->count * sizeof *names->list,
                                 capacity * sizeof *names->list);
        walk->capacity = capacity;
    }
    struct name_use *use = &names->list[names->count++];
    *use = (struct name_use){.kind = kind, .span = span, .spelled = true};
    return use;
}

static struct span past_sigil(struct span span) // of `@name`, `$name`
{
    return (struct span){span.source, span.start + 1, span.end};
}

static void define(struct walk *walk, enum name_kind kind, struct span span, const void *decl)
{
    struct name_use *use = add(walk, kind, span);
    use->defines = true;
    use->decl = decl;
    use->target = span;
}

static struct span module_start(const struct module *module)
{
    return (struct span){module->source->number, 0, 0};
}

// ---- values -------------------------------------------------------------------------------------------------------

static void walk_reference(struct walk *walk, struct str name, struct span span)
{
    struct binding binding = binding_find(walk->module, walk->policy, name);
    struct name_use *use = add(walk, binding.parameter ? NAME_PARAMETER : NAME_LET, past_sigil(span));
    use->decl = binding.parameter ? (const void *)binding.parameter : binding.let;
    use->target = binding.parameter ? binding.parameter->name.span
                  : binding.let     ? binding.let->name.span
                                    : (struct span){0};
}

static void walk_values(struct walk *walk, const struct expr *expr)
{
    for (; expr; expr = expr->next) {
        if (expr->kind == EXPR_REFERENCE)
            walk_reference(walk, expr->text, expr->span);
        if (expr->kind != EXPR_ENDPOINT)
            continue;
        walk_values(walk, expr->host);
        for (const struct ports *ports = expr->ports; ports; ports = ports->next) {
            walk_values(walk, ports->first);
            walk_values(walk, ports->last);
        }
    }
}

// ---- system calls -------------------------------------------------------------------------------------------------

static void walk_calls(struct walk *walk, const struct call *call)
{
    for (; call; call = call->next) {
        if (!call->is_group) {
            add(walk, NAME_CALL, call->name.span);
            continue;
        }
        const struct group_decl *group = group_find(walk->compilation, (struct module *)walk->module, call->name.text);
        struct name_use *use = add(walk, NAME_GROUP, past_sigil(call->name.span));
        use->decl = group;
        use->target = group ? past_sigil(group->name.span) : (struct span){0};
    }
}

static void walk_constant(struct walk *walk, const struct constant *constant, const struct operation *operation,
                          struct str argument)
{
    if (!constant)
        return;
    if (constant->kind == CONSTANT_REFERENCE)
        walk_reference(walk, constant->name, constant->span);
    if (constant->kind == CONSTANT_NAME) {
        struct name_use *use = add(walk, NAME_CONSTANT, constant->span);
        use->operation = operation;
        use->argument = argument;
    }
    walk_constant(walk, constant->left, operation, argument);
    walk_constant(walk, constant->right, operation, argument);
}

static void walk_condition(struct walk *walk, const struct condition *condition, const struct operation *operation)
{
    if (!condition)
        return;
    walk_condition(walk, condition->left, operation);
    walk_condition(walk, condition->right, operation);
    if (condition->kind == CONDITION_AND || condition->kind == CONDITION_OR || condition->kind == CONDITION_NOT)
        return;
    struct str argument = condition->argument.text;
    add(walk, NAME_ARGUMENT, condition->argument.span)->operation = operation;
    walk_constant(walk, condition->mask, operation, argument);
    walk_constant(walk, condition->value, operation, argument);
    for (const struct constant_range *range = condition->ranges; range; range = range->next) {
        walk_constant(walk, range->first, operation, argument);
        walk_constant(walk, range->last, operation, argument);
    }
}

// ---- rules, settings, uses ----------------------------------------------------------------------------------------

static void walk_operation(struct walk *walk, const struct operation *operation)
{
    walk_values(walk, operation->paths);
    walk_values(walk, operation->targets);
    walk_calls(walk, operation->calls);
    walk_condition(walk, operation->condition, operation);
    for (const struct name_list *name = operation->capabilities; name; name = name->next)
        add(walk, NAME_CAPABILITY, name->name.span);
}

static void walk_errno(struct walk *walk, struct name name)
{
    if (name.text.length && !str_is(name.text, "kill"))
        add(walk, NAME_ERRNO, name.span);
}

static void walk_rule(struct walk *walk, const struct rule_decl *rule)
{
    walk_operation(walk, &rule->operation);
    if (rule->except)
        walk_operation(walk, rule->except);
    walk_errno(walk, rule->deny_with);
    const struct content *content = rule->content;
    if (!content)
        return;
    walk_values(walk, content->path);
    walk_values(walk, content->size);
    if (content->kind != FROM_SECRET ||
        content->secret.span.start == rule->span.start) // the rule that a secret itself is
        return;
    struct name_use *use = add(walk, NAME_SECRET, content->secret.span);
    for (const struct secret_decl *secret = walk->policy->secrets; secret && !use->decl; secret = secret->next)
        if (str_equal(secret->name.text, content->secret.text)) {
            use->decl = secret;
            use->target = secret->name.span;
        }
}

static void walk_setting(struct walk *walk, const struct setting *setting)
{
    walk_values(walk, setting->values);
    if (setting->kind == SETTING_LIMIT)
        add(walk, NAME_LIMIT, setting->name.span);
    if (setting->kind == SETTING_DEFAULT)
        walk_errno(walk, setting->name);
}

static const struct name_list *last_name(const struct name_list *path)
{
    while (path->next)
        path = path->next;
    return path;
}

// `a.b.c` of a use: the whole is a module, or the last part a policy and what stands before it a module.
static void walk_use_path(struct walk *walk, const struct use_decl *use)
{
    struct str whole = name_list_text(walk->compilation->arena, use->path, ".");
    const struct name_list *last = last_name(use->path);
    struct span all = {last->name.span.source, use->path->name.span.start, last->name.span.end};
    const struct import_decl *import = map_get(&walk->module->import_map, whole);
    bool local = !use->path->next && module_find_policy(walk->module, whole);
    if (!local && import) {
        struct name_use *name = add(walk, NAME_MODULE, all);
        name->decl = import;
        name->policy = use->target;
        name->spelled = import->alias.text.length != 0;
        name->target = use->target      ? use->target->name.span
                       : import->module ? module_start(import->module)
                                        : (struct span){0};
        return;
    }
    if (use->path->next) {
        size_t length = whole.length - last->name.text.length - 1;
        import = map_get(&walk->module->import_map, (struct str){whole.text, length});
        struct name_use *name = add(
            walk, NAME_MODULE, (struct span){all.source, all.start, all.end - (uint32_t)last->name.text.length - 1});
        name->decl = import;
        name->spelled = import && import->alias.text.length;
        name->target = import && import->module ? module_start(import->module) : (struct span){0};
    }
    struct name_use *name = add(walk, NAME_POLICY, last->name.span);
    name->decl = use->target;
    name->target = use->target ? use->target->name.span : (struct span){0};
}

static void walk_use(struct walk *walk, const struct use_decl *use)
{
    walk_use_path(walk, use);
    for (const struct argument *argument = use->arguments; argument; argument = argument->next) {
        if (argument->name.text.length) {
            struct name_use *name = add(walk, NAME_PARAMETER, argument->name.span);
            for (const struct parameter *p = use->target ? use->target->parameters : NULL; p && !name->decl;
                 p = p->next)
                if (str_equal(p->name.text, argument->name.text)) {
                    name->decl = p;
                    name->target = p->name.span;
                }
        }
        walk_values(walk, argument->value);
    }
}

static void walk_policy(struct walk *walk, const struct policy_decl *policy)
{
    define(walk, NAME_POLICY, policy->name.span, policy);
    for (const struct parameter *parameter = policy->parameters; parameter; parameter = parameter->next) {
        define(walk, NAME_PARAMETER, parameter->name.span, parameter);
        walk_values(walk, parameter->value); // which sees no parameter
    }
    walk->policy = policy;
    for (const struct use_decl *use = policy->uses; use; use = use->next)
        walk_use(walk, use);
    for (const struct rule_decl *rule = policy->rules; rule; rule = rule->next)
        walk_rule(walk, rule);
    for (const struct setting *setting = policy->settings; setting; setting = setting->next)
        walk_setting(walk, setting);
    for (const struct secret_decl *secret = policy->secrets; secret; secret = secret->next) {
        define(walk, NAME_SECRET, secret->name.span, secret);
        walk_values(walk, secret->source);
        walk_values(walk, secret->at);
    }
    for (const struct require_decl *require = policy->requires; require; require = require->next)
        add(walk, NAME_FEATURE, require->feature.span);
    walk->policy = NULL;
}

static void walk_import(struct walk *walk, const struct import_decl *import)
{
    struct span span = import->file.span;
    if (import->path)
        span = span_join(import->path->name.span, last_name(import->path)->name.span);
    struct name_use *use = add(walk, NAME_MODULE, span);
    use->decl = import;
    use->spelled = false;
    use->target = import->module ? module_start(import->module) : (struct span){0};
    if (import->alias.text.length)
        define(walk, NAME_MODULE, import->alias.span, import);
}

static int by_place(const void *a, const void *b)
{
    const struct name_use *x = a, *y = b;
    return (x->span.start > y->span.start) - (x->span.start < y->span.start);
}

struct names *module_names(struct compilation *compilation, const struct module *module)
{
    struct walk walk = {.compilation = compilation, .module = module, .names = NEW(compilation->arena, struct names)};
    for (const struct import_decl *import = module->imports; import; import = import->next)
        walk_import(&walk, import);
    for (const struct let_decl *let = module->lets; let; let = let->next) {
        define(&walk, NAME_LET, let->name.span, let);
        walk_values(&walk, let->value);
    }
    for (const struct group_decl *group = module->groups; group; group = group->next) {
        define(&walk, NAME_GROUP, past_sigil(group->name.span), group);
        walk_calls(&walk, group->members);
    }
    for (const struct policy_decl *policy = module->policies; policy; policy = policy->next)
        walk_policy(&walk, policy);
    if (walk.names->count)
        qsort(walk.names->list, walk.names->count, sizeof *walk.names->list, by_place);
    return walk.names;
}

const struct name_use *names_at(const struct names *names, uint32_t offset)
{
    size_t low = 0, high = names->count;
    while (low < high) { // the last that starts at or before it
        size_t middle = (low + high) / 2;
        if (names->list[middle].span.start <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low && offset <= names->list[low - 1].span.end ? &names->list[low - 1] : NULL;
}
