// Checking system calls: groups, arguments, constants, conditions.
#include <stdlib.h>
#include <string.h>

#include "lang/scope.h"

static void report_call(struct scope *scope, struct name name)
{
    struct nearest nearest = diagnostics_nearest(scope->diagnostics, name.text);
    for (size_t i = 0; i < syscall_count(); i++)
        nearest_offer(&nearest, str_from(syscall_row(i)->name));
    struct diagnostic *d = diagnose(scope->diagnostics, SBX0501, name.span, STR_ARGS(name.text));
    diagnostic_suggest(scope->diagnostics, d, name.span, "", &nearest,
                       "Linux 6.18 has none with this name, on any architecture");
}

static int compare_index(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

enum { GROUPS_WITHIN = 100 };

static void resolve_group(struct compilation *, struct group_decl *);

static struct group_decl *find_group(struct compilation *compilation, struct module *module, struct str name,
                                     struct group_decl **also)
{
    *also = NULL;
    struct group_decl *group = map_get(&module->group_map, name);
    if (group)
        return group;
    for (struct import_decl *import = module->imports; import; import = import->next) {
        struct group_decl *found = import->module ? map_get(&import->module->group_map, name) : NULL;
        if (found && group && found != group)
            *also = found;
        group = group ? group : found;
    }
    struct module *prelude = group ? NULL : compilation->prelude;
    return group ? group : prelude ? map_get(&prelude->group_map, name) : NULL;
}

struct group_decl *group_find(struct compilation *compilation, struct module *module, struct str name)
{
    struct group_decl *also;
    struct group_decl *group = find_group(compilation, module, name, &also);
    if (group)
        resolve_group(compilation, group);
    return group;
}

static struct group_decl *check_group(struct scope *scope, struct name name)
{
    struct group_decl *also;
    struct group_decl *group = find_group(scope->compilation, scope->module, name.text, &also);
    if (also) {
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0502, name.span, STR_ARGS(name.text));
        diagnostic_label(scope->diagnostics, d, name.span, "a group of this file with that name would decide");
        diagnostic_label(scope->diagnostics, d, group->name.span, "one is here");
        diagnostic_label(scope->diagnostics, d, also->name.span, "another here");
    }
    if (!group) {
        struct nearest nearest = diagnostics_nearest(scope->diagnostics, name.text);
        struct module *prelude = scope->compilation->prelude;
        for (struct group_decl *g = scope->module->groups; g && nearest.wrong.length; g = g->next)
            nearest_offer(&nearest, g->name.text);
        for (struct group_decl *g = prelude ? prelude->groups : NULL; g; g = g->next)
            nearest_offer(&nearest, g->name.text);
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0503, name.span, STR_ARGS(name.text));
        diagnostic_suggest(scope->diagnostics, d, name.span, "@", &nearest,
                           "neither of this file, of an import, nor of the edition");
        return NULL;
    }
    resolve_group(scope->compilation, group);
    return group;
}

static void resolve_group(struct compilation *compilation, struct group_decl *group)
{
    if (group->resolved)
        return;
    struct scope scope = {compilation, &compilation->diagnostics, group->module, NULL, {0}};
    if (group->resolving) {
        diagnostic_label(scope.diagnostics,
                         diagnose(scope.diagnostics, SBX0504, group->name.span, STR_ARGS(group->name.text)),
                         group->name.span, "it contains itself");
        return;
    }
    if (compilation->group_depth >= GROUPS_WITHIN) {
        diagnostic_label(scope.diagnostics, diagnose(scope.diagnostics, SBX0106, group->name.span), group->name.span,
                         "at most %d groups lie within one another", GROUPS_WITHIN);
        return;
    }
    compilation->group_depth++;
    group->resolving = true;
    bool *member = NEW_ARRAY(compilation->arena, bool, syscall_count());
    for (struct call *call = group->members; call; call = call->next) {
        if (!call->is_group) {
            int index = syscall_find(call->name.text);
            if (index >= 0)
                member[index] = true;
            else
                report_call(&scope, call->name);
            continue;
        }
        struct group_decl *inner = check_group(&scope, call->name);
        for (size_t i = 0; inner && i < inner->call_count; i++)
            member[inner->calls[i]] = true;
    }
    group->calls = NEW_ARRAY(compilation->arena, uint16_t, syscall_count());
    for (size_t i = 0; i < syscall_count(); i++)
        if (member[i])
            group->calls[group->call_count++] = (uint16_t)i;
    qsort(group->calls, group->call_count, sizeof *group->calls, compare_index);
    group->resolving = false;
    group->resolved = true;
    compilation->group_depth--;
}

static bool check_constant(struct scope *scope, const struct constant *constant, const struct syscall_row *row,
                           int argument)
{
    enum argument_type type = row->arguments[argument].type;
    unsigned bits = argument_bits(type);
    switch (constant->kind) {
    case CONSTANT_OR:
        return check_constant(scope, constant->left, row, argument) &&
               check_constant(scope, constant->right, row, argument);
    case CONSTANT_REFERENCE: {
        struct expr expr = {.kind = EXPR_REFERENCE, .span = constant->span, .text = constant->name};
        return scope_check_value(scope, &expr, TYPE_INT);
    }
    case CONSTANT_NAME: {
        if (constant_find(constant->name))
            return true;
        struct nearest nearest = diagnostics_nearest(scope->diagnostics, constant->name);
        for (size_t i = 0; constant_row(i); i++)
            nearest_offer(&nearest, str_from(constant_row(i)->name));
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0505, constant->span, STR_ARGS(constant->name));
        diagnostic_suggest(scope->diagnostics, d, constant->span, "", &nearest,
                           "a constant of Linux's headers, a number or a parameter stands here");
        return false;
    }
    case CONSTANT_NUMBER: {
        uint64_t most = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
        bool fits = constant->negative ? constant->number <= 1ull << (bits - 1) : constant->number <= most;
        if (!fits) {
            struct diagnostic *d =
                diagnose(scope->diagnostics, SBX0506, constant->span, row->arguments[argument].name, row->name);
            diagnostic_label(scope->diagnostics, d, constant->span,
                             "the kernel looks at %u bits of it, so no call could ever have this value", bits);
        }
        return fits;
    }
    }
    return true;
}

static bool check_condition_for(struct scope *scope, const struct condition *condition, const struct syscall_row *row)
{
    switch (condition->kind) {
    case CONDITION_AND:
    case CONDITION_OR: {
        bool left = check_condition_for(scope, condition->left, row);
        return check_condition_for(scope, condition->right, row) && left;
    }
    case CONDITION_NOT: return check_condition_for(scope, condition->left, row);
    default: break;
    }
    struct name name = condition->argument;
    int argument = syscall_argument(row, name.text);
    if (argument < 0) {
        struct text names = {.arena = scope->compilation->arena};
        struct nearest nearest = diagnostics_nearest(scope->diagnostics, name.text);
        for (int i = 0; i < row->argument_count; i++)
            nearest_offer(&nearest, str_from(row->arguments[i].name));
        for (int i = 0; i < row->argument_count; i++)
            text_addf(&names, "%s%s", i ? ", " : "", row->arguments[i].name);
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0507, name.span, row->name, STR_ARGS(name.text));
        if (row->argument_count)
            diagnostic_suggest(scope->diagnostics, d, name.span, "", &nearest, "its arguments are %.*s",
                               STR_ARGS(text_str(&names)));
        else
            diagnostic_label(scope->diagnostics, d, name.span, "it has no arguments at all");
        return false;
    }
    enum argument_type type = row->arguments[argument].type;
    bool null_test = condition->kind == CONDITION_COMPARE && condition->value->kind == CONSTANT_NUMBER &&
                     condition->value->number == 0 &&
                     (condition->comparison == COMPARE_EQ || condition->comparison == COMPARE_NE);
    if (argument_is_pointer(type) && !null_test) {
        struct diagnostic *d =
            diagnose(scope->diagnostics, SBX0508, condition->span, row->name, row->arguments[argument].name);
        diagnostic_label(
            scope->diagnostics, d, condition->span,
            "a filter sees the address, never what lies there, and another thread may change it after the check");
        return false;
    }
    bool ordered = condition->kind == CONDITION_COMPARE && condition->comparison != COMPARE_EQ &&
                   condition->comparison != COMPARE_NE;
    for (const struct constant_range *range = condition->ranges; range; range = range->next)
        ordered = ordered || range->last;
    if (ordered && !argument_is_ordered(type)) {
        struct diagnostic *d =
            diagnose(scope->diagnostics, SBX0509, condition->span, row->arguments[argument].name, row->name);
        diagnostic_label(scope->diagnostics, d, condition->span,
                         "compare it with `==`, `!=`, `in { … }` or `& MASK ==`");
        return false;
    }
    bool good = true;
    if (condition->mask)
        good = check_constant(scope, condition->mask, row, argument) && good;
    if (condition->value)
        good = check_constant(scope, condition->value, row, argument) && good;
    for (const struct constant_range *range = condition->ranges; range; range = range->next) {
        good = check_constant(scope, range->first, row, argument) && good;
        good = (!range->last || check_constant(scope, range->last, row, argument)) && good;
    }
    return good;
}

bool scope_check_calls(struct scope *scope, const struct operation *operation)
{
    bool good = true;
    for (const struct call *call = operation->calls; call; call = call->next) {
        if (call->is_group) {
            struct group_decl *group = check_group(scope, call->name);
            good = good && group;
            for (size_t i = 0; group && operation->condition && i < group->call_count && good; i++)
                good = check_condition_for(scope, operation->condition, syscall_row(group->calls[i]));
            continue;
        }
        int index = syscall_find(call->name.text);
        if (index < 0) {
            report_call(scope, call->name);
            good = false;
        } else if (operation->condition) {
            good = check_condition_for(scope, operation->condition, syscall_row((size_t)index)) && good;
        }
    }
    return good;
}

void scope_check_group(struct scope *scope, struct group_decl *group)
{
    resolve_group(scope->compilation, group);
}
