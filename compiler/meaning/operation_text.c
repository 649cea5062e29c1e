// One operation, in the language's own words.
#include "compiler/sets/condition_text.h"
#include "compiler/meaning/search.h"

static unsigned tested_arguments(const struct test *test)
{
    if (!test)
        return 0;
    if (test->kind == CONDITION_IN)
        return 1u << test->argument;
    return tested_arguments(test->left) | tested_arguments(test->right);
}

void call_print(struct text *text, const struct operation_point *point, unsigned arguments)
{
    int call = syscall_by_number(point->arch, point->number);
    if (call < 0) {
        text_addf(text, "system call %u of %s", point->number, arch_names[point->arch]);
        return;
    }
    const struct syscall_row *row = syscall_row((size_t)call);
    const char *joint = " where ";
    text_addf(text, "syscall %s", row->name);
    for (int i = 0; i < row->argument_count; i++)
        if (arguments >> i & 1) {
            text_addf(text, "%s%s == ", joint, row->arguments[i].name);
            argument_value_print(text, row, (unsigned)i, point->arguments[i], point->arch);
            joint = " and ";
        }
}

struct str operation_text(struct policy *policy, const struct operation_point *point)
{
    struct text text = {.arena = policy->arena};
    switch (point->domain) {
    case DOMAIN_FILES:
        path_verbs_print(&text, point->verb);
        text_addf(&text, " ");
        text_quote(&text, point->path);
        break;
    case DOMAIN_NET: net_point_print(&text, &point->net); break;
    case DOMAIN_CAPABILITIES:
        text_addf(&text, "capability %s", constant_name_of("CAP_", NULL, point->capability, ARCH_X86_64));
        break;
    case DOMAIN_CALLS: {
        int call = syscall_by_number(point->arch, point->number);
        unsigned tested = 0;
        for (const struct call_rule *entry = call < 0 ? NULL : policy->calls[call]; entry; entry = entry->next) {
            tested |= tested_arguments(entry->match->tests[point->arch]);
            if (entry->except)
                tested |= tested_arguments(entry->except->tests[point->arch]);
        }
        for (int i = 0; i < SYSCALL_ARGUMENTS; i++)
            if (point->arguments[i])
                tested |= 1u << i;
        call_print(&text, point, tested);
        if (call >= 0 && syscall_row((size_t)call)->number[!point->arch] < 0)
            text_addf(&text, " (%s)", arch_names[point->arch]);
        break;
    }
    }
    return text_str(&text);
}
