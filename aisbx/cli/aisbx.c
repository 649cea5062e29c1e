// aisbx: where agents work. Runs steps in sandboxes on a copy of a project, keeps what came of each, and brings to the
// host only what a person or a gate agreed to.
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "aisbx/cli/command.h"

static int (*const functions[])(int argc, char **argv) = {
#define COMMAND(name, words, what) command_##name,
#include "aisbx/cli/commands.def"
#undef COMMAND
};

static void help(FILE *to)
{
    fputs("aisbx [COMMAND]: runs steps in sandboxes on a copy of a project; without a command: where things stand\n\n",
          to);
    for (size_t i = 0; i < command_count; i++)
        fprintf(to, "  %-8s %s\n", command_words[i].name, command_words[i].what);
    fputs("\n`aisbx COMMAND --help` has the options of each; docs/aisbx.md a tour.\n", to);
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
        if (strcmp(command_words[i].name, argv[1]) == 0) {
            if (argc == 3 && strcmp(argv[2], "--help") == 0) {
                printf("usage: aisbx %s %s\n%s\n", command_words[i].name, command_words[i].words,
                       command_words[i].what);
                return STATUS_FINE;
            }
            return functions[i](argc - 1, argv + 1);
        }
    warnx("there is no command %s", argv[1]);
    help(stderr);
    return STATUS_USAGE;
}
