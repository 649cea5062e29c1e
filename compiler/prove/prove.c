// Translation validation: a filter followed for each number, and what Z3 says of where it differs from a policy.
#include "compiler/prove/prove.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/meaning/broker.h"
#include "compiler/meaning/search.h"

// struct seccomp_data in words: number, architecture, instruction pointer (low, high), arguments (low, high).
enum { NUMBER, AUDIT, POINTER, ARGUMENTS = 4, DATA_WORDS = 16 };

struct bounds { // of a word, inclusive
    uint32_t first, last;
};

// Calls that are looked at together: of these architectures and numbers, with any arguments. For all of them the policy
// asks the same of the arguments.
struct kind {
    struct bounds audit, number;
};

struct prover {
    struct z3 *z3;
    const struct policy *policy;
    enum arch arch;
    unsigned broker; // compiler/meaning/broker.h
    Z3_sort argument;
    Z3_ast data[DATA_WORDS];             // what a call gives, as a filter loads it
    Z3_ast arguments[SYSCALL_ARGUMENTS]; // and as a policy sees it
};

static Z3_ast argument_value(struct prover *p, uint64_t value)
{
    return p->z3->mk_unsigned_int64(p->z3->context, value, p->argument);
}

static bool is_one(struct bounds bounds)
{
    return bounds.first == bounds.last;
}

// ---- the policy ---------------------------------------------------------------------------------------------------

static Z3_ast test_formula(struct prover *p, const struct test *test) // as test_holds
{
    struct z3 *z3 = p->z3;
    if (!test)
        return z3->mk_true(z3->context);
    switch (test->kind) {
    case CONDITION_AND: return z3_both(z3, test_formula(p, test->left), test_formula(p, test->right));
    case CONDITION_OR: return z3_either(z3, test_formula(p, test->left), test_formula(p, test->right));
    case CONDITION_NOT: return z3_not(z3, test_formula(p, test->left));
    default: break;
    }
    // What is about the lower half alone asks that, as filters do: less for Z3 to see through.
    uint64_t bits = test->mask;
    for (size_t i = 0; i < test->interval_count; i++)
        bits |= test->intervals[i].last;
    bool low = bits <= UINT32_MAX;
    Z3_sort sort = low ? z3->word : p->argument;
    Z3_ast value = low ? p->data[ARGUMENTS + 2 * test->argument] : p->arguments[test->argument];
    if (test->mask != (low ? UINT32_MAX : UINT64_MAX))
        value = z3->mk_bvand(z3->context, value, z3->mk_unsigned_int64(z3->context, test->mask, sort));
    Z3_ast *parts = scratch_alloc((test->interval_count + 1) * sizeof *parts);
    for (size_t i = 0; i < test->interval_count; i++) {
        struct test_interval in = test->intervals[i];
        Z3_ast first = z3->mk_unsigned_int64(z3->context, in.first, sort);
        Z3_ast last = z3->mk_unsigned_int64(z3->context, in.last, sort);
        parts[i] = in.first == in.last
                       ? z3->mk_eq(z3->context, value, first)
                       : z3_both(z3, z3->mk_bvule(z3->context, first, value), z3->mk_bvule(z3->context, value, last));
    }
    Z3_ast holds = z3->mk_or(z3->context, (unsigned)test->interval_count, parts);
    free(parts);
    return holds;
}

static bool applies(const struct call_match *match, enum arch arch)
{
    return match && match->architectures >> arch & 1;
}

static Z3_ast entry_formula(struct prover *p, const struct call_rule *entry)
{
    Z3_ast holds = test_formula(p, entry->match->tests[p->arch]);
    if (!applies(entry->except, p->arch))
        return holds;
    return z3_both(p->z3, holds, z3_not(p->z3, test_formula(p, entry->except->tests[p->arch])));
}

static uint32_t answer_to(const struct prover *p, uint32_t audit, const struct operation_point *point)
{
    if (audit != arch_audit[p->arch])
        return SECCOMP_KILL;
    struct verdict verdict = policy_verdict(p->policy, point);
    uint32_t action = verdict.allowed  ? SECCOMP_ALLOW
                      : verdict.killed ? SECCOMP_KILL
                                       : SECCOMP_ERRNO | (uint32_t)verdict.error;
    int call = syscall_by_number(p->arch, point->number);
    return call < 0 ? action : broker_answer(p->broker, (size_t)call, point->arguments, action);
}

static bool is_conditional(const struct prover *p, int call)
{
    for (const struct call_rule *entry = call < 0 ? NULL : p->policy->calls[call]; entry; entry = entry->next)
        if (applies(entry->match, p->arch) && (entry->match->tests[p->arch] || applies(entry->except, p->arch)))
            return true;
    int unless_null;
    return call >= 0 && broker_takes(p->broker, (size_t)call, &unless_null) && unless_null >= 0;
}

// What a call gets where an allow holds.
static Z3_ast allowed_formula(struct prover *p, size_t call)
{
    int unless_null;
    Z3_ast allow = z3_word(p->z3, SECCOMP_ALLOW);
    if (!broker_takes(p->broker, call, &unless_null))
        return allow;
    Z3_ast broker = z3_word(p->z3, SECCOMP_NOTIFY);
    if (unless_null < 0)
        return broker;
    Z3_ast is_null = p->z3->mk_eq(p->z3->context, p->arguments[unless_null], argument_value(p, 0));
    return p->z3->mk_ite(p->z3->context, is_null, allow, broker);
}

// What a call gets under its conditions: the first deny in the language's order that holds, else what the allows say,
// else the rest.
static Z3_ast call_formula(struct prover *p, size_t call)
{
    struct z3 *z3 = p->z3;
    size_t count = 0, deny_count = 0, allow_count = 0;
    for (const struct call_rule *entry = p->policy->calls[call]; entry; entry = entry->next)
        count++;
    const struct call_rule **denies = scratch_alloc((count + 1) * sizeof *denies);
    Z3_ast *allows = scratch_alloc((count + 1) * sizeof *allows);
    for (const struct call_rule *entry = p->policy->calls[call]; entry; entry = entry->next) {
        if (!applies(entry->match, p->arch))
            continue;
        if (entry->rule->effect == EFFECT_ALLOW)
            allows[allow_count++] = entry_formula(p, entry);
        else
            denies[deny_count++] = entry;
    }
    Z3_ast answer = z3->mk_ite(z3->context, z3->mk_or(z3->context, (unsigned)allow_count, allows),
                               allowed_formula(p, call), z3_word(z3, policy_fallback(p->policy, call)));
    qsort_r(denies, deny_count, sizeof *denies, deny_order, &p->arch);
    for (size_t i = deny_count; i-- > 0;) // the first is asked last, and so wins
        answer = z3->mk_ite(z3->context, entry_formula(p, denies[i]), z3_word(z3, denies[i]->rule->action), answer);
    free(denies);
    free(allows);
    return answer;
}

static Z3_ast policy_formula(struct prover *p, const struct kind *kind)
{
    struct operation_point point = {.domain = DOMAIN_CALLS, .arch = p->arch, .number = kind->number.first};
    int call = syscall_by_number(p->arch, point.number);
    if (kind->audit.first == arch_audit[p->arch] && is_conditional(p, call))
        return call_formula(p, (size_t)call);
    return z3_word(p->z3, answer_to(p, kind->audit.first, &point));
}

// ---- the filter ---------------------------------------------------------------------------------------------------

// What is in the accumulator: one of so many values.
struct value {
    Z3_ast ast;
    struct bounds bounds;
};

// What the program answers to calls of a kind from a test on that they don't decide. Jumps go forward only, so this
// ends.
struct known {
    const struct kind *kind; // open addressing: one of another kind, or none, is empty
    uint32_t at;
    Z3_ast accumulator, answer;
};

struct translation {
    struct prover *p;
    const struct bpf_program *program;
    const struct kind *kind;
    struct known *known;
    size_t capacity, count;
    bool failed;
};

static struct known *find_known(struct translation *t, uint32_t at, Z3_ast accumulator)
{
    size_t hash = ((uintptr_t)accumulator >> 4) * 0x9E3779B97F4A7C15u ^ at * 0xC2B2AE3D27D4EB4Fu;
    for (size_t i = hash % t->capacity;; i = (i + 1) % t->capacity)
        if (t->known[i].kind != t->kind || (t->known[i].at == at && t->known[i].accumulator == accumulator))
            return &t->known[i];
}

static struct value loaded(const struct translation *t, uint32_t word)
{
    return (struct value){t->p->data[word], word == NUMBER  ? t->kind->number
                                            : word == AUDIT ? t->kind->audit
                                                            : (struct bounds){0, UINT32_MAX}};
}

static struct value masked(struct translation *t, struct value a, uint32_t mask)
{
    struct z3 *z3 = t->p->z3;
    if (is_one(a.bounds)) {
        uint32_t value = a.bounds.first & mask;
        return (struct value){z3_word(z3, value), {value, value}};
    }
    return (struct value){z3->mk_bvand(z3->context, a.ast, z3_word(z3, mask)), {0, UINT32_MAX}};
}

enum { BPF_EQ = 0x15, BPF_GT = 0x25, BPF_GE = 0x35, BPF_SET = 0x45 };

// Whether a jump is taken for each of the values: 1, for none: 0, or that is open: -1.
static int is_taken(uint16_t code, struct bounds a, uint32_t k)
{
    switch (code) {
    case BPF_EQ: return a.first > k || a.last < k ? 0 : is_one(a) ? 1 : -1;
    case BPF_GT: return a.first > k ? 1 : a.last <= k ? 0 : -1;
    case BPF_GE: return a.first >= k ? 1 : a.last < k ? 0 : -1;
    default: return is_one(a) ? (a.first & k) != 0 : -1;
    }
}

static Z3_ast taken_formula(struct z3 *z3, uint16_t code, Z3_ast a, uint32_t value)
{
    Z3_ast k = z3_word(z3, value);
    switch (code) {
    case BPF_EQ: return z3->mk_eq(z3->context, a, k);
    case BPF_GT: return z3_not(z3, z3->mk_bvule(z3->context, a, k));
    case BPF_GE: return z3->mk_bvule(z3->context, k, a);
    default: return z3_not(z3, z3->mk_eq(z3->context, z3->mk_bvand(z3->context, a, k), z3_word(z3, 0)));
    }
}

// Classic BPF as the kernel runs it (Documentation/networking/filter.rst).
static Z3_ast answer_from(struct translation *t, uint32_t at, struct value a)
{
    for (;; at++) {
        const struct bpf_instruction *in = &t->program->code[at];
        switch (in->code) {
        case 0x20: a = loaded(t, in->k / 4); continue; // BPF_LD | BPF_W | BPF_ABS
        case 0x54: a = masked(t, a, in->k); continue;  // BPF_ALU | BPF_AND | BPF_K
        case 0x05: at += in->k; continue;              // BPF_JMP | BPF_JA
        case 0x06: return z3_word(t->p->z3, in->k);    // BPF_RET | BPF_K
        case BPF_EQ:
        case BPF_GT:
        case BPF_GE:
        case BPF_SET: break;                    // BPF_JMP | BPF_J… | BPF_K
        default: t->failed = true; return NULL; // cbpf_check knows no other
        }
        int taken = is_taken(in->code, a.bounds, in->k);
        if (taken >= 0) {
            at += taken ? in->jt : in->jf;
            continue;
        }
        if (find_known(t, at, a.ast)->kind == t->kind)
            return find_known(t, at, a.ast)->answer;
        Z3_ast yes = answer_from(t, at + 1 + in->jt, a), no = answer_from(t, at + 1 + in->jf, a), answer = yes;
        t->failed |= ++t->count > t->capacity / 2;
        if (t->failed)
            return NULL;
        if (yes != no)
            answer = t->p->z3->mk_ite(t->p->z3->context, taken_formula(t->p->z3, in->code, a.ast, in->k), yes, no);
        *find_known(t, at, a.ast) = (struct known){t->kind, at, a.ast, answer};
        return answer;
    }
}

static struct translation translation_of(struct prover *p, const struct bpf_program *program)
{
    struct translation t = {.p = p, .program = program, .capacity = 64 * program->length + 64};
    t.known = scratch_alloc(t.capacity * sizeof *t.known);
    memset(t.known, 0, t.capacity * sizeof *t.known);
    return t;
}

static Z3_ast filter_formula(struct translation *t, const struct kind *kind)
{
    t->kind = kind;
    t->count = 0;
    return answer_from(t, 0, (struct value){z3_word(t->p->z3, 0), {0, 0}});
}

// ---- the question -------------------------------------------------------------------------------------------------

// How many intervals the conditions of a policy have. Z3 takes kilobytes for each, and can't be stopped in good order.
enum { INTERVALS_MOST = 10000 };

static size_t intervals_of(const struct test *test)
{
    if (!test)
        return 0;
    return test->kind == CONDITION_IN ? test->interval_count : intervals_of(test->left) + intervals_of(test->right);
}

static size_t intervals_of_policy(const struct policy *policy, enum arch arch)
{
    size_t count = 0;
    for (size_t call = 0; call < syscall_count(); call++)
        for (const struct call_rule *entry = policy->calls[call]; entry; entry = entry->next)
            count += intervals_of(entry->match->tests[arch]) +
                     intervals_of(entry->except ? entry->except->tests[arch] : NULL);
    return count;
}

static struct prover prover_of(struct z3 *z3, const struct policy *policy, enum arch arch)
{
    struct prover p = {.z3 = z3, .policy = policy, .arch = arch, .broker = policy_broker(policy)};
    p.argument = z3->mk_bv_sort(z3->context, 64);
    for (int i = 0; i < ARGUMENTS; i++)
        p.data[i] = z3->mk_const(z3->context, z3->mk_int_symbol(z3->context, i), z3->word);
    for (int i = 0; i < SYSCALL_ARGUMENTS; i++) { // both architectures are little-endian
        p.arguments[i] = z3->mk_const(z3->context, z3->mk_int_symbol(z3->context, ARGUMENTS + i), p.argument);
        p.data[ARGUMENTS + 2 * i] = z3->mk_extract(z3->context, 31, 0, p.arguments[i]);
        p.data[ARGUMENTS + 2 * i + 1] = z3->mk_extract(z3->context, 63, 32, p.arguments[i]);
    }
    return p;
}

static uint32_t value_within(struct z3 *z3, Z3_model model, Z3_ast word, struct bounds bounds)
{
    return is_one(bounds) ? bounds.first : (uint32_t)z3_value(z3, model, word);
}

// Takes a call of the kind out of the model, and runs it. `filter`: what the program answers to that kind.
static enum proof examine(struct prover *p, const struct kind *kind, Z3_model model, const struct bpf_program *program,
                          Z3_ast filter, const struct bpf_program *other, struct counterexample *example)
{
    struct z3 *z3 = p->z3;
    struct operation_point *point = &example->point;
    uint32_t words[SECCOMP_WORDS];
    *point = (struct operation_point){.domain = DOMAIN_CALLS, .arch = p->arch};
    point->number = value_within(z3, model, p->data[NUMBER], kind->number);
    example->audit = value_within(z3, model, p->data[AUDIT], kind->audit);
    example->foreign = example->audit != arch_audit[p->arch];
    for (int i = 0; i < SYSCALL_ARGUMENTS; i++)
        point->arguments[i] = z3_value(z3, model, p->arguments[i]);
    cbpf_words(words, example->audit, point->number, point->arguments);
    example->filter = (uint32_t)z3_value(z3, model, filter);
    example->other = other ? cbpf_run(other, words, NULL) : answer_to(p, example->audit, point);
    // Our own filters never look at the instruction pointer, and cbpf_run has none but 0.
    bool same_run = cbpf_run(program, words, NULL) == example->filter || z3_value(z3, model, p->data[POINTER]) ||
                    z3_value(z3, model, p->data[POINTER + 1]);
    if (same_run && example->filter != example->other)
        return REFUTED;
    example->why = "the prover's counterexample is none: a fault of sbxc";
    return NOT_PROVED;
}

// The kinds, which are all calls that there can be. At most syscall_numbers_end + 4.
static size_t kinds_of(enum arch arch, struct kind *kinds)
{
    size_t count = 0;
    uint32_t own = arch_audit[arch], end = syscall_numbers_end(arch);
    struct bounds any = {0, UINT32_MAX}, audit = {own, own};
    kinds[count++] = (struct kind){{0, own - 1}, any};
    kinds[count++] = (struct kind){{own + 1, UINT32_MAX}, any};
    for (uint32_t number = 0; number < end; number++)
        kinds[count++] = (struct kind){audit, {number, number}};
    if (arch == ARCH_X86_64) { // from there on, x32
        kinds[count++] = (struct kind){audit, {end, 0x3FFFFFFF}};
        end = 0x40000000;
    }
    kinds[count++] = (struct kind){audit, {end, UINT32_MAX}};
    return count;
}

// What makes two formulas differ for calls of a kind. One number's formulas don't speak of the number any more, so that
// the same conditions of another call, or on another architecture, are the same question.
static Z3_ast difference(struct prover *p, const struct kind *kind, Z3_ast a, Z3_ast b)
{
    struct z3 *z3 = p->z3;
    Z3_ast differ = z3_not(z3, z3->mk_eq(z3->context, a, b));
    const struct bounds bounds[] = {[NUMBER] = kind->number, [AUDIT] = kind->audit};
    for (int word = NUMBER; word <= AUDIT; word++)
        if (!is_one(bounds[word])) {
            differ = z3_both(z3, differ, z3->mk_bvule(z3->context, z3_word(z3, bounds[word].first), p->data[word]));
            differ = z3_both(z3, differ, z3->mk_bvule(z3->context, p->data[word], z3_word(z3, bounds[word].last)));
        }
    return differ;
}

static enum proof check_kind(struct prover *p, const struct kind *kind, struct translation *program,
                             struct translation *other, unsigned seconds, struct counterexample *example)
{
    Z3_ast filter = filter_formula(program, kind);
    Z3_ast answer = other ? filter_formula(other, kind) : policy_formula(p, kind);
    if (!filter || !answer) {
        bool failed = program->failed || (other && other->failed);
        example->why = failed ? "the filter has more ways through it than are looked at" : "Z3 has no memory";
        return NOT_PROVED;
    }
    if (filter == answer) // equal formulas exist once
        return PROVED;
    Z3_model model;
    switch (z3_find(p->z3, difference(p, kind, filter, answer), seconds, &model, &example->why)) {
    case Z3_L_FALSE: return PROVED;
    case Z3_L_UNDEF: return NOT_PROVED;
    default: break;
    }
    enum proof proof = examine(p, kind, model, program->program, filter, other ? other->program : NULL, example);
    p->z3->model_dec_ref(p->z3->context, model);
    return proof;
}

static time_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

enum proof filter_prove(struct z3 *z3, const struct policy *policy, enum arch arch, const struct bpf_program *program,
                        const struct bpf_program *other, unsigned seconds, struct counterexample *example)
{
    size_t where, intervals = intervals_of_policy(policy, arch);
    *example = (struct counterexample){.why = "its conditions have more than 10,000 values"};
    if (intervals > INTERVALS_MOST || !cbpf_check(program, &example->why, &where) ||
        (other && !cbpf_check(other, &example->why, &where)) ||
        !z3_ready(z3, intervals + program->length + (other ? other->length : 0), &example->why))
        return NOT_PROVED;
    time_t end = seconds_now() + (time_t)seconds;
    struct prover p = prover_of(z3, policy, arch);
    struct translation ours = translation_of(&p, program), theirs = {0};
    if (other)
        theirs = translation_of(&p, other);
    struct kind *kinds = scratch_alloc((syscall_numbers_end(arch) + 4) * sizeof *kinds);
    size_t count = kinds_of(arch, kinds);
    enum proof proof = PROVED;
    for (size_t i = 0; i < count && proof == PROVED; i++) {
        time_t left = end - seconds_now();
        example->why = Z3_LATE;
        proof =
            left > 0 ? check_kind(&p, &kinds[i], &ours, other ? &theirs : NULL, (unsigned)left, example) : NOT_PROVED;
    }
    free(kinds);
    free(ours.known);
    free(theirs.known);
    return proof;
}

// ---- for users ----------------------------------------------------------------------------------------------------

static const char *answer_text(struct arena *arena, uint32_t answer)
{
    const char *name = errno_name((int)(answer & 0xFFFF));
    if (answer == SECCOMP_ALLOW || answer == SECCOMP_KILL)
        return answer == SECCOMP_ALLOW ? "allows it" : "kills for it";
    if (answer == SECCOMP_NOTIFY)
        return "hands it to the broker";
    if ((answer & ~0xFFFFu) == SECCOMP_ERRNO && name)
        return str_format(arena, "denies it with %s", name).text;
    return str_format(arena, "answers 0x%x", answer).text;
}

static void report(struct policy *policy, enum arch arch, enum proof proof, const struct counterexample *example)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    struct span span = policy->decl->name.span;
    if (proof == NOT_PROVED) {
        struct diagnostic *d = diagnose(diagnostics, SBX0516, span, arch_names[arch]);
        diagnostic_label(diagnostics, d, span, "%s", example->why);
    } else if (proof == REFUTED) {
        struct diagnostic *d = diagnose(diagnostics, SBX0515, span, arch_names[arch]);
        struct str call = example->foreign ? str_format(policy->arena, "call %u of architecture 0x%x",
                                                        example->point.number, example->audit)
                                           : operation_text(policy, &example->point);
        diagnostic_label(diagnostics, d, span, "for `%.*s` the filter %s, and the policy %s", STR_ARGS(call),
                         answer_text(policy->arena, example->filter), answer_text(policy->arena, example->other));
        const struct rule *rule = example->foreign ? NULL : policy_verdict(policy, &example->point).rule;
        if (rule)
            diagnostic_label(diagnostics, d, rule->span, "this rule decides");
    }
}

bool prove_filters(struct z3 *z3, struct policy *policy, const struct bpf_program filters[ARCH_COUNT])
{
    bool proved = true;
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        if (filters[arch].length) {
            struct counterexample example;
            enum proof proof = filter_prove(z3, policy, (enum arch)arch, &filters[arch], NULL, PROVE_SECONDS, &example);
            report(policy, (enum arch)arch, proof, &example);
            proved &= proof == PROVED;
        }
    return proved;
}
