// Rules on one call that contradict one another: what the importer makes of them is what libseccomp makes of them, for
// random rules on random arguments, and what libseccomp refuses is refused.
#include "compiler/import/chains.h"
#include "compiler/sets/seccomp.h"
#include "tests/codegen/oracle_profile.h"
#include "tests/tap.h"

enum { PROFILES = 20000, RULES_MOST = 6, CONDITIONS_MOST = 3, POINTS = 200 };

static const uint64_t edges[] = {0,           1,           4,           5,           6,           0xFFFFFFFF,
                                 0x100000000, 0x100000001, 0x100000005, 0x200000000, 0x200000005, UINT64_MAX};
enum { EDGES = sizeof edges / sizeof *edges };
static const unsigned wide[] = {2, 4, 5}; // process_vm_readv's numbers of 64 bits
static const uint32_t answers[] = {SECCOMP_ALLOW, SECCOMP_ERRNO | 1, SECCOMP_ERRNO | 22, SECCOMP_KILL};

// One condition, or one on each of these arguments (bits): an equality on all but the last.
static struct profile_rule random_rule(struct arena *arena, unsigned about)
{
    struct profile_rule rule = {.answer = answers[random_below(4)],
                                .arguments = NEW_ARRAY(arena, struct profile_argument, CONDITIONS_MOST)};
    unsigned any = random_below(CONDITIONS_MOST);
    for (int i = CONDITIONS_MOST - 1; i >= 0; i--)
        if (about ? about >> i & 1 : any == (unsigned)i)
            rule.arguments[rule.argument_count++] = (struct profile_argument){
                .index = wide[i],
                .comparison = rule.argument_count == 0 ? (enum profile_comparison)random_below(COMPARISON_COUNT)
                              : random_below(2)        ? COMPARISON_EQ
                                                       : COMPARISON_MASKED_EQ,
                .value = edges[random_below(EDGES)],
                .value_two = edges[random_below(EDGES)]};
    return rule; // libseccomp sorts the arguments
}

// As engines do: what libseccomp has already, with another answer, is an error.
static bool add_strictly(scmp_filter_ctx context, const struct profile_rule *rule, int number)
{
    struct scmp_arg_cmp all[CONDITIONS_MOST];
    for (size_t i = 0; i < rule->argument_count; i++)
        all[i] = comparison_of(&rule->arguments[i]);
    return seccomp_rule_add_array(context, scmp_action(rule->answer), number, (unsigned)rule->argument_count, all) == 0;
}

static void print_rules(const struct profile_rule *rules, int count)
{
    static const char *const names[] = {"!=", "<", "<=", "==", ">=", ">", "&"};
    for (int i = 0; i < count; i++) {
        printf("#  0x%x:", rules[i].answer);
        for (size_t k = 0; k < rules[i].argument_count; k++)
            printf(" a%u %s 0x%llx/0x%llx", rules[i].arguments[k].index, names[rules[i].arguments[k].comparison],
                   (unsigned long long)rules[i].arguments[k].value,
                   (unsigned long long)rules[i].arguments[k].value_two);
        puts("");
    }
}

static void random_words(uint32_t words[SECCOMP_WORDS], uint32_t number)
{
    uint64_t arguments[SYSCALL_ARGUMENTS] = {0};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        arguments[wide[i]] = edges[random_below(EDGES)] + random_below(3) - 1;
    words_of(words, arch_audit[ARCH_X86_64], number, arguments);
}

int main(void)
{
    struct counts {
        unsigned refused, contradict, wrong, wrong_refusals;
    } counts = {0};
    size_t call = (size_t)syscall_find(STR("process_vm_readv"));
    const struct syscall_row *row = syscall_row(call);
    int number = row->number[ARCH_X86_64];
    for (int i = 0; i < PROFILES; i++) {
        random_state = (uint64_t)i * 7507 + 11;
        struct arena *arena = arena_new();
        struct graph *graph = graph_new(arena);
        uint32_t fallback = SECCOMP_ERRNO | 38;
        struct chains *chains = chains_new(arena, graph, row, fallback);
        scmp_filter_ctx context = seccomp_init(scmp_action(fallback));
        seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 1);
        struct profile_rule rules[RULES_MOST];
        int count = 2 + (int)random_below(RULES_MOST - 1), added = 0;
        bool refused = false, theirs_refused = false;
        unsigned about = random_below(1 << CONDITIONS_MOST);
        for (; added < count && !refused && !theirs_refused; added++) {
            rules[added] = random_rule(arena, about);
            refused = !chains_add(chains, rules[added].arguments, rules[added].argument_count, rules[added].answer);
            theirs_refused = !add_strictly(context, &rules[added], number);
        }
        unsigned wrong = 0;
        if (refused != theirs_refused && counts.wrong_refusals++ < 5) {
            printf("# refused: %d, by libseccomp: %d\n", refused, theirs_refused);
            print_rules(rules, added);
        }
        if (chains_are_entangled(chains))
            abort(); // the test makes none such
        counts.refused += theirs_refused;
        if (refused || theirs_refused) {
            seccomp_release(context);
        } else {
            struct bpf_program theirs = oracle_export(arena, context);
            graph_node mine = chains_graph(chains);
            for (int p = 0; p < POINTS && !wrong; p++) {
                uint32_t words[SECCOMP_WORDS];
                random_words(words, (uint32_t)number);
                uint32_t want = cbpf_run(&theirs, words, NULL), got = graph_evaluate(graph, mine, words);
                if (want != got && !wrong++ && counts.wrong < 5) {
                    printf("# 0x%x, libseccomp says 0x%x at %x:%x %x:%x %x:%x\n", got, want, words[WORD_HIGH(2)],
                           words[WORD_LOW(2)], words[WORD_HIGH(4)], words[WORD_LOW(4)], words[WORD_HIGH(5)],
                           words[WORD_LOW(5)]);
                    print_rules(rules, added);
                }
            }
        }
        counts.wrong += wrong;
        arena_free(arena);
    }
    ok(!counts.wrong, "%u sets of rules mean what libseccomp makes of them, %u something else",
       PROFILES - counts.refused, counts.wrong);
    ok(!counts.wrong_refusals && counts.refused, "%u are refused by both, %u by one", counts.refused,
       counts.wrong_refusals);
    return tap_done();
}
