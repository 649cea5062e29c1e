// Checking a module: every name means something, every value has the type its place asks for.
#include "lang/check.h"

#include <stdlib.h>
#include <string.h>

struct scope {
    struct compilation *compilation;
    struct diagnostics *diagnostics;
    struct module *module;
    struct policy_decl *policy; // may be NULL
};

struct binding binding_find(const struct module *module, const struct policy_decl *policy, struct str name)
{
    for (struct parameter *p = policy ? policy->parameters : NULL; p; p = p->next)
        if (str_equal(p->name.text, name))
            return (struct binding){.parameter = p};
    return (struct binding){.let = map_get(&module->let_map, name)};
}

// ---- literals -------------------------------------------------------------------------------------------------------------

bool check_view_path(struct compilation *compilation, const struct expr *expr)
{
    struct diagnostics *diagnostics = &compilation->diagnostics;
    struct str path = expr->text;
    const char *problem = NULL;
    if (path.length == 0 || path.text[0] != '/')
        problem = "a path in the sandbox starts with `/`; the host's side stands after `from`";
    else if (path.length > 4000)
        problem = "no system takes a path of more than 4,095 bytes";
    else if (path.length > 1 && path.text[path.length - 1] == '/')
        problem = "leave the last `/` away: a path means that file, or all beneath that directory";
    for (size_t i = 0, start = 1; !problem && path.length > 1 && i <= path.length; i++) {
        if (i < path.length && path.text[i] != '/')
            continue;
        struct str part = {path.text + start, i > start ? i - start : 0};
        if (i > 0 && (part.length == 0 || str_is(part, ".") || str_is(part, "..")))
            problem = "write it without `//`, `.` and `..`";
        else if (part.length > 255)
            problem = "no system takes a name of more than 255 bytes";
        start = i + 1;
    }
    if (problem) {
        diagnostic_label(diagnostics, diagnose(diagnostics, SBX0401, expr->span, STR_ARGS(path)), expr->span, "%s", problem);
        return false;
    }
    for (size_t i = 0; i < path.length; i++)
        if (path.text[i] == '*' || path.text[i] == '?' || path.text[i] == '[') {
            struct diagnostic *d = diagnose(diagnostics, SBX0402, expr->span, STR_ARGS(path));
            diagnostic_label(diagnostics, d, expr->span, "a pattern can't be enforced for files that do not exist yet");
            size_t folder = i;
            while (folder > 1 && path.text[folder - 1] != '/')
                folder--;
            diagnostic_help(diagnostics, d, "name the directory, which covers all beneath it: `\"%.*s\"`", (int)(folder > 1 ? folder - 1 : 1), path.text);
            return false;
        }
    return true;
}

bool check_host_name(struct compilation *compilation, const struct expr *expr)
{
    struct str name = expr->text;
    const char *problem = NULL;
    bool wildcard = str_starts(name, STR("*."));
    if (wildcard)
        name = (struct str){name.text + 2, name.length - 2};
    if (name.length && name.text[name.length - 1] == '.')
        name.length--; // the root's dot
    int labels = 0;
    size_t start = 0;
    if (name.length == 0 || name.length > 253)
        problem = "a host name has 1 to 253 characters";
    for (size_t i = 0; !problem && i <= name.length; i++) {
        if (i < name.length && name.text[i] != '.') {
            char c = name.text[i];
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
            if (!letter)
                problem = c == '*' ? "a wildcard stands alone at the front: `*.example.com`" : "labels have letters, digits and `-` (an IDN in its xn-- form)";
            continue;
        }
        size_t length = i - start;
        if (length == 0 || length > 63)
            problem = "each label has 1 to 63 characters";
        else if (name.text[start] == '-' || name.text[i - 1] == '-')
            problem = "a label neither starts nor ends with `-`";
        labels++;
        start = i + 1;
    }
    if (!problem && wildcard && labels < 2)
        problem = "a wildcard needs at least two labels: `*.example.com`";
    if (!problem)
        return true;
    struct diagnostics *diagnostics = &compilation->diagnostics;
    diagnostic_label(diagnostics, diagnose(diagnostics, SBX0403, expr->span, STR_ARGS(expr->text)), expr->span, "%s", problem);
    return false;
}

bool check_port(struct compilation *compilation, const struct expr *expr)
{
    if (expr->kind == EXPR_INT && expr->number <= 65535 && expr->prefix.length == 0)
        return true;
    diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0404, expr->span), expr->span, "ports are numbers from 0 to 65535");
    return false;
}

static const char *kind_name(enum expr_kind kind)
{
    static const char *const names[] = {
        [EXPR_STRING] = "a string", [EXPR_INT] = "a number", [EXPR_DECIMAL] = "a number with a point", [EXPR_SIZE] = "a size",
        [EXPR_DURATION] = "a duration", [EXPR_BOOL] = "true or false", [EXPR_PREFIX] = "an address", [EXPR_LOOPBACK] = "`loopback`",
        [EXPR_HOST_LOOPBACK] = "`host-loopback`", [EXPR_REFERENCE] = "a parameter", [EXPR_ENDPOINT] = "an endpoint",
    };
    return names[kind];
}

static bool kind_fits(enum expr_kind kind, enum type type)
{
    switch (type) {
    case TYPE_PATH: case TYPE_STRING: return kind == EXPR_STRING;
    case TYPE_HOST: return kind == EXPR_STRING;
    case TYPE_SIZE: return kind == EXPR_SIZE;
    case TYPE_DURATION: return kind == EXPR_DURATION;
    case TYPE_INT: case TYPE_PORT: return kind == EXPR_INT;
    case TYPE_BOOL: return kind == EXPR_BOOL;
    case TYPE_CIDR: return kind == EXPR_PREFIX;
    case TYPE_ENDPOINT: return kind == EXPR_ENDPOINT;
    case TYPE_DECIMAL: return kind == EXPR_INT || kind == EXPR_DECIMAL;
    default: return true;
    }
}

static const char *type_example(enum type type)
{
    switch (type) {
    case TYPE_PATH: return "\"./src\"";
    case TYPE_STRING: return "\"text\"";
    case TYPE_HOST: return "\"example.com\"";
    case TYPE_SIZE: return "256MiB";
    case TYPE_DURATION: return "30s";
    case TYPE_INT: return "64";
    case TYPE_PORT: return "443";
    case TYPE_BOOL: return "true";
    case TYPE_CIDR: return "10.0.0.0/8";
    case TYPE_ENDPOINT: return "\"example.com\":443";
    case TYPE_DECIMAL: return "0.5";
    default: return "";
    }
}

static bool report_type(struct diagnostics *diagnostics, const struct expr *expr, enum type type, const char *got)
{
    const char *article = type == TYPE_INT || type == TYPE_ENDPOINT ? "an" : "a";
    struct diagnostic *d = diagnose(diagnostics, SBX0405, expr->span, str_format(diagnostics->arena, "%s %s", article, type_name(type)).text, got);
    diagnostic_label(diagnostics, d, expr->span, "%s %s is written like `%s`", article, type_name(type), type_example(type));
    return false;
}

bool check_type(struct compilation *compilation, const struct expr *expr, enum type type)
{
    if (!kind_fits(expr->kind, type))
        return report_type(&compilation->diagnostics, expr, type, kind_name(expr->kind));
    if (expr->kind == EXPR_INT && expr->prefix.length) {
        diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0408, expr->span), expr->span, "only a condition on an argument can compare with one");
        return false;
    }
    if (type == TYPE_HOST)
        return check_host_name(compilation, expr);
    if (type == TYPE_PORT)
        return check_port(compilation, expr);
    return true;
}

// ---- values in a scope ----------------------------------------------------------------------------------------------------

// The literal behind a value, through `let`s; NULL for a parameter (then *type is its type) or an error.
static const struct expr *follow(struct scope *scope, const struct expr *expr, enum type *type)
{
    *type = TYPE_NONE;
    for (int depth = 0; expr->kind == EXPR_REFERENCE; depth++) {
        struct binding binding = binding_find(scope->module, depth ? NULL : scope->policy, expr->text);
        if (binding.parameter) {
            *type = binding.parameter->type;
            return NULL;
        }
        if (!binding.let) {
            struct nearest nearest = {.wrong = expr->text};
            for (struct parameter *p = scope->policy ? scope->policy->parameters : NULL; p; p = p->next)
                nearest_offer(&nearest, p->name.text);
            for (struct let_decl *let = scope->module->lets; let; let = let->next)
                nearest_offer(&nearest, let->name.text);
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0406, expr->span, STR_ARGS(expr->text));
            if (nearest.best.length)
                diagnostic_label(scope->diagnostics, d, expr->span, "did you mean `$%.*s`?", STR_ARGS(nearest.best));
            else
                diagnostic_label(scope->diagnostics, d, expr->span, "neither a parameter of this policy nor a `let` of this file");
            return NULL;
        }
        if (depth > 64) {
            diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0407, expr->span, STR_ARGS(expr->text)), expr->span, "it is made of itself");
            return NULL;
        }
        expr = binding.let->value;
    }
    return expr;
}

static bool parameter_fits(enum type have, enum type want)
{
    return have == want || (want == TYPE_DECIMAL && have == TYPE_INT) || (want == TYPE_PORT && have == TYPE_INT) || (want == TYPE_STRING && have == TYPE_HOST);
}

static bool check_ports(struct scope *scope, const struct expr *endpoint);

// A value in a place that wants a type. True unless something was wrong.
static bool check_value(struct scope *scope, const struct expr *expr, enum type want)
{
    unsigned before = scope->diagnostics->errors;
    enum type have;
    const struct expr *literal = follow(scope, expr, &have);
    if (have != TYPE_NONE && !parameter_fits(have, want))
        return report_type(scope->diagnostics, expr, want, str_format(scope->compilation->arena, "the %s `$%.*s`", type_name(have), STR_ARGS(expr->text)).text);
    if (!literal)
        return scope->diagnostics->errors == before;
    if (literal != expr && !kind_fits(literal->kind, want))
        return report_type(scope->diagnostics, expr, want, kind_name(literal->kind));
    if (literal->kind == EXPR_ENDPOINT && want == TYPE_ENDPOINT)
        return check_ports(scope, literal);
    return check_type(scope->compilation, literal, want);
}

static bool check_ports(struct scope *scope, const struct expr *endpoint)
{
    bool good = true;
    for (const struct ports *ports = endpoint->ports; ports; ports = ports->next) {
        bool both = check_value(scope, ports->first, TYPE_PORT);
        if (ports->last) {
            both = check_value(scope, ports->last, TYPE_PORT) && both;
            if (both && ports->first->kind == EXPR_INT && ports->last->kind == EXPR_INT && ports->first->number > ports->last->number) {
                struct span span = span_join(ports->first->span, ports->last->span);
                diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0409, span), span, "the smaller one stands first");
                both = false;
            }
        }
        good = good && both;
    }
    return good;
}

static bool check_target(struct scope *scope, const struct expr *expr, unsigned protocols)
{
    enum type have;
    unsigned before = scope->diagnostics->errors;
    const struct expr *literal = follow(scope, expr, &have);
    if (!literal) {
        if (have == TYPE_NONE || have == TYPE_HOST || have == TYPE_CIDR || have == TYPE_ENDPOINT || (have == TYPE_PATH && protocols == PROTOCOL_UNIX))
            return scope->diagnostics->errors == before;
        return report_type(scope->diagnostics, expr, TYPE_ENDPOINT, str_format(scope->compilation->arena, "the %s `$%.*s`", type_name(have), STR_ARGS(expr->text)).text);
    }
    if (literal->kind == EXPR_ENDPOINT) {
        bool ports = check_ports(scope, literal);
        enum type host_type;
        const struct expr *host = follow(scope, literal->host, &host_type);
        if (!host)
            return ports && scope->diagnostics->errors == before;
        if (host->kind == EXPR_STRING && host->text.length && host->text.text[0] == '/')
            return ports; // a unix socket, which has no port: the compiler says so
        if (host->kind == EXPR_STRING)
            return check_host_name(scope->compilation, host) && ports;
        if (host->kind != EXPR_PREFIX && host->kind != EXPR_LOOPBACK && host->kind != EXPR_HOST_LOOPBACK)
            return report_type(scope->diagnostics, literal->host, TYPE_HOST, kind_name(host->kind));
        return ports;
    }
    if (literal->kind == EXPR_STRING)
        return protocols == PROTOCOL_UNIX || (literal->text.length && literal->text.text[0] == '/')
                   ? check_view_path(scope->compilation, literal)
                   : check_host_name(scope->compilation, literal);
    if (literal->kind != EXPR_PREFIX && literal->kind != EXPR_LOOPBACK && literal->kind != EXPR_HOST_LOOPBACK)
        return report_type(scope->diagnostics, expr, TYPE_ENDPOINT, kind_name(literal->kind));
    return true;
}

// ---- system calls -----------------------------------------------------------------------------------------------------------

static void report_call(struct scope *scope, struct name name)
{
    struct nearest nearest = {.wrong = name.text};
    for (size_t i = 0; i < syscall_count(); i++)
        nearest_offer(&nearest, str_from(syscall_row(i)->name));
    struct diagnostic *d = diagnose(scope->diagnostics, SBX0501, name.span, STR_ARGS(name.text));
    if (nearest.best.length)
        diagnostic_label(scope->diagnostics, d, name.span, "did you mean `%.*s`?", STR_ARGS(nearest.best));
    else
        diagnostic_label(scope->diagnostics, d, name.span, "Linux 6.18 has none with this name, on any architecture");
}

static int compare_index(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void resolve_group(struct compilation *, struct group_decl *);

static struct group_decl *find_group(struct compilation *compilation, struct module *module, struct str name, struct group_decl **also)
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
    struct module *prelude = group ? NULL : module_prelude(compilation);
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
        struct nearest nearest = {.wrong = name.text};
        struct module *prelude = module_prelude(scope->compilation);
        for (struct group_decl *g = scope->module->groups; g; g = g->next)
            nearest_offer(&nearest, g->name.text);
        for (struct group_decl *g = prelude ? prelude->groups : NULL; g; g = g->next)
            nearest_offer(&nearest, g->name.text);
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0503, name.span, STR_ARGS(name.text));
        if (nearest.best.length)
            diagnostic_label(scope->diagnostics, d, name.span, "did you mean `@%.*s`?", STR_ARGS(nearest.best));
        else
            diagnostic_label(scope->diagnostics, d, name.span, "neither of this file, of an import, nor of the edition");
        return NULL;
    }
    resolve_group(scope->compilation, group);
    return group;
}

static void resolve_group(struct compilation *compilation, struct group_decl *group)
{
    if (group->resolved)
        return;
    struct scope scope = {compilation, &compilation->diagnostics, group->module, NULL};
    if (group->resolving) {
        diagnostic_label(scope.diagnostics, diagnose(scope.diagnostics, SBX0504, group->name.span, STR_ARGS(group->name.text)), group->name.span, "it contains itself");
        return;
    }
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
}

static bool check_constant(struct scope *scope, const struct constant *constant, const struct syscall_row *row, int argument)
{
    enum argument_type type = row->arguments[argument].type;
    unsigned bits = argument_bits(type);
    switch (constant->kind) {
    case CONSTANT_OR:
        return check_constant(scope, constant->left, row, argument) && check_constant(scope, constant->right, row, argument);
    case CONSTANT_REFERENCE: {
        struct expr expr = {.kind = EXPR_REFERENCE, .span = constant->span, .text = constant->name};
        return check_value(scope, &expr, TYPE_INT);
    }
    case CONSTANT_NAME: {
        if (constant_find(constant->name))
            return true;
        struct nearest nearest = {.wrong = constant->name};
        for (size_t i = 0; constant_row(i); i++)
            nearest_offer(&nearest, str_from(constant_row(i)->name));
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0505, constant->span, STR_ARGS(constant->name));
        if (nearest.best.length)
            diagnostic_label(scope->diagnostics, d, constant->span, "did you mean `%.*s`?", STR_ARGS(nearest.best));
        else
            diagnostic_label(scope->diagnostics, d, constant->span, "a constant of Linux's headers, a number or a parameter stands here");
        return false;
    }
    case CONSTANT_NUMBER: {
        uint64_t most = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
        bool fits = constant->negative ? constant->number <= 1ull << (bits - 1) : constant->number <= most;
        if (!fits) {
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0506, constant->span, row->arguments[argument].name, row->name);
            diagnostic_label(scope->diagnostics, d, constant->span, "the kernel looks at %u bits of it, so no call could ever have this value", bits);
        }
        return fits;
    }
    }
    return true;
}

static bool check_condition_for(struct scope *scope, const struct condition *condition, const struct syscall_row *row)
{
    switch (condition->kind) {
    case CONDITION_AND: case CONDITION_OR: {
        bool left = check_condition_for(scope, condition->left, row);
        return check_condition_for(scope, condition->right, row) && left;
    }
    case CONDITION_NOT:
        return check_condition_for(scope, condition->left, row);
    default:
        break;
    }
    struct name name = condition->argument;
    int argument = syscall_argument(row, name.text);
    if (argument < 0) {
        struct text names = {.arena = scope->compilation->arena};
        for (int i = 0; i < row->argument_count; i++)
            text_addf(&names, "%s%s", i ? ", " : "", row->arguments[i].name);
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0507, name.span, row->name, STR_ARGS(name.text));
        if (row->argument_count)
            diagnostic_label(scope->diagnostics, d, name.span, "its arguments are %.*s", STR_ARGS(text_str(&names)));
        else
            diagnostic_label(scope->diagnostics, d, name.span, "it has no arguments at all");
        return false;
    }
    enum argument_type type = row->arguments[argument].type;
    bool null_test = condition->kind == CONDITION_COMPARE && condition->value->kind == CONSTANT_NUMBER && condition->value->number == 0 &&
                     (condition->comparison == COMPARE_EQ || condition->comparison == COMPARE_NE);
    if (argument_is_pointer(type) && !null_test) {
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0508, condition->span, row->name, row->arguments[argument].name);
        diagnostic_label(scope->diagnostics, d, condition->span, "a filter sees the address, never what lies there, and another thread may change it after the check");
        return false;
    }
    bool ordered = condition->kind == CONDITION_COMPARE && condition->comparison != COMPARE_EQ && condition->comparison != COMPARE_NE;
    for (const struct constant_range *range = condition->ranges; range; range = range->next)
        ordered = ordered || range->last;
    if (ordered && !argument_is_ordered(type)) {
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0509, condition->span, row->arguments[argument].name, row->name);
        diagnostic_label(scope->diagnostics, d, condition->span, "compare it with `==`, `!=`, `in { … }` or `& MASK ==`");
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

static bool check_calls(struct scope *scope, const struct operation *operation)
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

// ---- rules, settings, policies -------------------------------------------------------------------------------------------------

static bool check_operation(struct scope *scope, const struct operation *operation)
{
    bool good = true;
    switch (operation->domain) {
    case DOMAIN_FILES:
        for (const struct expr *path = operation->paths; path; path = path->next) {
            enum type have;
            bool typed = check_value(scope, path, TYPE_PATH);
            const struct expr *literal = typed ? follow(scope, path, &have) : NULL;
            good = typed && (!literal || check_view_path(scope->compilation, literal)) && good;
        }
        return good;
    case DOMAIN_NET:
        for (const struct expr *target = operation->targets; target; target = target->next)
            good = check_target(scope, target, operation->protocols) && good;
        return good;
    case DOMAIN_CALLS:
        return check_calls(scope, operation);
    case DOMAIN_CAPABILITIES:
        for (const struct name_list *name = operation->capabilities; name; name = name->next) {
            if (capability_find(name->name.text) >= 0)
                continue;
            struct nearest nearest = {.wrong = name->name.text};
            if (!str_starts(name->name.text, STR("CAP_"))) // as other tools call them
                nearest.wrong = str_format(scope->compilation->arena, "CAP_%.*s", STR_ARGS(name->name.text));
            for (size_t i = 0; constant_row(i); i++)
                if (capability_find(str_from(constant_row(i)->name)) >= 0)
                    nearest_offer(&nearest, str_from(constant_row(i)->name));
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0601, name->name.span, STR_ARGS(name->name.text));
            if (nearest.best.length)
                diagnostic_label(scope->diagnostics, d, name->name.span, "did you mean `%.*s`?", STR_ARGS(nearest.best));
            else
                diagnostic_label(scope->diagnostics, d, name->name.span, "capabilities(7) lists them, as CAP_KILL");
            good = false;
        }
        return good;
    }
    return good;
}

bool operation_check(struct compilation *compilation, struct module *module, struct policy_decl *policy, struct operation *operation)
{
    struct scope scope = {compilation, &compilation->diagnostics, module, policy};
    return check_operation(&scope, operation);
}

static void check_errno(struct scope *scope, struct name name)
{
    if (!name.text.length || str_is(name.text, "kill") || errno_find(name.text) >= 0)
        return;
    struct nearest nearest = {.wrong = name.text};
    for (size_t i = 0; constant_row(i); i++)
        if (errno_find(str_from(constant_row(i)->name)) >= 0)
            nearest_offer(&nearest, str_from(constant_row(i)->name));
    struct diagnostic *d = diagnose(scope->diagnostics, SBX0510, name.span, STR_ARGS(name.text));
    if (nearest.best.length)
        diagnostic_label(scope->diagnostics, d, name.span, "did you mean `%.*s`?", STR_ARGS(nearest.best));
    else
        diagnostic_label(scope->diagnostics, d, name.span, "an error as errno(3) names it, or `kill`, stands here");
}

static void check_content(struct scope *scope, const struct rule_decl *rule)
{
    const struct content *content = rule->content;
    if ((content || rule->if_exists) && rule->effect != EFFECT_ALLOW) {
        struct span span = content ? content->span : rule->span;
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0410, span, content ? "from" : "if exists"), span,
                         "what is not allowed needs no content");
    }
    if (!content)
        return;
    if (rule->operation.paths && rule->operation.paths->next)
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0411, content->span), content->span, "give each path its own rule");
    if (content->path)
        check_value(scope, content->path, TYPE_PATH);
    if (content->size)
        check_value(scope, content->size, TYPE_SIZE);
    if (content->kind == FROM_SECRET) {
        for (const struct secret_decl *secret = scope->policy->secrets; secret; secret = secret->next)
            if (str_equal(secret->name.text, content->secret.text))
                return;
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0412, content->secret.span, STR_ARGS(content->secret.text)),
                         content->secret.span, "the policy's `secrets` block has none with this name");
    }
}

static void check_rule(struct scope *scope, const struct rule_decl *rule)
{
    check_operation(scope, &rule->operation);
    if (rule->except) {
        check_operation(scope, rule->except);
        if (rule->effect != EFFECT_DENY)
            diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0413, rule->except->span), rule->except->span,
                             "to allow less, name less, or deny the rest");
    }
    if (rule->deny_with.text.length && rule->effect != EFFECT_DENY)
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0414, rule->deny_with.span), rule->deny_with.span, "only a deny answers with an error");
    check_errno(scope, rule->deny_with);
    check_content(scope, rule);
}

static void check_user(struct scope *scope, const struct setting *setting)
{
    if (setting->values) {
        if (check_value(scope, setting->values, TYPE_INT) && setting->values->kind == EXPR_INT && setting->values->number > 65535)
            diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0602, setting->values->span), setting->values->span, "a user's number here is at most 65535");
        return;
    }
    struct str name = setting->name.text;
    if (!str_is(name, "root") && !str_is(name, "nobody") && !str_is(name, "self"))
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0602, setting->name.span), setting->name.span, "it is `root`, `nobody`, `self` or a number");
}

static void check_setting(struct scope *scope, const struct setting *setting)
{
    switch (setting->kind) {
    case SETTING_SUMMARY:
        break;
    case SETTING_COMMAND:
        for (const struct expr *value = setting->values; value; value = value->next) {
            enum type have;
            unsigned before = scope->diagnostics->errors;
            const struct expr *literal = follow(scope, value, &have);
            if (have != TYPE_NONE && have != TYPE_STRING && have != TYPE_PATH && have != TYPE_HOST)
                report_type(scope->diagnostics, value, TYPE_STRING, type_name(have));
            else if (literal && literal->kind != EXPR_STRING && scope->diagnostics->errors == before)
                report_type(scope->diagnostics, value, TYPE_STRING, kind_name(literal->kind));
        }
        break;
    case SETTING_DEFAULT:
        check_errno(scope, setting->name);
        break;
    case SETTING_LIMIT: {
        int limit = limit_find(setting->name.text);
        if (limit >= 0) {
            check_value(scope, setting->values, limit_types[limit]);
            break;
        }
        struct nearest nearest = {.wrong = setting->name.text};
        struct text all = {.arena = scope->compilation->arena};
        for (int i = 0; i < LIMIT_COUNT; i++) {
            nearest_offer(&nearest, str_from(limit_names[i]));
            text_addf(&all, "%s%s", i ? ", " : "", limit_names[i]);
        }
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0603, setting->name.span, STR_ARGS(setting->name.text));
        if (nearest.best.length)
            diagnostic_label(scope->diagnostics, d, setting->name.span, "did you mean `%.*s`?", STR_ARGS(nearest.best));
        else
            diagnostic_label(scope->diagnostics, d, setting->name.span, "the limits are %.*s", STR_ARGS(text_str(&all)));
        break;
    }
    case SETTING_USER:
        check_user(scope, setting);
        break;
    case SETTING_CWD: {
        enum type have;
        bool typed = check_value(scope, setting->values, TYPE_PATH);
        const struct expr *literal = typed ? follow(scope, setting->values, &have) : NULL;
        if (literal)
            check_view_path(scope->compilation, literal);
        break;
    }
    case SETTING_ENV_KEEP:
        break;
    case SETTING_ENV_SET: {
        enum type have;
        unsigned before = scope->diagnostics->errors;
        const struct expr *literal = follow(scope, setting->values, &have);
        bool fits = literal ? literal->kind == EXPR_STRING || literal->kind == EXPR_INT || literal->kind == EXPR_BOOL
                            : have == TYPE_STRING || have == TYPE_PATH || have == TYPE_HOST || have == TYPE_INT || have == TYPE_BOOL || have == TYPE_PORT;
        if (!fits && scope->diagnostics->errors == before)
            report_type(scope->diagnostics, setting->values, TYPE_STRING, literal ? kind_name(literal->kind) : type_name(have));
        break;
    }
    }
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
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0311, span, STR_ARGS(target->name.text));
            diagnostic_label(scope->diagnostics, d, span, argument->name.text.length ? "none of its parameters is called so" : "one value more than it has parameters");
            diagnostic_label(scope->diagnostics, d, target->name.span, "the policy is here");
            continue;
        }
        if (map_put(&seen, parameter->name.text, parameter)) {
            diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0312, argument->value->span, STR_ARGS(parameter->name.text)), argument->value->span, "it has a value already");
            continue;
        }
        if (parameter->type != TYPE_NONE)
            check_value(scope, argument->value, parameter->type);
    }
    for (struct parameter *parameter = target->parameters; parameter; parameter = parameter->next)
        if (!parameter->value && !map_get(&seen, parameter->name.text)) {
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0313, use->span, STR_ARGS(parameter->name.text), STR_ARGS(target->name.text));
            diagnostic_label(scope->diagnostics, d, use->span, "write `%.*s(%.*s = %s)`", STR_ARGS(target->name.text), STR_ARGS(parameter->name.text), type_example(parameter->type));
            diagnostic_label(scope->diagnostics, d, parameter->name.span, "it has no default");
        }
}

static void check_policy(struct compilation *compilation, struct module *module, struct policy_decl *policy)
{
    struct scope scope = {compilation, &compilation->diagnostics, module, policy};
    struct map seen = {.arena = compilation->arena};
    for (struct parameter *parameter = policy->parameters; parameter; parameter = parameter->next) {
        struct parameter *other = map_put(&seen, parameter->name.text, parameter);
        if (other) {
            struct diagnostic *d = diagnose(scope.diagnostics, SBX0203, parameter->name.span, STR_ARGS(parameter->name.text));
            diagnostic_label(scope.diagnostics, d, parameter->name.span, "this policy has a parameter of this name already");
            diagnostic_label(scope.diagnostics, d, other->name.span, "here");
        }
        struct scope outside = {compilation, &compilation->diagnostics, module, NULL}; // a default can't use other parameters
        if (parameter->value && parameter->type != TYPE_NONE)
            check_value(&outside, parameter->value, parameter->type);
    }
    for (struct use_decl *use = policy->uses; use; use = use->next) {
        use->target = module_resolve_policy(compilation, module, use->path, use->span);
        if (use->target)
            check_arguments(&scope, use);
    }
    for (struct rule_decl *rule = policy->rules; rule; rule = rule->next)
        check_rule(&scope, rule);
    for (struct setting *setting = policy->settings; setting; setting = setting->next)
        check_setting(&scope, setting);
    for (struct secret_decl *secret = policy->secrets; secret; secret = secret->next) {
        check_value(&scope, secret->source, secret->from_env ? TYPE_STRING : TYPE_PATH);
        enum type have;
        const struct expr *at = check_value(&scope, secret->at, TYPE_PATH) ? follow(&scope, secret->at, &have) : NULL;
        if (at)
            check_view_path(compilation, at);
    }
    for (struct require_decl *require = policy->requires; require; require = require->next) {
        int feature = feature_find(require->feature.text);
        if (feature < 0) {
            struct nearest nearest = {.wrong = require->feature.text};
            struct text all = {.arena = compilation->arena};
            for (int i = 0; i < FEATURE_COUNT; i++) {
                nearest_offer(&nearest, str_from(feature_names[i]));
                text_addf(&all, "%s%s", i ? ", " : "", feature_names[i]);
            }
            struct diagnostic *d = diagnose(scope.diagnostics, SBX0604, require->feature.span, STR_ARGS(require->feature.text));
            if (nearest.best.length)
                diagnostic_label(scope.diagnostics, d, require->feature.span, "did you mean `%.*s`?", STR_ARGS(nearest.best));
            else
                diagnostic_label(scope.diagnostics, d, require->feature.span, "a host can be asked for %.*s", STR_ARGS(text_str(&all)));
        } else if (require->version && !feature_versions[feature]) {
            diagnostic_label(scope.diagnostics, diagnose(scope.diagnostics, SBX0605, require->span, feature_names[feature]), require->span, "a host has it or has it not");
        }
    }
}

// Every `use` leads away from where it started, or the cycle is printed.
static void check_use_cycle(struct compilation *compilation, struct policy_decl *start, struct policy_decl *policy, struct map *seen, const struct use_decl *first)
{
    for (struct use_decl *use = policy->uses; use; use = use->next) {
        if (!use->target)
            continue;
        const struct use_decl *origin = first ? first : use;
        if (use->target == start) {
            struct diagnostic *d = diagnose(&compilation->diagnostics, SBX0314, origin->span, STR_ARGS(start->name.text));
            diagnostic_label(&compilation->diagnostics, d, origin->span, "from here");
            if (use != origin)
                diagnostic_label(&compilation->diagnostics, d, use->span, "and back to `%.*s` here", STR_ARGS(start->name.text));
            use->target = NULL; // so that nothing later goes round in it
            continue;
        }
        struct str key = str_format(compilation->arena, "%p", (void *)use->target);
        if (!map_put(seen, key, use->target))
            check_use_cycle(compilation, start, use->target, seen, origin);
    }
}

void module_check(struct compilation *compilation, struct module *module)
{
    struct diagnostics *diagnostics = &compilation->diagnostics;
    module->let_map.arena = module->group_map.arena = module->policy_map.arena = compilation->arena;
    struct scope scope = {compilation, diagnostics, module, NULL};
    for (struct let_decl *let = module->lets; let; let = let->next) {
        struct let_decl *other = map_put(&module->let_map, let->name.text, let);
        if (other) {
            struct diagnostic *d = diagnose(diagnostics, SBX0204, let->name.span, "let", STR_ARGS(let->name.text));
            diagnostic_label(diagnostics, d, let->name.span, "a value never changes: give it another name");
            diagnostic_label(diagnostics, d, other->name.span, "first defined here");
        }
    }
    for (struct group_decl *group = module->groups; group; group = group->next) {
        struct group_decl *other = map_put(&module->group_map, group->name.text, group);
        if (other) {
            struct diagnostic *d = diagnose(diagnostics, SBX0204, group->name.span, "group", STR_ARGS(group->name.text));
            diagnostic_label(diagnostics, d, group->name.span, "give it another name");
            diagnostic_label(diagnostics, d, other->name.span, "first defined here");
        }
    }
    for (struct policy_decl *policy = module->policies; policy; policy = policy->next) {
        struct policy_decl *other = map_put(&module->policy_map, policy->name.text, policy);
        if (other) {
            struct diagnostic *d = diagnose(diagnostics, SBX0204, policy->name.span, "policy", STR_ARGS(policy->name.text));
            diagnostic_label(diagnostics, d, policy->name.span, "give it another name");
            diagnostic_label(diagnostics, d, other->name.span, "first defined here");
        }
    }
    for (struct let_decl *let = module->lets; let; let = let->next) {
        enum type have;
        const struct expr *literal = follow(&scope, let->value, &have);
        if (literal && literal->kind == EXPR_ENDPOINT)
            check_target(&scope, literal, 0);
    }
    // The library's groups are resolved when something names them: a run should not pay for those it does not use.
    for (struct group_decl *group = module->groups; group && !module->source->is_library; group = group->next)
        resolve_group(compilation, group);
    for (struct policy_decl *policy = module->policies; policy; policy = policy->next)
        check_policy(compilation, module, policy);
    for (struct policy_decl *policy = module->policies; policy; policy = policy->next) {
        struct map seen = {.arena = compilation->arena};
        check_use_cycle(compilation, policy, policy, &seen, NULL);
    }
}
