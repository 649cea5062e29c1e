// What aisbx's commands are: rows of a table (commands.def), a file each.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { STATUS_FINE = 0, STATUS_REFUSED = 1, STATUS_USAGE = 2 };

// Each gets its words, its own name the first, and returns the status that aisbx ends with.
#define COMMAND(name, words, what) int command_##name(int argc, char **argv);
#include "aisbx/cli/commands.def"
#undef COMMAND
int command_status(int argc, char **argv);

struct command_words { // rows of commands.def
    const char *name, *words, *what;
};
extern const struct command_words command_words[];
extern const size_t command_count;

// Says how the command is used, and returns STATUS_USAGE.
int usage(const char *command);

// A time of the store, in milliseconds since 1970, as a person reads it.
const char *time_text(long long milliseconds);

// True if `path` is one of the paths, or lies beneath one: as they are typed, from the working folder on. None: all
// are.
bool path_chosen(const char *path, char *const *paths, const char *workspace);
