// Checking values: literals, and what a name stands for in its scope.
#include <string.h>

#include "lang/scope.h"

struct binding binding_find(const struct module *module, const struct policy_decl *policy, struct str name)
{
    for (struct parameter *p = policy ? policy->parameters : NULL; p; p = p->next)
        if (str_equal(p->name.text, name))
            return (struct binding){.parameter = p};
    return (struct binding){.let = map_get(&module->let_map, name)};
}

const char *view_path_flaw(struct str path)
{
    const char *problem = NULL;
    if (str_starts(path, STR("~")) || str_starts(path, STR("$HOME")) || str_starts(path, STR("${HOME}")))
        problem = "the caller's home is `home`: `allow read \"/project\" from home \"project\";`";
    else if (path.length == 0 || path.text[0] != '/')
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
    return problem;
}

bool check_view_path(struct compilation *compilation, const struct expr *expr)
{
    struct diagnostics *diagnostics = &compilation->diagnostics;
    struct str path = expr->text;
    const char *problem = view_path_flaw(path);
    if (problem) {
        struct diagnostic *d = diagnose(diagnostics, SBX0401, expr->span, STR_ARGS(path));
        diagnostic_label(diagnostics, d, expr->span, "%s", problem);
        size_t end = path.length;
        while (end > 1 && path.text[end - 1] == '/')
            end--;
        bool trailing =
            end < path.length && path.text[0] == '/' && expr->span.end - expr->span.start == path.length + 2;
        for (size_t i = 0; i < end && trailing; i++) // nothing else is wrong with it
            trailing = path.text[i] != '"' && path.text[i] != '\\' &&
                       (i == 0 || path.text[i] != '/' || path.text[i - 1] != '/') &&
                       !(path.text[i] == '.' && i && path.text[i - 1] == '/');
        if (trailing)
            diagnostic_fix(diagnostics, d, true, expr->span, "\"%.*s\"", (int)end, path.text);
        return false;
    }
    for (size_t i = 0; i < path.length; i++)
        if (path.text[i] == '*' || path.text[i] == '?' || path.text[i] == '[') {
            struct diagnostic *d = diagnose(diagnostics, SBX0402, expr->span, STR_ARGS(path));
            diagnostic_label(diagnostics, d, expr->span, "a pattern can't be enforced for files that do not exist yet");
            size_t folder = i;
            while (folder > 1 && path.text[folder - 1] != '/')
                folder--;
            diagnostic_help(diagnostics, d, "name the directory, which covers all beneath it: `\"%.*s\"`",
                            (int)(folder > 1 ? folder - 1 : 1), path.text);
            return false;
        }
    return true;
}

// A shell would put something else in the place of these words; nobody does here.
static const char *shell_word(struct str path)
{
    if (!path.length)
        return "a path is missing: the folder itself is `.`";
    if (path.text[0] == '~' || str_starts(path, STR("$HOME")) || str_starts(path, STR("${HOME}")))
        return "nothing puts a home in its place: the caller's home is `home`, as `from home \"project\"`";
    for (size_t i = 0; i + 1 < path.length; i++) {
        char next = path.text[i + 1];
        bool names =
            next == '{' || next == '(' || next == '_' || (next >= 'A' && next <= 'Z') || (next >= 'a' && next <= 'z');
        if (path.text[i] == '$' && names && (i == 0 || path.text[i - 1] == '/'))
            return "no variable gets a value here: a parameter stands without quotes, as `from $src`, and gets its "
                   "own by `-D src=…`";
    }
    return NULL;
}

bool check_host_path(struct compilation *compilation, const struct expr *expr)
{
    struct diagnostics *diagnostics = &compilation->diagnostics;
    const char *problem = shell_word(expr->text);
    if (problem) {
        diagnostic_label(diagnostics, diagnose(diagnostics, SBX0424, expr->span, STR_ARGS(expr->text)), expr->span,
                         "%s", problem);
        return false;
    }
    for (size_t i = 0; i < expr->text.length; i++)
        if (expr->text.text[i] == '*' || expr->text.text[i] == '?' || expr->text.text[i] == '[') {
            diagnostic_label(diagnostics, diagnose(diagnostics, SBX0402, expr->span, STR_ARGS(expr->text)), expr->span,
                             "name the folder of the host, which brings all beneath it");
            return false;
        }
    return true;
}

const char *variable_flaw(struct str name)
{
    if (str_is(name, PROXY_CREDENTIALS))
        return "it is sbxrun's alone: with it a sandbox would have the proxy's password";
    if (!name.length || memchr(name.text, '=', name.length))
        return "a variable has a name, and no `=` in it";
    return NULL;
}

// No name ends in a number, and none has two colons (RFC 1123 §2.1).
static bool is_address(struct str name)
{
    size_t end = name.length, colons = 0, hex = 0;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.text[i];
        colons += c == ':';
        hex += c == ':' || c == '.' || c == '/' || c == '[' || c == ']' || (c >= '0' && c <= '9') ||
               ((c | 32) >= 'a' && (c | 32) <= 'f');
    }
    if (hex == name.length && colons > 1)
        return true;
    while (end > 0 && name.text[end - 1] >= '0' && name.text[end - 1] <= '9')
        end--;
    bool number = end < name.length && memchr(name.text, '.', name.length);
    for (size_t i = 0; i < end; i++)
        number &= name.text[i] == '.' || name.text[i] == '/' || name.text[i] == ':' ||
                  (name.text[i] >= '0' && name.text[i] <= '9');
    return number;
}

const char *host_name_flaw(struct str name)
{
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
    else if (is_address(name))
        problem = memchr(name.text, '.', name.length) ? "an address stands without quotes: `10.0.0.1:443`"
                                                      : "an address stands in brackets, not quotes: `[2001:db8::1]`";
    for (size_t i = 0; !problem && i <= name.length; i++) {
        if (i < name.length && name.text[i] != '.') {
            char c = name.text[i];
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
            if (!letter)
                problem = c == ':' && i + 2 < name.length && name.text[i + 1] == '/'
                              ? "a host stands without scheme and path: `\"api.example.com\":443`"
                          : c == ':' ? "a port stands behind the name: `\"api.example.com\":443`"
                          : c == '*' ? "a wildcard stands alone at the front: `*.example.com`"
                                     : "labels have letters, digits and `-` (an IDN in its xn-- form)";
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
    return problem;
}

bool check_host_name(struct compilation *compilation, const struct expr *expr)
{
    const char *problem = host_name_flaw(expr->text);
    if (!problem)
        return true;
    struct diagnostics *diagnostics = &compilation->diagnostics;
    diagnostic_label(diagnostics, diagnose(diagnostics, SBX0403, expr->span, STR_ARGS(expr->text)), expr->span, "%s",
                     problem);
    return false;
}

bool check_variable(struct compilation *compilation, struct str name, struct span span)
{
    const char *problem = variable_flaw(name);
    if (problem)
        diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0612, span, STR_ARGS(name)),
                         span, "%s", problem);
    return !problem;
}

bool check_port(struct compilation *compilation, const struct expr *expr)
{
    if (expr->kind == EXPR_INT && expr->number <= 65535 && expr->prefix.length == 0)
        return true;
    diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0404, expr->span), expr->span,
                     "ports are numbers from 0 to 65535");
    return false;
}

const char *expr_kind_name(enum expr_kind kind)
{
    static const char *const names[] = {
        [EXPR_STRING] = "a string",   [EXPR_INT] = "a number",          [EXPR_DECIMAL] = "a number with a point",
        [EXPR_SIZE] = "a size",       [EXPR_DURATION] = "a duration",   [EXPR_BOOL] = "true or false",
        [EXPR_PREFIX] = "an address", [EXPR_LOOPBACK] = "`loopback`",   [EXPR_HOST_LOOPBACK] = "`host-loopback`",
        [EXPR_ANY] = "`any`",         [EXPR_REFERENCE] = "a parameter", [EXPR_ENDPOINT] = "an endpoint",
    };
    return names[kind];
}

static bool kind_fits(enum expr_kind kind, enum type type)
{
    switch (type) {
    case TYPE_PATH:
    case TYPE_STRING: return kind == EXPR_STRING;
    case TYPE_HOST: return kind == EXPR_STRING;
    case TYPE_SIZE: return kind == EXPR_SIZE;
    case TYPE_DURATION: return kind == EXPR_DURATION;
    case TYPE_INT:
    case TYPE_PORT: return kind == EXPR_INT;
    case TYPE_BOOL: return kind == EXPR_BOOL;
    case TYPE_CIDR: return kind == EXPR_PREFIX;
    case TYPE_ENDPOINT: return kind == EXPR_ENDPOINT;
    case TYPE_DECIMAL: return kind == EXPR_INT || kind == EXPR_DECIMAL;
    default: return true;
    }
}

const char *type_example(enum type type)
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

const char *type_article(enum type type)
{
    static const char *const names[] = {
        [TYPE_PATH] = "a path",
        [TYPE_SIZE] = "a size",
        [TYPE_DURATION] = "a duration",
        [TYPE_INT] = "an int",
        [TYPE_BOOL] = "a bool",
        [TYPE_STRING] = "a string",
        [TYPE_HOST] = "a host",
        [TYPE_CIDR] = "a cidr",
        [TYPE_PORT] = "a port",
        [TYPE_ENDPOINT] = "an endpoint",
        [TYPE_DECIMAL] = "a number of cores",
    };
    return names[type];
}

bool report_type(struct diagnostics *diagnostics, const struct expr *expr, enum type type, const char *got)
{
    if (expr->flawed)
        return false;
    struct diagnostic *d = diagnose(diagnostics, SBX0405, expr->span, type_article(type), got);
    diagnostic_label(diagnostics, d, expr->span, "%s is written like `%s`", type_article(type), type_example(type));
    return false;
}

static bool check_type(struct compilation *compilation, const struct expr *expr, enum type type)
{
    if (!kind_fits(expr->kind, type))
        return report_type(&compilation->diagnostics, expr, type, expr_kind_name(expr->kind));
    if (expr->kind == EXPR_INT && expr->prefix.length) {
        diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0408, expr->span),
                         expr->span, "only a condition on an argument can compare with one");
        return false;
    }
    if (type == TYPE_HOST)
        return check_host_name(compilation, expr);
    if (type == TYPE_PORT)
        return check_port(compilation, expr);
    return true;
}

// A default without an end, as of a string, may have swallowed the parameters behind it: that is said already.
static bool lost_parameter(const struct policy_decl *policy)
{
    for (const struct parameter *p = policy ? policy->parameters : NULL; p; p = p->next)
        if (p->value && p->value->flawed)
            return true;
    return false;
}

// The literal behind a value, through `let`s; NULL for a parameter (then *type is its type) or an error.
const struct expr *scope_follow(struct scope *scope, const struct expr *expr, enum type *type)
{
    *type = TYPE_NONE;
    for (int depth = 0; expr->kind == EXPR_REFERENCE; depth++) {
        struct binding binding = binding_find(scope->module, depth ? NULL : scope->policy, expr->text);
        if (binding.parameter) {
            *type = binding.parameter->type;
            return NULL;
        }
        if (!binding.let && lost_parameter(scope->policy))
            return NULL;
        if (!binding.let) {
            struct nearest nearest = diagnostics_nearest(scope->diagnostics, expr->text);
            for (struct parameter *p = scope->policy ? scope->policy->parameters : NULL; p; p = p->next)
                nearest_offer(&nearest, p->name.text);
            for (struct let_decl *let = scope->module->lets; let && nearest.wrong.length; let = let->next)
                nearest_offer(&nearest, let->name.text);
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0406, expr->span, STR_ARGS(expr->text));
            diagnostic_suggest(scope->diagnostics, d, expr->span, "$", &nearest,
                               scope->module->source ? "neither a parameter of this policy nor a `let` of this file"
                                                     : "a value from the command line stands for itself");
            return NULL;
        }
        if (depth > 64) {
            diagnostic_label(scope->diagnostics,
                             diagnose(scope->diagnostics, SBX0407, expr->span, STR_ARGS(expr->text)), expr->span,
                             "it is made of itself");
            return NULL;
        }
        expr = binding.let->value;
    }
    return expr;
}

static bool parameter_fits(enum type have, enum type want)
{
    return have == want || (want == TYPE_DECIMAL && have == TYPE_INT) || (want == TYPE_PORT && have == TYPE_INT) ||
           (want == TYPE_STRING && have == TYPE_HOST);
}

static bool check_ports(struct scope *scope, const struct expr *endpoint);

// A value in a place that wants a type. True unless something was wrong.
bool scope_check_value(struct scope *scope, const struct expr *expr, enum type want)
{
    unsigned before = scope->diagnostics->errors;
    enum type have;
    const struct expr *literal = scope_follow(scope, expr, &have);
    if (have != TYPE_NONE && !parameter_fits(have, want))
        return report_type(
            scope->diagnostics, expr, want,
            str_format(scope->compilation->arena, "the %s `$%.*s`", type_name(have), STR_ARGS(expr->text)).text);
    if (!literal)
        return scope->diagnostics->errors == before;
    if (literal->flawed)
        return false;
    if (literal != expr && !kind_fits(literal->kind, want))
        return report_type(scope->diagnostics, expr, want, expr_kind_name(literal->kind));
    if (literal->kind == EXPR_ENDPOINT && want == TYPE_ENDPOINT)
        return scope_check_target(scope, literal, 0);
    return check_type(scope->compilation, literal, want);
}

static bool check_ports(struct scope *scope, const struct expr *endpoint)
{
    bool good = true;
    for (const struct ports *ports = endpoint->ports; ports; ports = ports->next) {
        bool both = scope_check_value(scope, ports->first, TYPE_PORT);
        if (ports->last) {
            both = scope_check_value(scope, ports->last, TYPE_PORT) && both;
            if (both && ports->first->kind == EXPR_INT && ports->last->kind == EXPR_INT &&
                ports->first->number > ports->last->number) {
                struct span span = span_join(ports->first->span, ports->last->span);
                diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0409, span), span,
                                 "the smaller one stands first");
                both = false;
            }
        }
        good = good && both;
    }
    return good;
}

static bool is_place(const struct expr *expr)
{
    return expr->kind == EXPR_PREFIX || expr->kind == EXPR_LOOPBACK || expr->kind == EXPR_HOST_LOOPBACK ||
           expr->kind == EXPR_ANY;
}

bool scope_check_target(struct scope *scope, const struct expr *expr, unsigned protocols)
{
    enum type have;
    unsigned before = scope->diagnostics->errors;
    const struct expr *literal = scope_follow(scope, expr, &have);
    if (!literal) {
        if (have == TYPE_NONE || have == TYPE_HOST || have == TYPE_CIDR || have == TYPE_ENDPOINT ||
            (have == TYPE_PATH && protocols == PROTOCOL_UNIX))
            return scope->diagnostics->errors == before;
        return report_type(
            scope->diagnostics, expr, TYPE_ENDPOINT,
            str_format(scope->compilation->arena, "the %s `$%.*s`", type_name(have), STR_ARGS(expr->text)).text);
    }
    if (literal->flawed)
        return false;
    if (literal->kind == EXPR_ENDPOINT) {
        bool ports = check_ports(scope, literal);
        enum type host_type;
        const struct expr *host = scope_follow(scope, literal->host, &host_type);
        if (!host)
            return ports && scope->diagnostics->errors == before;
        if (host->flawed)
            return false;
        if (host->kind == EXPR_STRING && host->text.length && host->text.text[0] == '/')
            return ports; // a unix socket, which has no port: the compiler says so
        if (host->kind == EXPR_STRING)
            return check_host_name(scope->compilation, host) && ports;
        if (!is_place(host))
            return report_type(scope->diagnostics, literal->host, TYPE_HOST, expr_kind_name(host->kind));
        return ports;
    }
    if (literal->kind == EXPR_STRING)
        return protocols == PROTOCOL_UNIX || (literal->text.length && literal->text.text[0] == '/')
                   ? check_view_path(scope->compilation, literal)
                   : check_host_name(scope->compilation, literal);
    if (!is_place(literal))
        return report_type(scope->diagnostics, expr, TYPE_ENDPOINT, expr_kind_name(literal->kind));
    return true;
}
