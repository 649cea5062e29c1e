// Checking `use` and `within`: which policy is meant, with which values, and that it does not go round in a circle.
#include "lang/scope.h"

// The module of the standard library that is meant, by its name with or without `std.`.
static struct nearest library_nearest(struct compilation *compilation, struct str whole)
{
    struct nearest nearest = diagnostics_nearest(&compilation->diagnostics, whole);
    if (!str_starts(whole, STR("std.")))
        nearest.wrong = str_format(compilation->arena, "std.%.*s", STR_ARGS(whole));
    const struct library_file *file;
    for (size_t i = 0; (file = library_at(i)); i++) {
        struct str name = str_format(compilation->arena, "std.%s", file->name);
        nearest_offer(&nearest, name);
        if (str_equal(name, nearest.wrong))
            return (struct nearest){.wrong = nearest.wrong, .best = name};
    }
    return nearest;
}

// What a dotted path means in a module; NULL (and a diagnostic) when nothing.
static struct policy_decl *resolve_policy(struct compilation *compilation, struct module *module,
                                          struct name_list *path, struct span span)
{
    struct diagnostics *diagnostics = &compilation->diagnostics;
    struct str whole = name_list_text(compilation->arena, path, ".");
    if (!path->next) {
        struct policy_decl *local = module_find_policy(module, whole);
        if (local)
            return local;
    }
    struct import_decl *import = map_get(&module->import_map, whole);
    if (import) {
        if (!import->module)
            return NULL; // said already
        struct policy_decl *main = module_main_policy(import->module);
        if (!main && import->module->policies)
            diagnostic_label(diagnostics, diagnose(diagnostics, SBX0308, span, STR_ARGS(whole)), span,
                             "name one: `%.*s.%.*s`", STR_ARGS(whole), STR_ARGS(import->module->policies->name.text));
        else if (!main)
            diagnostic_label(diagnostics, diagnose(diagnostics, SBX0308, span, STR_ARGS(whole)), span,
                             "it has none at all");
        return main;
    }
    size_t dot = whole.length;
    while (dot > 0 && whole.text[dot - 1] != '.')
        dot--;
    struct str last = {whole.text + dot, whole.length - dot};
    if (dot) {
        struct str front = {whole.text, dot - 1};
        import = map_get(&module->import_map, front);
        if (import && !import->module)
            return NULL;
        if (import) {
            struct policy_decl *policy = module_find_policy(import->module, last);
            if (!policy) {
                struct nearest nearest = diagnostics_nearest(diagnostics, last);
                for (struct policy_decl *p = import->module->policies; p && nearest.wrong.length; p = p->next)
                    nearest_offer(&nearest, p->name.text);
                struct diagnostic *d = diagnose(diagnostics, SBX0309, span, STR_ARGS(front), STR_ARGS(last));
                struct policy_decl *first = import->module->policies;
                if (module_main_policy(import->module))
                    diagnostic_suggest(diagnostics, d, span, "", &nearest, "`use %.*s;` takes what is there",
                                       STR_ARGS(front));
                else if (first)
                    diagnostic_suggest(diagnostics, d, span, "", &nearest, "name one: `%.*s.%.*s`", STR_ARGS(front),
                                       STR_ARGS(first->name.text));
                else
                    diagnostic_suggest(diagnostics, d, span, "", &nearest, "it has none at all");
            }
            return policy;
        }
    }
    struct nearest nearest = diagnostics_nearest(diagnostics, whole);
    for (struct policy_decl *p = module->policies; p && nearest.wrong.length; p = p->next)
        nearest_offer(&nearest, p->name.text);
    for (struct import_decl *i = module->imports; i && nearest.wrong.length; i = i->next) {
        struct str name = i->alias.text.length ? i->alias.text
                          : i->path            ? name_list_text(compilation->arena, i->path, ".")
                                               : path_stem(i->file.text);
        nearest_offer(&nearest, name);
        for (struct policy_decl *p = i->module ? i->module->policies : NULL; p; p = p->next)
            nearest_offer(&nearest,
                          str_format(compilation->arena, "%.*s.%.*s", STR_ARGS(name), STR_ARGS(p->name.text)));
    }
    struct nearest library = library_nearest(compilation, whole);
    struct diagnostic *d = diagnose(diagnostics, SBX0310, span, STR_ARGS(whole));
    if (nearest.best.length)
        diagnostic_label(diagnostics, d, span, "did you mean `%.*s`?", STR_ARGS(nearest.best));
    else if (str_equal(library.best, whole))
        diagnostic_label(diagnostics, d, span, "`import %.*s;` at the top of the file makes it known", STR_ARGS(whole));
    else if (library.best.length)
        diagnostic_label(diagnostics, d, span, "`import %.*s;` at the top of the file, and `use %.*s;`",
                         STR_ARGS(library.best), STR_ARGS(library.best));
    else
        diagnostic_label(diagnostics, d, span, "neither a policy of this file nor imported");
    return NULL;
}

static void check_arguments(struct scope *scope, struct use_decl *use)
{
    struct policy_decl *target = use->target;
    struct parameter *positional = target->parameters;
    struct map seen = {.arena = scope->compilation->arena};
    for (struct argument *argument = use->arguments; argument; argument = argument->next) {
        struct parameter *parameter = positional;
        if (argument->name.text.length) {
            for (parameter = target->parameters; parameter && !str_equal(parameter->name.text, argument->name.text);)
                parameter = parameter->next;
        } else if (positional) {
            positional = positional->next;
        }
        if (!parameter) {
            struct span span = argument->name.text.length ? argument->name.span : argument->value->span;
            struct nearest nearest = diagnostics_nearest(scope->diagnostics, argument->name.text);
            for (const struct parameter *p = target->parameters; p && argument->name.text.length; p = p->next)
                nearest_offer(&nearest, p->name.text);
            if (nearest.best.length)
                map_put(&seen, nearest.best, target); // it has its value, once the name is right
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0311, span, STR_ARGS(target->name.text));
            diagnostic_suggest(scope->diagnostics, d, span, "", &nearest,
                               argument->name.text.length ? "none of its parameters is called so"
                                                          : "one value more than it has parameters");
            diagnostic_label(scope->diagnostics, d, target->name.span, "the policy is here");
            continue;
        }
        if (map_put(&seen, parameter->name.text, parameter)) {
            diagnostic_label(
                scope->diagnostics,
                diagnose(scope->diagnostics, SBX0312, argument->value->span, STR_ARGS(parameter->name.text)),
                argument->value->span, "it has a value already");
            continue;
        }
        if (parameter->type != TYPE_NONE)
            scope_check_value(scope, argument->value, parameter->type);
    }
    for (struct parameter *parameter = target->parameters; parameter; parameter = parameter->next)
        if (!parameter->value && !map_get(&seen, parameter->name.text)) {
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0313, use->span, STR_ARGS(parameter->name.text),
                                            STR_ARGS(target->name.text));
            diagnostic_label(scope->diagnostics, d, use->span, "write `%.*s(%.*s = %s)`", STR_ARGS(target->name.text),
                             STR_ARGS(parameter->name.text), type_example(parameter->type));
            diagnostic_label(scope->diagnostics, d, parameter->name.span, "it has no default");
        }
}

void scope_check_uses(struct scope *scope)
{
    for (struct use_decl *use = scope->policy->uses; use; use = use->next) {
        use->target = resolve_policy(scope->compilation, scope->module, use->path, use->span);
        if (use->target)
            check_arguments(scope, use);
    }
}

enum { USES_WITHIN = 1000 }; // as many as a policy may be made of

// Follows the `use`s of a policy, each policy once; one that leads to a policy on the way to it closes a circle, which
// is told and opened, so that nothing later goes round in it.
static void walk_uses(struct compilation *compilation, struct policy_decl *policy, struct span from, unsigned depth)
{
    if (policy->walk != WALK_NEW)
        return;
    if (depth == USES_WITHIN) {
        diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0316, from), from,
                         "a policy is made of at most 1,000 others");
        return;
    }
    policy->walk = WALK_ON_THE_WAY;
    for (struct use_decl *use = policy->uses; use; use = use->next) {
        if (!use->target)
            continue;
        policy->walking = use;
        if (use->target->walk != WALK_ON_THE_WAY) {
            walk_uses(compilation, use->target, use->span, depth + 1);
            continue;
        }
        struct policy_decl *start = use->target;
        const struct use_decl *origin = start->walking;
        struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0314, origin->span, STR_ARGS(start->name.text));
        diagnostic_label(&compilation->diagnostics, d, origin->span, "from here");
        if (use != origin)
            diagnostic_label(&compilation->diagnostics, d, use->span, "and back to `%.*s` here",
                             STR_ARGS(start->name.text));
        use->target = NULL;
    }
    policy->walk = WALK_DONE;
}

void scope_check_use_circles(struct compilation *compilation, struct policy_decl *policy)
{
    walk_uses(compilation, policy, policy->name.span, 0);
}
