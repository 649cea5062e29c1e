// Which runs need a placeholder: each has a socket of an abstract name (unix(7)) for each that it needs, which is gone
// with it whatever ends it.
#pragma once

#include <sys/stat.h>

// Anybody can have any name. One of ours can be connected to from the moment after it has it, and lets many wait.
enum holder { NOBODY, OURS, STRANGER }; // nobody who listens; root or this user; another user, or one who lets few wait

// Placeholders and their folders are made and removed by one run of a user at a time: whoever has the name. -1 and
// errno.
int placeholders_lock(void);

// Has a name that says that this process needs that placeholder, while the socket is open; -1 and errno.
int placeholder_need(const struct stat *placeholder);

// Who needs a placeholder: ours also where that can't be told (proc_net(5), unix), a stranger only if none of ours
// does.
enum holder placeholder_holder(const struct stat *placeholder);
