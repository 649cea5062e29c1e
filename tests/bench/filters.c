// The size of filters beside libseccomp's for the same policy, at its two optimisation levels, and how many instructions a call executes.
#include "tests/codegen/oracle.h"

static void add(struct oracle *oracle, const char *name)
{
    int call = syscall_find(str_from(name));
    if (call < 0)
        abort();
    oracle->rules[oracle->count++] = (struct oracle_rule){.call = (uint16_t)call};
}

static void add_if(struct oracle *oracle, const char *name, const char *argument, uint64_t mask, uint64_t value)
{
    add(oracle, name);
    struct oracle_rule *rule = &oracle->rules[oracle->count - 1];
    rule->test_count = 1;
    rule->tests[0].argument = (uint8_t)syscall_argument(syscall_row(rule->call), str_from(argument));
    uint64_t width = oracle_width(rule, 0);
    rule->tests[0].mask = mask & width;
    rule->tests[0].value = value;
}

static void add_group(struct oracle *oracle, struct compilation *compilation, const char *name)
{
    struct group_decl *group = group_find(compilation, compilation->prelude, str_from(name));
    for (size_t i = 0; group && i < group->call_count; i++) {
        bool again = false;
        for (size_t k = 0; k < oracle->count; k++)
            again |= oracle->rules[k].call == group->calls[i];
        // Numbers that libseccomp of that age does not know; sockets get rules of ours besides.
        if (!again && syscall_row(group->calls[i])->number[ARCH_X86_64] <= 440)
            add(oracle, syscall_row(group->calls[i])->name);
    }
}

struct executed {
    double mean;
    unsigned worst;
};

static struct executed executed_of(const struct bpf_program *program, const struct oracle *oracle)
{
    struct executed e = {0};
    unsigned long sum = 0, count = 0;
    for (unsigned number = 0; number <= 440; number++) {
        bool conditional = false;
        for (size_t i = 0; i < oracle->count; i++)
            conditional |= oracle->rules[i].test_count && syscall_row(oracle->rules[i].call)->number[ARCH_X86_64] == (int)number;
        if (syscall_by_number(ARCH_X86_64, number) < 0 || conditional)
            continue; // arguments cost what they cost
        uint32_t words[SECCOMP_WORDS] = {[WORD_ARCH] = arch_audit[ARCH_X86_64], [WORD_NUMBER] = number};
        unsigned steps = 0;
        cbpf_run(program, words, &steps);
        sum += steps;
        count++;
        e.worst = steps > e.worst ? steps : e.worst;
    }
    e.mean = count ? (double)sum / (double)count : 0;
    return e;
}

static void report(const char *name, const struct oracle *oracle)
{
    struct compilation *compilation;
    struct policy *policy = oracle_policy(&compilation, oracle);
    if (!policy)
        abort();
    struct bpf_program mine = oracle_filter(policy), one = oracle_libseccomp(policy->arena, oracle, 1), two = oracle_libseccomp(policy->arena, oracle, 2);
    struct executed a = executed_of(&mine, oracle), b = executed_of(&one, oracle), c = executed_of(&two, oracle);
    printf("%s\t%zu\t%zu\t%zu\t%.2f\t%.1f/%u\t%.1f/%u\t%.1f/%u\n", name, mine.length, one.length, two.length, (double)mine.length / (double)one.length, a.mean,
           a.worst, b.mean, b.worst, c.mean, c.worst);
    compilation_free(compilation);
}

int main(void)
{
    static struct oracle oracle;
    struct compilation *groups;
    if (!policy_from_text(&groups, "sbx 1; policy p { summary \"only for its groups\"; }"))
        return 1;
    static const char *const common[] = {"default", "file-system", "file-modes", "io-event",   "ipc",  "process",
                                         "timer",   "scheduling",  "sync",       "network-io", "chown"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        add_group(&oracle, groups, common[i]);
    report("the library's groups, whatever the arguments", &oracle);
    static const struct {
        const char *call, *argument;
        uint64_t mask, value;
    } conditions[] = {
        {"clone", "flags", 0x7E020000, 0},
        {"personality", "persona", UINT64_MAX, 0},
        {"personality", "persona", UINT64_MAX, 8},
        {"personality", "persona", UINT64_MAX, 0x20000},
        {"personality", "persona", UINT64_MAX, 0x20008},
        {"personality", "persona", UINT64_MAX, 0xFFFFFFFF},
        {"memfd_create", "flags", 8, 8},
        {"ioctl", "request", UINT64_MAX, 0x5401},
        {"ioctl", "request", UINT64_MAX, 0x5413},
        {"ioctl", "request", UINT64_MAX, 0x541B},
        {"prctl", "option", UINT64_MAX, 15},
        {"prctl", "option", UINT64_MAX, 38},
    };
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        add_if(&oracle, conditions[i].call, conditions[i].argument, conditions[i].mask, conditions[i].value);
    report("the same and twelve conditions on arguments", &oracle);
    static const char *const more[] = {"sandbox", "setuid", "memlock", "pkey", "resources", "aio", "io-uring", "keyring", "handles"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        add_group(&oracle, groups, more[i]);
    report("about what container engines allow", &oracle);
    oracle.count = 0;
    static const char *const few[] = {"read", "write", "exit_group", "rt_sigreturn", "mmap", "munmap", "brk", "close", "fstat", "execve"};
    for (size_t i = 0; i < 10; i++)
        add(&oracle, few[i]);
    report("ten calls", &oracle);
    return 0;
}
