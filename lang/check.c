// Checking a module: every name means something, every value has the type its place asks for.
#include <string.h>

#include "lang/scope.h"

// The literal of a target without its ports; NULL when a parameter stands there.
static const struct expr *target_place(struct scope *scope, const struct expr *target)
{
    enum type have;
    const struct expr *literal = scope_follow(scope, target, &have);
    return literal && literal->kind == EXPR_ENDPOINT ? scope_follow(scope, literal->host, &have) : literal;
}

// `private` and `at` say where a name leads.
static bool check_is_name(struct scope *scope, const struct operation *operation, const struct expr *target)
{
    const struct expr *place = target_place(scope, target);
    if (!place || (place->kind == EXPR_STRING && (!place->text.length || place->text.text[0] != '/')))
        return true;
    struct diagnostic *d =
        diagnose(scope->diagnostics, SBX0418, operation->clause, operation->private ? "private" : "at");
    diagnostic_label(scope->diagnostics, d, operation->clause, "only a name leads to addresses");
    diagnostic_label(scope->diagnostics, d, target->span, "this is none");
    return false;
}

static bool check_operation(struct scope *scope, const struct operation *operation)
{
    bool good = true;
    switch (operation->domain) {
    case DOMAIN_FILES:
        for (const struct expr *path = operation->paths; path; path = path->next) {
            enum type have;
            bool typed = scope_check_value(scope, path, TYPE_PATH);
            const struct expr *literal = typed ? scope_follow(scope, path, &have) : NULL;
            good = typed && (!literal || check_view_path(scope->compilation, literal)) && good;
        }
        return good;
    case DOMAIN_NET:
        for (const struct expr *target = operation->targets; target; target = target->next)
            good = scope_check_target(scope, target, operation->protocols) &&
                   (!(operation->private || operation->at) || check_is_name(scope, operation, target)) && good;
        return good;
    case DOMAIN_CALLS: return scope_check_calls(scope, operation);
    case DOMAIN_CAPABILITIES:
        for (const struct name_list *name = operation->capabilities; name; name = name->next) {
            if (capability_find(name->name.text) >= 0)
                continue;
            struct str meant = name->name.text;
            if (!str_starts(name->name.text, STR("CAP_"))) // as other tools call them
                meant = str_format(scope->compilation->arena, "CAP_%.*s", STR_ARGS(name->name.text));
            struct nearest nearest = diagnostics_nearest(scope->diagnostics, meant);
            for (size_t i = 0; constant_row(i); i++)
                if (capability_find(str_from(constant_row(i)->name)) >= 0)
                    nearest_offer(&nearest, str_from(constant_row(i)->name));
            if (!nearest.best.length)
                nearest = diagnostics_nearest(scope->diagnostics, name->name.text);
            nearest_offer(&nearest, STR("none"));
            if (str_is(meant, "CAP_ALL") || str_is(meant, "CAP_all"))
                nearest.best = STR(""); // which is like one of them, but means others
            struct diagnostic *d = diagnose(scope->diagnostics, SBX0601, name->name.span, STR_ARGS(name->name.text));
            diagnostic_suggest(scope->diagnostics, d, name->name.span, "", &nearest,
                               "each that is needed is named, as `CAP_NET_BIND_SERVICE`; or `none`: capabilities(7)");
            if (capability_find(meant) >= 0)
                diagnostic_fix(scope->diagnostics, d, true, name->name.span, "%.*s", STR_ARGS(meant));
            good = false;
        }
        return good;
    }
    return good;
}

bool operation_check(struct compilation *compilation, struct module *module, struct policy_decl *policy,
                     struct operation *operation)
{
    struct scope scope = {compilation, &compilation->diagnostics, module, policy, {0}};
    return check_operation(&scope, operation);
}

static void check_errno(struct scope *scope, struct name name)
{
    if (!name.text.length || str_is(name.text, "kill") || errno_find(name.text) >= 0)
        return;
    struct nearest nearest = diagnostics_nearest(scope->diagnostics, name.text);
    for (size_t i = 0; constant_row(i); i++)
        if (errno_find(str_from(constant_row(i)->name)) >= 0)
            nearest_offer(&nearest, str_from(constant_row(i)->name));
    struct diagnostic *d = diagnose(scope->diagnostics, SBX0510, name.span, STR_ARGS(name.text));
    diagnostic_suggest(scope->diagnostics, d, name.span, "", &nearest,
                       "an error as errno(3) names it, or `kill`, stands here");
}

static void check_content(struct scope *scope, const struct rule_decl *rule)
{
    const struct content *content = rule->content;
    if ((content || rule->if_exists) && rule->effect != EFFECT_ALLOW) {
        struct span span = content ? content->span : rule->span;
        diagnostic_label(scope->diagnostics,
                         diagnose(scope->diagnostics, SBX0410, span, content ? "from" : "if exists"), span,
                         "what is not allowed needs no content");
    }
    if (!content)
        return;
    if (rule->operation.paths && rule->operation.paths->next)
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0411, content->span), content->span,
                         "give each path its own rule");
    if (content->path) {
        enum type have;
        bool typed = scope_check_value(scope, content->path, TYPE_PATH);
        const struct expr *literal = typed ? scope_follow(scope, content->path, &have) : NULL;
        if (literal)
            check_host_path(scope->compilation, literal);
    }
    if (content->size)
        scope_check_value(scope, content->size, TYPE_SIZE);
    if (content->text)
        scope_check_value(scope, content->text, TYPE_STRING);
    if (content->kind == FROM_SANDBOX && sandbox_file_find(content->about.text) < 0) {
        struct nearest nearest = {.wrong = content->about.text};
        struct diagnostic *d =
            diagnose(scope->diagnostics, SBX0422, content->about.span, STR_ARGS(content->about.text));
        for (int i = 0; i < SANDBOX_FILE_COUNT; i++)
            nearest_offer(&nearest, str_from(sandbox_file_names[i]));
        diagnostic_suggest(scope->diagnostics, d, content->about.span, "", &nearest, "no file is made with this name");
    }
    if ((content->kind == FROM_TEXT || content->kind == FROM_SANDBOX) && rule->operation.verbs & ~(unsigned)VERB_READ)
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0423, content->span), content->span,
                         "what is made for the run can only be read");
    if (content->kind == FROM_SECRET) {
        if (map_get(&scope->secrets, content->secret.text))
            return;
        struct nearest nearest = diagnostics_nearest(scope->diagnostics, content->secret.text);
        for (const struct secret_decl *secret = scope->policy->secrets; secret && nearest.wrong.length;
             secret = secret->next)
            nearest_offer(&nearest, secret->name.text);
        struct diagnostic *d =
            diagnose(scope->diagnostics, SBX0412, content->secret.span, STR_ARGS(content->secret.text));
        diagnostic_suggest(scope->diagnostics, d, content->secret.span, "", &nearest,
                           "the policy's `secrets` block has none with this name");
    }
}

// Whoever allows says what; and what is denied by a name is denied wherever it leads.
static void check_net_rule(struct scope *scope, const struct rule_decl *rule)
{
    if (rule->operation.private && rule->effect != EFFECT_ALLOW)
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0419, rule->operation.clause),
                         rule->operation.clause, "leave it away: this is about the name wherever it leads");
    for (const struct expr *target = rule->operation.targets; target && rule->effect == EFFECT_ALLOW;
         target = target->next) {
        const struct expr *place = target_place(scope, target);
        if (place && place->kind == EXPR_ANY)
            diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0420, target->span), target->span,
                             "say what: names, or addresses as `0.0.0.0/0, [::]/0`, `host-loopback`, `loopback`");
    }
}

static void check_rule(struct scope *scope, const struct rule_decl *rule)
{
    check_operation(scope, &rule->operation);
    check_net_rule(scope, rule);
    if (rule->except) {
        check_operation(scope, rule->except);
        if (rule->effect != EFFECT_DENY)
            diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0413, rule->except->span),
                             rule->except->span, "to allow less, name less, or deny the rest");
    }
    if (rule->deny_with.text.length && rule->effect != EFFECT_DENY)
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0414, rule->deny_with.span),
                         rule->deny_with.span, "only a deny answers with an error");
    check_errno(scope, rule->deny_with);
    check_content(scope, rule);
}

static void check_user(struct scope *scope, const struct setting *setting)
{
    if (setting->values) {
        if (scope_check_value(scope, setting->values, TYPE_INT) && setting->values->kind == EXPR_INT &&
            setting->values->number > 65535)
            diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0602, setting->values->span),
                             setting->values->span, "a user's number here is at most 65535");
        return;
    }
    struct str name = setting->name.text;
    if (!str_is(name, "root") && !str_is(name, "nobody") && !str_is(name, "self"))
        diagnostic_label(scope->diagnostics, diagnose(scope->diagnostics, SBX0602, setting->name.span),
                         setting->name.span, "it is `root`, `nobody`, `self` or a number");
}

bool check_proxy(struct compilation *compilation, const struct expr *value, struct proxy_url *url)
{
    const char *wrong = proxy_url_parse(compilation->arena, value->text, url);
    if (wrong)
        diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0610, value->span),
                         value->span, "%s", wrong);
    return !wrong;
}

// Limits as other tools call them.
static const struct {
    const char *word, *limit;
} elsewhere[] = {
    {"mem", "memory"},         {"ram", "memory"},        {"as", "memory"},          {"memory_max", "memory"},
    {"timeout", "lifetime"},   {"time", "lifetime"},     {"wall_time", "lifetime"}, {"cpus", "cpu"},
    {"cores", "cpu"},          {"processes", "pids"},    {"nproc", "pids"},         {"tasks", "pids"},
    {"nofile", "open_files"},  {"files", "open_files"},  {"fsize", "file_size"},    {"rttime", "cpu_time"},
    {"cpu_shares", "cpu_weight"}, {"stdout", "output"},  {"disk", "io"},
};

static void check_setting(struct scope *scope, const struct setting *setting)
{
    switch (setting->kind) {
    case SETTING_SUMMARY: break;
    case SETTING_COMMAND:
        for (const struct expr *value = setting->values; value; value = value->next) {
            enum type have;
            unsigned before = scope->diagnostics->errors;
            const struct expr *literal = scope_follow(scope, value, &have);
            if (have != TYPE_NONE && have != TYPE_STRING && have != TYPE_PATH && have != TYPE_HOST)
                report_type(scope->diagnostics, value, TYPE_STRING, type_name(have));
            else if (literal && literal->kind != EXPR_STRING && scope->diagnostics->errors == before)
                report_type(scope->diagnostics, value, TYPE_STRING, expr_kind_name(literal->kind));
        }
        break;
    case SETTING_DEFAULT: check_errno(scope, setting->name); break;
    case SETTING_LIMIT: {
        int limit = limit_find(setting->name.text);
        if (limit >= 0) {
            scope_check_value(scope, setting->values, limit_types[limit]);
            break;
        }
        struct nearest nearest = diagnostics_nearest(scope->diagnostics, setting->name.text);
        struct text all = {.arena = scope->compilation->arena};
        for (int i = 0; i < LIMIT_COUNT; i++) {
            nearest_offer(&nearest, str_from(limit_names[i]));
            text_addf(&all, "%s%s", i ? ", " : "", limit_names[i]);
        }
        for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
            if (str_is(setting->name.text, elsewhere[i].word))
                nearest.best = str_from(elsewhere[i].limit);
        struct diagnostic *d = diagnose(scope->diagnostics, SBX0603, setting->name.span, STR_ARGS(setting->name.text));
        diagnostic_suggest(scope->diagnostics, d, setting->name.span, "", &nearest, "the limits are %.*s",
                           STR_ARGS(text_str(&all)));
        break;
    }
    case SETTING_USER: check_user(scope, setting); break;
    case SETTING_CWD: {
        enum type have;
        bool typed = scope_check_value(scope, setting->values, TYPE_PATH);
        const struct expr *literal = typed ? scope_follow(scope, setting->values, &have) : NULL;
        if (literal)
            check_view_path(scope->compilation, literal);
        break;
    }
    case SETTING_PROXY: {
        enum type have;
        bool typed = scope_check_value(scope, setting->values, TYPE_STRING);
        const struct expr *literal = typed ? scope_follow(scope, setting->values, &have) : NULL;
        if (literal)
            check_proxy(scope->compilation, literal, &(struct proxy_url){0});
        break;
    }
    case SETTING_ENV_KEEP:
        for (const struct name_list *name = setting->names; name; name = name->next)
            check_variable(scope->compilation, name->name.text, name->name.span);
        break;
    case SETTING_ENV_SET: {
        check_variable(scope->compilation, setting->name.text, setting->name.span);
        enum type have;
        unsigned before = scope->diagnostics->errors;
        const struct expr *literal = scope_follow(scope, setting->values, &have);
        bool fits = literal ? literal->kind == EXPR_STRING || literal->kind == EXPR_INT || literal->kind == EXPR_BOOL
                            : have == TYPE_STRING || have == TYPE_PATH || have == TYPE_HOST || have == TYPE_INT ||
                                  have == TYPE_BOOL || have == TYPE_PORT;
        if (!fits && scope->diagnostics->errors == before)
            report_type(scope->diagnostics, setting->values, TYPE_STRING,
                        literal ? expr_kind_name(literal->kind) : type_name(have));
        break;
    }
    }
}

static void check_policy(struct compilation *compilation, struct module *module, struct policy_decl *policy)
{
    struct scope scope = {compilation, &compilation->diagnostics, module, policy, {.arena = compilation->arena}};
    struct map seen = {.arena = compilation->arena};
    for (struct parameter *parameter = policy->parameters; parameter; parameter = parameter->next) {
        struct parameter *other = map_put(&seen, parameter->name.text, parameter);
        if (other) {
            struct diagnostic *d =
                diagnose(scope.diagnostics, SBX0203, parameter->name.span, STR_ARGS(parameter->name.text));
            diagnostic_label(scope.diagnostics, d, parameter->name.span,
                             "this policy has a parameter of this name already");
            diagnostic_label(scope.diagnostics, d, other->name.span, "here");
        }
        struct scope outside = {
            compilation, &compilation->diagnostics, module, NULL, {0}}; // a default can't use other parameters
        if (parameter->value && parameter->type != TYPE_NONE)
            scope_check_value(&outside, parameter->value, parameter->type);
    }
    scope_check_uses(&scope);
    for (struct secret_decl *secret = policy->secrets; secret; secret = secret->next) {
        struct secret_decl *other = map_put(&scope.secrets, secret->name.text, secret);
        if (other) {
            struct diagnostic *d =
                diagnose(scope.diagnostics, SBX0204, secret->name.span, "secret", STR_ARGS(secret->name.text));
            diagnostic_label(scope.diagnostics, d, secret->name.span, "give it another name");
            diagnostic_label(scope.diagnostics, d, other->name.span, "first defined here");
        }
    }
    for (struct rule_decl *rule = policy->rules; rule; rule = rule->next)
        check_rule(&scope, rule);
    for (struct setting *setting = policy->settings; setting; setting = setting->next)
        check_setting(&scope, setting);
    for (struct secret_decl *secret = policy->secrets; secret; secret = secret->next) {
        enum type have;
        bool typed = scope_check_value(&scope, secret->source, secret->from_env ? TYPE_STRING : TYPE_PATH);
        const struct expr *source = typed ? scope_follow(&scope, secret->source, &have) : NULL;
        if (source && secret->from_env)
            check_variable(compilation, source->text, source->span);
        else if (source)
            check_host_path(compilation, source);
        const struct expr *at =
            scope_check_value(&scope, secret->at, TYPE_PATH) ? scope_follow(&scope, secret->at, &have) : NULL;
        if (at)
            check_view_path(compilation, at);
    }
    for (struct require_decl *require = policy->requires; require; require = require->next) {
        int feature = feature_find(require->feature.text);
        if (feature < 0) {
            struct nearest nearest = diagnostics_nearest(scope.diagnostics, require->feature.text);
            struct text all = {.arena = compilation->arena};
            for (int i = 0; i < FEATURE_COUNT; i++) {
                nearest_offer(&nearest, str_from(feature_names[i]));
                text_addf(&all, "%s%s", i ? ", " : "", feature_names[i]);
            }
            struct diagnostic *d =
                diagnose(scope.diagnostics, SBX0604, require->feature.span, STR_ARGS(require->feature.text));
            diagnostic_suggest(scope.diagnostics, d, require->feature.span, "", &nearest,
                               "a host can be asked for %.*s", STR_ARGS(text_str(&all)));
        } else if (require->version && !feature_versions[feature]) {
            diagnostic_label(scope.diagnostics,
                             diagnose(scope.diagnostics, SBX0605, require->span, feature_names[feature]), require->span,
                             "a host has it or has it not");
        }
    }
}

void module_check(struct compilation *compilation, struct module *module)
{
    struct diagnostics *diagnostics = &compilation->diagnostics;
    module->let_map.arena = module->group_map.arena = module->policy_map.arena = compilation->arena;
    struct scope scope = {compilation, diagnostics, module, NULL, {0}};
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
            struct diagnostic *d =
                diagnose(diagnostics, SBX0204, group->name.span, "group", STR_ARGS(group->name.text));
            diagnostic_label(diagnostics, d, group->name.span, "give it another name");
            diagnostic_label(diagnostics, d, other->name.span, "first defined here");
        }
    }
    for (struct policy_decl *policy = module->policies; policy; policy = policy->next) {
        struct policy_decl *other = map_put(&module->policy_map, policy->name.text, policy);
        if (other) {
            struct diagnostic *d =
                diagnose(diagnostics, SBX0204, policy->name.span, "policy", STR_ARGS(policy->name.text));
            diagnostic_label(diagnostics, d, policy->name.span, "give it another name");
            diagnostic_label(diagnostics, d, other->name.span, "first defined here");
        }
    }
    for (struct let_decl *let = module->lets; let; let = let->next) {
        enum type have;
        const struct expr *literal = scope_follow(&scope, let->value, &have);
        if (literal && literal->kind == EXPR_ENDPOINT)
            scope_check_target(&scope, literal, 0);
    }
    // The library's groups are resolved when something names them: a run should not pay for those it does not use.
    for (struct group_decl *group = module->groups; group && !module->source->is_library; group = group->next)
        scope_check_group(&scope, group);
    for (struct policy_decl *policy = module->policies; policy; policy = policy->next)
        check_policy(compilation, module, policy);
    for (struct policy_decl *policy = module->policies; policy; policy = policy->next)
        scope_check_use_circles(compilation, policy);
}
