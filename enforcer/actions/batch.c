// Many commands under one policy.
#include "enforcer/actions/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler/front/output.h"
#include "compiler/plan/json.h"
#include "enforcer/actions/run.h"
#include "enforcer/host/caller.h"
#include "enforcer/host/clock.h"
#include "enforcer/host/say.h"

enum { WORDS_MOST = 65536, BYTES_MOST = 16 << 20 }; // of one command; the kernel takes no more

struct command {
    struct arena *arena;
    char **argv;
    size_t count;
};

struct job {
    pid_t pid; // 0: free
    uint64_t number;
    struct command command;
};

// The next command of the input: 1; 0 at its end; -1 when it ends within one, or one is too large.
static int next_command(FILE *in, struct command *command)
{
    char *word = NULL;
    size_t capacity = 0, bytes = 0;
    int result = 0;
    *command = (struct command){.arena = arena_new()};
    for (ssize_t n; (n = getdelim(&word, &capacity, '\0', in)) > 0;) {
        bool whole = word[n - 1] == '\0';
        if (whole && n == 1) { // the word that ends it; one more between commands is nothing
            if (!command->count)
                continue;
            result = 1;
            break;
        }
        bytes += (size_t)n;
        if (!whole || command->count == WORDS_MOST || bytes > BYTES_MOST) {
            result = -1;
            break;
        }
        if ((command->count & (command->count - 1)) == 0)
            command->argv = arena_grow(command->arena, command->argv, command->count * sizeof(char *),
                                       (command->count ? 2 * command->count : 1) * sizeof(char *));
        command->argv[command->count++] = (char *)str_copy(command->arena, (struct str){word, (size_t)n - 1}).text;
    }
    if (result == 0 && command->count)
        result = -1;
    free(word);
    if (result <= 0) {
        arena_free(command->arena);
        return result;
    }
    command->argv = arena_grow(command->arena, command->argv, command->count * sizeof(char *),
                               (command->count + 1) * sizeof(char *));
    command->argv[command->count] = NULL;
    return 1;
}

static void tell(FILE *report, const struct job *job, int status)
{
    if (!report)
        return;
    struct text text = {.arena = job->command.arena};
    struct json_writer writer = {.text = &text, .depth = 1}, *w = &writer; // all of it on one line
    json_open(w, '{');
    json_member_number(w, "number", job->number);
    json_key(w, "command");
    json_open(w, '[');
    for (size_t i = 0; i < job->command.count; i++)
        json_string(w, str_from(job->command.argv[i]));
    json_close(w, ']');
    json_member_number(w, "status", (uint64_t)status);
    json_close(w, '}');
    fprintf(report, "%.*s\n", (int)text.length, text.data);
    fflush(report);
}

// Waits for one of them. False when none runs.
static bool reap_one(struct job *jobs, unsigned count, FILE *report, bool *all_good)
{
    int how;
    pid_t pid;
    while ((pid = waitpid(-1, &how, 0)) < 0 && errno == EINTR)
        ;
    for (unsigned i = 0; pid > 0 && i < count; i++)
        if (jobs[i].pid == pid) {
            int status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
            *all_good &= status == 0;
            tell(report, &jobs[i], status);
            arena_free(jobs[i].command.arena);
            jobs[i].pid = 0;
        }
    return pid > 0;
}

static _Noreturn void run_one(pid_t parent, int (*one)(void *context, char **argv), void *context, char **argv)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) // with it, also before this was said
        _exit(125);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0)
        _exit(125);
    close(nothing);
    int status = one(context, argv);
    fflush(NULL);
    _exit(status);
}

// Runs `one` in a new process for each command, with a NULL-ended argv and /dev/null as standard input, `count` at a
// time; what it returns is the command's status.
static int batch_run(unsigned count, FILE *report, int (*one)(void *context, char **argv), void *context)
{
    struct job *jobs = calloc(count, sizeof *jobs);
    bool all_good = true;
    uint64_t number = 0;
    pid_t parent = getpid();
    int more = jobs ? 1 : -1;
    // The input is this process's alone: a child must not move it on.
    FILE *in = more > 0 ? fdopen(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), "r") : NULL;
    while (in) {
        unsigned free_one = 0;
        while (free_one < count && jobs[free_one].pid)
            free_one++;
        if (free_one == count) {
            reap_one(jobs, count, report, &all_good);
            continue;
        }
        struct job *job = &jobs[free_one];
        if ((more = next_command(in, &job->command)) <= 0)
            break;
        job->number = ++number;
        fflush(NULL);
        caller_lend_environment(true);
        job->pid = fork();
        caller_lend_environment(false);
        if (job->pid == 0)
            run_one(parent, one, context, job->command.argv);
        if (job->pid < 0) {
            say(stderr, "sbxrun: cannot start a command: %s", strerror(errno));
            job->pid = 0;
            more = -2;
            break;
        }
    }
    while (reap_one(jobs, jobs ? count : 0, report, &all_good))
        ;
    if (!in || more == -1)
        fputs(in ? "sbxrun: the input ends within a command, or one is too long: each word ends in a NUL, and each "
                   "command in one more\n"
                 : "sbxrun: there is no standard input\n",
              stderr);
    if (in)
        fclose(in);
    free(jobs);
    return !in || more < 0 ? 125 : all_good ? 0 : 123;
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

int run_batch(const struct options *options)
{
    struct compilation *compilation = compilation_new(arena_new());
    struct batch batch = {.options = options};
    batch.plan = load_plan(compilation, options, options->report, &batch.policy);
    FILE *report = options->report ? output_open(options->report) : NULL;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->report && !report)
        say(stderr, "sbxrun: cannot write the report %s: %s", options->report, strerror(errno));
    int status = !batch.plan || (options->report && !report) ? STATUS_NOT_SET_UP
                                                             : batch_run(options->jobs    ? options->jobs
                                                                         : processors > 0 ? (unsigned)processors
                                                                                          : 1,
                                                                         report, run_of_batch, &batch);
    if (report && fclose(report) != 0)
        say(stderr, "sbxrun: the report %s could not be written: %s", options->report, strerror(errno));
    compilation_free(compilation);
    return status;
}
