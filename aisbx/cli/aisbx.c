// aisbx: where agents work. Runs steps in sandboxes on a copy of a project, keeps what came of each, and brings to the
// host only what a person or a gate agreed to.
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aisbx/cli/command.h"

const struct command commands[] = {
    {"init", "", "make .aisbx/policy.sbx for what the project is", command_init},
    {"run", "[-D NAME=VALUE] [--snapshot SNAP] [-- COMMAND...]", "run a command on a copy of the project", command_run},
    {"log", "[--follow] [--json] [RUN]", "what a run wrote", command_log},
    {"ls", "[--json] [runs|snapshots|promotions]", "what there is", command_ls},
    {"show", "ID", "all that is known of it (JSON)", command_show},
    {"diff", "[--stat|--name-only] [--snapshot SNAP] [PATH...]", "what runs changed", command_diff},
    {"promote", "[--dry-run] [--danger|--ours|--theirs PATH]... | --undo PROM [--force]",
     "bring what runs changed to the host, or take it back", command_promote},
    {"snap", "save NAME | restore SNAP | rm NAME | ls", "name a state, go back to one", command_snap},
    {"gc", "[--days N]", "remove what nothing needs any more", command_gc},
    {"fsck", "", "read the whole store and say what is wrong", command_fsck},
};
const size_t command_count = sizeof commands / sizeof *commands;

static void help(FILE *to)
{
    fputs("aisbx [COMMAND]: runs steps in sandboxes on a copy of a project; without a command: where things stand\n\n",
          to);
    for (size_t i = 0; i < command_count; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].what);
    fputs("\n`aisbx COMMAND --help` has the options of each; docs/aisbx.md a tour.\n", to);
}

int usage(const char *command)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, command) == 0)
            fprintf(stderr, "usage: aisbx %s %s\n", commands[i].name, commands[i].words);
    return STATUS_USAGE;
}

const char *time_text(long long milliseconds)
{
    static char text[32];
    time_t seconds = (time_t)(milliseconds / 1000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    return text;
}

bool path_chosen(const char *path, char *const *paths, const char *workspace)
{
    char here[PATH_MAX], whole[2 * PATH_MAX];
    if (!paths || !*paths)
        return true;
    if (!getcwd(here, sizeof here))
        return false;
    for (; *paths; paths++) {
        const char *typed = *paths;
        while (typed[0] == '.' && (typed[1] == '/' || !typed[1]))
            typed += 1 + (typed[1] == '/');
        size_t length = strlen(workspace);
        if (*typed == '/')
            snprintf(whole, sizeof whole, "%s", typed);
        else
            snprintf(whole, sizeof whole, "%s/%s", here, typed);
        if (strncmp(whole, workspace, length) != 0 || (whole[length] && whole[length] != '/'))
            continue;
        const char *beneath = whole + length + (whole[length] == '/');
        size_t span = strlen(beneath);
        while (span && beneath[span - 1] == '/')
            span--;
        if (!span || (strncmp(path, beneath, span) == 0 && (!path[span] || path[span] == '/')))
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    setlinebuf(stderr);
    if (argc < 2)
        return command_status(argc, argv);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help(stdout), STATUS_FINE;
    if (strcmp(argv[1], "--version") == 0)
        return puts("aisbx " SBX_VERSION), STATUS_FINE;
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, argv[1]) == 0) {
            if (argc == 3 && strcmp(argv[2], "--help") == 0) {
                printf("usage: aisbx %s %s\n%s\n", commands[i].name, commands[i].words, commands[i].what);
                return STATUS_FINE;
            }
            return commands[i].run(argc - 1, argv + 1);
        }
    warnx("there is no command %s", argv[1]);
    help(stderr);
    return STATUS_USAGE;
}
