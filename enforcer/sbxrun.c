// sbxrun: runs a command under a policy.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/front/options.h"
#include "enforcer/actions/batch.h"
#include "enforcer/actions/doctor.h"
#include "enforcer/actions/layers.h"
#include "enforcer/actions/learning.h"
#include "enforcer/actions/plan_file.h"
#include "enforcer/actions/run.h"
#include "enforcer/host/caller.h"
#include "enforcer/host/clock.h"

static const struct driver drivers[] = {
    {"native", native_begin, native_run, native_end},
};

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
        case OPTION_KEEP: options->keep = optarg; break;
        case OPTION_LAYER:
            if (options->below_count == LAYERS_MOST)
                return "--layer stands there at most 32 times";
            options->below[options->below_count++] = optarg;
            break;
        case OPTION_EVENTS: options->events = optarg; break;
        case OPTION_VERSION: puts("sbxrun " SBX_VERSION ", edition 1"); exit(0);
        case OPTION_HELP: print_help(); exit(0);
        default: return options_wrong(rows, ROWS, argv[optind - 1], optopt);
        }
    bool learns = options->learn || options->tighten, writes = options->changes || options->keep || options->events,
         runs = writes || options->report || options->strict || options->explain_files || options->below_count;
    if (learns && (options->live || options->layers || options->dry_run || options->doctor || runs ||
                   (options->learn && options->tighten)))
        return "--learn and --tighten run a command without a sandbox: they go with -I, -D and --policy alone";
    if (options->learn && options->compile.value_count)
        return "--learn takes no -D: what it writes has no parameters, and POLICY's need values of their own";
    if (optind >= argc)
        return options->doctor ? NULL
               : learns        ? "a command is missing: it stands after `--`"
                               : "a policy is missing: sbxrun POLICY -- COMMAND";
    if (options->learn && strcmp(argv[optind - 1], "--") == 0) { // getopt has taken it
        options->command = argv + optind;
        return NULL;
    }
    if (strcmp(argv[optind - 1], "--") == 0)
        return "a policy is missing before `--`: sbxrun POLICY -- COMMAND";
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
                           writes || optind + 1 < argc))
        return "--batch takes its commands from standard input, and neither --changes nor --keep nor --events";
    if (learns && optind + 1 >= argc)
        return "a command is missing: it stands after `--`";
    if (optind + 1 < argc && strcmp(argv[optind + 1], "--") != 0)
        return "the command stands after `--`: sbxrun POLICY -- COMMAND";
    if ((writes || options->below_count) && (options->live || options->layers))
        return "--changes, --keep, --layer and --events belong to a run";
    if (options->doctor && (options->live || options->layers || options->dry_run || options->report ||
                            writes || options->below_count || optind + 1 < argc))
        return "--doctor takes at most a policy, and runs no command";
    if ((options->live || options->layers) && (options->dry_run || plan_file_is(options->policy) || optind + 1 < argc))
        return "--live and --layers take a .sbx file, and neither --dry-run nor a command";
    if (optind + 2 < argc)
        options->command = argv + optind + 2;
    else if (optind + 1 < argc)
        return "a command is missing after `--`";
    return NULL;
}

// One thing of these is asked for: read_options has seen to that.
static int act(struct compilation *compilation, struct arena *shared, struct options *options, uint64_t started)
{
    if (options->batch)
        return run_batch(options);
    if (options->learn)
        return learning_run(shared, options->learn, options->policy, &options->compile, options->command);
    if (options->tighten)
        return tightening_run(shared, options->policy, &options->compile, options->command);
    if (options->layers)
        return print_layers(compilation, options);
    if (options->doctor)
        return examine(compilation, shared, options, started);
    return run_policy(compilation, shared, options, started);
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
    int status = problem ? usage_error(problem) : act(compilation, shared, &options, started);
    compilation_free(compilation);
    return status;
}
