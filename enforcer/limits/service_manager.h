// A control group from the user's own service manager: where an ordinary user may make none beside a login's, systemd
// gives one for the asking (org.freedesktop.systemd1(5), StartTransientUnit; systemd.scope(5);
// https://systemd.io/CGROUP_DELEGATION).
//
// sbxrun speaks no D-Bus: busctl(1), which comes with systemd, asks for it. That takes as long as several starts, so it
// is done only where a limit needs it.
#pragma once

#include <stdbool.h>

// Moves this process and its children into a group `supervisor` of a scope that is delegated to it; groups made beside
// that one may have limits. Once for a process; the scope goes with its last process. False where there is no such
// manager, or where it refused or came too late: no group that this process makes may then have limits.
bool service_manager_give_group(void);
