// Helpers: programs beside sbxrun that read what others wrote (images, DNS), each with the library for it, which sbxrun
// itself does not link.
//
// Each has a policy, the .sbx beside this file that has its name, which is compiled when it starts (and proved by the
// tests), and is put behind it as a command is: outside identity, no capability, namespaces of its own without a
// network, a view of its program and perhaps one folder, Landlock, the filter. It is one process, so limits of a
// process are its limits. It has the descriptors that it is given and no others, and dies with sbxrun.
#pragma once

#include <sys/types.h>

#include "enforcer/host/failure.h"

enum helper_program { HELPER_IMAGE, HELPER_LAYER, HELPER_UNPACK_LAYER, HELPER_NAMES };

struct helper {
    enum helper_program program;
    const char *folder; // the path of what its policy calls `cwd "."`, which belongs to its user; NULL: nothing does
    const int *given;   // its descriptors 0, 1, …
    int count;
    int control_group; // which it is moved into, a folder; 0: it stays in that of sbxrun
};

// Is it there, beside sbxrun or in /usr/bin?
bool helper_exists(enum helper_program);

// Starts it: a process to be waited for, which is killed in any case when sbxrun dies. -1 and the failure, when it
// could not be walled in or is not there.
pid_t helper_start(const struct helper *, struct failure *);

// Whom it runs as, on the host: it can write in a folder that belongs to that user.
int helper_user(uid_t *, gid_t *, struct failure *);

// Reads what one says until it ends, its first line into said: its status as waitpid(2) has it. It is ended, *ended
// saying why, when its time is over (milliseconds, 0: ten minutes), or when a signal waits that is to end this run,
// which is left to those who take signals when everything is tidied away.
int helper_wait(pid_t, int from, uint64_t lifetime, char *said, size_t size, const char **ended);
bool helper_must_end(void); // does such a signal wait?
