// Whether a profile means what a policy says, as `sbxc --emit=docker-seccomp` asks of what it made.
//
//   emitted POLICY.sbx PROFILE.json    ("the same", or what keeps it from being shown)
#include "compiler/import/seccomp.h"
#include "tests/policies.h"

int main(int argc, char **argv)
{
    struct compilation *compilation;
    struct policy *policy = argc == 3 ? policy_from_file(&compilation, argv[1], NULL) : NULL;
    struct source *source = policy ? source_load(compilation, argv[2]) : NULL;
    if (!source)
        return 2;
    const char *why = import_differs(compilation, source, policy);
    printf("%s\n", why ? why : "the same");
    return 0;
}
