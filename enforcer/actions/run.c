// A run from end to end: what it is made of, and what is said and written when it has ended.
#include "enforcer/actions/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler/front/output.h"
#include "enforcer/actions/dry_run.h"
#include "enforcer/actions/limits_told.h"
#include "enforcer/actions/live.h"
#include "enforcer/actions/not_found.h"
#include "enforcer/actions/plan_file.h"
#include "enforcer/actions/run_report.h"
#include "enforcer/host/say.h"
#include "enforcer/supervisor/events.h"
#include "enforcer/view/missing.h"

// What make(1) tells those that it starts, without the descriptors of its jobserver unless those are handed over.
static struct str make_flags(struct arena *arena, const char *kept, const struct handed *handed)
{
    struct text text = {.arena = arena};
    while (*kept) {
        size_t length = strcspn(kept, " ");
        int ends[2], found = 0;
        bool server = strncmp(kept, "--jobserver-", 12) == 0;
        if (server && sscanf(kept, "--jobserver-%*[a-z]=%d,%d", &ends[0], &ends[1]) == 2)
            for (int i = 0; i < handed->count; i++)
                found += handed->list[i] == ends[0] || handed->list[i] == ends[1];
        if (length && (!server || found == 2))
            text_addf(&text, "%s%.*s", text.length ? " " : "", (int)length, kept);
        kept += length + (kept[length] == ' ');
    }
    return text_str(&text);
}

static char *const *environment_of(const struct plan *plan, const struct handed *handed)
{
    char **list = NEW_ARRAY(plan->arena, char *, plan->env_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < plan->env_count; i++) {
        const struct plan_env *variable = &plan->env[i];
        const char *name = str_copy(plan->arena, variable->name).text, *kept = variable->keep ? getenv(name) : NULL;
        if (kept && strcmp(name, "MAKEFLAGS") == 0)
            kept = make_flags(plan->arena, kept, handed).text;
        if (!variable->keep || kept)
            list[count++] =
                (char *)str_format(plan->arena, "%s=%.*s", name, STR_ARGS(kept ? str_from(kept) : variable->value))
                    .text;
    }
    return list;
}

static char *const *command_of(const struct plan *plan, const struct options *options)
{
    if (options->command)
        return options->command;
    char **list = NEW_ARRAY(plan->arena, char *, plan->command_count + 1);
    for (size_t i = 0; i < plan->command_count; i++)
        list[i] = (char *)str_copy(plan->arena, plan->command[i]).text;
    return list;
}

// A policy under which the command can't even be executed is a mistake, not a restriction.
static int check_command(const struct run *run, struct failure *failure)
{
    const char *command = run->argv[0];
    uint32_t words[SECCOMP_WORDS] = {[WORD_ARCH] = arch_audit[ARCH_HERE], [WORD_NUMBER] = SYS_execve};
    if (cbpf_run(&run->plan->filters[ARCH_HERE], words, NULL) != SECCOMP_ALLOW)
        return fail_with_advice(failure, NO_RULE, 0, "`use std.base;` has the calls that any program needs",
                                "no rule of the policy allows the system call execve, so nothing can be run under it");
    if (command[0] == '/' && !(plan_verbs(run->plan, str_from(command)) & VERB_EXEC))
        return fail_with_advice(failure, NO_RULE, 0,
                                str_format(run->plan->arena, "`fs { allow read, exec \"%s\"; }` would", command).text,
                                "no rule of the policy allows to exec %s", command);
    return 0;
}

static int status_of(const struct run *run, const struct outcome *outcome, const struct failure *failure)
{
    const struct plan_limit *limits = run->plan->limits;
    switch (outcome->ended) {
    case ENDED_EXITED: return outcome->value;
    case ENDED_SIGNALED:
        if (failure->what[0]) {
            failure_print(stderr, failure, run->plan);
            fputs("sbxrun: the command had begun, confined, and was killed\n", stderr);
        } else if (outcome->value == SIGSYS)
            fputs(
                "sbxrun: killed by SIGSYS, as for a system call that a rule denies `with kill`, or one of another "
                "architecture\n",
                stderr);
        return 128 + outcome->value;
    case ENDED_NOT_SET_UP:
        failure_print(stderr, failure, run->plan);
        missing_tell(stderr, run->plan, &run->bases, failure);
        return STATUS_NOT_SET_UP;
    case ENDED_NOT_EXECUTED:
        say(stderr, "sbxrun: cannot execute %s: %s%.*s", run->argv[0], strerror(outcome->value),
            STR_ARGS(not_found_advice(run, outcome->value)));
        return outcome->value == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTED;
    case ENDED_LIFETIME:
        say(stderr, "sbxrun: its lifetime ran out (%.*s)",
            STR_ARGS(rule_named(run->plan, limits[LIMIT_lifetime].rule)));
        return STATUS_LIFETIME;
    case ENDED_MEMORY:
        say(stderr, "sbxrun: killed for its memory, at a peak of %llu MiB (%.*s)",
            (unsigned long long)(outcome->peak >> 20), STR_ARGS(rule_named(run->plan, limits[LIMIT_memory].rule)));
        return 128 + 9;
    case ENDED_CPU_TIME:
        say(stderr, "sbxrun: killed for its processor time, after %llu.%03llu s (%.*s)",
            (unsigned long long)(outcome->cpu / 1000000), (unsigned long long)(outcome->cpu / 1000 % 1000),
            STR_ARGS(rule_named(run->plan, limits[LIMIT_cpu_time].rule)));
        return 128 + 9;
    case ENDED_OUTPUT:
        say(stderr, "sbxrun: killed for writing more than it may (%.*s)",
            STR_ARGS(rule_named(run->plan, limits[LIMIT_output].rule)));
        return 128 + 9;
    }
    return STATUS_NOT_SET_UP;
}

struct run *run_new(struct plan *plan, struct policy *policy, struct cached *cached, const struct options *options,
                    uint64_t started)
{
    struct run *run = NEW(plan->arena, struct run);
    char *cwd = getcwd(NULL, 0), *home = getenv("HOME");
    *run = (struct run){
        .plan = plan,
        .policy = policy,
        .plan_from = plan_file_is(options->policy) ? "file"
                     : cached                      ? "cache"
                                                   : "policy",
        .recompile = cached ? recompile : NULL,
        .recompile_context = cached,
        .claims = NEW(plan->arena, struct claims),
        .argv = command_of(plan, options),
        .environment = environment_of(plan, &options->handed),
        .handed = &options->handed,
        .started = started,
        .explain_files = options->explain_files,
        .layers = options->below,
        .layer_count = options->below_count,
        .bases = {str_copy(plan->arena, plan->folder).text, cwd ? str_copy(plan->arena, str_from(cwd)).text : NULL,
                  home ? str_copy(plan->arena, str_from(home)).text : NULL},
    };
    free(cwd);
    return run;
}

// A person should know before the command runs; a log has the report.
static void tell_degraded(const struct run *run)
{
    for (size_t i = 0; i < run->claims->degraded_count && isatty(STDERR_FILENO); i++) {
        const struct degradation *d = &run->claims->degraded[i];
        say(stderr, "sbxrun: runs without %.*s, as the policy permits (%.*s)", STR_ARGS(d->lost),
            STR_ARGS(rule_named(run->plan, d->rule)));
    }
}

static bool has_overlay(const struct plan *plan)
{
    for (size_t i = 0; i < plan->view_count; i++)
        if (plan->view[i].from == PLAN_OVERLAY || plan->view[i].from == PLAN_IMAGE)
            return true;
    return false;
}

int run_plan(struct plan *plan, struct policy *policy, struct cached *cached, const struct live *live,
             const struct options *options, struct native *begun, uint64_t started)
{
    struct run *run = run_new(plan, policy, cached, options, started);
    struct failure failure = {0};
    struct outcome outcome = {.ended = ENDED_NOT_SET_UP};
    run->probes = live ? live_probes(live) : NULL;
    FILE *report = options->report ? output_open(options->report) : NULL;
    run->changes = options->changes && !options->dry_run ? output_open(options->changes) : NULL;
    run->keep = options->keep && !options->dry_run ? output_open(options->keep) : NULL;
    FILE *stream = options->events && !options->dry_run ? output_open(options->events) : NULL;
    run->events = events_new(plan, stream);
    if (!run->argv[0] && !live)
        fail_with_advice(&failure, NO_RULE, 0, "give one after `--`", "the policy has no command");
    else if (options->report && !report)
        fail(&failure, NO_RULE, errno, "cannot write the report %s", options->report);
    else if (options->changes && !options->dry_run && !run->changes)
        fail(&failure, NO_RULE, errno, "cannot write the changes to %s", options->changes);
    else if (options->keep && !options->dry_run && !run->keep)
        fail(&failure, NO_RULE, errno, "cannot write a layer to %s", options->keep);
    else if (options->events && !options->dry_run && !stream)
        fail(&failure, NO_RULE, errno, "cannot write events to %s", options->events);
    else if (run->layer_count && !has_overlay(plan))
        fail_with_advice(&failure, NO_RULE, 0, "`allow read, write \"/work\" from overlay \"./work\";` is one",
                         "the policy has no overlay that a layer could lie over");
    else if (!run->events)
        fail(&failure, NO_RULE, ENOMEM, "cannot keep events");
    else if (claim_plan(plan, options->strict, run->claims, &failure) == 0 &&
             (live || check_command(run, &failure) == 0) && begun) {
        tell_degraded(run);
        options->driver->run(begun, run, &outcome, &failure);
    }
    if (options->dry_run && run->argv[0])
        dry_run_print(stdout, run);
    if (live && outcome.ended == ENDED_EXITED)
        outcome.value = !live_report(stdout, live);
    int status = options->dry_run && !failure.what[0] ? 0 : status_of(run, &outcome, &failure);
    limits_tell(stderr, run, &outcome);
    events_end(run->events);
    // Programs try calls that they can do without: a person may want to know, a log only when something failed.
    events_print(stderr, run->events, status != 0 || isatty(STDERR_FILENO));
    if (stream && (ferror(stream) || fclose(stream) != 0))
        say(stderr, "sbxrun: not all events could be written to %s", options->events);
    if (outcome.changes_unlisted)
        say(stderr, "sbxrun: %llu of the changes could not be listed, as %s says",
            (unsigned long long)outcome.changes_unlisted, options->changes);
    if (run->changes && (fclose(run->changes) != 0 || outcome.changes_unwritten))
        say(stderr, "sbxrun: the changes could not be written to %s: %s", options->changes,
            strerror(outcome.changes_unwritten ? outcome.changes_unwritten : errno));
    if (run->keep && (fclose(run->keep) != 0 || outcome.kept.why[0]))
        say(stderr, "sbxrun: no layer was written to %s: %s", options->keep,
            outcome.kept.why[0] ? outcome.kept.why : strerror(errno));
    if (report) {
        struct str hash = plan_hash(plan->arena, plan_write(plan->arena, plan));
        bool written = run_report_write(report, run, hash, &outcome, &failure);
        if (fclose(report) != 0 || !written)
            say(stderr, "sbxrun: the report %s could not be written: %s", options->report, strerror(errno));
    }
    events_free(run->events);
    return status;
}

int run_policy(struct compilation *compilation, struct arena *shared, const struct options *options, uint64_t started)
{
    struct native *begun = options->dry_run
                               ? NULL
                               : options->driver->begin(compilation->arena, shared, options->changes || options->keep,
                                                        options->live ? TERMINAL_NEVER : options->terminal);
    struct policy *policy = NULL;
    struct plan_cache cache = {.folder = -1};
    struct cached cached = {.options = options, .cache = &cache};
    if (!options->no_cache && !options->dry_run && !options->live && !plan_file_is(options->policy))
        plan_cache_begin(&cache, compilation->arena, options->policy, &options->compile);
    struct plan *known = plan_cache_find(&cache, &cached.text), *plan = known;
    if (!plan)
        plan = load_plan(compilation, options, options->report || cache.folder >= 0, &policy);
    const struct live *live = plan && options->live ? live_choose(policy) : NULL;
    int status =
        plan ? run_plan(plan, policy, known ? &cached : NULL, live, options, begun, started) : STATUS_NOT_SET_UP;
    if (plan && !known)
        plan_cache_keep(&cache, compilation, plan);
    plan_cache_end(&cache);
    if (begun)
        options->driver->end(begun);
    compilation_free(cached.compilation);
    return status;
}
