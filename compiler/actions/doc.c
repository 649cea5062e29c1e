// `sbxc --doc`: a policy as a page for people.
#include <string.h>

#include "compiler/actions/enforcer.h"
#include "compiler/describe/policy_page.h"
#include "compiler/lint/lint.h"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void work_document(struct job *job)
{
    const struct options *options = job->options;
    struct compilation *compilation = job->compilation;
    struct arena *arena = compilation->arena;
    struct policy *policy = load_policy(options, compilation, job->files[0], &job->status);
    struct page_facts facts = {
        .proved = !options->no_proof, .values = options->driver.values, .value_count = options->driver.value_count};
    if (policy) {
        lint_policy(policy);
        facts.plan = make_plan(options, policy);
        if (!facts.plan) {
            print_findings(options, compilation);
            job->status = STATUS_ERRORS;
        }
    }
    if (facts.plan) {
        facts.hash = plan_hash(arena, plan_write(arena, facts.plan));
        enforcer_dry_run(arena, options, job->files[0], policy->decl->name.text, &facts.host, &facts.host_refuses);
        bool html = options->format == FORMAT_HTML ||
                    (options->format == FORMAT_TEXT && options->output && ends_with(options->output, ".html"));
        struct text out = {.arena = arena};
        struct page page;
        page_begin(&page, arena, &out, html ? &page_html : &page_markdown,
                   str_format(arena, "Policy %.*s", STR_ARGS(policy->decl->name.text)));
        policy_page(&page, policy, &facts);
        page_end(&page);
        job->status = write_output(options->output, text_str(&out));
    }
}

int document(const struct options *options, char **files)
{
    return do_job(options, files, work_document);
}
