// sbxrun: runs a command under a policy.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler/front/driver.h"
#include "compiler/front/options.h"
#include "compiler/report/report.h"
#include "compiler/meaning/why.h"
#include "enforcer/actions/batch.h"
#include "enforcer/host/caller.h"
#include "enforcer/host/clock.h"
#include "enforcer/actions/doctor.h"
#include "enforcer/actions/dry_run.h"
#include "enforcer/supervisor/events.h"
#include "enforcer/actions/learning.h"
#include "enforcer/actions/limits_told.h"
#include "enforcer/actions/live.h"
#include "enforcer/actions/plan_cache.h"
#include "enforcer/actions/plan_file.h"
#include "enforcer/actions/run_report.h"
#include "enforcer/host/scoped.h"

enum { STATUS_LIFETIME = 124, STATUS_NOT_SET_UP = 125, STATUS_NOT_EXECUTED = 126, STATUS_NOT_FOUND = 127 };

static const struct driver {
    const char *name;
    struct native *(*begin)(struct arena *, bool early, bool changes, enum terminal_wish);
    void (*run)(struct native *, const struct run *, struct outcome *, struct failure *);
    void (*end)(struct native *);
} drivers[] = {
    {"native", native_begin, native_run, native_end},
};

struct options {
    struct driver_options compile;
    const struct driver *driver;
    const char *policy, *report, *changes, *events, *layers, *learn, *beside;
    bool strict, explain_files, dry_run, live, doctor, tighten, batch, no_cache;
    unsigned jobs;
    enum terminal_wish terminal;
    struct wished wished;
    struct handed handed; // what became of it
    char **command;       // NULL: the policy's own
};

static const char too_little_space[] =
    "cannot share memory with a sandbox: too little address space is left (`ulimit -v` says how much there is)";

static int cannot_start(const char *why)
{
    fprintf(stderr, "sbxrun: %s\n", why);
    return STATUS_NOT_SET_UP;
}

static int usage_error(const char *message)
{
    fprintf(stderr, "sbxrun: %s\nsbxrun --help shows what there is\n", message);
    return STATUS_NOT_SET_UP;
}

// ---- the plan -----------------------------------------------------------------------------------------------------

struct making {
    struct compilation *compilation;
    const struct options *options;
    bool whole; // with the filters of all architectures, as a plan is written, and named by its hash; a run needs its
                // own
    struct policy *policy;
    const char *problem;
    struct plan *plan;
};

static void work_plan(void *context)
{
    struct making *m = context;
    m->policy = driver_policy(m->compilation, m->options->policy, &m->options->compile, NULL, &m->problem);
    m->plan = m->policy ? policy_lower(m->policy, m->whole ? ARCH_ALL_MASK : 1u << ARCH_HERE) : NULL;
}

static struct plan *make_plan(struct compilation *compilation, const struct options *options, bool whole,
                              struct policy **made, const char **problem)
{
    struct making making = {.compilation = compilation, .options = options, .whole = whole};
    bool good = compilation_work(compilation, work_plan, &making);
    *made = good ? making.policy : NULL;
    *problem = making.problem;
    return good ? making.plan : NULL;
}

// The same, or from a plan's file. NULL, and it has said why.
static struct plan *load_plan(struct compilation *compilation, const struct options *options, bool whole,
                              struct policy **made)
{
    const char *problem;
    if (plan_file_is(options->policy))
        return plan_file_load(compilation->arena, options->policy, options->beside);
    struct plan *plan = make_plan(compilation, options, whole, made, &problem);
    if (!plan)
        report_text(stderr, compilation, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
    if (problem)
        usage_error(problem);
    return plan;
}

struct cached { // what a plan from the cache was made of
    const struct options *options;
    struct plan_cache *cache;
    struct str text; // of the plan
    struct compilation *compilation;
};

// The policy, made anew. NULL when its files are others by now, which the command may have written: nothing is made of
// those.
static struct policy *recompile(void *context)
{
    const char *problem;
    struct cached *cached = context;
    struct policy *policy;
    struct str text;
    if (!plan_cache_find(cached->cache, &text))
        return NULL;
    cached->compilation = compilation_new(arena_new());
    struct plan *plan = make_plan(cached->compilation, cached->options, true, &policy, &problem);
    return plan && str_equal(plan_write(plan->arena, plan), cached->text) ? policy : NULL;
}

// ---- the run ------------------------------------------------------------------------------------------------------

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
        return fail_with_advice(failure, NO_RULE, 0, "allow it, as with `allow read, exec \"/usr\";`",
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
    case ENDED_NOT_SET_UP: failure_print(stderr, failure, run->plan); return STATUS_NOT_SET_UP;
    case ENDED_NOT_EXECUTED:
        fprintf(stderr, "sbxrun: cannot execute %s: %s%s\n", run->argv[0], strerror(outcome->value),
                outcome->value == EACCES   ? "; it is no program, or no rule allows to exec it"
                : outcome->value == ENOENT ? "; the view has no such file (or not the interpreter it names)"
                                           : "");
        return outcome->value == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTED;
    case ENDED_LIFETIME:
        fprintf(stderr, "sbxrun: its lifetime ran out (%.*s)\n",
                STR_ARGS(rule_named(run->plan, limits[LIMIT_lifetime].rule)));
        return STATUS_LIFETIME;
    case ENDED_MEMORY:
        fprintf(stderr, "sbxrun: killed for its memory, at a peak of %llu MiB (%.*s)\n",
                (unsigned long long)(outcome->peak >> 20), STR_ARGS(rule_named(run->plan, limits[LIMIT_memory].rule)));
        return 128 + 9;
    case ENDED_CPU_TIME:
        fprintf(stderr, "sbxrun: killed for its processor time, after %llu.%03llu s (%.*s)\n",
                (unsigned long long)(outcome->cpu / 1000000), (unsigned long long)(outcome->cpu / 1000 % 1000),
                STR_ARGS(rule_named(run->plan, limits[LIMIT_cpu_time].rule)));
        return 128 + 9;
    case ENDED_OUTPUT:
        fprintf(stderr, "sbxrun: killed for its output (%.*s)\n",
                STR_ARGS(rule_named(run->plan, limits[LIMIT_output].rule)));
        return 128 + 9;
    }
    return STATUS_NOT_SET_UP;
}

static struct run *run_new(struct plan *plan, struct policy *policy, struct cached *cached,
                           const struct options *options, uint64_t started)
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
        .bases = {str_copy(plan->arena, plan->folder).text, cwd ? str_copy(plan->arena, str_from(cwd)).text : NULL,
                  home ? str_copy(plan->arena, str_from(home)).text : NULL},
    };
    free(cwd);
    return run;
}

static int run_plan(struct plan *plan, struct policy *policy, struct cached *cached, const struct live *live,
                    const struct options *options, struct native *begun, uint64_t started)
{
    struct run *run = run_new(plan, policy, cached, options, started);
    struct failure failure = {0};
    struct outcome outcome = {.ended = ENDED_NOT_SET_UP};
    run->probes = live ? live_probes(live) : NULL;
    FILE *report = options->report ? fopen(options->report, "we") : NULL;
    run->changes = options->changes && !options->dry_run ? fopen(options->changes, "we") : NULL;
    FILE *stream = options->events && !options->dry_run ? fopen(options->events, "we") : NULL;
    run->events = events_new(plan, stream);
    if (!run->argv[0] && !live)
        fail_with_advice(&failure, NO_RULE, 0, "give one after `--`", "the policy has no command");
    else if (options->report && !report)
        fail(&failure, NO_RULE, errno, "cannot write the report %s", options->report);
    else if (options->changes && !options->dry_run && !run->changes)
        fail(&failure, NO_RULE, errno, "cannot write the changes to %s", options->changes);
    else if (options->events && !options->dry_run && !stream)
        fail(&failure, NO_RULE, errno, "cannot write events to %s", options->events);
    else if (!run->events)
        fail(&failure, NO_RULE, ENOMEM, "cannot keep events");
    else if (claim_plan(plan, options->strict, run->claims, &failure) == 0 &&
             (live || check_command(run, &failure) == 0) && begun)
        options->driver->run(begun, run, &outcome, &failure);
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
        fprintf(stderr, "sbxrun: not all events could be written to %s\n", options->events);
    if (outcome.changes_unlisted)
        fprintf(stderr, "sbxrun: %llu of the changes could not be listed, as %s says\n",
                (unsigned long long)outcome.changes_unlisted, options->changes);
    if (run->changes && (fclose(run->changes) != 0 || outcome.changes_unwritten))
        fprintf(stderr, "sbxrun: the changes could not be written to %s: %s\n", options->changes,
                strerror(outcome.changes_unwritten ? outcome.changes_unwritten : errno));
    if (report) {
        struct str hash = plan_hash(plan->arena, plan_write(plan->arena, plan));
        bool written = run_report_write(report, run, hash, &outcome, &failure);
        if (fclose(report) != 0 || !written)
            fprintf(stderr, "sbxrun: the report %s could not be written: %s\n", options->report, strerror(errno));
    }
    events_free(run->events);
    return status;
}

// What enforces the operations of a question here, a line each: "allowed" or "denied", a tab, the layers. Or "refused"
// and why.
static int print_layers(struct compilation *compilation, const struct options *options)
{
    struct policy *policy = NULL;
    struct plan *plan = load_plan(compilation, options, options->report, &policy);
    struct operation_point points[WHY_PARTS];
    int found[WHY_PARTS];
    struct claims *claims = NEW(compilation->arena, struct claims);
    struct failure failure = {0};
    if (!plan)
        return STATUS_NOT_SET_UP;
    if (!why_points(policy, options->layers, points, found)) {
        report_text(stderr, compilation, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
        return STATUS_NOT_SET_UP;
    }
    if (claim_plan(plan, options->strict, claims, &failure) != 0) {
        printf("refused\t%s%s%.*s%s\n", failure.what, failure.rule == NO_RULE ? "" : " (",
               STR_ARGS(rule_named(plan, failure.rule)), failure.rule == NO_RULE ? "" : ")");
        return 0;
    }
    for (int part = 0; part < WHY_PARTS; part++)
        if (found[part] > 0)
            printf("%s\t%.*s\n", part == WHY_ALLOWED ? "allowed" : "denied",
                   STR_ARGS(claim_operation(plan, claims, &points[part])));
    return 0;
}

// A policy for when none is given, in a file to be removed. NULL and errno.
static const char *some_policy(void)
{
    static const char text[] =
        "sbx 1; import std.base; policy trial { use std.base; fs { allow read, write \"/tmp\" from tmpfs size 1MiB; } "
        "}\n";
    static char path[] = "/tmp/sbx-doctor-XXXXXX.sbx";
    closing_fd int fd = mkstemps(path, 4);
    return fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1 ? path : NULL;
}

// What the machine offers, and what comes of a policy here: claimed, then set up for real around a look at its root and
// one call.
static int examine(struct compilation *compilation, struct arena *shared, struct options *options, uint64_t started)
{
    bool given = options->policy, runs = doctor_host(stdout);
    fflush(stdout);
    if (!given && !(options->policy = some_policy())) {
        fprintf(stderr, "sbxrun: cannot write a policy to /tmp, to try it: %s\n", strerror(errno));
        return STATUS_NOT_SET_UP;
    }
    struct native *begun = options->driver->begin(compilation->arena, shared, false, TERMINAL_NEVER);
    struct policy *policy = NULL;
    struct plan *plan = load_plan(compilation, options, options->report, &policy);
    if (!given)
        unlink(options->policy);
    if (plan) {
        struct probes *probes = NEW(plan->arena, struct probes);
        struct run *run = run_new(plan, policy, NULL, options, started);
        struct outcome outcome = {.ended = ENDED_NOT_SET_UP};
        struct failure failure = {0};
        *probes = (struct probes){NEW_ARRAY(plan->arena, struct probe, 2), 2};
        probes->list[0] = (struct probe){.point = {.domain = DOMAIN_FILES, .verb = VERB_READ, .path = STR("/")}};
        probes->list[1] = (struct probe){.point = {.domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = SYS_getppid}};
        run->probes = probes;
        if (claim_plan(plan, options->strict, run->claims, &failure) == 0)
            options->driver->run(begun, run, &outcome, &failure);
        for (size_t i = 0; outcome.ended == ENDED_EXITED && i < probes->count; i++)
            if (probes->list[i].result == PROBE_UNCLEAR)
                fail(&failure, NO_RULE, 0, "%s", probes->list[i].note);
        runs &= doctor_policy(stdout, given ? plan : NULL, run, &failure);
    }
    options->driver->end(begun);
    return plan && runs ? 0 : STATUS_NOT_SET_UP;
}

struct batch { // what each of its commands begins with
    const struct options *options;
    const struct plan *plan;
    struct policy *policy;
};

// In a process of its own. What was compiled before lies in memory that nobody else writes; what the sandbox is told
// lies where both sides see it.
static int run_of_batch(void *context, char **argv)
{
    const struct batch *batch = context;
    uint64_t started = clock_now();
    struct arena *arena = arena_new_shared();
    if (!arena)
        return cannot_start(too_little_space);
    struct options options = *batch->options;
    struct plan *plan = NEW(arena, struct plan);
    options.command = argv;
    options.report = NULL;
    *plan = *batch->plan;
    plan->arena = arena;
    // Nothing is left to do meanwhile, and the other processors have runs of their own.
    struct native *begun = options.driver->begin(arena, false, false, TERMINAL_NEVER);
    int status = run_plan(plan, batch->policy, NULL, NULL, &options, begun, started);
    options.driver->end(begun);
    return status;
}

static int run_batch(struct options *options)
{
    struct compilation *compilation = compilation_new(arena_new());
    struct batch batch = {.options = options};
    batch.plan = load_plan(compilation, options, options->report, &batch.policy);
    FILE *report = options->report ? fopen(options->report, "we") : NULL;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->report && !report)
        fprintf(stderr, "sbxrun: cannot write the report %s: %s\n", options->report, strerror(errno));
    int status = !batch.plan || (options->report && !report) ? STATUS_NOT_SET_UP
                                                             : batch_run(options->jobs    ? options->jobs
                                                                         : processors > 0 ? (unsigned)processors
                                                                                          : 1,
                                                                         report, run_of_batch, &batch);
    if (report && fclose(report) != 0)
        fprintf(stderr, "sbxrun: the report %s could not be written: %s\n", options->report, strerror(errno));
    compilation_free(compilation);
    return status;
}

// ---- options ------------------------------------------------------------------------------------------------------

static const struct option_row rows[] = {
#define OPTION(id, name, letter, argument, files, help) {name, letter, argument, files, help, false},
#include "enforcer/options.def"
#undef OPTION
};

enum {
    BEFORE_OPTIONS = OPTION_FIRST - 1,
#define OPTION(id, name, letter, argument, files, help) OPTION_##id,
#include "enforcer/options.def"
#undef OPTION
};

enum { ROWS = sizeof rows / sizeof *rows };

static void print_help(void)
{
    puts(
        "usage: sbxrun [OPTION...] POLICY [-- COMMAND ARGUMENT...]\n\n"
        "Runs COMMAND (without one: the policy's own) so that it can do what POLICY allows and nothing else.\n"
        "POLICY is a .sbx file or a plan as `sbxc --emit=plan` writes it (.json).\n");
    options_print(rows, ROWS);
    puts(
        "\nexit: the command's own status (128+N for signal N); 124 its lifetime ran out; 125 the sandbox could not be "
        "set up and\n"
        "the command never ran; 126 it could not be executed; 127 it was not found");
}

// NULL when the options make sense, else what is wrong with them.
static const char *read_options(int argc, char **argv, struct options *options, const char **roots, const char **values)
{
    options->compile.roots = roots;
    options->compile.values = values;
    options->driver = &drivers[0];
    struct option long_options[ROWS + 1];
    char letters[3 * ROWS + 2];
    options_for_getopt(rows, ROWS, long_options, letters);
    for (int option; (option = getopt_long(argc, argv, letters, long_options, NULL)) != -1;)
        switch (option) {
        case 'I': roots[options->compile.root_count++] = optarg; break;
        case 'D': values[options->compile.value_count++] = optarg; break;
        case OPTION_POLICY: options->compile.policy = optarg; break;
        case OPTION_DRIVER:
            options->driver = NULL;
            for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
                if (strcmp(drivers[i].name, optarg) == 0)
                    options->driver = &drivers[i];
            if (!options->driver)
                return "--driver is native";
            break;
        case OPTION_STRICT: options->strict = true; break;
        case OPTION_DRY_RUN: options->dry_run = true; break;
        case OPTION_LIVE: options->live = true; break;
        case OPTION_LAYERS: options->layers = optarg; break;
        case OPTION_EXPLAIN: options->explain_files = true; break;
        case OPTION_BESIDE: options->beside = optarg; break;
        case OPTION_NO_CACHE: options->no_cache = true; break;
        case OPTION_BATCH: options->batch = true; break;
        case OPTION_FD:
            if (!handed_wish(&options->wished, optarg))
                return "--fd is N or N=M, descriptors of sbxrun's and of the command's: M is from 3 to 1023";
            break;
        case OPTION_TTY: options->terminal = TERMINAL_ALWAYS; break;
        case OPTION_NO_TTY: options->terminal = TERMINAL_NEVER; break;
        case OPTION_JOBS: {
            char *end;
            unsigned long jobs = strtoul(optarg, &end, 10);
            if (*end || jobs < 1 || jobs > 1024 || *optarg == '-')
                return "--jobs is a number from 1 to 1024";
            options->jobs = (unsigned)jobs;
            break;
        }
        case OPTION_LEARN: options->learn = optarg; break;
        case OPTION_TIGHTEN: options->tighten = true; break;
        case OPTION_DOCTOR: options->doctor = true; break;
        case OPTION_REPORT: options->report = optarg; break;
        case OPTION_CHANGES: options->changes = optarg; break;
        case OPTION_EVENTS: options->events = optarg; break;
        case OPTION_VERSION: puts("sbxrun " SBX_VERSION ", edition 1"); exit(0);
        case OPTION_HELP: print_help(); exit(0);
        default: return "that option is not known, or lacks its value";
        }
    bool learns = options->learn || options->tighten,
         runs = options->report || options->changes || options->events || options->strict || options->explain_files;
    if (learns && (options->live || options->layers || options->dry_run || options->doctor || runs ||
                   (options->learn && options->tighten)))
        return "--learn and --tighten run a command without a sandbox: they go with -I, -D and --policy alone";
    if (options->learn && options->compile.value_count)
        return "--learn takes no -D: what it writes has no parameters, and POLICY's need values of their own";
    if (optind >= argc)
        return options->doctor ? NULL : learns ? "a command is missing: it stands after `--`" : "a policy is missing";
    if (options->learn && strcmp(argv[optind - 1], "--") == 0) { // getopt has taken it
        options->command = argv + optind;
        return NULL;
    }
    options->policy = argv[optind];
    if (options->beside && !plan_file_is(options->policy))
        return "--beside belongs to a plan";
    if (options->terminal != TERMINAL_WHERE_THERE_IS_ONE &&
        (options->batch || options->live || options->layers || options->dry_run || options->doctor || learns))
        return "--tty and --no-tty belong to a run";
    if (options->wished.count && (options->batch || options->live || options->layers || options->doctor || learns))
        return "--fd belongs to a run";
    if (options->jobs && !options->batch)
        return "--jobs belongs to --batch";
    if (options->batch && (options->live || options->layers || options->dry_run || options->doctor || learns ||
                           options->changes || options->events || optind + 1 < argc))
        return "--batch takes its commands from standard input, and neither --changes nor --events";
    if (learns && optind + 1 >= argc)
        return "a command is missing: it stands after `--`";
    if (optind + 1 < argc && strcmp(argv[optind + 1], "--") != 0)
        return "the command stands after `--`";
    if ((options->changes || options->events) && (options->live || options->layers))
        return "--changes and --events belong to a run";
    if (options->doctor && (options->live || options->layers || options->dry_run || options->report ||
                            options->changes || options->events || optind + 1 < argc))
        return "--doctor takes at most a policy, and runs no command";
    if ((options->live || options->layers) && (options->dry_run || plan_file_is(options->policy) || optind + 1 < argc))
        return "--live and --layers take a .sbx file, and neither --dry-run nor a command";
    if (optind + 2 < argc)
        options->command = argv + optind + 2;
    else if (optind + 1 < argc)
        return "a command is missing after `--`";
    return NULL;
}

int main(int argc, char **argv)
{
    uint64_t started = clock_now();
    struct options options = {0};
    const char *problem;
    if (!caller_take(&problem))
        return cannot_start(problem);
    arena_exhausted_exits(STATUS_NOT_SET_UP);
    struct arena *shared = arena_new_shared();
    if (!shared)
        return cannot_start(too_little_space);
    struct compilation *compilation = compilation_new(shared);
    const char **roots = NEW_ARRAY(compilation->arena, const char *, argc),
               **values = NEW_ARRAY(compilation->arena, const char *, argc);
    problem = read_options(argc, argv, &options, roots, values);
    if (!problem)
        problem = handed_take(&options.handed, &options.wished);
    if (problem) {
        compilation_free(compilation);
        return usage_error(problem);
    }
    if (options.batch) {
        int ended = run_batch(&options);
        compilation_free(compilation);
        return ended;
    }
    if (options.learn || options.tighten) {
        int learned =
            options.learn
                ? learning_run(compilation->arena, options.learn, options.policy, &options.compile, options.command)
                : tightening_run(compilation->arena, options.policy, &options.compile, options.command);
        compilation_free(compilation);
        return learned;
    }
    if (options.layers || options.doctor) {
        int answered =
            options.layers ? print_layers(compilation, &options) : examine(compilation, shared, &options, started);
        compilation_free(compilation);
        return answered;
    }
    struct native *begun = options.dry_run ? NULL
                                           : options.driver->begin(compilation->arena, shared, options.changes,
                                                                   options.live ? TERMINAL_NEVER : options.terminal);
    struct policy *policy = NULL;
    struct plan_cache cache = {.folder = -1};
    struct cached cached = {.options = &options, .cache = &cache};
    if (!options.no_cache && !options.dry_run && !options.live && !plan_file_is(options.policy))
        plan_cache_begin(&cache, compilation->arena, options.policy, &options.compile);
    struct plan *known = plan_cache_find(&cache, &cached.text), *plan = known;
    if (!plan)
        plan = load_plan(compilation, &options, options.report || cache.folder >= 0, &policy);
    const struct live *live = plan && options.live ? live_choose(policy) : NULL;
    int status =
        plan ? run_plan(plan, policy, known ? &cached : NULL, live, &options, begun, started) : STATUS_NOT_SET_UP;
    if (plan && !known)
        plan_cache_keep(&cache, compilation, plan);
    plan_cache_end(&cache);
    if (begun)
        options.driver->end(begun);
    compilation_free(cached.compilation);
    compilation_free(compilation);
    return status;
}
