// Helpers: programs beside sbxrun that read what others wrote (images, DNS), each with the library for it, which sbxrun
// itself does not link.
//
// A helper may read programs, libraries and configuration, write beneath one folder or nowhere, and gets no more
// descriptors than it is given. It dies with sbxrun.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum { HELPER_FDS_MOST = 16 };

struct helper {
    const char *name; // "sbximage", found beside sbxrun
    pid_t parent;     // sbxrun, from before the fork
    int folder;       // its working folder, beneath which it may write; -1: none
    const int *fds;   // its descriptors 0, 1, …
    int count;
    uid_t user; // who it runs as, when sbxrun is root and this is not
    gid_t group;
    int control_group; // which it goes into first, a folder; 0: it stays in that of sbxrun
};

// Is it there, beside sbxrun or in /usr/bin?
bool helper_exists(const char *name);

// In a new process: becomes the helper. Exits with 127 when it is not there, 126 when it can't be confined.
_Noreturn void helper_run(const struct helper *);
