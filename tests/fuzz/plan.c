// Any text as a plan: refused, or read so that writing it again gives a plan that reads the same.
#include "tests/fuzz/fuzz.h"

#include "compiler/plan/plan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str why;
    struct plan *plan = plan_read(arena, str_copy(arena, (struct str){(const char *)data, size}), &why);
    if (plan) {
        struct str once = plan_write(arena, plan);
        struct plan *again = plan_read(arena, once, &why);
        if (!again || !str_equal(plan_write(arena, again), once))
            abort();
        for (int arch = 0; arch < ARCH_COUNT; arch++) {
            uint32_t words[SECCOMP_WORDS] = {0};
            for (uint32_t number = 0; number < 500; number += 7) {
                words[WORD_NUMBER] = number;
                words[WORD_ARCH] = arch_audit[number % ARCH_COUNT];
                cbpf_run(&plan->filters[arch], words, NULL); // ends, within its code
            }
        }
    } else if (!why.length) {
        abort(); // a refusal says why
    }
    arena_free(arena);
    return 0;
}
