// Numbers of the kernel's interface that are newer than the headers of the oldest system this builds on (Debian 12),
// and the calls that its C library has no function for. Sources: include/uapi/linux/landlock.h, mount.h, sched.h of
// Linux 6.18.
#pragma once

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LANDLOCK_FS_REFER (1ULL << 13)        // ABI 2
#define LANDLOCK_FS_TRUNCATE (1ULL << 14)     // ABI 3
#define LANDLOCK_FS_IOCTL_DEV (1ULL << 15)    // ABI 5
#define LANDLOCK_FS_RESOLVE_UNIX (1ULL << 16) // ABI 9, Linux 7.1
#define LANDLOCK_NET_BIND_TCP (1ULL << 0)     // ABI 4
#define LANDLOCK_NET_CONNECT_TCP (1ULL << 1)
#define LANDLOCK_SCOPES ((1ULL << 0) | (1ULL << 1)) // ABI 6: abstract unix sockets, signals
enum { LANDLOCK_RULE_PORT = 2 };                    // ABI 4: LANDLOCK_RULE_NET_PORT

enum { PIDFD_OF_THREAD = 0200 }; // PIDFD_THREAD, Linux 6.9

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS // Linux 6.6: the answer wakes its caller on this processor
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

struct landlock_ruleset { // struct landlock_ruleset_attr of ABI 6
    uint64_t handled_access_fs, handled_access_net, scoped;
};

struct landlock_port { // struct landlock_net_port_attr
    uint64_t allowed_access, port;
};

static inline int sys_open_tree(int folder, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, folder, path, flags);
}

static inline int sys_move_mount(int tree, int target)
{
    return (int)syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

// Onto what is named so in a folder of our own.
static inline int sys_move_mount_to(int tree, int folder, const char *name)
{
    return (int)syscall(SYS_move_mount, tree, "", folder, name, MOVE_MOUNT_F_EMPTY_PATH);
}

static inline int sys_mount_setattr(int tree, unsigned flags, struct mount_attr *attributes)
{
    return (int)syscall(SYS_mount_setattr, tree, "", flags | AT_EMPTY_PATH, attributes, sizeof *attributes);
}

static inline int sys_openat2(int folder, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}
