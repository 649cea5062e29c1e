// Where control groups can be made: beneath or beside the caller's own, and the files in them.
#pragma once

#include "enforcer/limits/cgroup.h"

extern const char *const cgroup_controllers[CONTROLLER_COUNT]; // names of the kernel's

// Files of a group. The text ends in NUL; how many bytes it has, or -1. Writing: 0, or -errno.
ssize_t cgroup_file_read(int folder, const char *name, char *text, size_t size);
int cgroup_file_write(int folder, const char *name, const char *text);

// The caller's own group in the hierarchy that has that controller; "": in the unified one. False where none has.
bool cgroup_own_folder(const char *controller, char *folder, size_t size, bool *v2);

// The folder in which a group with that controller can be made. False where the caller may make none. The second also
// asks the user's service manager for one.
bool cgroup_parent_folder(int controller, char *folder, size_t size, bool *v2);
bool cgroup_parent_or_scope(int controller, char *folder, size_t size, bool *v2);
