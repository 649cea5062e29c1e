// What the actions of sbxc share: loading one policy, its proved plan, findings, output.
#include "compiler/actions/actions.h"

#include <errno.h>
#include <string.h>

#include "compiler/front/output.h"
#include "compiler/prove/prove_guard.h"
#include "compiler/report/report.h"

int usage_error(const char *message)
{
    print_shown(stderr, "sbxc: %s", message);
    print_shown(stderr, "sbxc --help shows what there is");
    return STATUS_USAGE;
}

int worse(int a, int b)
{
    return a > b ? a : b;
}

void print_findings(const struct options *options, struct compilation *compilation)
{
    switch (options->format) {
    case FORMAT_HTML: // of --doc, whose findings are for people too
    case FORMAT_TEXT: report_text(stderr, compilation, options->color); break;
    case FORMAT_JSON: report_json(stdout, compilation->arena, compilation); break;
    case FORMAT_SARIF: report_sarif(stdout, compilation->arena, &compilation, 1); break;
    }
}

int status_of(const struct options *options, const struct compilation *compilation)
{
    if (compilation->unreadable)
        return STATUS_USAGE;
    return compilation->diagnostics.errors || (options->deny_warnings && compilation->diagnostics.warnings)
               ? STATUS_ERRORS
               : STATUS_CLEAN;
}

struct plan *make_plan(const struct options *options, struct policy *policy)
{
    struct plan *plan = policy_lower(policy, ARCH_ALL_MASK);
    struct allotment *limit = arena_suspend(policy->arena);
    struct z3 z3 = {0};
    bool good = plan && (options->no_proof || prove_plan(&z3, policy, plan));
    z3_close(&z3);
    arena_resume(policy->arena, limit);
    return good ? plan : NULL;
}

struct work {
    struct job *job;
    void (*work)(struct job *);
};

static void work_on(void *context)
{
    struct work *work = context;
    work->work(work->job);
}

int do_job(const struct options *options, char **files, void (*work)(struct job *))
{
    struct job job = {options, files, compilation_new(arena_new()), STATUS_CLEAN};
    if (!compilation_work(job.compilation, work_on, &(struct work){&job, work})) {
        print_findings(options, job.compilation);
        job.status = STATUS_ERRORS;
    }
    compilation_free(job.compilation);
    return job.status;
}

struct policy *load_policy(const struct options *options, struct compilation *compilation, const char *path,
                           int *status)
{
    const char *problem;
    struct policy *policy = driver_policy(compilation, path, &options->driver, NULL, &problem);
    if (!policy) {
        print_findings(options, compilation);
        *status = problem ? usage_error(problem) : status_of(options, compilation);
    }
    return policy;
}

int write_output(const char *path, struct str data)
{
    FILE *out = path ? output_open(path) : stdout;
    if (!out || fwrite(data.text, 1, data.length, out) != data.length || fflush(out) != 0 ||
        (path && fclose(out) != 0)) {
        print_shown(stderr, "sbxc: cannot write %s: %s", path ? path : "to standard output", strerror(errno));
        return STATUS_USAGE;
    }
    return STATUS_CLEAN;
}
