// What aisbx's commands share: their words, and what a person types and reads.
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aisbx/cli/command.h"

const struct command_words command_words[] = {
#define COMMAND(name, words, what) {#name, words, what},
#include "aisbx/cli/commands.def"
#undef COMMAND
};
const size_t command_count = sizeof command_words / sizeof *command_words;

int usage(const char *command)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(command_words[i].name, command) == 0)
            fprintf(stderr, "usage: aisbx %s %s\n", command_words[i].name, command_words[i].words);
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
