// What sbxc does: one function for each of its actions, each with the files it is given and the status it exits with.
#pragma once

#include <stdio.h>

#include "compiler/front/driver.h"
#include "compiler/import/seccomp.h"

enum { STATUS_CLEAN, STATUS_ERRORS, STATUS_USAGE, STATUS_DENIED = 4, STATUS_PARTLY }; // the last two of --why
enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SARIF, FORMAT_HTML };

struct options {
    const char *question, *emit, *output;
    struct driver_options driver;
    enum arch target;
    struct import_options import;
    enum format format;
    const char *changed; // a commit: only what differs from it, and what imports that
    bool deny_warnings, color, no_proof, live, fmt_write, fmt_diff;
};

int check_files(const struct options *, char **files);
int test_files(const struct options *, char **files);
int why(const struct options *, char **files);
int diff(const struct options *, char **files);
int emit(const struct options *, char **files);
bool can_emit(const char *form);
bool emits_folder(const char *form); // which -o has to name
int import(const struct options *, char **files);
int explain(const struct options *, char **files);
int fix_files(const struct options *, char **files);
int format_files(const struct options *, char **files);
int document(const struct options *, char **files);
int serve_editor(const struct options *, char **files);

// ---- what they share (actions.c) ----

int usage_error(const char *message); // says it; STATUS_USAGE
int worse(int a, int b);              // of two statuses
void print_findings(const struct options *, struct compilation *);
int status_of(const struct options *, const struct compilation *);

// The plan of a policy, with its filters proved. NULL, and diagnostics, when one can't be made or is not proved.
struct plan *make_plan(const struct options *, struct policy *);

// Loads the one policy that an action is about. NULL when it has errors, which are printed; *status says which.
struct policy *load_policy(const struct options *, struct compilation *, const char *path, int *status);

// What an action does with one compilation, within its budget: where that runs out, the findings are printed and
// nothing else comes of it.
struct job {
    const struct options *options;
    char **files;
    struct compilation *compilation;
    int status;
};
int do_job(const struct options *, char **files, void (*work)(struct job *));

int write_output(const char *path, struct str data); // NULL: standard output
