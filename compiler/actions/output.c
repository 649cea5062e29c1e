// `sbxc --emit` and `--import`: policies as something else, and something else as a policy.
#include "compiler/actions/actions.h"

#include <string.h>

#include "compiler/emit/emit.h"
#include "compiler/network/guard_code.h"
#include "lang/load.h"

static void emit_plan(struct text *out, const struct options *options, const struct plan *plan)
{
    struct str json = plan_write(out->arena, plan);
    (void)options;
    text_add(out, json.text, json.length);
}

static void emit_filter(struct text *out, const struct options *options, const struct plan *plan)
{
    const struct bpf_program *program = &plan->filters[options->target];
    text_add(out, (const char *)program->code, program->length * sizeof *program->code);
}

static void emit_listing(struct text *out, const struct options *options, const struct plan *plan)
{
    cbpf_print(out, &plan->filters[options->target], (int)options->target);
}

static void emit_profile(struct text *out, const struct options *options, const struct plan *plan)
{
    (void)options;
    emit_apparmor(out, plan);
}

static void emit_module(struct text *out, const struct options *options, const struct plan *plan)
{
    (void)options;
    emit_selinux(out, plan);
}

static void emit_guard(struct text *out, const struct options *options, const struct plan *plan)
{
    struct net_graphs graphs;
    struct guard_program programs[GUARD_HOOKS];
    const char *why;
    (void)options;
    if (!plan->broker)
        text_addf(out, "none: no rule allows anything of the host's network\n");
    else if (!guard_programs(out->arena, plan, &graphs, programs, &why))
        text_addf(out, "none: %s\n", why);
    else
        guard_print(out, programs);
}

static const struct {
    const char *name;
    void (*write)(struct text *, const struct options *, const struct plan *);
} forms[] = {
    {"plan", emit_plan},        {"seccomp", emit_filter},     {"seccomp-asm", emit_listing},
    {"apparmor", emit_profile}, {"selinux-cil", emit_module}, {"ebpf", emit_guard},
};

bool can_emit(const char *form)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(form, forms[i].name) == 0)
            return true;
    return false;
}

static void work_emit(struct job *job)
{
    const struct options *options = job->options;
    struct compilation *compilation = job->compilation;
    struct policy *policy = load_policy(options, compilation, job->files[0], &job->status);
    struct plan *plan = policy ? make_plan(options, policy) : NULL;
    if (policy && !plan) {
        print_findings(options, compilation);
        job->status = status_of(options, compilation);
    } else if (plan) {
        struct text text = {.arena = compilation->arena};
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
            if (strcmp(options->emit, forms[i].name) == 0)
                forms[i].write(&text, options, plan);
        job->status = write_output(options->output, text_str(&text));
    }
    if (plan && options->deny_warnings && compilation->diagnostics.warnings) {
        print_findings(options, compilation);
        job->status = STATUS_ERRORS;
    }
}

int emit(const struct options *options, char **files)
{
    return do_job(options, files, work_emit);
}

static void work_import(struct job *job)
{
    const struct options *options = job->options;
    struct compilation *compilation = job->compilation;
    struct source *source = source_load(compilation, job->files[0]);
    struct text out = {.arena = compilation->arena};
    bool good =
        source && import_seccomp(compilation, source, &options->import, &out) && !compilation->diagnostics.errors;
    print_findings(options, compilation);
    job->status = status_of(options, compilation);
    if (good && write_output(options->output, text_str(&out)) != STATUS_CLEAN)
        job->status = STATUS_USAGE;
}

int import(const struct options *options, char **files)
{
    return do_job(options, files, work_import);
}
