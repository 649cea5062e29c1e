// Repositories that a policy lets be written, which the host's git runs programs for later.
#include <string.h>

#include "compiler/lint/lint.h"

// Of a repository what git runs, or what names such a thing (gitrepository-layout(5), git-config(1), githooks(5),
// git-worktree(1), git-rebase(1): a list of what is left to do may have lines that are run).
static const char *const obeyed[] = {"config",    "hooks",   "commondir",    "config.worktree",
                                     "worktrees", "modules", "rebase-merge", "rebase-apply"};

enum { OBEYED = sizeof obeyed / sizeof *obeyed };

static bool uses_git(const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct source *source = source_of(&policy->compilation->sources, policy->rules[i].span);
        if (source && source->is_library && str_is(source->name, "std/git.sbx"))
            return true;
    }
    return false;
}

static bool is_memory(const struct rule *rule)
{
    return rule->content && rule->content->kind != FROM_POLICY && rule->content->kind != FROM_SAME &&
           rule->content->kind != FROM_CWD && rule->content->kind != FROM_HOME;
}

// How many of them may be written in the repository that lies at a path; the first is *open.
static unsigned count_open(struct policy *policy, struct str path, struct str *open)
{
    unsigned count = 0;
    for (size_t i = 0; i < OBEYED; i++) {
        struct str at =
            str_format(policy->arena, "%.*s/.git/%s", path.length == 1 ? 0 : (int)path.length, path.text, obeyed[i]);
        struct operation_point point = {.domain = DOMAIN_FILES, .verb = VERB_MODIFY, .path = at};
        if (policy_verdict(policy, &point).allowed && !count++)
            *open = at;
    }
    return count;
}

// Which folder is a repository no policy says. So where one is covered that one is meant, and one that is so in part;
// where none is, the first.
void lint_git(struct policy *policy)
{
    const struct rule *found = NULL;
    struct str first = {0};
    bool in_part = false;
    if (!uses_git(policy))
        return;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain != DOMAIN_FILES || rule->effect != EFFECT_ALLOW || rule->chain || is_memory(rule) ||
            !(rule->verbs & VERB_MODIFY))
            continue;
        for (size_t k = 0; k < rule->path_count; k++) {
            struct str open = {0};
            unsigned count = count_open(policy, rule->paths[k], &open);
            if (!count)
                return;
            if (found && (in_part || count == OBEYED))
                continue;
            found = rule;
            first = open;
            in_part = count < OBEYED;
        }
    }
    struct diagnostic *d = found ? lint_finding(policy, SBX0726, found->span, STR_ARGS(first)) : NULL;
    if (!d)
        return;
    struct str repository = {first.text, (size_t)(strstr(first.text, "/.git/") - first.text) + 5};
    diagnostic_label(&policy->compilation->diagnostics, d, found->span, "this allows it");
    diagnostic_help(&policy->compilation->diagnostics, d,
                    "`deny write \"%.*s\";` keeps all of it; what is to be committed goes into a clone elsewhere",
                    STR_ARGS(repository));
}
