// Choosing what to try in a sandbox, and comparing what came of it with the policy function.
#include "enforcer/actions/live.h"

#include <errno.h>
#include <string.h>

#include "compiler/code/cbpf.h"
#include "compiler/meaning/search.h"
#include "enforcer/host/say.h"

enum { NET_POINTS_MOST = 48, PATHS_MOST = 400 }; // in one policy

struct group { // probes that make one line
    struct str name;
    size_t first, count;
    struct group *next;
};

struct live {
    struct policy *policy;
    struct arena *arena;
    struct probes probes;
    size_t capacity;
    struct group *groups, **last;
};

static struct group *open_group(struct live *live, struct str name)
{
    struct group *group = NEW(live->arena, struct group);
    *group = (struct group){name, live->probes.count, 0, NULL};
    *live->last = group;
    live->last = &group->next;
    return group;
}

static bool allows_file(const struct live *live, unsigned verb, struct str path)
{
    return policy_verdict(live->policy, &(struct operation_point){.domain = DOMAIN_FILES, .verb = verb, .path = path})
        .allowed;
}

static void add(struct live *live, struct group *group, struct operation_point point)
{
    if (live->probes.count == live->capacity) {
        size_t capacity = live->capacity ? 2 * live->capacity : 256;
        live->probes.list = arena_grow(live->arena, live->probes.list, live->probes.count * sizeof *live->probes.list,
                                       capacity * sizeof *live->probes.list);
        live->capacity = capacity;
    }
    struct probe probe = {.point = point, .leaves_nothing = true};
    int call = point.domain == DOMAIN_CALLS ? syscall_by_number(point.arch, point.number) : -1;
    if (call >= 0 && (strcmp(syscall_row((size_t)call)->name, "uprobe") == 0 ||
                      strcmp(syscall_row((size_t)call)->name, "uretprobe") == 0))
        return; // the kernel lets them past every filter, and they do nothing but where it put them itself
                // (kernel/seccomp.c)
    if (point.domain == DOMAIN_FILES) {
        probe.point.path = str_copy(live->arena, point.path);
        probe.leaves_nothing =
            !allows_file(live, VERB_CREATE, point.path) || allows_file(live, VERB_DELETE, point.path);
        if (!probe.leaves_nothing && point.verb == VERB_CREATE)
            return; // it would stay
    }
    live->probes.list[live->probes.count++] = probe;
    group->count++;
}

static void add_paths(struct live *live, struct group *group, unsigned verbs, const struct str *paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned verb = VERB_READ; verb <= VERB_EXEC; verb <<= 1)
            if (verbs & verb && group->count < PATHS_MOST)
                add(live, group, (struct operation_point){.domain = DOMAIN_FILES, .verb = verb, .path = paths[i]});
}

struct net_visit {
    struct live *live;
    struct group *group;
    const struct net_set *except;
};

static bool visit_net(const struct net_point *point, void *context)
{
    const struct net_visit *visit = context;
    bool tried =
        point->place == NET_ADDRESS && point->port && !(visit->except && net_set_contains(visit->except, point));
    if (tried)
        add(visit->live, visit->group,
            (struct operation_point){.domain = DOMAIN_NET, .verb = point->verb, .net = *point});
    return visit->group->count < NET_POINTS_MOST;
}

static void add_net(struct live *live, struct group *group, const struct rule *rule)
{
    const struct net_set **borders = NEW_ARRAY(live->arena, const struct net_set *, 2 * live->policy->rule_count);
    struct net_visit visit = {live, group, &rule->net_except};
    struct net_set set = {NEW_ARRAY(live->arena, struct net_box, rule->net.count), rule->net.count};
    for (size_t i = 0; i < set.count; i++) {
        set.boxes[i] = rule->net.boxes[i];
        if (set.boxes[i].port_first == 0)
            set.boxes[i].port_first = 1; // port 0 asks the kernel for any
        if (net_box_has_addresses(&set.boxes[i]) && set.boxes[i].first == 0)
            set.boxes[i].first = 1;
    }
    net_set_each(live->arena, &set, borders, policy_net_sets(live->policy, borders), visit_net, &visit);
}

// One operation of a call, of those that `match` means, that is allowed or denied.
static void add_call(struct live *live, struct group *group, const struct rule *rule, const struct call_match *match,
                     bool allowed)
{
    struct rule one = {.effect = EFFECT_ASK, .domain = DOMAIN_CALLS};
    struct call_match here = *match;
    here.architectures &= 1u << ARCH_HERE;
    one.calls = (struct call_matches){&here, 1};
    if (rule)
        one.calls_except = rule->calls_except;
    struct operation_point point;
    if (here.architectures && operation_find(live->policy, &one, allowed, &point) > 0)
        add(live, group, point);
}

static void add_members(struct live *live, struct group *group, const struct rule *rule)
{
    switch (rule->domain) {
    case DOMAIN_FILES: add_paths(live, group, rule->verbs, rule->paths, rule->path_count); break;
    case DOMAIN_NET: add_net(live, group, rule); break;
    case DOMAIN_CALLS:
        for (size_t i = 0; i < rule->calls.count; i++) {
            add_call(live, group, rule, &rule->calls.list[i], true);
            add_call(live, group, rule, &rule->calls.list[i], false);
        }
        break;
    case DOMAIN_CAPABILITIES:
        for (unsigned c = 0; c < CAPABILITY_COUNT; c++)
            if (rule->capabilities >> c & 1)
                add(live, group, (struct operation_point){.domain = DOMAIN_CAPABILITIES, .capability = c});
        break;
    }
}

static void note_named(struct live *live)
{
    size_t most = 0;
    for (size_t i = 0; i < live->policy->rule_count; i++)
        most += live->policy->rules[i].path_count + live->policy->rules[i].except_count;
    struct str *named = NEW_ARRAY(live->arena, struct str, most);
    for (size_t i = 0; i < live->policy->rule_count; i++) {
        const struct rule *rule = &live->policy->rules[i];
        bool decides = rule->effect == EFFECT_ALLOW || rule->effect == EFFECT_DENY;
        for (size_t k = 0; k < rule->path_count && decides; k++)
            named[live->probes.named_count++] = rule->paths[k];
        for (size_t k = 0; k < rule->except_count && decides; k++)
            named[live->probes.named_count++] = rule->excepts[k];
    }
    live->probes.named = named;
}

struct live *live_choose(struct policy *policy)
{
    struct live *live = NEW(policy->arena, struct live);
    *live = (struct live){.policy = policy, .arena = policy->arena, .last = &live->groups};
    note_named(live);
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (rule->effect == EFFECT_EXPECT_ALLOW || rule->effect == EFFECT_EXPECT_DENY)
            add_members(live,
                        open_group(live, str_format(live->arena, "%.*s: %.*s", STR_ARGS(rule_place(policy, rule)),
                                                    STR_ARGS(rule_text(policy, rule)))),
                        rule);
    }
    static const struct {
        enum domain domain;
        const char *name;
    } domains[] = {{DOMAIN_FILES, "every path that a rule names"},
                   {DOMAIN_NET, "every network target that a rule names"}};
    for (size_t d = 0; d < 2; d++) {
        struct group *group = open_group(live, str_from(domains[d].name));
        for (size_t i = 0; i < policy->rule_count; i++) {
            const struct rule *rule = &policy->rules[i];
            if (rule->domain != domains[d].domain || (rule->effect != EFFECT_ALLOW && rule->effect != EFFECT_DENY))
                continue;
            if (d == 1)
                add_net(live, group, rule);
            else {
                enum { ALL = VERB_READ | VERB_WRITE | VERB_EXEC };
                add_paths(live, group, ALL, rule->paths, rule->path_count);
                add_paths(live, group, ALL, rule->excepts, rule->except_count);
            }
        }
        static const net_address outside[] = {(net_address)0xFFFF << 32 | 0x0A000001,
                                              (net_address)0xFFFF << 32 | 0x7F000001,
                                              (net_address)0x20010DB8 << 96 | 1};
        for (size_t i = 0; d == 1 && i < sizeof outside / sizeof *outside; i++)
            for (unsigned verb = VERB_CONNECT; verb <= VERB_LISTEN; verb <<= 1)
                for (unsigned protocol = PROTOCOL_TCP; protocol <= PROTOCOL_UDP; protocol <<= 1)
                    if (verb != VERB_LISTEN || protocol == PROTOCOL_TCP)
                        add(live, group,
                            (struct operation_point){.domain = DOMAIN_NET,
                                                     .verb = verb,
                                                     .net = {verb, protocol, NET_ADDRESS, outside[i], STR(""), 65000}});
    }
    struct group *calls = open_group(live, STR("every system call of this machine, allowed and denied"));
    for (size_t call = 0; call < syscall_count(); call++) {
        struct call_match match = {.call = (uint16_t)call, .architectures = 1u << ARCH_HERE};
        if (syscall_row(call)->number[ARCH_HERE] < 0)
            continue;
        add_call(live, calls, NULL, &match, true);
        add_call(live, calls, NULL, &match, false);
    }
    struct group *capabilities = open_group(live, STR("every capability"));
    for (unsigned c = 0; c < CAPABILITY_COUNT; c++)
        add(live, capabilities, (struct operation_point){.domain = DOMAIN_CAPABILITIES, .capability = c});
    return live;
}

const struct probes *live_probes(const struct live *live)
{
    return &live->probes;
}

// ---- comparing ----------------------------------------------------------------------------------------------------

enum agreement { AGREES, DISAGREES, UNCLEAR };

static bool is_foreign_refusal(
    const struct probe *probe) // something else than the sandbox says no, and a rule can't make it say yes
{
    return probe->note && probe->result == PROBE_DENIED;
}

static enum agreement compare(const struct live *live, const struct probe *probe, const char **why)
{
    struct verdict verdict = policy_verdict(live->policy, &probe->point);
    *why = probe->note ? probe->note : "";
    if (probe->result == PROBE_UNCLEAR)
        return UNCLEAR;
    if (verdict.allowed)
        return probe->result == PROBE_ALLOWED ? AGREES : is_foreign_refusal(probe) ? UNCLEAR : DISAGREES;
    if (probe->result == PROBE_ALLOWED)
        return DISAGREES;
    if (probe->point.domain != DOMAIN_CALLS) // which errno a denied file or connection gives is the kernel's to say
        return AGREES;
    return verdict.killed ? (probe->result == PROBE_KILLED ? AGREES : DISAGREES)
                          : (probe->result == PROBE_DENIED && probe->error == verdict.error ? AGREES : DISAGREES);
}

static void print_disagreement(FILE *out, const struct live *live, const struct probe *probe)
{
    struct verdict verdict = policy_verdict(live->policy, &probe->point);
    static const char *const results[] = {"unclear", "allowed", "denied", "killed"};
    const char *said = verdict.error ? errno_name(verdict.error) : NULL,
               *did = probe->error ? errno_name(probe->error) : NULL;
    say(out, "# `%.*s` is %s%s%s by the policy, and %s%s%s in the sandbox",
        STR_ARGS(operation_text(live->policy, &probe->point)),
        verdict.allowed  ? "allowed"
        : verdict.killed ? "killed"
                         : "denied",
        said ? ", " : "", said ? said : "", results[probe->result], did && probe->result == PROBE_DENIED ? ", " : "",
        did && probe->result == PROBE_DENIED ? did : "");
    if (verdict.rule)
        say(out, "#   %.*s: %.*s", STR_ARGS(rule_place(live->policy, verdict.rule)),
            STR_ARGS(rule_text(live->policy, verdict.rule)));
}

bool live_report(FILE *out, const struct live *live)
{
    bool good = true;
    for (const struct group *group = live->groups; group; group = group->next) {
        size_t counts[3] = {0};
        const char *why = "", *unclear = "nothing of it can be tried here";
        for (size_t i = 0; i < group->count; i++) {
            enum agreement agreement = compare(live, &live->probes.list[group->first + i], &why);
            counts[agreement]++;
            if (agreement == UNCLEAR)
                unclear = why;
        }
        bool agrees = counts[DISAGREES] == 0;
        if (agrees && !counts[AGREES])
            say(out, "ok - live: %.*s # SKIP %s", STR_ARGS(group->name), unclear);
        else
            say(out, "%sok - live: %.*s (%zu tried%s)", agrees ? "" : "not ", STR_ARGS(group->name),
                counts[AGREES] + counts[DISAGREES],
                counts[UNCLEAR] ? str_format(live->arena, ", %zu not: %s", counts[UNCLEAR], unclear).text : "");
        for (size_t i = 0; i < group->count && !agrees; i++)
            if (compare(live, &live->probes.list[group->first + i], &why) == DISAGREES)
                print_disagreement(out, live, &live->probes.list[group->first + i]);
        good &= agrees;
    }
    return good;
}
