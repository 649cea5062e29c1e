// The prover: proves filters that are right, and finds every mistake that is made in them.
#include <time.h>

#include "compiler/prove/prove.h"
#include "tests/policies.h"
#include "tests/tap.h"

enum { SECONDS = 30, TRIES = 20000, WAYS = 8, FEW_WAYS = 4 };

// Looks for a difference without the prover: inputs near the constants of both programs.
static bool differ(const struct bpf_program *a, const struct bpf_program *b)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t words[SECCOMP_WORDS];
        for (int w = 0; w < SECCOMP_WORDS; w++) {
            uint32_t near = a->code[random_below((unsigned)a->length)].k;
            words[w] = random_below(3)   ? near + random_below(3) - 1
                       : random_below(2) ? random_below(500)
                                         : (uint32_t)random_bits();
        }
        words[WORD_ARCH] = random_below(20) ? a->code[1].k : words[WORD_ARCH];
        if (cbpf_run(a, words, NULL) != cbpf_run(b, words, NULL))
            return true;
    }
    return false;
}

struct tally {
    unsigned found[256]; // mutants refuted, by the code of the instruction that is wrong
    unsigned changed, refuted, same, undecided,
        missed; // mutants: of which the prover said so; and proved the same, yet a difference was found
};

struct subject {
    struct z3 *z3;
    const struct policy *policy;
    enum arch arch;
    const struct bpf_program *program;
};

static void try_mutant(const struct subject *subject, const struct bpf_program *mutant, uint16_t code,
                       struct tally *tally)
{
    const char *why;
    size_t where;
    struct counterexample example;
    if (!cbpf_check(mutant, &why, &where))
        return;
    tally->changed++;
    switch (filter_prove(subject->z3, subject->policy, subject->arch, mutant, NULL, SECONDS, &example)) {
    case REFUTED:
        tally->refuted++;
        tally->found[code]++;
        break;
    case NOT_PROVED: tally->undecided++; break;
    case PROVED: tally->same++; tally->missed += differ(subject->program, mutant);
    }
}

// Every instruction made wrong, in as many ways of those below.
static void mutate(const struct subject *subject, unsigned ways, struct tally *tally)
{
    const struct bpf_program *program = subject->program;
    struct bpf_instruction *code = malloc(program->length * sizeof *code);
    struct bpf_program mutant = {code, program->length};
    for (size_t i = 0; i < program->length; i++) {
        const struct bpf_instruction in = program->code[i];
        bool jump = (in.code & 7) == 5;
        const struct bpf_instruction wrong[] = {
            {in.code, in.jt, in.jf, in.k ^ 1},
            {in.code, jump ? in.jf : in.jt, jump ? in.jt : in.jf, in.k},
            {in.code, in.jt, in.jf, in.code == 0x06 ? (in.k == SECCOMP_ALLOW ? SECCOMP_KILL : SECCOMP_ALLOW) : in.k},
            {in.code, in.jt, in.jf, in.code == 0x20 ? (in.k + 4) % 64 : in.k + 1},
            {in.code, in.jt, in.jf, in.k ^ 0x80000000},
            {in.code, (uint8_t)(in.jt + jump), in.jf, in.k},
            {in.code, in.jt, (uint8_t)(in.jf + jump), in.k},
            {in.code == 0x15   ? 0x35
             : in.code == 0x35 ? 0x25
             : in.code == 0x25 ? 0x35
                               : in.code,
             in.jt, in.jf, in.k},
        };
        _Static_assert(sizeof wrong == WAYS * sizeof *wrong, "the ways to be wrong");
        for (unsigned w = 0; w < ways; w++) {
            if (memcmp(&wrong[w], &in, sizeof in) == 0)
                continue;
            memcpy(code, program->code, program->length * sizeof *code);
            code[i] = wrong[w];
            try_mutant(subject, &mutant, in.code, tally);
        }
    }
    free(code);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool finds_each_kind(const struct bpf_program *program, const struct tally *tally)
{
    bool all = true;
    for (size_t i = 0; i < program->length && all; i++) {
        all = tally->found[program->code[i].code];
        if (!all)
            printf("# no mutant of a 0x%02x was found\n", program->code[i].code);
    }
    return all;
}

// In front of a right filter: where one word of the call, masked or not, is so, an answer that no policy gives. All of
// these can be so, or can't, by what they say alone.
static void check_borders(const struct subject *subject, const char *name)
{
    enum { NEW = 5 };
    static const uint32_t masks[] = {UINT32_MAX, 0xFF, 0x80000000, 0x7FFFFFFF, 0};
    static const uint16_t codes[] = {0x15, 0x25, 0x35, 0x45}; // ==, >, >=, &
    uint32_t end = syscall_numbers_end(subject->arch), own = arch_audit[subject->arch];
    const uint32_t borders[] = {0,       1,   end - 1, end,        end + 1,    0x3FFFFFFF,     0x40000000,
                                own - 1, own, own + 1, 0x7FFFFFFF, 0x80000000, UINT32_MAX - 1, UINT32_MAX};
    struct bpf_instruction *code = malloc((subject->program->length + NEW) * sizeof *code);
    struct bpf_program wrong = {code, subject->program->length + NEW};
    memcpy(code + NEW, subject->program->code, subject->program->length * sizeof *code);
    unsigned tried = 0, can = 0, mistaken = 0;
    for (uint32_t word = 0; word < 16; word += word < 6 ? 1 : 1 + random_below(4))
        for (size_t m = 0; m < sizeof masks / sizeof *masks; m++)
            for (size_t c = 0; c < sizeof codes / sizeof *codes; c++)
                for (size_t b = 0; b < sizeof borders / sizeof *borders; b += 1 + random_below(word < 2 ? 1 : 8)) {
                    uint32_t k = borders[b], mask = masks[m];
                    code[0] = (struct bpf_instruction){0x20, 0, 0, 4 * word};
                    code[1] =
                        (struct bpf_instruction){mask == UINT32_MAX ? 0x05 : 0x54, 0, 0, mask == UINT32_MAX ? 0 : mask};
                    code[2] = (struct bpf_instruction){codes[c], 0, 1, k};
                    code[3] = (struct bpf_instruction){0x06, 0, 0, SECCOMP_ERRNO | 4000};
                    code[4] = (struct bpf_instruction){0x05, 0, 0, 0};
                    bool possible = codes[c] == 0x15   ? (k & ~mask) == 0
                                    : codes[c] == 0x25 ? k < mask
                                    : codes[c] == 0x35 ? k <= mask
                                                       : (k & mask) != 0;
                    struct counterexample example;
                    enum proof proof =
                        filter_prove(subject->z3, subject->policy, subject->arch, &wrong, NULL, SECONDS, &example);
                    tried++;
                    can += possible;
                    if (proof != (possible ? REFUTED : PROVED) && mistaken++ < 5)
                        printf("# word %u, mask 0x%x, 0x%x 0x%x: %d, %s\n", word, mask, codes[c], k, proof,
                               example.why);
                }
    ok(can > tried / 3 && can < tried && !mistaken,
       "%s, %s: an answer given where %u tests of a word hold is found for the %u that can, %u mistaken", name,
       arch_names[subject->arch], tried, can, mistaken);
    free(code);
}

static void check(struct policy *policy, const char *name, unsigned mutants) // in how many ways
{
    struct z3 z3 = {0};
    for (int arch = 0; policy && arch < ARCH_COUNT; arch++) {
        struct counterexample example = {0};
        struct bpf_program program = filter_of(policy, (enum arch)arch);
        double start = seconds_now();
        enum proof proof = filter_prove(&z3, policy, (enum arch)arch, &program, NULL, SECONDS, &example);
        ok(proof == PROVED && program.length <= BPF_MOST, "%s, %s: %zu instructions proved in %.0f ms%s%s", name,
           arch_names[arch], program.length, (seconds_now() - start) * 1e3, proof == NOT_PROVED ? ": " : "",
           proof == NOT_PROVED ? example.why : "");
        struct subject subject = {&z3, policy, (enum arch)arch, &program};
        if (mutants && arch == ARCH_X86_64) {
            struct tally tally = {0};
            mutate(&subject, mutants, &tally);
            ok(tally.changed > program.length && tally.refuted > tally.changed / 2 && !tally.missed &&
                   !tally.undecided && finds_each_kind(&program, &tally),
               "%s: of %u mutants %u are refuted by a counterexample, %u proved to mean the same, %u undecided, %u "
               "missed",
               name, tally.changed, tally.refuted, tally.same, tally.undecided, tally.missed);
        }
        if (mutants == WAYS)
            check_borders(&subject, name);
    }
    if (!policy)
        ok(false, "%s can be compiled", name);
    z3_close(&z3);
}

static void check_text(const char *text, const char *name, unsigned mutants)
{
    struct compilation *compilation;
    check(policy_from_text(&compilation, text), name, mutants);
    compilation_free(compilation);
}

// A diagnostic, not only an enum: the words that a user gets, for a filter made wrong.
static void check_words(void)
{
    struct compilation *compilation;
    struct policy *policy = policy_from_text(
        &compilation,
        "sbx 1; policy p { syscalls { allow read, write; deny lseek where offset == 7 with EINVAL; allow lseek; } }");
    struct bpf_program filters[ARCH_COUNT] = {filter_of(policy, ARCH_X86_64)}, program = filters[0]; // the same code
    struct z3 z3 = {0};
    ok(prove_filters(&z3, policy, filters) && compilation->diagnostics.errors == 0, "a proof says nothing");
    for (size_t i = 0; i < program.length; i++)
        if (program.code[i].code == 0x15 && program.code[i].k == 7)
            program.code[i].k = 8;
    ok(!prove_filters(&z3, policy, filters) && compilation->diagnostics.errors == 1, "a difference is an error");
    struct diagnostic *d = compilation->diagnostics.first;
    const char *words = d ? d->label.text : "";
    ok(strstr(words, "syscall lseek where") && strstr(words, "EINVAL"), "with a call on which they differ: %s", words);
    z3_close(&z3);
    compilation_free(compilation);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct compilation *compilation;
        check(policy_from_file(&compilation, argv[i], NULL), argv[i], i == 1 ? FEW_WAYS : 0);
        compilation_free(compilation);
    }
    check_text("sbx 1; policy p { summary \"nothing\"; }", "a policy without rules", WAYS);
    check_text(
        "sbx 1; policy p { syscalls { default deny with kill; allow read, write, exit_group; "
        "allow ioctl where request in { TCGETS, FIONREAD } and not fd == 3; deny ioctl where argp == 0 with EFAULT; "
        "allow mmap where prot & 7 == 3 or flags & 0xf00000000 == 0x300000000; allow lseek where offset in -5..5; "
        "allow kill where pid < 0; deny kill where sig == 9 with kill; allow fchmod where mode & 0o6000 == 0; "
        "allow prctl where option == 5 and arg2 > 0xfffffffff; } }",
        "conditions of every width", WAYS);
    check_text(long_policy(5, 130), "a very long filter", 0); // nearly what the kernel takes
    check_words();
    return tap_done();
}
