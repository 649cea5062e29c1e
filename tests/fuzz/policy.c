// Any text as a policy, all the way: parsed, checked, given a meaning, lowered, its filters run.
#include "tests/fuzz/fuzz.h"

#include "compiler/code/cbpf.h"
#include "compiler/lint/lint.h"
#include "compiler/plan/lower.h"
#include "compiler/meaning/obligations.h"
#include "lang/check.h"
#include "lang/format.h"
#include "lang/parse.h"
#include "lang/load.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct compilation *compilation = compilation_new(arena_new());
    struct module *module = module_parse(compilation, STR("fuzz.sbx"),
                                         str_copy(compilation->arena, (struct str){(const char *)data, size}));
    const struct str *laid_out = format_source(compilation->arena, module->source);
    if (laid_out) { // keeps every word, which it sees to itself, and is the same when done again
        struct source again = *module->source;
        again.text = *laid_out;
        const struct str *twice = format_source(compilation->arena, &again);
        if (!twice || !str_equal(*twice, *laid_out))
            abort();
    }
    if (compilation->diagnostics.errors == 0)
        for (struct policy_decl *decl = module->policies; decl; decl = decl->next) {
            struct policy *policy = policy_build(compilation, decl, NULL);
            if (policy)
                lint_policy(policy);
            struct plan *plan = policy && policy_check(policy, true) ? policy_lower(policy, ARCH_ALL_MASK) : NULL;
            for (int arch = 0; plan && arch < ARCH_COUNT; arch++) {
                const char *why;
                size_t where;
                uint32_t words[SECCOMP_WORDS] = {[WORD_ARCH] = arch_audit[arch]};
                if (!cbpf_check(&plan->filters[arch], &why, &where))
                    abort();
                for (uint32_t number = 0; number < 64; number++) {
                    words[WORD_NUMBER] = number * 8;
                    struct operation_point point = {
                        .domain = DOMAIN_CALLS, .arch = (enum arch)arch, .number = number * 8};
                    struct verdict verdict = policy_verdict(policy, &point);
                    uint32_t answer = cbpf_run(&plan->filters[arch], words, NULL);
                    if ((answer == SECCOMP_ALLOW || answer == SECCOMP_NOTIFY) != verdict.allowed)
                        abort();
                }
            }
            if (plan) {
                struct str json = plan_write(compilation->arena, plan), why;
                if (!plan_read(compilation->arena, json, &why))
                    abort(); // what is written can be read
            }
        }
    compilation_free(compilation);
    return 0;
}
