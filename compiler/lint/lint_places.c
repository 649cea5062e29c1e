// Places at which there is nothing to allow, for what `from proc` and `from dev` hold is a short list, and new memory
// is empty; and places of the host that are written by a right that stands elsewhere.
#include <string.h>

#include "compiler/lint/lint.h"
#include "compiler/meaning/search.h"

enum { BY_HAND = 500 }; // as many as one writes

static const struct {
    enum source_kind kind;
    bool numbers; // processes
    const char *names[16], *says;
} contents[] = {
    {FROM_PROC, true, {"self", "thread-self"}, "the sandbox's /proc shows its own processes, and nothing of the host"},
    {FROM_DEV,
     false,
     {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin", "stdout", "stderr"},
     "the sandbox's /dev has null, zero, full, random, urandom, tty and terminals of its own"},
};

static bool is_number(struct str text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
    return text.length;
}

// Is there, or may there be, something with the path's first name beneath the place?
static bool may_hold(size_t row, struct str place, struct str path)
{
    struct str name = {path.text + place.length + 1, path.length - place.length - 1};
    const char *end = memchr(name.text, '/', name.length);
    if (end)
        name.length = (size_t)(end - name.text);
    for (size_t i = 0; contents[row].names[i]; i++)
        if (str_is(name, contents[row].names[i]))
            return true;
    return contents[row].numbers && is_number(name);
}

// The rule that gives the path its content: the one with the deepest `from` at or above it.
static const struct rule *content_of(const struct policy *policy, struct str path)
{
    const struct rule *deepest = NULL;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain == DOMAIN_FILES && rule->effect == EFFECT_ALLOW && rule->content &&
            path_covers(rule->paths[0], path) && (!deepest || rule->paths[0].length > deepest->paths[0].length))
            deepest = rule;
    }
    return deepest;
}

static void judge(struct policy *policy, const struct rule *rule, struct str path)
{
    const struct rule *source = content_of(policy, path);
    for (size_t row = 0; source && row < sizeof contents / sizeof *contents; row++) {
        if (source->content->kind != contents[row].kind || str_equal(source->paths[0], path) ||
            may_hold(row, source->paths[0], path))
            continue;
        struct diagnostic *d = lint_finding(policy, SBX0718, rule->span, STR_ARGS(path));
        if (!d)
            continue;
        diagnostic_label(&policy->compilation->diagnostics, d, rule->span, "%s", contents[row].says);
        if (contents[row].kind == FROM_PROC)
            diagnostic_help(&policy->compilation->diagnostics, d,
                            "a file of the host's own at another place: `allow read \"/host/…\" from \"%.*s\";`",
                            STR_ARGS(path));
    }
}

// Who lets be read again what can be read there anyhow means what the host has at that path.
bool lint_is_hidden(const struct policy *policy, const struct rule *rule, struct str path)
{
    const struct rule *source = rule->content || !(rule->verbs & VERB_READ) ? NULL : content_of(policy, path);
    return source && source->content->kind == FROM_TMPFS && source->verbs & VERB_READ &&
           !str_equal(source->paths[0], path);
}

static void judge_hidden(struct policy *policy, const struct rule *rule, struct str path)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    if (!lint_is_hidden(policy, rule, path))
        return;
    const struct rule *source = content_of(policy, path);
    struct diagnostic *d = lint_finding(policy, SBX0722, rule->span, STR_ARGS(path));
    if (!d)
        return;
    diagnostic_label(diagnostics, d, rule->span, "for what the host has there: `… \"%.*s\" from \"%.*s\"`",
                     STR_ARGS(path), STR_ARGS(path));
    diagnostic_label(diagnostics, d, source->span, "new memory, which is empty");
}

// Rights add up, so a rule that shows something of the host to be read may lie beneath one that allows to write.
static void judge_shown(struct policy *policy, const struct rule *rule)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    struct str path = rule->paths[0];
    for (unsigned verb = VERB_MODIFY; verb <= VERB_DELETE; verb <<= 1) {
        struct verdict verdict = policy_verdict(
            policy, &(struct operation_point){.domain = DOMAIN_FILES, .verb = verb, .path = path});
        bool stated = !verdict.allowed;
        for (size_t i = 0; !stated && i < verdict.rule->path_count; i++)
            stated = str_equal(verdict.rule->paths[i], path);
        if (stated)
            continue;
        struct diagnostic *d = lint_finding(policy, SBX0723, rule->span, STR_ARGS(path));
        if (!d)
            return;
        diagnostic_label(diagnostics, d, rule->span, "so the host's files here are no copy, and not only read");
        diagnostic_label(diagnostics, d, verdict.rule->span, "allows it, there too");
        diagnostic_help(diagnostics, d,
                        "`deny write \"%.*s\";` keeps them as they are; where it is meant, allow it in this rule",
                        STR_ARGS(path));
        return;
    }
}

void lint_places(struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count && policy->rule_count < 4 * BY_HAND; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->domain != DOMAIN_FILES || rule->effect != EFFECT_ALLOW || rule->chain)
            continue;
        for (size_t k = 0; !rule->content && k < rule->path_count; k++) {
            judge(policy, rule, rule->paths[k]);
            judge_hidden(policy, rule, rule->paths[k]);
        }
        if (rule->content && rule->content->kind == FROM_POLICY)
            judge_shown(policy, rule);
    }
}

// Whether something in the sandbox may bind on the ports and protocols of a box of its loopback.
static bool is_served(struct policy *policy, const struct net_box *box)
{
    struct net_box both[2];
    for (int i = 0; i < 2; i++) {
        both[i] = *box;
        both[i].verbs = VERB_BIND;
        both[i].first = net_prefix_first(net_loopbacks[i]);
        both[i].last = net_prefix_last(net_loopbacks[i]);
    }
    struct rule set = {.effect = EFFECT_ASK, .domain = DOMAIN_NET, .net = {both, 2}};
    struct operation_point found;
    return operation_find(policy, &set, true, &found) != 0;
}

// Who connects to 127.0.0.1 outside finds the host's servers there; inside it is another loopback.
void lint_loopback(struct policy *policy)
{
    enum { NAMES = 53 }; // where sbxrun itself answers
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    for (size_t i = 0; i < policy->net_rule_count && policy->net_rule_count <= BY_HAND; i++) {
        const struct rule *rule = policy->net_rules[i];
        bool connects = false, served = false;
        for (size_t k = 0; rule->effect == EFFECT_ALLOW && !rule->chain && !rule->derived && k < rule->net.count; k++) {
            const struct net_box *box = &rule->net.boxes[k];
            if (!(box->verbs & VERB_CONNECT) || !net_box_is_loopback(box))
                continue;
            connects = true;
            served |= (box->port_first == NAMES && box->port_last == NAMES) ||
                      is_served(policy, box);
        }
        struct diagnostic *d = connects && !served ? lint_finding(policy, SBX0725, rule->span) : NULL;
        if (!d)
            continue;
        diagnostic_label(diagnostics, d, rule->span, "no rule allows to bind there");
        diagnostic_help(diagnostics, d,
                        "the host's own is `host-loopback`; for a server inside: `allow bind, listen, connect tcp "
                        "loopback:8080;`");
    }
}
