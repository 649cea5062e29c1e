// Which files an action is about: those named, those in folders that are named, and of them maybe only what changed.
#pragma once

#include "lang/arena.h"

struct file_list {
    struct arena *arena;
    const char **paths;
    size_t count, capacity;
};

// Adds a file, or every .sbx file beneath a folder, in the order of their names; folders whose name starts with `.` are
// left out. NULL, or what is wrong.
const char *files_add(struct file_list *, const char *path);

// All of standard input, with two NULs behind it. NULL, or what is wrong.
const char *files_read_input(struct arena *, struct str *text);

// Writes beside a file and moves into its place, with its mode (a new one: 0644), so that nobody ever reads half of it.
// False, and errno.
bool files_replace(struct arena *, const char *path, struct str text);

// The resolved paths of what differs from a commit in the working folder's repository, new files included
// (git-diff(1)). NULL, or what is wrong.
const char *files_changed(struct arena *, const char *commit, struct map *changed);
