/* libsbx: policies of sbx in a program of one's own: compiled, checked, asked, emitted, and commands run under them.
 *
 * What a policy means is decided in this process, by the code of sbxc and sbxrun. A command is run by the program
 * `sbxrun`, which must be installed: it is small, and confines nothing that a library in a process of many threads
 * could get wrong.
 *
 * Strings are UTF-8 and end in NUL. What is returned as `char *` is the caller's, to be freed with sbx_free. Functions
 * of different policies may run in different threads at once; those of one policy may not. Without memory the process
 * ends.
 */
#ifndef SBX_H
#define SBX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define SBX_VERSION_NUMBER 100 /* 0.1.0; functions and members are only added, at the end */

typedef struct sbx_policy sbx_policy;

const char *sbx_version(void); /* "0.1.0" */
void sbx_free(void *);

/* Compiles the policy of a file, or of a text whose imports start in `folder` (NULL: the working folder). `values`:
 * "name=value" for its parameters, ended by NULL; NULL: none. `name`: which of its policies; NULL: as sbxc chooses.
 * NULL when it has errors, an obligation (never, within) or expectation that does not hold like any other;
 * *findings, if findings is not NULL, is what sbxc would print, or NULL when there is nothing
 * to say. */
sbx_policy *sbx_compile_file(const char *path, const char *name, const char *const *values, char **findings);
sbx_policy *sbx_compile_text(const char *text, const char *folder, const char *name, const char *const *values,
                             char **findings);
void sbx_policy_free(sbx_policy *);

/* Warnings; with `prove` also the proof that its filters mean it, which takes Z3 and longer. 0: nothing is wrong; 1:
 * errors, and from then on the functions below say so and do nothing else. *findings as above, warnings too. */
int sbx_check(sbx_policy *, int prove, char **findings);

struct sbx_verdict {
    int decided; /* 1; 0: the operation could not be understood, `rule` says why */
    int allowed; /* all of it: an operation is a set, as `write "/etc"` or `connect tcp 10.0.0.0/8:80` */
    int denied;  /* all of it; neither: a part */
    char *rule;  /* the answer as `sbxc --why` gives it, with the rules that decide */
};

/* What the policy says about an operation, as a rule would name it. */
struct sbx_verdict sbx_verdict(sbx_policy *, const char *operation);

/* Its plan (JSON), or the filter of one architecture as struct sock_filter: "plan", "seccomp:x86_64",
 * "seccomp:aarch64". *length in bytes; NULL: it has no such form. */
char *sbx_emit(sbx_policy *, const char *form, size_t *length);

struct sbx_run {
    const char *const *command; /* ended by NULL; NULL: the policy's own */
    const char *sbxrun;         /* the program; NULL: found in PATH */
    int input, output, error;   /* descriptors that become the command's; -1: /dev/null */
    const char *data;           /* instead of `input`: what it reads */
    size_t length;
    void (*said)(
        void *context, int stream, const char *data,
        size_t length); /* instead of `output` and `error`: what it wrote to stream 1 or 2, as it comes; NULL: not */
    void (*event)(void *context, const char *json); /* what is met or denied, as `--events` writes it; NULL: not */
    void *context;
};

struct sbx_result {
    int status;   /* as sbxrun ends; -1: it could not be started, `report` says why */
    char *report; /* as `--report` writes it, JSON; NULL: there was none */
};

/* Runs a command under the policy to its end. Relative host paths of the policy start where its file lies. */
struct sbx_result sbx_run(sbx_policy *, const struct sbx_run *);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
