// Translation validation: a policy and a filter as formulas, and what Z3 says of their difference.
#include "compiler/prove/prove.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/meaning/broker.h"
#include "compiler/prove/z3.h"
#include "compiler/meaning/search.h"

enum { BITS = 32, SECCOMP_DATA = 64 }; // bytes of struct seccomp_data

struct prover {
    struct z3 z3;
    Z3_context context;
    const struct policy *policy;
    enum arch arch;
    unsigned broker; // compiler/meaning/broker.h
    Z3_sort word, argument;
    Z3_ast data[SECCOMP_DATA / 4];       // struct seccomp_data as a filter loads it
    Z3_ast arguments[SYSCALL_ARGUMENTS]; // and as a policy sees it
    Z3_ast answer;                       // the policy's
    const char *failure;                 // to make the formula; NULL when it is whole
};

static void note_failure(Z3_context context, Z3_error_code code)
{
    (void)context,
        (void)code; // what failed is NULL, and so is all that is made of it; the last call's code is asked for
}

static Z3_ast word_value(struct prover *p, uint32_t value)
{
    return p->z3.mk_unsigned_int64(p->context, value, p->word);
}

// ---- the policy ---------------------------------------------------------------------------------------------------

static Z3_ast both(struct prover *p, Z3_ast a, Z3_ast b)
{
    return p->z3.mk_and(p->context, 2, (Z3_ast[]){a, b});
}

static Z3_ast either(struct prover *p, Z3_ast a, Z3_ast b)
{
    return p->z3.mk_or(p->context, 2, (Z3_ast[]){a, b});
}

static Z3_ast negation(struct prover *p, Z3_ast a)
{
    return p->z3.mk_not(p->context, a);
}

static Z3_ast test_formula(struct prover *p, const struct test *test) // as test_holds
{
    if (!test)
        return p->z3.mk_true(p->context);
    switch (test->kind) {
    case CONDITION_AND: return both(p, test_formula(p, test->left), test_formula(p, test->right));
    case CONDITION_OR: return either(p, test_formula(p, test->left), test_formula(p, test->right));
    case CONDITION_NOT: return negation(p, test_formula(p, test->left));
    default: break;
    }
    Z3_ast mask = p->z3.mk_unsigned_int64(p->context, test->mask, p->argument);
    Z3_ast value = test->mask == UINT64_MAX ? p->arguments[test->argument]
                                            : p->z3.mk_bvand(p->context, p->arguments[test->argument], mask);
    Z3_ast *parts = calloc(test->interval_count + 1, sizeof *parts);
    for (size_t i = 0; parts && i < test->interval_count; i++) {
        Z3_ast first = p->z3.mk_unsigned_int64(p->context, test->intervals[i].first, p->argument);
        Z3_ast last = p->z3.mk_unsigned_int64(p->context, test->intervals[i].last, p->argument);
        bool one = test->intervals[i].first == test->intervals[i].last;
        parts[i] = one ? p->z3.mk_eq(p->context, value, first)
                       : both(p, p->z3.mk_bvule(p->context, first, value), p->z3.mk_bvule(p->context, value, last));
    }
    Z3_ast holds = parts ? p->z3.mk_or(p->context, (unsigned)test->interval_count, parts) : p->z3.mk_false(p->context);
    if (!parts)
        p->failure = "memory ran out";
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
    return applies(entry->except, p->arch) ? both(p, holds, negation(p, test_formula(p, entry->except->tests[p->arch])))
                                           : holds;
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
    Z3_ast allow = word_value(p, SECCOMP_ALLOW);
    if (!broker_takes(p->broker, call, &unless_null))
        return allow;
    Z3_ast broker = word_value(p, SECCOMP_NOTIFY);
    if (unless_null < 0)
        return broker;
    return p->z3.mk_ite(
        p->context,
        p->z3.mk_eq(p->context, p->arguments[unless_null], p->z3.mk_unsigned_int64(p->context, 0, p->argument)), allow,
        broker);
}

// What a call gets under its conditions: the first deny in the language's order that holds, else what the allows say,
// else the rest.
static Z3_ast call_formula(struct prover *p, int call)
{
    size_t count = 0;
    for (const struct call_rule *entry = p->policy->calls[call]; entry; entry = entry->next)
        count++;
    const struct call_rule **denies = calloc(count + 1, sizeof *denies);
    Z3_ast *allows = calloc(count + 1, sizeof *allows);
    size_t deny_count = 0, allow_count = 0;
    for (const struct call_rule *entry = denies && allows ? p->policy->calls[call] : NULL; entry; entry = entry->next) {
        if (!applies(entry->match, p->arch))
            continue;
        if (entry->rule->effect == EFFECT_ALLOW)
            allows[allow_count++] = entry_formula(p, entry);
        else
            denies[deny_count++] = entry;
    }
    Z3_ast answer = word_value(p, policy_fallback(p->policy, (size_t)call));
    if (denies && allows)
        answer = p->z3.mk_ite(p->context, p->z3.mk_or(p->context, (unsigned)allow_count, allows),
                              allowed_formula(p, (size_t)call), answer);
    else
        p->failure = "memory ran out";
    if (denies)
        qsort_r(denies, deny_count, sizeof(struct call_rule *), deny_order, &p->arch);
    for (size_t i = deny_count; i-- > 0;) // the first is asked last, and so wins
        answer = p->z3.mk_ite(p->context, entry_formula(p, denies[i]), word_value(p, denies[i]->rule->action), answer);
    free(denies);
    free(allows);
    return answer;
}

// Numbers first..last, which are all of those that a call can have on this architecture, and what lies around them.
static Z3_ast numbers_formula(struct prover *p)
{
    Z3_ast number = p->data[0];
    struct operation_point point = {.domain = DOMAIN_CALLS, .arch = p->arch, .number = UINT32_MAX};
    uint32_t later = p->arch == ARCH_X86_64 ? 0x3FFFFFFF : UINT32_MAX; // beyond it, x32
    Z3_ast formula = word_value(p, answer_to(p, arch_audit[p->arch], &point));
    point.number = later;
    uint32_t constant = answer_to(p, arch_audit[p->arch], &point);
    Z3_ast answer = word_value(p, constant);
    uint32_t last = later; // of the numbers that get `answer`
    for (uint32_t at = syscall_numbers_end(p->arch) + 1; at-- > 0;) {
        point.number = at;
        int call = syscall_by_number(p->arch, at);
        bool conditional = is_conditional(p, call);
        uint32_t here =
            conditional ? 0
                        : answer_to(p, arch_audit[p->arch], &point); // no answer is 0, which is SECCOMP_RET_KILL_THREAD
        if (!conditional && here == constant)
            continue;
        formula = p->z3.mk_ite(p->context, p->z3.mk_bvule(p->context, number, word_value(p, last)), answer, formula);
        answer = conditional ? call_formula(p, call) : word_value(p, here);
        constant = here;
        last = at;
    }
    return p->z3.mk_ite(p->context, p->z3.mk_bvule(p->context, number, word_value(p, last)), answer, formula);
}

static Z3_ast policy_formula(struct prover *p)
{
    Z3_ast own = p->z3.mk_eq(p->context, p->data[1], word_value(p, arch_audit[p->arch]));
    return p->z3.mk_ite(p->context, own, numbers_formula(p), word_value(p, SECCOMP_KILL));
}

// ---- the filter ---------------------------------------------------------------------------------------------------

// What the program answers from one instruction on, with something in the accumulator. Jumps go forward only, so this
// ends.
struct known {
    uint32_t at;
    Z3_ast accumulator, answer;
};

struct translation {
    struct prover *p;
    const struct bpf_program *program;
    struct known *known; // open addressing; no answer: empty
    size_t capacity, count;
    bool failed;
};

static struct known *find_known(struct translation *t, uint32_t at, Z3_ast accumulator)
{
    size_t hash = ((uintptr_t)accumulator >> 4) * 0x9E3779B97F4A7C15u ^ at * 0xC2B2AE3D27D4EB4Fu;
    for (size_t i = hash % t->capacity;; i = (i + 1) % t->capacity)
        if (!t->known[i].answer || (t->known[i].at == at && t->known[i].accumulator == accumulator))
            return &t->known[i];
}

// Classic BPF as the kernel runs it (Documentation/networking/filter.rst).
static Z3_ast answer_from(struct translation *t, uint32_t at, Z3_ast a)
{
    struct prover *p = t->p;
    const struct bpf_instruction *in = &t->program->code[at];
    Z3_ast test = NULL;
    if (in->code == 0x20 || in->code == 0x06) // what is in the accumulator does not matter
        a = p->data[0];
    if (find_known(t, at, a)->answer || t->failed)
        return find_known(t, at, a)->answer;
    Z3_ast k = word_value(p, in->k), answer = NULL;
    switch (in->code) {
    case 0x20: answer = answer_from(t, at + 1, p->data[in->k / 4]); break;               // BPF_LD | BPF_W | BPF_ABS
    case 0x54: answer = answer_from(t, at + 1, p->z3.mk_bvand(p->context, a, k)); break; // BPF_ALU | BPF_AND | BPF_K
    case 0x05: answer = answer_from(t, at + 1 + in->k, a); break;                        // BPF_JMP | BPF_JA
    case 0x06: answer = k; break;                                                        // BPF_RET | BPF_K
    case 0x15: test = p->z3.mk_eq(p->context, a, k); break;                              // BPF_JMP | BPF_JEQ | BPF_K
    case 0x25: test = negation(p, p->z3.mk_bvule(p->context, a, k)); break;              // BPF_JGT
    case 0x35: test = p->z3.mk_bvule(p->context, k, a); break;                           // BPF_JGE
    case 0x45:
        test = negation(p, p->z3.mk_eq(p->context, p->z3.mk_bvand(p->context, a, k), word_value(p, 0)));
        break; // BPF_JSET
    default: t->failed = true;
    }
    if (!answer && !t->failed) {
        Z3_ast yes = answer_from(t, at + 1 + in->jt, a), no = answer_from(t, at + 1 + in->jf, a);
        answer = t->failed ? NULL : yes == no ? yes : p->z3.mk_ite(p->context, test, yes, no);
    }
    t->failed |= !answer || ++t->count > t->capacity / 2;
    if (!t->failed)
        *find_known(t, at, a) = (struct known){at, a, answer};
    return answer;
}

static Z3_ast filter_formula(struct prover *p, const struct bpf_program *program)
{
    struct translation t = {.p = p, .program = program, .capacity = 64 * program->length + 64};
    t.known = calloc(t.capacity, sizeof *t.known);
    t.failed = !t.known;
    Z3_ast answer = t.failed ? NULL : answer_from(&t, 0, word_value(p, 0));
    free(t.known);
    return t.failed ? NULL : answer;
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

struct prover *prover_new(const struct policy *policy, enum arch arch, const char **why)
{
    if (policy && intervals_of_policy(policy, arch) > INTERVALS_MOST) {
        *why = "its conditions have more than 10,000 values";
        return NULL;
    }
    struct prover *p = calloc(1, sizeof *p);
    if (!p || !z3_load(&p->z3, why)) {
        *why = p ? *why : "memory ran out";
        free(p);
        return NULL;
    }
    p->z3.global_param_set("memory_max_size", "4096"); // MiB; beyond it, a failure
    Z3_config config = p->z3.mk_config();
    p->context = p->z3.mk_context(config);
    p->z3.del_config(config);
    p->z3.set_error_handler(p->context, note_failure);
    p->policy = policy;
    p->broker = policy_broker(policy);
    p->arch = arch;
    p->word = p->z3.mk_bv_sort(p->context, BITS);
    p->argument = p->z3.mk_bv_sort(p->context, 2 * BITS);
    for (int i = 0; i < 4; i++) // number, architecture, instruction pointer (low, high)
        p->data[i] = p->z3.mk_const(p->context, p->z3.mk_int_symbol(p->context, i), p->word);
    for (int i = 0; i < SYSCALL_ARGUMENTS; i++) {
        p->arguments[i] = p->z3.mk_const(p->context, p->z3.mk_int_symbol(p->context, 4 + i), p->argument);
        p->data[4 + 2 * i] =
            p->z3.mk_extract(p->context, BITS - 1, 0, p->arguments[i]); // both architectures are little-endian
        p->data[5 + 2 * i] = p->z3.mk_extract(p->context, 2 * BITS - 1, BITS, p->arguments[i]);
    }
    p->answer = policy_formula(p);
    return p;
}

void prover_free(struct prover *p)
{
    if (p)
        p->z3.del_context(p->context);
    free(p);
}

static uint64_t value_in(struct prover *p, Z3_model model, Z3_ast ast)
{
    Z3_ast value = NULL;
    uint64_t number = 0;
    if (p->z3.model_eval(p->context, model, ast, true, &value))
        p->z3.get_numeral_uint64(p->context, value, &number);
    return number;
}

// Takes the input out of the model, and runs it.
static enum proof examine(struct prover *p, Z3_model model, const struct bpf_program *program, Z3_ast filter,
                          const struct bpf_program *other, struct counterexample *example)
{
    struct operation_point *point = &example->point;
    uint32_t words[SECCOMP_WORDS];
    *point = (struct operation_point){
        .domain = DOMAIN_CALLS, .arch = p->arch, .number = (uint32_t)value_in(p, model, p->data[0])};
    example->audit = (uint32_t)value_in(p, model, p->data[1]);
    example->foreign = example->audit != arch_audit[p->arch];
    words[WORD_ARCH] = example->audit;
    words[WORD_NUMBER] = point->number;
    for (int i = 0; i < SYSCALL_ARGUMENTS; i++) {
        point->arguments[i] = value_in(p, model, p->arguments[i]);
        words[WORD_HIGH(i)] = (uint32_t)(point->arguments[i] >> 32);
        words[WORD_LOW(i)] = (uint32_t)point->arguments[i];
    }
    example->filter = (uint32_t)value_in(p, model, filter);
    example->other = other ? cbpf_run(other, words, NULL) : answer_to(p, example->audit, point);
    // Our own filters never look at the instruction pointer, and cbpf_run has none but 0.
    bool same_run = cbpf_run(program, words, NULL) == example->filter || value_in(p, model, p->data[2]) ||
                    value_in(p, model, p->data[3]);
    if (same_run && example->filter != example->other)
        return REFUTED;
    example->why = "the prover's counterexample is none: a fault of sbxc";
    return NOT_PROVED;
}

enum proof prover_check(struct prover *p, const struct bpf_program *program, const struct bpf_program *other,
                        unsigned seconds, struct counterexample *example)
{
    *example = (struct counterexample){0};
    size_t where;
    if (!cbpf_check(program, &example->why, &where) || (other && !cbpf_check(other, &example->why, &where)))
        return NOT_PROVED;
    Z3_ast filter = filter_formula(p, program), answer = other ? filter_formula(p, other) : p->answer;
    example->why = p->failure ? p->failure : "the filter has an instruction that is not understood";
    if (!filter || !answer || p->failure)
        return NOT_PROVED;
    Z3_solver solver = p->z3.mk_solver_for_logic(p->context, p->z3.mk_string_symbol(p->context, "QF_BV"));
    p->z3.solver_inc_ref(p->context, solver);
    Z3_params params = p->z3.mk_params(p->context);
    p->z3.params_inc_ref(p->context, params);
    p->z3.params_set_uint(p->context, params, p->z3.mk_string_symbol(p->context, "timeout"), seconds * 1000);
    p->z3.solver_set_params(p->context, solver, params);
    p->z3.params_dec_ref(p->context, params);
    p->z3.solver_assert(p->context, solver, negation(p, p->z3.mk_eq(p->context, filter, answer)));
    enum proof proof = NOT_PROVED;
    Z3_lbool satisfiable =
        p->z3.get_error_code(p->context) == Z3_OK ? p->z3.solver_check(p->context, solver) : Z3_L_UNDEF;
    if (p->z3.get_error_code(p->context) != Z3_OK)
        example->why = p->z3.get_error_msg(p->context, p->z3.get_error_code(p->context));
    else if (satisfiable == Z3_L_FALSE)
        proof = PROVED;
    else if (satisfiable == Z3_L_UNDEF) {
        example->why = p->z3.solver_get_reason_unknown(p->context, solver);
        if (strcmp(example->why, "timeout") == 0 || strcmp(example->why, "canceled") == 0)
            example->why = "Z3 was not done in time";
    } else {
        Z3_model model = p->z3.solver_get_model(p->context, solver);
        p->z3.model_inc_ref(p->context, model);
        proof = examine(p, model, program, filter, other, example);
        p->z3.model_dec_ref(p->context, model);
    }
    p->z3.solver_dec_ref(p->context, solver);
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

struct attempt { // to prove one filter, on a thread of its own
    const struct policy *policy;
    enum arch arch;
    const struct bpf_program *program;
    struct counterexample example;
    enum proof proof;
};

static void *attempt(void *context)
{
    struct attempt *a = context;
    struct prover *prover = prover_new(a->policy, a->arch, &a->example.why);
    a->proof = prover ? prover_check(prover, a->program, NULL, PROVE_SECONDS, &a->example) : NOT_PROVED;
    prover_free(prover);
    return NULL;
}

static void report(struct policy *policy, const struct attempt *a)
{
    struct diagnostics *diagnostics = &policy->compilation->diagnostics;
    struct span span = policy->decl->name.span;
    const struct counterexample *example = &a->example;
    if (a->proof == NOT_PROVED) {
        struct diagnostic *d = diagnose(diagnostics, SBX0516, span, arch_names[a->arch]);
        diagnostic_label(diagnostics, d, span, "%s", example->why);
    } else if (a->proof == REFUTED) {
        struct diagnostic *d = diagnose(diagnostics, SBX0515, span, arch_names[a->arch]);
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

bool prove_filters(struct policy *policy, const struct bpf_program filters[ARCH_COUNT])
{
    struct attempt attempts[ARCH_COUNT];
    pthread_t threads[ARCH_COUNT];
    bool started[ARCH_COUNT] = {false}, proved = true;
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        attempts[arch] = (struct attempt){.policy = policy, .arch = (enum arch)arch, .program = &filters[arch]};
        if (filters[arch].length && arch)
            started[arch] = pthread_create(&threads[arch], NULL, attempt, &attempts[arch]) == 0;
    }
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        if (!filters[arch].length)
            continue;
        if (started[arch])
            pthread_join(threads[arch], NULL);
        else
            attempt(&attempts[arch]);
        report(policy, &attempts[arch]);
        proved &= attempts[arch].proof == PROVED;
    }
    return proved;
}
