// Who the sandbox's processes are: one user inside, one unprivileged user outside, no capabilities but those the policy
// allows.
#pragma once

#include <sys/types.h>

#include "enforcer/host/failure.h"

struct identity {
    uid_t inside, outside_user;
    gid_t outside_group;
    bool as_root;          // sbxrun is root: outside is somebody else, and sbxrun writes the maps
    uint64_t capabilities; // bits
    void *prepared;        // an empty cap_t, made before clone: nothing may be allocated after
};

// Before clone; then who the plan says. The memory lies where both sides see it.
int identity_prepare(struct identity *, struct failure *);
void identity_choose(struct identity *, const struct plan *);
void identity_release(struct identity *);

// The maps of the sandbox's user namespace (user_namespaces(7)). An ordinary user's are written by the process inside,
// root's by sbxrun for the process `pid`. Returns 0, or -1 and the failure.
int identity_map_self(const struct identity *, struct failure *);
int identity_map_other(const struct identity *, pid_t pid, struct failure *);

// User namespaces in which who owns something on the host is the sandbox's outside, for idmapped mounts: one for each
// owner, made when it is asked for first.
enum { OWNERS_MOST = 32 };

struct owners {
    const struct identity *identity;
    struct owner {
        uid_t user;
        gid_t group;
        int namespace;
    } list[OWNERS_MOST];
    size_t count;
};

// A descriptor that stays theirs, or -1 and the failure.
int owners_namespace(struct owners *, uid_t, gid_t, struct failure *);
void owners_close(struct owners *);

// In the sandbox: becomes the inside user. Returns 0, or -1 and the failure.
int identity_become(const struct identity *, struct failure *);

// No program that this process and those that it makes execute ever gets a capability that the policy does not allow
// (capabilities(7), the bounding set). Once, for all of them: it takes a call for each.
int identity_bound(const struct identity *, struct failure *);

// Drops every capability that the policy does not allow, for good. Last but for no_new_privs, Landlock and seccomp.
int identity_drop(const struct identity *, struct failure *);

// The same for the sandbox's first process, which the command's user is, too: it keeps one that does nothing, and that
// it does not use. Where another process has one that the caller lacks, the kernel lets nobody without CAP_SYS_NICE
// choose its processors, its priority or its policy (security/commoncap.c, cap_safe_nice).
int identity_keep_apart(const struct identity *, struct failure *);
