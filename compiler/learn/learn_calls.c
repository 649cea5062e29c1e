// Learning: system calls that the modules don't allow.
#include "compiler/learn/learner.h"

#include <string.h>

#include "compiler/code/cbpf.h"
#include "compiler/meaning/search.h"
#include "compiler/sets/call_groups.h"
#include "compiler/sets/condition_text.h"

static bool is_dangerous(struct policy *policy, int call)
{
    const struct group_decl *group =
        group_find(policy->compilation, policy->compilation->prelude, STR("dangerous"));
    for (size_t i = 0; group && i < group->call_count; i++)
        if (group->calls[i] == call)
            return true;
    return false;
}

static struct operation_point call_point(const struct seen_call *seen)
{
    struct operation_point point = {.domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = seen->number};
    memcpy(point.arguments, seen->arguments, sizeof point.arguments);
    return point;
}

// As a question would ask for it, with the arguments (*asked) that the plan's filter asks for.
static struct str call_operation(struct learner *l, const struct plan *plan, const struct seen_call *seen,
                                 unsigned *asked)
{
    struct operation_point point = call_point(seen);
    uint32_t words[SECCOMP_WORDS];
    struct text text = {.arena = l->arena};
    cbpf_words(words, arch_audit[ARCH_HERE], seen->number, seen->arguments);
    *asked = cbpf_arguments_asked(&plan->filters[ARCH_HERE], words);
    if (syscall_by_number(ARCH_HERE, seen->number) >= 0)
        call_print(&text, &point, *asked);
    else
        text_addf(&text, "syscall %u", seen->number);
    return text_str(&text);
}

// Why no rule is made for a call that the policy does not allow. NULL: one is.
static const char *why_not(struct learner *l, struct policy *policy, const struct seen_call *seen)
{
    struct operation_point point = call_point(seen);
    struct verdict verdict = policy_verdict(policy, &point);
    int call = syscall_by_number(ARCH_HERE, seen->number);
    if (call < 0)
        return "it is newer than this edition of the language; programs know how to do without";
    if (verdict.error == errno_find(STR("ENOSYS")) && !verdict.rule)
        return "C libraries have another call for it";
    if (verdict.rule)
        return verdict.rule->because.length ? str_copy(l->arena, verdict.rule->because).text : "a rule denies it";
    return is_dangerous(policy, call)
               ? "it gives power over the machine or other processes; most programs can do without"
               : NULL;
}

// One rule for each call, with the values of the argument that decides; one for all those of which none does.
void learner_calls(struct learner *l, struct policy *policy)
{
    struct text text = {.arena = l->arena};
    size_t plain_count = 0;
    uint64_t plain_times = 0;
    bool *plain = NEW_ARRAY(l->arena, bool, syscall_count());
    const struct plan *plan = policy_lower(policy, 1u << ARCH_HERE);
    if (!plan)
        return;
    struct map together = {.arena = l->arena};
    bool *done = NEW_ARRAY(l->arena, bool, l->seen->call_count + 1);
    for (size_t i = 0; i < l->seen->call_count; i++) {
        const struct seen_call *seen = l->seen->calls[i];
        struct operation_point point = call_point(seen);
        int call = syscall_by_number(ARCH_HERE, seen->number);
        if (done[i] || call < 0 || policy_verdict(policy, &point).allowed)
            continue;
        const struct syscall_row *row = syscall_row((size_t)call);
        unsigned asked;
        struct str operation = call_operation(l, plan, seen, &asked);
        if (why_not(l, policy, seen))
            continue;
        if (!asked) {
            for (size_t k = i; k < l->seen->call_count; k++)
                if (l->seen->calls[k]->number == seen->number) {
                    done[k] = true;
                    plain_times += l->seen->calls[k]->count;
                }
            plain[call] = true;
            plain_count++;
            continue;
        }
        if (asked & (asked - 1)) { // several together
            if (map_put(&together, operation, l))
                continue;
            l->call_rules++;
            text_addf(&text, "        allow %.*s", (int)(operation.length - strlen("syscall ")),
                      operation.text + strlen("syscall "));
            learner_end_seen(&text, seen->count, "");
            continue;
        }
        l->call_rules++;
        unsigned argument = (unsigned)__builtin_ctz(asked);
        uint64_t times = 0;
        struct map values = {.arena = l->arena};
        struct text list = {.arena = l->arena};
        size_t written = 0;
        for (size_t k = i; k < l->seen->call_count; k++) {
            const struct seen_call *other = l->seen->calls[k];
            struct operation_point same = point;
            memcpy(same.arguments, other->arguments, sizeof same.arguments);
            if (other->number != seen->number || policy_verdict(policy, &same).allowed)
                continue;
            done[k] = true;
            times += other->count;
            struct text value = {.arena = l->arena};
            argument_value_print(&value, row, argument, other->arguments[argument], ARCH_HERE);
            if (map_put(&values, text_str(&value), l))
                continue;
            text_addf(&list, "%s%.*s", written++ ? ", " : "", STR_ARGS(text_str(&value)));
        }
        text_addf(&text, written > 1 ? "        allow %s where %s in { %.*s }" : "        allow %s where %s == %.*s",
                  row->name, row->arguments[argument].name, STR_ARGS(text_str(&list)));
        learner_end_seen(&text, times, "");
    }
    if (plain_count) {
        text_addf(&text, "        allow ");
        calls_print(&text, policy->compilation, plain, 1u << ARCH_HERE, NULL, NULL);
        learner_end_seen(&text, plain_times, "");
        l->call_rules++;
    }
    l->calls = text_str(&text);
}

void learner_ask_calls(struct learner *l, struct policy *policy, bool last, struct learned *learned)
{
    const struct plan *plan = policy_lower(policy, 1u << ARCH_HERE);
    for (size_t i = 0; i < l->seen->call_count; i++) {
        const struct seen_call *call = l->seen->calls[i];
        struct operation_point point = call_point(call);
        unsigned asked;
        learned->operations++;
        if (policy_verdict(policy, &point).allowed) {
            learned->allowed++;
        } else if (last) {
            const char *why = why_not(l, policy, call);
            struct str operation = plan ? call_operation(l, plan, call, &asked) : STR("syscall");
            struct note *known = map_get(&l->noted, operation);
            if (known)
                known->count += call->count;
            else
                known = learner_note(l, operation, why ? why : "no rule for it could be found", call->count);
            known->things++;
        }
    }
}
