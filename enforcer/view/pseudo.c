// The pseudo file systems of a view.
#include "enforcer/view/pseudo.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/view/pins.h"

struct mount_option {
    const char *key, *value; // value: NULL for a flag
};

static int file_system(const char *type, const struct mount_option *options, uint64_t attributes, uint32_t rule,
                       struct failure *failure)
{
    closing_fd int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0)
        return fail_with_advice(failure, rule, errno,
                                errno == ENODEV ? "as root: modprobe with its name, where the kernel has it as a module"
                                                : NULL,
                                "cannot make a file system of the kind %s", type);
    for (const struct mount_option *p = options; p->key; p++)
        if (syscall(SYS_fsconfig, context, p->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, p->key, p->value, 0) !=
            0)
            return fail(failure, rule, errno, "cannot make a file system of the kind %s with %s%s%s", type, p->key,
                        p->value ? "=" : "", p->value ? p->value : "");
    int tree = syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0
                   ? -1
                   : (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, (unsigned)attributes);
    if (tree >= 0)
        return tree;
    bool masked = errno == EPERM && strcmp(type, "proc") == 0;
    return fail_with_advice(failure, rule, errno,
                            masked ? "the kernel gives a new /proc only where a whole one is visible: a container that "
                                     "masks parts of its own must not (docker: --security-opt "
                                     "systempaths=unconfined)"
                                   : NULL,
                            "cannot mount a %s for the sandbox", type);
}

int tmpfs_mount(uint64_t size, const char *mode, uint64_t attributes, uint32_t rule, struct failure *failure)
{
    char bytes[24], inodes[24];
    uint64_t files = size / 4096 + 64; // the inodes are memory too: at most a file per page
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)size);
    snprintf(inodes, sizeof inodes, "%llu", (unsigned long long)files);
    const struct mount_option options[] = {{"size", bytes}, {"nr_inodes", inodes}, {"mode", mode}, {NULL, NULL}};
    return file_system("tmpfs", options, attributes | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, rule, failure);
}

int overlay_mount(const char *lowers, int upper, int work, uint64_t attributes, uint32_t rule, struct failure *failure)
{
    // Attributes of files such as "opaque" are the user's own kind: others are not for user namespaces. A tmpfs has
    // them since Linux 6.6.
    char above[32], beside[32];
    const struct mount_option nothing_above[] = {{"lowerdir", lowers}, {"userxattr", NULL}, {NULL, NULL}};
    attributes |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    if (upper < 0)
        return file_system("overlay", nothing_above, attributes | MOUNT_ATTR_RDONLY, rule, failure);
    closing_fd int probe = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (probe < 0 || fsetxattr(probe, "user.sbx", "", 0, 0) != 0)
        return fail_with_advice(
            failure, rule, errno,
            "a copy-on-write view in memory needs Linux 6.6 or newer: show the folder read-only, or a copy of it",
            "cannot keep what an overlay needs in memory");
    fremovexattr(probe, "user.sbx");
    snprintf(above, sizeof above, "/proc/self/fd/%d", upper);
    snprintf(beside, sizeof beside, "/proc/self/fd/%d", work);
    const struct mount_option options[] = {
        {"lowerdir", lowers}, {"upperdir", above}, {"workdir", beside}, {"userxattr", NULL}, {NULL, NULL}};
    return file_system("overlay", options, attributes, rule, failure);
}

// Only processes: no kernel settings, keys or memory. And of those only the ones this process could trace, which init
// is not.
static const struct mount_option proc_options[] = {{"hidepid", "ptraceable"}, {"subset", "pid"}, {NULL, NULL}},
                                 whole_options[] = {{"hidepid", "ptraceable"}, {NULL, NULL}};

int proc_mount(bool whole, uint64_t attributes, uint32_t rule, struct failure *failure)
{
    return file_system("proc", whole ? whole_options : proc_options,
                       attributes | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, rule, failure);
}

int proc_narrow(int tree, uint32_t rule, struct failure *failure)
{
    const struct mount_option *p = proc_options;
    closing_fd int context = (int)syscall(SYS_fspick, tree, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
    bool narrowed = context >= 0;
    for (; p->key && narrowed; p++)
        narrowed = syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, p->key, p->value, 0) == 0;
    if (narrowed && syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) != 0) {
        if (errno == EINVAL)
            return 1;
        narrowed = false;
    }
    if (!narrowed)
        return fail(failure, rule, errno, "cannot take from the sandbox's /proc what is not of its processes");
    closing_fd int other = openat(tree, "cmdline", O_PATH | O_NOFOLLOW | O_CLOEXEC); // every kernel has it
    return other >= 0 && !is_mount(other)
               ? fail(failure, rule, 0, "this kernel shows more in a /proc than its processes, whatever is asked of it")
               : 0;
}

static const struct {
    const char *name, *host;
    unsigned major, minor; // Documentation/admin-guide/devices.txt
} devices[] = {
    {"null", "/dev/null", 1, 3},     {"zero", "/dev/zero", 1, 5},       {"full", "/dev/full", 1, 7},
    {"random", "/dev/random", 1, 8}, {"urandom", "/dev/urandom", 1, 9}, {"tty", "/dev/tty", 5, 0},
};

static const struct {
    const char *name, *text;
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

static int add_device(int folder, size_t index, uint32_t rule, struct failure *failure)
{
    closing_fd int tree = sys_open_tree(AT_FDCWD, devices[index].host,
                                        AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct stat status;
    if (tree < 0 || fstat(tree, &status) != 0)
        return fail(failure, rule, errno, "cannot open %s", devices[index].host);
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(devices[index].major, devices[index].minor))
        return fail(failure, rule, 0, "%s is not the device that belongs there, so it is not shown to the sandbox",
                    devices[index].host);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, .propagation = MS_PRIVATE};
    bool bound = sys_mount_setattr(tree, 0, &attributes) == 0 &&
                 mknodat(folder, devices[index].name, S_IFREG | 0666, 0) == 0 &&
                 sys_move_mount_to(tree, folder, devices[index].name) == 0;
    return bound ? 0 : fail(failure, rule, errno, "cannot bind %s", devices[index].host);
}

static int add_mount(int folder, const char *name, int tree, uint32_t rule, struct failure *failure)
{
    return mkdirat(folder, name, 0755) != 0 || sys_move_mount_to(tree, folder, name) != 0
               ? fail(failure, rule, errno, "cannot mount /dev/%s", name)
               : 0;
}

int terminals_mount(uint32_t rule, struct failure *failure)
{
    // Of the host's 4096 (/proc/sys/kernel/pty/max), and no limit of memory counts what waits in one.
    static const struct mount_option own[] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"max", "128"}, {NULL, NULL}};
    return file_system("devpts", own, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, rule, failure);
}

int dev_fill(int folder, bool shared_memory, uint32_t rule, struct failure *failure)
{
    enum { SHARED_MEMORY = 64 * 1024 * 1024 };
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (add_device(folder, i, rule, failure))
            return -1;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlinkat(links[i].text, folder, links[i].name) != 0)
            return fail(failure, rule, errno, "cannot make /dev/%s", links[i].name);
    closing_fd int terminals = terminals_mount(rule, failure);
    if (terminals < 0 || add_mount(folder, "pts", terminals, rule, failure))
        return -1;
    closing_fd int memory =
        tmpfs_mount(SHARED_MEMORY, "1777", MOUNT_ATTR_NOEXEC | (shared_memory ? 0 : MOUNT_ATTR_RDONLY), rule, failure);
    return memory < 0 ? -1 : add_mount(folder, "shm", memory, rule, failure);
}
