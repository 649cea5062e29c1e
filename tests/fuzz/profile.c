// Any text as a seccomp profile: refused with a finding, or a policy that reads without one.
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/import/seccomp.h"
#include "tests/policies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct compilation *compilation = compilation_new(arena_new());
    struct source *source = source_add(&compilation->sources, STR("profile.json"), STR(""),
                                       str_copy(compilation->arena, (struct str){(const char *)data, size}));
    source_index(&compilation->sources, source);
    struct text text = {.arena = compilation->arena};
    struct import_options options = {0x1FFFFF, IMPORT_KERNEL, true};
    bool good = import_seccomp(compilation, source, &options, &text);
    if (good != !compilation->diagnostics.errors)
        abort();
    compilation_free(compilation);
    return 0;
}
