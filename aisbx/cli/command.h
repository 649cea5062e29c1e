// What aisbx's commands are: rows of a table, a file each.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { STATUS_FINE = 0, STATUS_REFUSED = 1, STATUS_USAGE = 2 };

// Each gets its words, its own name the first, and returns the status that aisbx ends with.
int command_init(int argc, char **argv);
int command_run(int argc, char **argv);
int command_log(int argc, char **argv);
int command_ls(int argc, char **argv);
int command_show(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_promote(int argc, char **argv);
int command_snap(int argc, char **argv);
int command_gc(int argc, char **argv);
int command_fsck(int argc, char **argv);
int command_status(int argc, char **argv);

struct command {
    const char *name, *words, *what;
    int (*run)(int argc, char **argv);
};
extern const struct command commands[];
extern const size_t command_count;

// Says how the command is used, and returns STATUS_USAGE.
int usage(const char *command);

// A time of the store, in milliseconds since 1970, as a person reads it.
const char *time_text(long long milliseconds);

// True if `path` is one of the paths, or lies beneath one: as they are typed, from the working folder on. None: all
// are.
bool path_chosen(const char *path, char *const *paths, const char *workspace);
