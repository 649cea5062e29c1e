// Settings that hardly say what their author thinks: a command in one word, a limit beside a smaller one, what only a
// shell would read.
#include <string.h>

#include "compiler/lint/lint.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static void lint_one_word(struct policy *policy)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    const struct setting *setting = policy->decl->settings;
    while (setting && setting->kind != SETTING_COMMAND)
        setting = setting->next;
    if (!setting || !policy->command.set || policy->command.distance || !policy->command.count)
        return;
    struct str word = policy->command.list[0];
    struct text several = {.arena = policy->arena};
    size_t count = 0;
    for (size_t i = 0, start = 0; i <= word.length; i++) {
        if (i < word.length && !is_space(word.text[i]))
            continue;
        if (i > start)
            text_addf(&several, "%s\"%.*s\"", count++ ? ", " : "", (int)(i - start), word.text + start);
        start = i + 1;
    }
    struct span span = setting->values->span;
    struct diagnostic *d = count > 1 ? lint_finding(policy, SBX0719, span, STR_ARGS(word)) : NULL;
    if (!d)
        return;
    diagnostic_label(diagnostics, d, span, "no shell takes it apart: `command %.*s;`", STR_ARGS(text_str(&several)));
    if (setting->values->kind == EXPR_STRING && !memchr(word.text, '"', word.length) &&
        !memchr(word.text, '\\', word.length))
        diagnostic_fix(diagnostics, d, false, span, "%.*s", STR_ARGS(text_str(&several)));
}

static void lint_limits(struct policy *policy)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    for (const struct needless_limit *n = policy->needless_limits; n; n = n->next) {
        struct diagnostic *d = lint_finding(policy, SBX0720, n->span, limit_names[n->limit]);
        if (!d)
            continue;
        diagnostic_label(diagnostics, d, n->span, "of several the smallest counts");
        diagnostic_label(diagnostics, d, n->smaller, "which is this");
    }
}

// What a shell would put something else in the place of, in one part of a value.
static bool is_for_a_shell(struct str part)
{
    if (part.length && part.text[0] == '~' && (part.length == 1 || part.text[1] == '/'))
        return true;
    for (size_t i = 0; i < part.length; i++) {
        char next = i + 1 < part.length ? part.text[i + 1] : '\0';
        bool starts = i == 0 || part.text[i - 1] == '/', letter = (next | 32) >= 'a' && (next | 32) <= 'z';
        if (part.text[i] == '$' && starts && (next == '{' || next == '(' || next == '_' || letter))
            return true;
        if (part.text[i] == '*' && memchr(part.text, '/', part.length))
            return true;
    }
    return false;
}

static void lint_environment(struct policy *policy)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    for (size_t i = 0; i < policy->env_count; i++) {
        const struct env_value *variable = &policy->env[i];
        if (variable->keep || variable->distance)
            continue;
        for (size_t at = 0, start = 0; at <= variable->value.length; at++) { // parts as PATH has them
            if (at < variable->value.length && variable->value.text[at] != ':')
                continue;
            struct str part = {variable->value.text + start, at - start};
            start = at + 1;
            if (!is_for_a_shell(part))
                continue;
            struct diagnostic *d = lint_finding(policy, SBX0721, variable->span, STR_ARGS(part));
            if (!d)
                break;
            diagnostic_label(diagnostics, d, variable->span, "no shell reads it: the command gets these letters");
            diagnostic_help(diagnostics, d,
                            "write the value; `env keep %.*s;` takes the caller's, a parameter gets its own by -D",
                            STR_ARGS(variable->name));
            break;
        }
    }
}

void lint_settings(struct policy *policy)
{
    lint_one_word(policy);
    lint_limits(policy);
    lint_environment(policy);
}
