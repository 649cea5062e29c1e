// `sbxc --emit` and `--import`: policies as something else, and something else as a policy.
#include "compiler/actions/actions.h"

#include <string.h>

int emit(const struct options *options, char **files)
{
    struct compilation *compilation = compilation_new(arena_new());
    int status = STATUS_CLEAN;
    struct policy *policy = load_policy(options, compilation, files[0], &status);
    struct plan *plan = policy ? make_plan(options, policy) : NULL;
    if (policy && !plan) {
        print_findings(options, compilation);
        status = status_of(options, compilation);
    } else if (plan && strcmp(options->emit, "plan") == 0) {
        status = write_output(options->output, plan_write(compilation->arena, plan));
    } else if (plan && strcmp(options->emit, "seccomp") == 0) {
        const struct bpf_program *program = &plan->filters[options->target];
        status = write_output(options->output, (struct str){(const char *)program->code, program->length * sizeof *program->code});
    } else if (plan) {
        struct text text = {.arena = compilation->arena};
        cbpf_print(&text, &plan->filters[options->target], (int)options->target);
        status = write_output(options->output, text_str(&text));
    }
    if (plan && options->deny_warnings && compilation->diagnostics.warnings) {
        print_findings(options, compilation);
        status = STATUS_ERRORS;
    }
    compilation_free(compilation);
    return status;
}

int import(const struct options *options, char **files)
{
    struct compilation *compilation = compilation_new(arena_new());
    struct source *source = source_load(compilation, files[0]);
    struct text out = {.arena = compilation->arena};
    bool good = source && import_seccomp(compilation, source, &options->import, &out);
    print_findings(options, compilation);
    int status = status_of(options, compilation);
    if (good && write_output(options->output, text_str(&out)) != STATUS_CLEAN)
        status = STATUS_USAGE;
    compilation_free(compilation);
    return status;
}
