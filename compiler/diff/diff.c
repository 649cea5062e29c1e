// Comparing two policies: differences of sets, written as rules would be.
#include "compiler/diff/diff.h"

#include <string.h>

#include "compiler/diff/compare_files.h"
#include "compiler/sets/call_groups.h"
#include "compiler/code/cbpf.h"
#include "compiler/sets/condition_text.h"
#include "compiler/plan/json.h"
#include "compiler/plan/lower.h"
#include "compiler/sets/quantity.h"
#include "compiler/meaning/search.h"

// ---- network ------------------------------------------------------------------------------------------------------

struct net_comparison {
    const struct policy *allows, *other;
};

static bool allowed_by_one(const struct net_point *point, void *context)
{
    const struct net_comparison *net = context;
    return policy_net_allows(net->allows, point) && !policy_net_allows(net->other, point);
}

static bool is_prefix(const struct net_box *box, const struct prefix *prefix)
{
    return box->place == NET_ADDRESS && box->first == net_prefix_first(prefix) && box->last == net_prefix_last(prefix);
}

// A part that is one half of what the language calls loopback: takes the other half out of the list that follows. False
// when it is not there.
static bool take_other_loopback(struct net_part *part)
{
    bool v4 = is_prefix(&part->box, &net_loopback_v4);
    if (!v4 && !is_prefix(&part->box, &net_loopback_v6))
        return false;
    for (struct net_part **at = &part->next; *at; at = &(*at)->next) {
        const struct net_box *box = &(*at)->box;
        if (is_prefix(box, v4 ? &net_loopback_v6 : &net_loopback_v4) && box->verbs == part->box.verbs &&
            box->protocols == part->box.protocols && box->port_first == part->box.port_first &&
            box->port_last == part->box.port_last) {
            *at = (*at)->next;
            return true;
        }
    }
    return false;
}

static void compare_net_way(struct comparing *c, struct policy *allows, struct policy *other, enum difference_kind kind)
{
    size_t boxes = 0;
    for (size_t i = 0; i < allows->rule_count; i++)
        boxes += allows->rules[i].net.count;
    struct net_set all = {NEW_ARRAY(c->arena, struct net_box, boxes), 0};
    for (size_t i = 0; i < allows->rule_count; i++) {
        const struct rule *rule = &allows->rules[i];
        for (size_t k = 0; rule->domain == DOMAIN_NET && rule->effect == EFFECT_ALLOW && k < rule->net.count; k++)
            all.boxes[all.count++] = rule->net.boxes[k];
    }
    if (!all.count)
        return;
    const struct net_set **borders =
        NEW_ARRAY(c->arena, const struct net_set *, 2 * (allows->net_rule_count + other->net_rule_count));
    size_t count = policy_net_sets(allows, borders);
    count += policy_net_sets(other, borders + count);
    struct net_comparison net = {allows, other};
    for (struct net_part *part = net_set_select(c->arena, &all, borders, count, allowed_by_one, &net); part;
         part = part->next) {
        struct text text = {.arena = c->arena};
        text_addf(&text, "%s ", diff_effect(kind));
        net_part_print(&text, part, take_other_loopback(part) ? "loopback" : NULL);
        struct difference *d = diff_add(c, "network", kind, text_str(&text));
        bool whole = part->box.first == 0 && part->box.last == ~(net_address)0;
        struct net_point point = {
            .verb = part->box.verbs & -part->box.verbs,
            .protocol = part->box.protocols & -part->box.protocols,
            .place = part->box.place == NET_WILDCARD ? NET_NAME : part->box.place,
            .address = part->box.first,
            .anywhere = net_box_has_name(&part->box) && whole,
            .name = part->box.place == NET_WILDCARD ? str_format(c->arena, "any.%.*s", STR_ARGS(part->box.name))
                                                    : part->box.name,
            .port = part->box.port_first,
        };
        if (allowed_by_one(&point, &net))
            diff_explain(c, d, &(struct operation_point){.domain = DOMAIN_NET, .verb = point.verb, .net = point});
    }
}

// ---- system calls -------------------------------------------------------------------------------------------------

static uint32_t newly_allowed(uint32_t before, uint32_t after)
{
    return before != SECCOMP_ALLOW && after == SECCOMP_ALLOW;
}

static uint32_t newly_denied(uint32_t before, uint32_t after)
{
    return before == SECCOMP_ALLOW && after != SECCOMP_ALLOW;
}

static uint32_t other_answer(uint32_t before, uint32_t after)
{
    return before != SECCOMP_ALLOW && after != SECCOMP_ALLOW && before != after;
}

static graph_operation *const call_operations[] = {newly_allowed, newly_denied, other_answer};

static struct str answer_text(struct arena *arena, const struct policy *policy, const struct operation_point *point)
{
    struct verdict verdict = policy_verdict(policy, point);
    return verdict.killed ? STR("kill") : str_format(arena, "%s", verdict.error ? errno_name(verdict.error) : "allow");
}

// Looks for a change of one call on one architecture: 1, 0 or -1 as graph_find says; fills *node and *point.
static int call_change(struct comparing *c, enum arch arch, size_t call, enum difference_kind kind, graph_node *node,
                       struct operation_point *point)
{
    struct graph *graph = c->after->graph;
    graph_node before = policy_call(c->before, arch, call), after = policy_call(c->after, arch, call);
    if (before == after)
        return 0;
    *node = graph_apply(graph, call_operations[kind], before, after);
    uint32_t words[SECCOMP_WORDS];
    int found = graph_find(graph, *node, 1, words, SECCOMP_WORDS);
    *point = (struct operation_point){
        .domain = DOMAIN_CALLS, .arch = arch, .number = (uint32_t)syscall_row(call)->number[arch]};
    for (int i = 0; found > 0 && i < SYSCALL_ARGUMENTS; i++)
        point->arguments[i] = (uint64_t)words[WORD_HIGH(i)] << 32 | words[WORD_LOW(i)];
    return found;
}

static struct str change_text(struct comparing *c, enum arch arch, size_t call, enum difference_kind kind)
{
    graph_node node;
    struct operation_point point;
    int found = call_change(c, arch, call, kind, &node, &point);
    if (!found)
        return (struct str){0};
    if (found < 0)
        return STR(": its conditions are too entangled to be compared");
    struct text text = {.arena = c->arena};
    if (kind == OTHERWISE) { // which of its calls is of no interest: all were denied and are
        text_addf(&text, ": denied with %.*s, was %.*s", STR_ARGS(answer_text(c->arena, c->after, &point)),
                  STR_ARGS(answer_text(c->arena, c->before, &point)));
    } else if (graph_at(c->after->graph, node)->run_count) {
        text_addf(&text, " where ");
        condition_print(&text, c->after->graph, node, syscall_row(call), arch);
    }
    return text.length ? text_str(&text) : STR("");
}

static void compare_calls_of(struct comparing *c, enum difference_kind kind)
{
    struct call_lines lines = {.arena = c->arena};
    for (size_t call = 0; call < syscall_count(); call++) {
        struct str texts[ARCH_COUNT] = {{0}};
        for (int arch = 0; arch < ARCH_COUNT; arch++)
            if (syscall_row(call)->number[arch] >= 0)
                texts[arch] = change_text(c, (enum arch)arch, call, kind);
        call_lines_add(&lines, call, texts, kind == OTHERWISE);
    }
    for (const struct call_line *line = lines.first; line; line = line->next) {
        struct text text = {.arena = c->arena};
        if (line->architectures != ARCH_ALL_MASK)
            text_addf(&text, "on %s ", arch_names[line->arch]);
        if (kind != OTHERWISE)
            text_addf(&text, "%s ", diff_effect(kind));
        calls_print(&text, c->after->compilation, line->member, line->architectures, NULL, NULL);
        text_addf(&text, "%.*s", STR_ARGS(line->condition));
        struct difference *d = diff_add(c, "system calls", kind, text_str(&text));
        graph_node node;
        struct operation_point point;
        int found = call_change(c, line->arch, line->call, kind, &node, &point);
        c->diff->wider |= found < 0;
        if (found > 0 && kind != OTHERWISE)
            diff_explain(c, d, &point);
    }
}

// ---- the rest -----------------------------------------------------------------------------------------------------

static void compare_capabilities(struct comparing *c)
{
    uint64_t old = policy_capabilities(c->before), new = policy_capabilities(c->after);
    for (enum difference_kind kind = BECOMES_ALLOWED; kind <= BECOMES_DENIED; kind++)
        for (uint64_t rest = kind == BECOMES_ALLOWED ? new & ~old : old & ~new; rest; rest &= rest - 1) {
            unsigned capability = (unsigned)__builtin_ctzll(rest);
            struct difference *d = diff_add(c, "capabilities", kind,
                                            str_format(c->arena, "%s capability %s", diff_effect(kind),
                                                       constant_name_of("CAP_", NULL, capability, ARCH_X86_64)));
            diff_explain(c, d, &(struct operation_point){.domain = DOMAIN_CAPABILITIES, .capability = capability});
            d->example = (struct str){0};
        }
}

static void compare_limits(struct comparing *c)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const struct setting_value *old = &c->before->limits[i], *new = &c->after->limits[i];
        if (old->set == new->set && (!old->set || old->number == new->number))
            continue;
        bool wider = !new->set || (old->set && new->number > old->number);
        struct str was = old->set ? limit_text(c->arena, (enum limit)i, old->number) : STR("without");
        struct str is = new->set ? limit_text(c->arena, (enum limit)i, new->number) : STR("no limit");
        diff_add(c, "limits", wider ? BECOMES_ALLOWED : BECOMES_DENIED,
                 str_format(c->arena, "%s %.*s, was %.*s", limit_names[i], STR_ARGS(is), STR_ARGS(was)));
    }
}

static struct str words_text(struct arena *arena, const struct str *words, size_t count)
{
    struct text text = {.arena = arena};
    for (size_t i = 0; i < count; i++)
        text_addf(&text, "%s\"%.*s\"", i ? ", " : "", STR_ARGS(words[i]));
    return count ? text_str(&text) : STR("none");
}

static struct str user_text(struct arena *arena, const struct plan *plan)
{
    return plan->user == PLAN_USER_NUMBER ? str_format(arena, "%u", plan->user_number)
                                          : str_from(plan_user_names[plan->user]);
}

static struct map env_of(struct arena *arena, const struct plan *plan)
{
    struct map map = {.arena = arena};
    for (size_t i = 0; i < plan->env_count; i++)
        map_put(&map, plan->env[i].name, &plan->env[i]);
    return map;
}

static struct str env_text(struct arena *arena, const struct plan_env *env)
{
    return !env        ? STR("not set")
           : env->keep ? STR("the caller's")
                       : str_format(arena, "\"%.*s\"", STR_ARGS(env->value));
}

static void compare_env(struct comparing *c, const struct plan *of, const struct plan *before, const struct plan *after)
{
    struct map before_env = env_of(c->arena, before), after_env = env_of(c->arena, after);
    for (size_t i = 0; i < of->env_count; i++) {
        const struct plan_env *old = map_get(&before_env, of->env[i].name), *new = map_get(&after_env, of->env[i].name);
        if (of == before && new)
            continue; // said from the other side
        if (old && new && old->keep == new->keep && str_equal(old->value, new->value))
            continue;
        enum difference_kind kind = new &&new->keep ? BECOMES_ALLOWED : old && old->keep ? BECOMES_DENIED : OTHERWISE;
        diff_add(c, "process", kind,
                 str_format(c->arena, "env %.*s: %.*s, was %.*s", STR_ARGS(of->env[i].name),
                            STR_ARGS(env_text(c->arena, new)), STR_ARGS(env_text(c->arena, old))));
    }
}

static struct str secret_text(struct arena *arena, const struct secret_value *s)
{
    static const char *const bases[] = {
        [HOST_ABSOLUTE] = "file ", [HOST_POLICY] = "file ", [HOST_CWD] = "cwd ", [HOST_HOME] = "home "};
    struct str from = s->variable.length ? s->variable : s->host.path;
    return str_format(arena, "%.*s from %s\"%.*s\" at \"%.*s\"", STR_ARGS(s->name),
                      s->variable.length ? "env " : bases[s->host.base], STR_ARGS(from), STR_ARGS(s->at));
}

static bool has_secret(struct arena *arena, const struct policy *policy, struct str text)
{
    for (size_t i = 0; i < policy->secret_count; i++)
        if (str_equal(secret_text(arena, &policy->secrets[i]), text))
            return true;
    return false;
}

static void compare_secrets(struct comparing *c, const struct policy *of, const struct policy *other,
                            enum difference_kind kind)
{
    for (size_t i = 0; i < of->secret_count; i++) {
        struct str text = secret_text(c->arena, &of->secrets[i]);
        if (!has_secret(c->arena, other, text))
            diff_add(c, "process", kind,
                     str_format(c->arena, "%ssecret %.*s", kind == BECOMES_DENIED ? "no " : "", STR_ARGS(text)));
    }
}

// What is asked of the host at least: the highest version, and whether the run goes without where it has less.
struct demand {
    bool asked, degrade;
    uint64_t version;
};

static struct demand demand_of(const struct plan *plan, enum feature feature)
{
    struct demand demand = {.degrade = true};
    for (size_t i = 0; i < plan->require_count; i++)
        if (plan->requires[i].feature == feature) {
            demand.asked = true;
            demand.degrade &= plan->requires[i].degrade;
            if (plan->requires[i].version > demand.version)
            demand.version = plan->requires[i].version;
        }
    return demand;
}

static struct str demand_text(struct arena *arena, struct demand demand)
{
    struct text text = {.arena = arena};
    text_addf(&text, demand.asked ? "required" : "not required");
    if (demand.version)
        text_addf(&text, " >= %llu", (unsigned long long)demand.version);
    if (demand.asked && demand.degrade)
        text_addf(&text, " else degrade");
    return text_str(&text);
}

static void compare_requires(struct comparing *c, const struct plan *before, const struct plan *after)
{
    for (int feature = 0; feature < FEATURE_COUNT; feature++) {
        struct demand old = demand_of(before, (enum feature)feature), new = demand_of(after, (enum feature)feature);
        struct str was = demand_text(c->arena, old), is = demand_text(c->arena, new);
        if (str_equal(was, is))
            continue;
        // A run that goes on with less is wider than one that would not start, and than one that asks for nothing and
        // is refused.
        bool wider = (new.asked &&new.degrade && !(old.asked && old.degrade)) ||
                     (old.asked && !old.degrade && !new.asked) || (old.asked && new.asked &&new.version < old.version);
        diff_add(c, "process", wider ? BECOMES_ALLOWED : BECOMES_DENIED,
                 str_format(c->arena, "%s: %.*s, was %.*s", feature_names[feature], STR_ARGS(is), STR_ARGS(was)));
    }
}

static struct str proxy_text(struct arena *arena, const struct plan *plan)
{
    return str_format(arena, "%s, %.*s, port %u", proxy_kind_names[plan->proxy.url.kind],
                      STR_ARGS(plan->proxy.url.host), plan->proxy.url.port);
}

static void compare_process(struct comparing *c, const struct plan *before, const struct plan *after)
{
    struct str was = words_text(c->arena, before->command, before->command_count),
               is = words_text(c->arena, after->command, after->command_count);
    if (!str_equal(was, is))
        diff_add(c, "process", OTHERWISE, str_format(c->arena, "command %.*s, was %.*s", STR_ARGS(is), STR_ARGS(was)));
    if (before->user != after->user || before->user_number != after->user_number)
        diff_add(c, "process", after->user == PLAN_USER_ROOT ? BECOMES_ALLOWED : OTHERWISE,
                 str_format(c->arena, "user %.*s, was %.*s", STR_ARGS(user_text(c->arena, after)),
                            STR_ARGS(user_text(c->arena, before))));
    struct str proxy_was = before->proxy.set ? proxy_text(c->arena, before) : STR("none"),
               proxy = after->proxy.set ? proxy_text(c->arena, after) : STR("none");
    if (!str_equal(proxy_was, proxy))
        diff_add(c, "process", OTHERWISE,
                 str_format(c->arena, "via proxy %.*s, was %.*s", STR_ARGS(proxy), STR_ARGS(proxy_was)));
    struct str cwd_was = before->cwd.length ? before->cwd : STR("/"), cwd = after->cwd.length ? after->cwd : STR("/");
    if (!str_equal(cwd_was, cwd))
        diff_add(c, "process", OTHERWISE,
                 str_format(c->arena, "cwd \"%.*s\", was \"%.*s\"", STR_ARGS(cwd), STR_ARGS(cwd_was)));
    compare_env(c, after, before, after);
    compare_env(c, before, before, after);
    compare_secrets(c, c->after, c->before, BECOMES_ALLOWED);
    compare_secrets(c, c->before, c->after, BECOMES_DENIED);
    compare_requires(c, before, after);
}

struct policy_diff *policy_diff(struct policy *before, struct policy *after)
{
    struct arena *arena = after->arena;
    if (!policy_is_decided(before, ARCH_ALL_MASK) || !policy_is_decided(after, ARCH_ALL_MASK))
        return NULL;
    struct plan *old = policy_lower(before, 0), *new = policy_lower(after, 0);
    if (!old || !new)
        return NULL;
    struct policy_diff *diff = NEW(arena, struct policy_diff);
    struct comparing c = {arena, before, after, diff, &diff->first};
    compare_files(&c, old, new);
    compare_net_way(&c, after, before, BECOMES_ALLOWED);
    compare_net_way(&c, before, after, BECOMES_DENIED);
    for (enum difference_kind kind = BECOMES_ALLOWED; kind <= OTHERWISE; kind++)
        compare_calls_of(&c, kind);
    compare_capabilities(&c);
    compare_limits(&c);
    compare_process(&c, old, new);
    return diff;
}

// ---- writing ------------------------------------------------------------------------------------------------------

void diff_text(struct text *out, const struct policy_diff *diff)
{
    static const char marks[] = {[BECOMES_ALLOWED] = '+', [BECOMES_DENIED] = '-', [OTHERWISE] = '~'};
    const char *domain = NULL;
    for (const struct difference *d = diff->first; d; d = d->next) {
        if (!domain || strcmp(domain, d->domain) != 0)
            text_addf(out, "%s\n", d->domain);
        domain = d->domain;
        text_addf(out, "  %c %.*s\n", marks[d->kind], STR_ARGS(d->text));
        if (d->example.length)
            text_addf(out, "      `%.*s`%s%.*s\n", STR_ARGS(d->example), d->reason.length ? " " : " no rule allows it",
                      STR_ARGS(d->reason));
        else if (d->reason.length)
            text_addf(out, "      %.*s\n", STR_ARGS(d->reason));
    }
    if (diff->first)
        text_addf(out, "%zu wider (+), %zu narrower (-), %zu otherwise (~)\n", diff->counts[BECOMES_ALLOWED],
                  diff->counts[BECOMES_DENIED], diff->counts[OTHERWISE]);
}

void diff_json(struct text *out, const struct policy_diff *diff)
{
    static const char *const kinds[] = {
        [BECOMES_ALLOWED] = "wider", [BECOMES_DENIED] = "narrower", [OTHERWISE] = "otherwise"};
    struct json_writer writer = {.text = out}, *w = &writer;
    json_open(w, '{');
    json_member_number(w, "sbx_diff", 1);
    json_key(w, "wider");
    json_bool(w, diff->wider);
    json_key(w, "differences");
    json_open(w, '[');
    for (const struct difference *d = diff->first; d; d = d->next) {
        json_open(w, '{');
        json_member(w, "domain", str_from(d->domain));
        json_member(w, "kind", str_from(kinds[d->kind]));
        json_member(w, "text", d->text);
        if (d->example.length)
            json_member(w, "example", d->example);
        if (d->reason.length)
            json_member(w, "reason", d->reason);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}
