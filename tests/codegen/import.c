// Imported profiles beside libseccomp's own filter of the same profile, made as container engines make it: for every
// call of an architecture, with arguments at and around each value that the profile names, both say the same.
//
// Where libseccomp makes no filter of a profile, the import has warned of that.
//
//   import PROFILE.json CAPABILITIES    (a number; bits)
#include "compiler/code/cbpf.h"
#include "compiler/import/seccomp.h"
#include "compiler/meaning/search.h"
#include "tests/codegen/oracle_profile.h"
#include "tests/tap.h"
#include "lang/load.h"

enum { TRIES = 3000 };

static uint64_t candidate(const struct profile *profile, size_t call, unsigned index, uint64_t width)
{
    uint64_t values[64] = {0, 1, width, width >> 1}, size = 4;
    for (size_t i = 0; i < profile->rule_count; i++)
        for (size_t k = 0; k < profile->rules[i].call_count; k++)
            for (size_t a = 0;
                 profile->rules[i].calls[k].call == (int)call && a < profile->rules[i].argument_count && size < 56; a++)
                if (profile->rules[i].arguments[a].index == index) {
                    uint64_t v = profile->rules[i].arguments[a].value;
                    const uint64_t near[] = {
                        v, v - 1, v + 1, v & -v, ~v, v << 1, profile->rules[i].arguments[a].value_two};
                    for (size_t n = 0; n < 7; n++)
                        values[size++] = near[n];
                }
    return (random_below(8) ? values[random_bits() % size] : random_bits()) & width;
}

static unsigned long compare(const struct profile *profile, struct policy *policy, const struct bpf_program *theirs,
                             enum arch arch, const bool *known, unsigned long *inputs)
{
    unsigned long wrong = 0;
    for (size_t call = 0; call < syscall_count(); call++) {
        const struct syscall_row *row = syscall_row(call);
        if (row->number[arch] < 0 || !known[call])
            continue;
        unsigned used = 0;
        for (size_t i = 0; i < profile->rule_count; i++)
            for (size_t k = 0; k < profile->rules[i].call_count; k++)
                used |= profile->rules[i].calls[k].call == (int)call && profile->rules[i].argument_count;
        for (int t = 0; t < (used ? TRIES : 1); t++) {
            struct operation_point point = {
                .domain = DOMAIN_CALLS, .arch = arch, .number = (uint32_t)row->number[arch]};
            for (unsigned a = 0; a < row->argument_count; a++) {
                unsigned bits = argument_bits(row->arguments[a].type);
                point.arguments[a] = candidate(profile, call, a, bits == 64 ? UINT64_MAX : (1ull << bits) - 1);
            }
            struct verdict verdict = policy_verdict(policy, &point);
            if (verdict.rule && verdict.rule->derived)
                continue; // what follows from net rules, which a profile does not have
            uint32_t mine = verdict.allowed  ? SECCOMP_ALLOW
                            : verdict.killed ? SECCOMP_KILL
                                             : SECCOMP_ERRNO | (uint32_t)verdict.error;
            uint32_t words[SECCOMP_WORDS];
            words_of(words, arch_audit[arch], point.number, point.arguments);
            // A negative number in 32 bits comes with its sign drawn out or not; profiles name it in one of the two
            // ways.
            uint32_t plain = cbpf_run(theirs, words, NULL);
            for (unsigned a = 0; a < row->argument_count; a++)
                if (argument_bits(row->arguments[a].type) == 32 && argument_is_signed(row->arguments[a].type) &&
                    point.arguments[a] >> 31)
                    point.arguments[a] |= 0xFFFFFFFFull << 32;
            words_of(words, arch_audit[arch], point.number, point.arguments);
            uint32_t drawn = cbpf_run(theirs, words, NULL);
            ++*inputs;
            if (mine != plain && mine != drawn && wrong++ < 5)
                printf("# `%.*s`: 0x%x, libseccomp says 0x%x\n", STR_ARGS(operation_text(policy, &point)), mine, plain);
        }
    }
    return wrong;
}

static const struct diagnostic *finding(const struct compilation *compilation, enum code code)
{
    const struct diagnostic *d = compilation->diagnostics.first;
    while (d && d->code != code)
        d = d->next;
    return d;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    uint64_t capabilities = strtoull(argv[2], NULL, 0);
    struct compilation *compilation = compilation_new(arena_new());
    struct source *source = source_load(compilation, argv[1]);
    struct profile *profile = source ? profile_read(compilation, source) : NULL;
    struct text text = {.arena = compilation->arena};
    struct import_options options = {capabilities, IMPORT_KERNEL, false};
    bool imported = profile && import_seccomp(compilation, source, &options, &text);
    ok(imported, "%s is imported, and proved", argv[1]);
    if (!imported)
        report_text(stdout, compilation, false);
    struct compilation *own;
    struct policy *policy = imported ? policy_from_text(&own, text_str(&text).text) : NULL;
    bool *known = NEW_ARRAY(compilation->arena, bool, syscall_count());
    for (int arch = 0; arch < ARCH_COUNT && policy; arch++) {
        struct bpf_program theirs =
            oracle_profile(compilation->arena, profile, (enum arch)arch, capabilities, 1, known);
        unsigned long inputs = 0, wrong = 0;
        if (theirs.length)
            wrong = compare(profile, policy, &theirs, (enum arch)arch, known, &inputs);
        const struct diagnostic *refused = finding(compilation, SBX0815);
        if (refused)
            ok(!theirs.length, "%s: no filter: %.*s", arch_names[arch], STR_ARGS(refused->message));
        else
            ok(theirs.length && wrong == 0 && inputs > 200, "%s: %lu calls as libseccomp answers them, %lu otherwise",
               arch_names[arch], inputs, wrong);
    }
    return tap_done();
}
