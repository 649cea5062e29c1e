// The size of filters beside libseccomp's for the same policy, at its two optimisation levels, and how many
// instructions a call executes.
#include "tests/codegen/oracle_profile.h"
#include "lang/load.h"

// What Docker's containers have.
#define DOCKER_CAPABILITIES 0xA80425FBu

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

// Of calls whose arguments do not matter: what arguments cost is their rules' doing.
static struct executed executed_of(const struct bpf_program *program, struct policy *policy)
{
    struct executed e = {0};
    unsigned long sum = 0, count = 0;
    for (size_t call = 0; call < syscall_count(); call++) {
        int number = syscall_row(call)->number[ARCH_X86_64];
        if (number < 0 || number > 440 || graph_at(policy->graph, policy_call(policy, ARCH_X86_64, call))->run_count)
            continue;
        uint32_t words[SECCOMP_WORDS] = {[WORD_ARCH] = arch_audit[ARCH_X86_64], [WORD_NUMBER] = (uint32_t)number};
        unsigned steps = 0;
        cbpf_run(program, words, &steps);
        sum += steps;
        count++;
        e.worst = steps > e.worst ? steps : e.worst;
    }
    e.mean = count ? (double)sum / (double)count : 0;
    return e;
}

static void print_row(const char *name, struct policy *policy, const struct bpf_program *mine,
                      const struct bpf_program *one, const struct bpf_program *two)
{
    struct executed a = executed_of(mine, policy), b = executed_of(one, policy), c = executed_of(two, policy);
    printf("%s\t%zu\t%zu\t%zu\t%.2f\t%.1f/%u\t%.1f/%u\t%.1f/%u\n", name, mine->length, one->length, two->length,
           (double)mine->length / (double)one->length, a.mean, a.worst, b.mean, b.worst, c.mean, c.worst);
}

static void report(const char *name, const struct oracle *oracle)
{
    struct compilation *compilation;
    struct policy *policy = oracle_policy(&compilation, oracle);
    if (!policy)
        abort();
    struct bpf_program mine = oracle_filter(policy), one = oracle_libseccomp(policy->arena, oracle, 1),
                       two = oracle_libseccomp(policy->arena, oracle, 2);
    print_row(name, policy, &mine, &one, &two);
    compilation_free(compilation);
}

// A policy of the library or an example, beside what libseccomp makes of all that it allows.
static void report_file(const char *path)
{
    static struct oracle oracle;
    struct compilation *compilation;
    struct policy *policy = policy_load(&compilation, path, NULL, true);
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (policy && oracle_of(policy, ARCH_X86_64, &oracle)) {
        struct bpf_program mine = oracle_filter(policy), one = oracle_libseccomp(policy->arena, &oracle, 1),
                           two = oracle_libseccomp(policy->arena, &oracle, 2);
        if (one.length && two.length)
            print_row(name, policy, &mine, &one, &two);
    }
    compilation_free(compilation);
}

// A container engine's profile, imported, beside what the engine loads.
static void report_profile(const char *path)
{
    struct compilation *compilation = compilation_new(arena_new()), *own = NULL;
    struct source *source = source_load(compilation, path);
    struct profile *profile = source ? profile_read(compilation, source) : NULL;
    struct text text = {.arena = compilation->arena};
    struct import_options options = {DOCKER_CAPABILITIES, IMPORT_KERNEL, true};
    bool *known = NEW_ARRAY(compilation->arena, bool, syscall_count());
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (profile && import_seccomp(compilation, source, &options, &text)) {
        // A profile has no rules on sockets but its own: so neither has the policy here.
        struct str whole = str_format(compilation->arena, "%.*s", STR_ARGS(text_str(&text)));
        char *end = strrchr((char *)whole.text, '}');
        *end = '\0';
        struct policy *policy =
            policy_from_text(&own, str_format(compilation->arena, "%s%s", whole.text, ALL_NET).text);
        struct bpf_program one =
            oracle_profile(compilation->arena, profile, ARCH_X86_64, options.capabilities, 1, known);
        struct bpf_program two =
            oracle_profile(compilation->arena, profile, ARCH_X86_64, options.capabilities, 2, known);
        struct bpf_program mine = policy ? filter_of(policy, ARCH_X86_64) : (struct bpf_program){0};
        if (policy && one.length && two.length)
            print_row(name, policy, &mine, &one, &two);
        compilation_free(own);
    }
    compilation_free(compilation);
}

// How our filters compare over many random policies: larger by how much, and how often.
static void report_random(unsigned policies)
{
    static struct oracle oracle;
    unsigned made = 0, larger[2] = {0}, worst[3] = {0};
    size_t sums[3] = {0};
    double means[3] = {0};
    for (unsigned i = 0; i < policies; i++) {
        random_state = (uint64_t)i * 104729 + 17;
        random_oracle(&oracle);
        struct compilation *compilation;
        struct policy *policy = oracle_policy(&compilation, &oracle);
        struct bpf_program filters[3] = {{0}};
        if (policy) {
            filters[0] = oracle_filter(policy);
            filters[1] = oracle_libseccomp(policy->arena, &oracle, 1);
            filters[2] = oracle_libseccomp(policy->arena, &oracle, 2);
        }
        if (policy && filters[1].length && filters[2].length) {
            made++;
            for (int k = 0; k < 3; k++) {
                struct executed e = executed_of(&filters[k], policy);
                sums[k] += filters[k].length;
                means[k] += e.mean;
                worst[k] = e.worst > worst[k] ? e.worst : worst[k];
                if (k)
                    larger[k - 1] += filters[0].length > filters[k].length;
            }
        }
        compilation_free(compilation);
    }
    printf("%u random policies, on average\t%zu\t%zu\t%zu\t%.2f\t%.1f/%u\t%.1f/%u\t%.1f/%u\n", made, sums[0] / made,
           sums[1] / made, sums[2] / made, (double)sums[0] / (double)sums[1], means[0] / made, worst[0],
           means[1] / made, worst[1], means[2] / made, worst[2]);
    printf("larger\t%u\t%u\n", larger[0], larger[1]);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t length = strlen(argv[i]);
        if (length > 5 && strcmp(argv[i] + length - 5, ".json") == 0)
            report_profile(argv[i]);
        else
            report_file(argv[i]);
    }

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
    static const char *const more[] = {"sandbox", "setuid",   "memlock", "pkey",   "resources",
                                       "aio",     "io-uring", "keyring", "handles"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        add_group(&oracle, groups, more[i]);
    report("about what container engines allow", &oracle);
    oracle.count = 0;
    static const char *const few[] = {"read",   "write", "exit_group", "rt_sigreturn", "mmap",
                                      "munmap", "brk",   "close",      "fstat",        "execve"};
    for (size_t i = 0; i < 10; i++)
        add(&oracle, few[i]);
    report("ten calls", &oracle);
    report_random(1000);
    return 0;
}
