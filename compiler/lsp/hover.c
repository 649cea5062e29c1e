// What stands under the cursor, in a few lines.
#include <string.h>

#include "compiler/sets/condition_text.h"
#include "compiler/describe/describe.h"
#include "compiler/describe/markup.h"
#include "compiler/lsp/request.h"
#include "compiler/meaning/why.h"

static struct str text_of(const struct compilation *compilation, struct span span)
{
    const struct source *source = source_of(&compilation->sources, span);
    return source ? (struct str){source->text.text + span.start, span.end - span.start} : STR("");
}

// ---- Linux's names ------------------------------------------------------------------------------------------------

static void describe_a_call(struct text *out, int call)
{
    const struct syscall_row *row = syscall_row((size_t)call);
    text_addf(out, "**%s** %s\n\n```\n%s(", row->name, describe_call((size_t)call), row->name);
    for (int i = 0; i < row->argument_count; i++)
        text_addf(out, "%s%s", i ? ", " : "", row->arguments[i].name);
    text_addf(out, ")\n```\n");
    for (int i = 0; i < row->argument_count; i++)
        text_addf(out, "- `%s`: %s\n", row->arguments[i].name, describe_argument_type(row->arguments[i].type));
    text_addf(out, "\n");
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        text_addf(out, arch ? ", " : "");
        if (row->number[arch] >= 0)
            text_addf(out, "number %d on %s", row->number[arch], arch_names[arch]);
        else
            text_addf(out, "not on %s", arch_names[arch]);
    }
    text_addf(out, "\n");
}

// The first of the calls that a condition is about; -1 when none is known.
static int first_call(struct compilation *compilation, struct module *module, const struct operation *operation,
                      struct str argument)
{
    for (const struct call *call = operation ? operation->calls : NULL; call; call = call->next) {
        const struct group_decl *group = call->is_group ? group_find(compilation, module, call->name.text) : NULL;
        for (size_t i = 0; group && i < group->call_count; i++)
            if (syscall_argument(syscall_row(group->calls[i]), argument) >= 0)
                return group->calls[i];
        int index = call->is_group ? -1 : syscall_find(call->name.text);
        if (index >= 0)
            return index;
    }
    return -1;
}

static void describe_argument(struct text *out, const struct analysis *analysis, const struct name_use *name,
                              struct str text)
{
    int call = first_call(analysis->compilation, analysis->module, name->operation, text);
    int argument = call < 0 ? -1 : syscall_argument(syscall_row((size_t)call), text);
    if (argument < 0)
        return;
    const struct syscall_row *row = syscall_row((size_t)call);
    text_addf(out, "**%s** of `%s`: %s", row->arguments[argument].name, row->name,
              describe_argument_type(row->arguments[argument].type));
    size_t shown = 0;
    for (size_t i = 0; constant_row(i); i++)
        if (argument_takes_name(row, (unsigned)argument, constant_row(i)->name) == 1 && shown++ < 12)
            text_addf(out, "%s`%s`", shown == 1 ? "\n\n" : ", ", constant_row(i)->name);
    text_addf(out, shown > 12 ? ", …\n" : "\n");
}

static void describe_constant(struct text *out, struct str text)
{
    const struct constant_row *row = constant_find(text);
    if (!row)
        return;
    bool same = row->architectures == ARCH_ALL_MASK && row->value[0] == row->value[1];
    text_addf(out, "**%s**", row->name);
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        if (row->architectures >> arch & 1 && (arch == 0 || !same))
            text_addf(out, " = %lld (0x%llx)%s%s", (long long)row->value[arch], (unsigned long long)row->value[arch],
                      same ? "" : " on ", same ? "" : arch_names[arch]);
    text_addf(out, "\n");
}

// ---- names of policies --------------------------------------------------------------------------------------------

static void describe_policy(struct text *out, const struct compilation *compilation, const struct policy_decl *policy)
{
    text_addf(out, "```sbx\npolicy %.*s", STR_ARGS(policy->name.text));
    for (const struct parameter *p = policy->parameters; p; p = p->next) {
        struct str value = p->value ? text_of(compilation, p->value->span) : STR("");
        text_addf(out, "%s%.*s: %s%s%.*s%s", p == policy->parameters ? "(" : ", ", STR_ARGS(p->name.text),
                  type_name(p->type), value.length ? " = " : "", STR_ARGS(value), p->next ? "" : ")");
    }
    text_addf(out, "\n```\n");
    for (const struct setting *setting = policy->settings; setting; setting = setting->next)
        if (setting->kind == SETTING_SUMMARY) {
            markdown_add(out, setting->values->text);
            text_addf(out, "\n\n");
        }
    text_addf(out, "in ");
    markdown_add(out, policy->module->source->name);
    text_addf(out, "\n");
}

static void describe_group(struct text *out, const struct group_decl *group)
{
    enum { SHOWN = 60 };
    text_addf(out, "**@%.*s**, %zu system calls:\n\n", STR_ARGS(group->name.text), group->call_count);
    for (size_t i = 0; i < group->call_count && i < SHOWN; i++)
        text_addf(out, "%s%s", i ? ", " : "", syscall_row(group->calls[i])->name);
    text_addf(out, group->call_count > SHOWN ? ", and %zu more\n" : "\n", group->call_count - SHOWN);
}

static void describe_name(struct text *out, const struct analysis *analysis, const struct name_use *name)
{
    struct compilation *compilation = analysis->compilation;
    struct str text = text_of(compilation, name->span);
    int found;
    switch (name->kind) {
    case NAME_CALL:
        if ((found = syscall_find(text)) >= 0)
            describe_a_call(out, found);
        break;
    case NAME_ARGUMENT: describe_argument(out, analysis, name, text); break;
    case NAME_CONSTANT:
    case NAME_ERRNO:
    case NAME_CAPABILITY: describe_constant(out, text); break;
    case NAME_LIMIT:
        if ((found = limit_find(text)) >= 0)
            text_addf(out, "**%s**: %s\n", limit_names[found], describe_limit((enum limit)found));
        break;
    case NAME_FEATURE:
        if ((found = feature_find(text)) >= 0)
            text_addf(out, "**%s**%s%s\n", feature_names[found], feature_versions[found] ? "; its version is " : "",
                      feature_versions[found] ? feature_versions[found] : "");
        break;
    case NAME_GROUP:
        if (name->decl)
            describe_group(out, name->decl);
        break;
    case NAME_POLICY:
        if (name->decl)
            describe_policy(out, compilation, name->decl);
        break;
    case NAME_MODULE: {
        const struct import_decl *import = name->decl;
        const struct policy_decl *policy = name->policy               ? name->policy
                                           : import && import->module ? module_main_policy(import->module)
                                                                      : NULL;
        if (policy)
            describe_policy(out, compilation, policy);
        break;
    }
    case NAME_PARAMETER: {
        const struct parameter *p = name->decl;
        struct str value = p && p->value ? text_of(compilation, p->value->span) : STR("");
        if (p)
            text_addf(out, "```sbx\n%.*s: %s%s%.*s\n```\n", STR_ARGS(p->name.text), type_name(p->type),
                      value.length ? " = " : "", STR_ARGS(value));
        break;
    }
    case NAME_LET: {
        const struct let_decl *let = name->decl;
        if (let)
            text_addf(out, "```sbx\nlet %.*s = %.*s;\n```\n", STR_ARGS(let->name.text),
                      STR_ARGS(text_of(compilation, let->value->span)));
        break;
    }
    case NAME_SECRET: {
        const struct secret_decl *secret = name->decl;
        if (secret)
            text_addf(out, "```sbx\n%.*s\n```\n", STR_ARGS(text_of(compilation, secret->span)));
        break;
    }
    }
}

// ---- rules --------------------------------------------------------------------------------------------------------

// The rule of the text that stands at a place, and in which policy it does. NULL when there is none.
static const struct rule *rule_at(const struct analysis *analysis, uint32_t offset, struct policy **policy)
{
    size_t at = 0;
    for (const struct policy_decl *decl = analysis->module->policies; decl; decl = decl->next, at++) {
        *policy = analysis->policies[at];
        for (size_t i = 0; *policy && i < (*policy)->rule_count; i++) {
            const struct rule *rule = &(*policy)->rules[i];
            if (rule->span.source == analysis->source->number && !rule->chain && !rule->derived &&
                rule->span.start <= offset && offset <= rule->span.end)
                return rule;
        }
    }
    return NULL;
}

void lsp_hover(struct call_request *request)
{
    const struct analysis *analysis;
    uint32_t offset;
    if (!request_place(request, &analysis, &offset))
        return;
    struct text out = {.arena = request->arena};
    struct span span = {0};
    const struct name_use *name = names_at(analysis->names, offset);
    if (name) {
        describe_name(&out, analysis, name);
        span = name->span;
    }
    struct policy *policy = NULL;
    const struct rule *rule = rule_at(analysis, offset, &policy);
    if (rule) {
        struct text verdict = {.arena = request->arena};
        policy_why_rule(policy, rule, &verdict);
        text_addf(&out, "%s```\n%.*s```\n", out.length ? "\n" : "", STR_ARGS(text_str(&verdict)));
        span = name ? span : rule->span;
    }
    if (!out.length) {
        json_null(request->result);
        return;
    }
    json_open(request->result, '{');
    json_key(request->result, "contents");
    json_open(request->result, '{');
    json_member(request->result, "kind", STR("markdown"));
    json_member(request->result, "value", text_str(&out));
    json_close(request->result, '}');
    write_range(request->result, "range", analysis->source, span);
    json_close(request->result, '}');
}
