// `sbxc --emit` and `--import`: policies as something else, and something else as a policy.
#include "compiler/actions/actions.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/emit/bwrap.h"
#include "compiler/emit/docker_seccomp.h"
#include "compiler/emit/emit.h"
#include "compiler/emit/systemd.h"
#include "compiler/network/guard_code.h"
#include "lang/load.h"

struct emission {
    const struct options *options;
    struct policy *policy;
    const struct plan *plan;
    struct text *wider; // what the target can't say, where there is no place for it in what is written
};

static bool emit_plan(struct text *out, const struct emission *e)
{
    struct str json = plan_write(out->arena, e->plan);
    text_add(out, json.text, json.length);
    return true;
}

static bool emit_filter(struct text *out, const struct emission *e)
{
    const struct bpf_program *program = &e->plan->filters[e->options->target];
    text_add(out, (const char *)program->code, program->length * sizeof *program->code);
    return true;
}

static bool emit_listing(struct text *out, const struct emission *e)
{
    cbpf_print(out, &e->plan->filters[e->options->target], (int)e->options->target);
    return true;
}

static bool emit_apparmor_profile(struct text *out, const struct emission *e)
{
    emit_apparmor(out, e->plan);
    return true;
}

static bool emit_module(struct text *out, const struct emission *e)
{
    emit_selinux(out, e->plan);
    return true;
}

static bool emit_guard(struct text *out, const struct emission *e)
{
    struct net_graphs graphs;
    struct guard_program programs[GUARD_HOOKS];
    const char *why;
    if (!e->plan->broker)
        text_addf(out, "none: no rule allows anything of the host's network\n");
    else if (!guard_programs(out->arena, e->plan, &graphs, programs, &why))
        text_addf(out, "none: %s\n", why);
    else
        guard_print(out, programs);
    return true;
}

// What was written is read as --import reads it, and proved to mean what the policy says.
static bool emit_engine_profile(struct text *out, const struct emission *e)
{
    struct compilation *compilation = e->policy->compilation;
    if (!emit_docker_seccomp(out, e->wider, e->policy, e->plan))
        return false;
    struct source *source = source_add(&compilation->sources, STR("profile.json"), STR(""), text_str(out));
    struct allotment *limit = arena_suspend(compilation->arena);
    const char *why = e->options->no_proof ? NULL : import_differs(compilation, source, e->policy);
    arena_resume(compilation->arena, limit);
    if (why)
        text_addf(e->wider, "the profile is not shown to mean what the policy says: %s", why);
    return !why;
}

static bool emit_command_line(struct text *out, const struct emission *e)
{
    struct str why;
    if (emit_bwrap(out, e->plan, e->options->target, &why))
        return true;
    text_add(e->wider, why.text, why.length);
    return false;
}

// Who makes it stands for the caller that a policy may speak of.
static struct emit_caller caller_here(struct arena *arena)
{
    const char *home = getenv("HOME");
    char *cwd = getcwd(NULL, 0);
    struct emit_caller caller = {.cwd = str_copy(arena, str_from(cwd ? cwd : "")),
                                 .home = str_from(home ? home : ""),
                                 .user = (uint32_t)getuid()};
    free(cwd);
    return caller;
}

static bool emit_unit(struct text *out, const struct emission *e)
{
    struct str why;
    struct emit_caller caller = caller_here(out->arena);
    if (emit_systemd(out, e->policy, e->plan, &caller, e->options->target, &why))
        return true;
    text_add(e->wider, why.text, why.length);
    return false;
}

static const struct {
    const char *name;
    bool (*write)(struct text *, const struct emission *);
    bool is_code; // no text
} forms[] = {
    {"plan", emit_plan, false},
    {"seccomp", emit_filter, true},
    {"seccomp-asm", emit_listing, false},
    {"apparmor", emit_apparmor_profile, false},
    {"selinux-cil", emit_module, false},
    {"ebpf", emit_guard, false},
    {"docker-seccomp", emit_engine_profile, false},
    {"bwrap", emit_command_line, false},
    {"systemd", emit_unit, false},
};

bool can_emit(const char *form)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(form, forms[i].name) == 0)
            return true;
    return false;
}

// A plan says such characters by their numbers.
static bool is_seen(struct text *text, struct text *wider)
{
    struct str all = text_str(text);
    if (text_shown(text->arena, all, "\n\t").text == all.text)
        return true;
    text_addf(wider, "a string of the policy has a control character, which a terminal would obey: leave it away");
    return false;
}

// A form that the policy can't be said in is refused, with the sentence why.
static int write_form(const struct options *options, struct policy *policy, const struct plan *plan)
{
    struct text text = {.arena = plan->arena}, wider = {.arena = plan->arena};
    struct emission emission = {options, policy, plan, &wider};
    bool written = false;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(options->emit, forms[i].name) == 0)
            written = forms[i].write(&text, &emission) && (forms[i].is_code || is_seen(&text, &wider));
    if (!written) {
        print_shown(stderr, "sbxc: %.*s", STR_ARGS(text_str(&wider)));
        return STATUS_ERRORS;
    }
    int status = write_output(options->output, text_str(&text));
    if (status == STATUS_CLEAN && wider.length)
        fprintf(stderr, "sbxc: wider than the policy, for the form can't say it:\n%.*s",
                STR_ARGS(text_shown(plan->arena, text_str(&wider), "\n\t")));
    return status;
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
        job->status = write_form(options, policy, plan);
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
