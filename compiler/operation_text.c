// One operation, in the language's own words.
#include <string.h>

#include "compiler/search.h"

static unsigned tested_arguments(const struct test *test)
{
    if (!test)
        return 0;
    if (test->kind == CONDITION_IN)
        return 1u << test->argument;
    return tested_arguments(test->left) | tested_arguments(test->right);
}

// How people write the value of an argument: by the name that such values have, where they have one.
static void print_value(struct text *text, const char *call, const char *argument, uint64_t value, enum arch arch)
{
    static const struct {
        const char *call, *argument, *prefixes[4];
        uint64_t from;
    } names[] = {
        {"socket", "family", {"AF_"}, 0},
        {"socketpair", "family", {"AF_"}, 0},
        {"ioctl", "request", {"TIOC", "TC", "FIO"}, 0x100},
        {"ptrace", "request", {"PTRACE_"}, 0},
        {"prctl", "option", {"PR_SET_", "PR_GET_", "PR_CAP", "PR_"}, 1},
        {"arch_prctl", "option", {"ARCH_"}, 1},
        {"keyctl", "option", {"KEYCTL_"}, 0},
        {"fcntl", "cmd", {"F_"}, 0},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0;
             k < 4 && value >= names[i].from && strcmp(names[i].call, call) == 0 && strcmp(names[i].argument, argument) == 0 && names[i].prefixes[k]; k++) {
            const char *name = constant_name_of(names[i].prefixes[k], (int64_t)value, arch);
            if (name) {
                text_addf(text, "%s", strcmp(name, "AF_FILE") == 0 ? "AF_UNIX" : name); // one number, an older name
                return;
            }
        }
    text_addf(text, value < 10 ? "%llu" : "0x%llx", (unsigned long long)value);
}

struct str operation_text(struct policy *policy, const struct operation_point *point)
{
    struct text text = {.arena = policy->arena};
    switch (point->domain) {
    case DOMAIN_FILES:
        path_verbs_print(&text, point->verb);
        text_addf(&text, " \"%.*s\"", STR_ARGS(point->path));
        break;
    case DOMAIN_NET: net_point_print(&text, &point->net); break;
    case DOMAIN_CAPABILITIES: text_addf(&text, "capability %s", constant_name_of("CAP_", point->capability, ARCH_X86_64)); break;
    case DOMAIN_CALLS: {
        int call = syscall_by_number(point->arch, point->number);
        if (call < 0) {
            text_addf(&text, "system call %u of %s", point->number, arch_names[point->arch]);
            break;
        }
        const struct syscall_row *row = syscall_row((size_t)call);
        text_addf(&text, "syscall %s", row->name);
        unsigned tested = 0;
        for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next) {
            tested |= tested_arguments(entry->match->tests[point->arch]);
            if (entry->except)
                tested |= tested_arguments(entry->except->tests[point->arch]);
        }
        for (int i = 0; i < row->argument_count; i++)
            if (point->arguments[i])
                tested |= 1u << i;
        const char *joint = " where ";
        for (int i = 0; i < row->argument_count; i++)
            if (tested >> i & 1) {
                text_addf(&text, "%s%s == ", joint, row->arguments[i].name);
                print_value(&text, row->name, row->arguments[i].name, point->arguments[i], point->arch);
                joint = " and ";
            }
        if (row->number[!point->arch] < 0)
            text_addf(&text, " (%s)", arch_names[point->arch]);
        break;
    }
    }
    return text_str(&text);
}
