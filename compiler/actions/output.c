// `sbxc --emit` and `--import`: policies as something else, and something else as a policy.
#include "compiler/actions/actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/emit/bwrap.h"
#include "compiler/emit/docker_seccomp.h"
#include "compiler/emit/emit.h"
#include "compiler/emit/kubernetes.h"
#include "compiler/emit/oci.h"
#include "compiler/emit/systemd.h"
#include "compiler/front/output.h"
#include "compiler/network/guard_code.h"
#include "lang/load.h"

struct emission {
    const struct options *options;
    struct policy *policy;
    const struct plan *plan;
    struct text *wider; // what the target can't say, where there is no place for it in what is written
    struct emit_folder *folder; // in the place of a text, for those forms
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

// The profile is not written, but what is written has its rules.
static bool prove_profile(struct text *out, const struct emission *e)
{
    struct text profile = {.arena = out->arena}, said = {.arena = out->arena};
    struct emission proved = {e->options, e->policy, e->plan, &said, NULL};
    bool good = emit_engine_profile(&profile, &proved);
    if (!good)
        text_add(e->wider, said.data, said.length);
    return good;
}

static bool emit_bundle(struct text *out, const struct emission *e)
{
    struct emit_caller caller = caller_here(out->arena);
    return prove_profile(out, e) &&
           emit_oci(e->folder, e->wider, e->policy, e->plan, &caller, e->options->target);
}

static bool emit_pod(struct text *out, const struct emission *e)
{
    struct emit_caller caller = caller_here(out->arena);
    return prove_profile(out, e) &&
           emit_kubernetes(e->folder, e->wider, e->policy, e->plan, &caller, e->options->target);
}

static const struct {
    const char *name;
    bool (*write)(struct text *, const struct emission *);
    bool is_code;   // no text
    bool is_folder; // that -o names
} forms[] = {
    {.name = "plan", .write = emit_plan},
    {.name = "seccomp", .write = emit_filter, .is_code = true},
    {.name = "seccomp-asm", .write = emit_listing},
    {.name = "apparmor", .write = emit_apparmor_profile},
    {.name = "selinux-cil", .write = emit_module},
    {.name = "ebpf", .write = emit_guard},
    {.name = "docker-seccomp", .write = emit_engine_profile},
    {.name = "bwrap", .write = emit_command_line},
    {.name = "systemd", .write = emit_unit},
    {.name = "oci", .write = emit_bundle, .is_folder = true},
    {.name = "kubernetes", .write = emit_pod, .is_folder = true},
};

static size_t form_of(const char *name) // how many there are: none
{
    size_t form = 0;
    while (form < sizeof forms / sizeof *forms && strcmp(name, forms[form].name) != 0)
        form++;
    return form;
}

bool can_emit(const char *form)
{
    return form_of(form) < sizeof forms / sizeof *forms;
}

bool emits_folder(const char *form)
{
    return forms[form_of(form)].is_folder;
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

static struct str in_folder(const struct emit_folder *folder, const struct emit_file *file)
{
    return str_format(folder->arena, "%.*s/%.*s", STR_ARGS(folder->path), STR_ARGS(file->name));
}

// Whatever the umask: who runs what is made of it is to read it. 0, or an errno.
static int make_file(const struct emit_file *file, const char *path)
{
    int error = file->text.text ? output_write(path, file->text) : mkdir(path, 0755) != 0 ? errno : 0;
    return error ? error : chmod(path, file->text.text ? 0644 : 0755) != 0 ? errno : 0;
}

// All of a new folder, or nothing.
static int write_folder(const struct emit_folder *folder)
{
    int error = mkdir(folder->path.text, 0700) != 0 ? errno : 0;
    const struct emit_file *file = error ? NULL : folder->first;
    while (file && !(error = make_file(file, in_folder(folder, file).text)))
        file = file->next;
    if (!error)
        return STATUS_CLEAN;
    for (int folders = 0; folders < 2 && file; folders++)
        for (const struct emit_file *made = folder->first; made; made = made == file ? NULL : made->next)
            if ((made->text.text == NULL) == folders)
                remove(in_folder(folder, made).text);
    if (file)
        rmdir(folder->path.text);
    print_shown(stderr, "sbxc: cannot make the folder %.*s: %s", STR_ARGS(folder->path), strerror(error));
    return STATUS_USAGE;
}

// A form that the policy can't be said in is refused, with the sentence why.
static int write_form(const struct options *options, struct policy *policy, const struct plan *plan)
{
    struct text text = {.arena = plan->arena}, wider = {.arena = plan->arena};
    size_t form = form_of(options->emit);
    struct emit_folder folder = {.arena = plan->arena};
    if (forms[form].is_folder)
        folder.path = *options->output == '/' ? str_from(options->output)
                                              : str_format(plan->arena, "%.*s/%s",
                                                           STR_ARGS(caller_here(plan->arena).cwd), options->output);
    struct emission emission = {options, policy, plan, &wider, &folder};
    bool unseen = forms[form].is_code || forms[form].is_folder, // of JSON, and files that it names
        written = forms[form].write(&text, &emission) && (unseen || is_seen(&text, &wider));
    if (!written) {
        print_shown(stderr, "sbxc: %.*s", STR_ARGS(text_str(&wider)));
        return STATUS_ERRORS;
    }
    int status = forms[form].is_folder ? write_folder(&folder)
                                       : write_output(options->output, text_str(&text));
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
