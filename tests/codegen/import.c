// Imported profiles beside libseccomp's own filter of the same profile, made as container engines make it: for every
// call of an architecture, with arguments at and around each value that the profile names, both say the same; and Z3
// finds no input on which libseccomp's instructions say something else than those of the policy, but for what a policy
// is known to say otherwise (outside, below).
//
// Where libseccomp makes no filter of a profile, the import has warned of that.
//
//   import PROFILE.json CAPABILITIES    (a number; bits)
#include "compiler/code/cbpf.h"
#include "compiler/import/seccomp.h"
#include "compiler/meaning/search.h"
#include "compiler/prove/prove.h"
#include "tests/codegen/oracle_profile.h"
#include "tests/tap.h"
#include "lang/load.h"

enum { TRIES = 3000, SECONDS = 60 };

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

// ---- all inputs ---------------------------------------------------------------------------------------------------

enum { LOAD = 0x20, JUMP = 0x05, JUMP_EQUAL = 0x15, JUMP_ABOVE = 0x25, JUMP_BITS = 0x45, RETURN = 0x06 };

struct outside { // instructions that answer, for both, what is not compared
    struct arena *arena;
    struct bpf_program program;
};

static void emit(struct outside *o, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    size_t size = o->program.length * sizeof *o->program.code;
    o->program.code = arena_grow(o->arena, o->program.code, size, size + sizeof *o->program.code);
    o->program.code[o->program.length++] = (struct bpf_instruction){code, jt, jf, k};
}

static void answer_unless(struct outside *o, uint16_t code, bool holds, uint32_t k)
{
    emit(o, code, holds, !holds, k);
    emit(o, RETURN, 0, 0, SECCOMP_KILL);
}

// Of an argument that the profile names, what the kernel does not look at, and what may come with its sign drawn out.
static void leave_out_bits(struct outside *o, unsigned argument, const struct syscall_row *row)
{
    unsigned bits = argument_bits(row->arguments[argument].type);
    if (bits == 64)
        return;
    bool is_signed = argument_is_signed(row->arguments[argument].type);
    emit(o, LOAD, 0, 0, 16 + 8 * argument + 4);
    answer_unless(o, JUMP_EQUAL, true, 0);
    emit(o, LOAD, 0, 0, 16 + 8 * argument);
    answer_unless(o, JUMP_BITS, false, (uint32_t) ~(((1ull << bits) - 1) >> is_signed));
}

// Not compared are other architectures, and numbers that libseccomp or the edition has no name for.
static struct outside outside_of(struct arena *arena, const struct profile *profile, enum arch arch, const bool *known)
{
    struct outside o = {.arena = arena};
    emit(&o, LOAD, 0, 0, 4);
    answer_unless(&o, JUMP_EQUAL, true, arch_audit[arch]);
    emit(&o, LOAD, 0, 0, 0);
    answer_unless(&o, JUMP_ABOVE, false, syscall_numbers_end(arch));
    for (uint32_t number = 0; number <= syscall_numbers_end(arch); number++) {
        int call = syscall_by_number(arch, number);
        if (call < 0 || !known[call]) {
            answer_unless(&o, JUMP_EQUAL, false, number);
            continue;
        }
        unsigned used = 0;
        for (size_t i = 0; i < profile->rule_count; i++)
            for (size_t k = 0; k < profile->rules[i].call_count; k++)
                for (size_t a = 0; profile->rules[i].calls[k].call == call && a < profile->rules[i].argument_count; a++)
                    used |= 1u << profile->rules[i].arguments[a].index;
        if (!used)
            continue;
        size_t jump = o.program.length;
        emit(&o, JUMP_EQUAL, 0, 0, number);
        for (unsigned a = 0; a < SYSCALL_ARGUMENTS; a++)
            if (used >> a & 1)
                leave_out_bits(&o, a, syscall_row((size_t)call));
        emit(&o, LOAD, 0, 0, 0);
        o.program.code[jump].jf = (uint8_t)(o.program.length - jump - 1);
    }
    return o;
}

// Nor what follows from net rules and not from a profile: where such a rule of the policy decides.
static struct bpf_program derived_of(struct policy *policy, enum arch arch)
{
    struct graph *graph = graph_new(policy->arena);
    graph_node go_on = graph_leaf(graph, SECCOMP_ALLOW), *calls = NEW_ARRAY(policy->arena, graph_node, syscall_count());
    for (size_t call = 0; call < syscall_count(); call++) {
        if (syscall_row(call)->number[arch] < 0)
            continue;
        size_t count;
        const struct call_rule **list = call_rules_in_order(policy, arch, call, NULL, &count);
        calls[call] = go_on;
        while (count-- > 0) // from the last to the first, which decides
            if (list[count]->rule->effect == EFFECT_DENY)
                calls[call] =
                    graph_select(graph, test_graph(graph, list[count]->match->tests[arch]),
                                 list[count]->rule->derived ? graph_leaf(graph, SECCOMP_KILL) : go_on, calls[call]);
    }
    return cbpf_emit(policy->arena, graph, calls_filter(graph, policy->arena, arch, calls), 0);
}

// The policy's call is made by the command or by the broker in its place: for a profile it is allowed.
static struct bpf_program of_the_command(struct policy *policy, enum arch arch)
{
    struct bpf_program program = filter_of(policy, arch);
    for (size_t i = 0; i < program.length; i++)
        if (program.code[i].code == RETURN && program.code[i].k == SECCOMP_NOTIFY)
            program.code[i].k = SECCOMP_ALLOW;
    return program;
}

static void add_derived(struct outside *o, const struct bpf_program *derived)
{
    for (size_t i = 0; i < derived->length; i++) {
        struct bpf_instruction in = derived->code[i];
        if (in.code == RETURN && in.k == SECCOMP_ALLOW)
            in = (struct bpf_instruction){JUMP, 0, 0, (uint32_t)(derived->length - i - 1)};
        emit(o, in.code, in.jt, in.jf, in.k);
    }
}

static struct bpf_program behind(const struct outside *o, const struct bpf_program *program)
{
    struct bpf_program whole = {.length = o->program.length + program->length};
    whole.code = NEW_ARRAY(o->arena, struct bpf_instruction, whole.length);
    memcpy(whole.code, o->program.code, o->program.length * sizeof *whole.code);
    memcpy(whole.code + o->program.length, program->code, program->length * sizeof *whole.code);
    return whole;
}

enum { TURNED = 8 };

// Proves it; and that of a few of libseccomp's jumps, turned round, one is noticed: so something is compared.
static bool is_proved(struct policy *policy, const struct profile *profile, const struct bpf_program *theirs,
                      enum arch arch, const bool *known)
{
    struct outside outside = outside_of(policy->arena, profile, arch, known);
    struct bpf_program derived = derived_of(policy, arch), own = of_the_command(policy, arch);
    add_derived(&outside, &derived);
    struct bpf_program a = behind(&outside, &own), b = behind(&outside, theirs);
    struct counterexample example = {0};
    struct z3 z3 = {0};
    enum proof proof = filter_prove(&z3, policy, arch, &a, &b, SECONDS, &example), turned = PROVED;
    if (proof == REFUTED)
        printf("# `%.*s`: 0x%x, libseccomp says 0x%x\n", STR_ARGS(operation_text(policy, &example.point)),
               example.filter, example.other);
    if (proof == NOT_PROVED)
        printf("# %s\n", example.why);
    for (int i = 0; i < TURNED && proof == PROVED && turned == PROVED; i++) {
        struct bpf_instruction *jump, was;
        do
            jump = &b.code[outside.program.length + random_below((unsigned)theirs->length)];
        while ((jump->code & 7) != JUMP || jump->code == JUMP);
        was = *jump;
        jump->jt = was.jf;
        jump->jf = was.jt;
        turned = filter_prove(&z3, policy, arch, &a, &b, SECONDS, &example);
        *jump = was;
    }
    z3_close(&z3);
    return proof == PROVED && turned == REFUTED;
}

static const struct diagnostic *finding(const struct compilation *compilation, enum code code)
{
    const struct diagnostic *d = compilation->diagnostics.first;
    while (d && d->code != code)
        d = d->next;
    return d;
}

// A profile has no rules on sockets but its own: so neither has this policy.
static struct policy *with_all_net(struct str text)
{
    struct compilation *own;
    struct text whole = {.arena = arena_new()};
    while (text.length && text.text[text.length - 1] != '}')
        text.length--;
    text_addf(&whole, "%.*s %s", (int)text.length - 1, text.text, ALL_NET);
    return policy_from_text(&own, text_str(&whole).text);
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
    struct policy *open = imported ? with_all_net(text_str(&text)) : NULL;
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
        if (theirs.length)
            ok(is_proved(open, profile, &theirs, (enum arch)arch, known), "%s: and no input is answered otherwise",
               arch_names[arch]);
    }
    return tap_done();
}
