// Any text as a question to a policy (`sbxc --why`).
#include "tests/fuzz/fuzz.h"

#include "compiler/meaning/why.h"
#include "tests/policies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct compilation *compilation;
    struct policy *policy = policy_from_text(
        &compilation,
        "sbx 1; policy p(a: path = \"/x\") { fs { allow read \"/a\" from $a; deny write \"/a/b\" except \"/a/b/c\"; }"
        " net { allow connect tcp \"*.example.com\":443; deny connect 10.0.0.0/8; } syscalls { allow @default; allow "
        "ioctl "
        "where request in { TCGETS, FIONREAD }; } }");
    struct text out = {.arena = compilation->arena};
    char *text = arena_alloc(compilation->arena, size + 1);
    memcpy(text, data, size);
    policy_why(policy, text, (const struct str[WHY_PARTS]){{0}}, &out);
    compilation_free(compilation);
    return 0;
}
