// Running sbxrun for what only it knows.
#include "compiler/actions/enforcer.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

// The sbxrun beside this program, as both are installed, else the one in PATH.
static const char *find_sbxrun(struct arena *arena)
{
    char own[4096];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    while (length > 0 && own[length - 1] != '/')
        length--;
    const char *beside = length > 0 ? str_format(arena, "%.*ssbxrun", (int)length, own).text : NULL;
    return beside && access(beside, X_OK) == 0 ? beside : "sbxrun";
}

static const char **arguments_of(struct arena *arena, const struct options *options, const char *what,
                                 const char *value, const char *file, struct str policy)
{
    const struct driver_options *driver = &options->driver;
    const char **list = NEW_ARRAY(arena, const char *, 8 + 2 * (driver->root_count + driver->value_count));
    size_t count = 0;
    list[count++] = "sbxrun";
    list[count++] = what;
    if (value)
        list[count++] = value;
    for (size_t i = 0; i < driver->root_count; i++) {
        list[count++] = "-I";
        list[count++] = driver->roots[i];
    }
    for (size_t i = 0; i < driver->value_count; i++) {
        list[count++] = "-D";
        list[count++] = driver->values[i];
    }
    list[count++] = "--policy";
    list[count++] = str_copy(arena, policy).text;
    list[count++] = file;
    return list;
}

struct answer {
    FILE *out, *errors; // temporary files
    int error;          // why it was not run
    int status;         // as waitpid(2) has it
};

static void ask(const char *program, const char **arguments, struct answer *answer)
{
    *answer = (struct answer){.out = tmpfile(), .errors = tmpfile()};
    if (!answer->out || !answer->errors) {
        answer->error = errno;
        return;
    }
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, fileno(answer->out), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(answer->errors), STDERR_FILENO);
    answer->error = posix_spawnp(&pid, program, &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (!answer->error && waitpid(pid, &answer->status, 0) < 0 && errno == EINTR)
        ;
    rewind(answer->out);
    rewind(answer->errors);
}

static void forget(struct answer *answer)
{
    if (answer->out)
        fclose(answer->out);
    if (answer->errors)
        fclose(answer->errors);
}

// The first line of what it said, for people.
static struct str first_line(struct arena *arena, FILE *errors)
{
    char line[1024];
    if (!fgets(line, sizeof line, errors))
        return STR("sbxrun said nothing");
    line[strcspn(line, "\n")] = '\0'; // which sbxrun has made so that it can be shown
    return str_copy(arena, str_from(line));
}

static void pass_on(FILE *out, unsigned *number)
{
    char line[4096];
    while (fgets(line, sizeof line, out)) {
        bool test = strncmp(line, "ok - ", 5) == 0 || strncmp(line, "not ok - ", 9) == 0;
        if (test)
            printf("%sok %u %s", line[0] == 'n' ? "not " : "", ++*number, strchr(line, '-'));
        else
            fputs(line, stdout);
    }
}

int enforcer_live(const struct options *options, const char *file, struct str policy, unsigned *number)
{
    struct arena *arena = arena_new();
    const char *program = find_sbxrun(arena);
    struct answer answer;
    int result = STATUS_CLEAN;
    ask(program, arguments_of(arena, options, "--live", NULL, file, policy), &answer);
    struct str said = answer.error ? STR("") : first_line(arena, answer.errors);
    if (answer.error) {
        print_shown(stdout, "ok %u - live: %.*s # SKIP cannot run %s: %s", ++*number, STR_ARGS(policy), program,
                    strerror(answer.error));
    } else if (WIFEXITED(answer.status) && WEXITSTATUS(answer.status) <= 1) {
        pass_on(answer.out, number);
        result = WEXITSTATUS(answer.status) ? STATUS_ERRORS : STATUS_CLEAN;
    } else if (WIFEXITED(answer.status) && WEXITSTATUS(answer.status) == 125) {
        printf("ok %u - live: %.*s # SKIP %.*s\n", ++*number, STR_ARGS(policy), STR_ARGS(said));
    } else {
        printf("not ok %u - live: %.*s\n# sbxrun ended with status 0x%x: %.*s\n", ++*number, STR_ARGS(policy),
               (unsigned)answer.status, STR_ARGS(said));
        result = STATUS_ERRORS;
    }
    forget(&answer);
    arena_free(arena);
    return result;
}

void enforcer_layers(struct arena *arena, const struct options *options, const char *file, struct str policy,
                     struct str layers[WHY_PARTS])
{
    struct answer answer;
    char line[1024];
    ask(find_sbxrun(arena), arguments_of(arena, options, "--layers", options->question, file, policy), &answer);
    while (!answer.error && fgets(line, sizeof line, answer.out)) {
        line[strcspn(line, "\n")] = '\0';
        char *space = strchr(line, ' ');
        if (!space)
            continue;
        struct str text = str_copy(arena, str_from(space + 1));
        if (strncmp(line, "refused", 7) == 0)
            layers[WHY_ALLOWED] = layers[WHY_DENIED] = str_format(arena, "not run, for %.*s", STR_ARGS(text));
        else
            layers[strncmp(line, "allowed", 7) == 0 ? WHY_ALLOWED : WHY_DENIED] = text;
    }
    forget(&answer);
}

static struct str all_of(struct arena *arena, FILE *file)
{
    struct text text = {.arena = arena};
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
        text_add(&text, buffer, n);
    return text.length ? text_str(&text) : STR("");
}

void enforcer_dry_run(struct arena *arena, const struct options *options, const char *file, struct str policy,
                      struct str *said, struct str *refuses)
{
    struct answer answer;
    ask(find_sbxrun(arena), arguments_of(arena, options, "--dry-run", NULL, file, policy), &answer);
    bool good = !answer.error && WIFEXITED(answer.status) && WEXITSTATUS(answer.status) == 0;
    *said = good ? all_of(arena, answer.out) : STR("");
    *refuses = good || answer.error ? STR("") : all_of(arena, answer.errors);
    forget(&answer);
}
