// Command lines as tables (options.def): getopt's view of one, and --help.
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

struct option_row {
    const char *name, *letter, *argument; // one of the first two is empty
    const char *files;                    // of an action: what it is about
    const char *help;
    bool is_action;
};

enum { OPTION_FIRST = 256 }; // getopt's values are OPTION_FIRST + the row, or the letter

// getopt's tables. `options` has room for one more than there are rows; `letters` for 3 per row and 2 more.
void options_for_getopt(const struct option_row *, size_t count, struct option *options, char *letters);

// The rows as --help prints them: two columns, at most 100 wide.
void options_print(const struct option_row *, size_t count);

// What is wrong with the word that getopt_long(3) gave up on (it returned '?'), and what to write. `option`: its
// optopt. Lives until the next call.
const char *options_wrong(const struct option_row *, size_t count, const char *word, int option);
