// What `require` can name: how each is found.
#include "enforcer/drivers/features.h"

#include <stdio.h>
#include <unistd.h>

#include "enforcer/host/host.h"
#include "enforcer/limits/cgroup.h"
#include "enforcer/network/net_guard.h"

bool host_has(enum feature feature, uint64_t version, const char **found)
{
    static char text[160];
    *found = "no";
    switch (feature) {
    case FEATURE_landlock:
        snprintf(text, sizeof text, host_landlock_abi() ? "ABI %d" : "no", host_landlock_abi());
        *found = text;
        return host_landlock_abi() > 0 && (uint64_t)host_landlock_abi() >= version;
    case FEATURE_cgroup: {
        int have = cgroup_version();
        *found = have == 2 ? "version 2" : have == 1 ? "version 1" : "none that may be written";
        return have > 0 && (version == 0 || (uint64_t)have >= version);
    }
    case FEATURE_user_namespaces:
        *found = host_number("/proc/sys/user/max_user_namespaces") > 0 ? "yes" : "no";
        return (*found)[0] == 'y';
    case FEATURE_idmapped_mounts:
        *found = geteuid() == 0 && host_can_change_identity() ? "yes" : "not for an ordinary user";
        return (*found)[0] == 'y';
    case FEATURE_ebpf: {
        const char *lacks = net_guard_lacks();
        snprintf(text, sizeof text, "none: %s", lacks ? lacks : "");
        *found = lacks ? text : "yes";
        return !lacks;
    }
    default: return false;
    }
}
