// The least that must be done to run a command confined as sbxrun does: the yardstick of its start-up time.
//
// Every kernel call of sbxrun's set-up for a policy of `use std.base;` and a /tmp, hard-coded: no policy, no checks, no
// report, no supervision but a wait. For an ordinary user.   launcher FILTER COMMAND [ARGUMENT...]   (FILTER: what
// `sbxc --emit=seccomp` writes)
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(call)                                                                                                    \
    ({                                                                                                                 \
        long r_ = (long)(call);                                                                                        \
        if (r_ < 0)                                                                                                    \
            err(125, "%s", #call);                                                                                     \
        r_;                                                                                                            \
    })

static void write_file(const char *path, const char *text)
{
    int fd = (int)CHECK(open(path, O_WRONLY | O_CLOEXEC));
    CHECK(write(fd, text, strlen(text)));
    close(fd);
}

static int file_system(const char *type, const char *const *options, unsigned attributes)
{
    int context = (int)CHECK(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
    for (; *options; options += 2)
        CHECK(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, options[0], options[1], 0));
    CHECK(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    int tree = (int)CHECK(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
    close(context);
    return tree;
}

static int bind_tree(const char *path, unsigned long attributes)
{
    int source = (int)CHECK(open(path, O_PATH | O_CLOEXEC));
    int tree = (int)CHECK(
        syscall(SYS_open_tree, source, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    struct mount_attr set = {.attr_set = attributes};
    CHECK(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &set, sizeof set));
    close(source);
    return tree;
}

static void attach(int tree, int folder, const char *name)
{
    int target = (int)CHECK(openat(folder, name, O_PATH | O_CLOEXEC));
    CHECK(syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    close(target);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
enum { QUIET = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

static void enter_view(void)
{
    int root = file_system("tmpfs", OPTIONS("size", "1048576", "mode", "0755"), QUIET | MOUNT_ATTR_NOEXEC);
    attach(root, AT_FDCWD, "/");
    static const char *const links[][2] = {
        {"usr/bin", "bin"}, {"usr/sbin", "sbin"}, {"usr/lib", "lib"}, {"usr/lib64", "lib64"}};
    for (int i = 0; i < 4; i++)
        CHECK(symlinkat(links[i][0], root, links[i][1]));
    static const char *const folders[] = {"usr", "proc", "dev", "tmp", "etc", "etc/alternatives"};
    for (int i = 0; i < 6; i++)
        CHECK(mkdirat(root, folders[i], 0755));
    close((int)CHECK(openat(root, "etc/ld.so.cache", O_CREAT | O_RDONLY | O_CLOEXEC, 0444)));
    attach(bind_tree("/usr", QUIET | MOUNT_ATTR_RDONLY), root, "usr");
    attach(bind_tree("/etc/alternatives", QUIET | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC), root, "etc/alternatives");
    attach(bind_tree("/etc/ld.so.cache", QUIET | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC), root, "etc/ld.so.cache");
    attach(file_system("proc", OPTIONS("subset", "pid", "hidepid", "ptraceable"),
                       QUIET | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY),
           root, "proc");
    attach(file_system("tmpfs", OPTIONS("size", "16777216", "mode", "1777"), QUIET | MOUNT_ATTR_NOEXEC), root, "tmp");
    int dev = file_system("tmpfs", OPTIONS("size", "1048576", "mode", "0755"), QUIET | MOUNT_ATTR_NOEXEC);
    attach(dev, root, "dev");
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
    for (int i = 0; i < 6; i++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/%s", devices[i]);
        close((int)CHECK(openat(dev, devices[i], O_CREAT | O_RDONLY | O_CLOEXEC, 0666)));
        attach(bind_tree(path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), dev, devices[i]);
    }
    static const char *const names[][2] = {{"/proc/self/fd", "fd"},
                                           {"/proc/self/fd/0", "stdin"},
                                           {"/proc/self/fd/1", "stdout"},
                                           {"/proc/self/fd/2", "stderr"},
                                           {"pts/ptmx", "ptmx"}};
    for (int i = 0; i < 5; i++)
        CHECK(symlinkat(names[i][0], dev, names[i][1]));
    CHECK(mkdirat(dev, "pts", 0755));
    CHECK(mkdirat(dev, "shm", 0755));
    attach(file_system("devpts", OPTIONS("ptmxmode", "0666", "mode", "0620"), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC),
           dev, "pts");
    attach(file_system("tmpfs", OPTIONS("size", "67108864", "mode", "1777"), QUIET | MOUNT_ATTR_NOEXEC), dev, "shm");
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    CHECK(syscall(SYS_mount_setattr, dev, "", AT_EMPTY_PATH, &read_only, sizeof read_only));
    CHECK(syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &read_only, sizeof read_only));
    CHECK(fchdir(root));
    CHECK(syscall(SYS_pivot_root, ".", "."));
    CHECK(umount2(".", MNT_DETACH));
    CHECK(chdir("/"));
}

static int make_ruleset(void)
{
    struct {
        uint64_t fs, net, scoped;
    } attributes = {0xFFFF, 3, 3};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    static const struct {
        const char *path;
        uint64_t rights;
    } rules[] = {
        {"/usr", 0xD},    {"/etc/alternatives", 0xC}, {"/etc/ld.so.cache", 0x4}, {"/proc", 0xC},
        {"/dev", 0xC00E}, {"/dev/shm", 0x7FBE},       {"/tmp", 0x7FBE},
    };
    for (size_t i = 0; ruleset >= 0 && i < sizeof rules / sizeof *rules; i++) {
        int fd = (int)CHECK(open(rules[i].path, O_PATH | O_CLOEXEC));
        struct landlock_path_beneath_attr rule = {rules[i].rights & ~0x1C40ULL, fd};
        CHECK(syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
        close(fd);
    }
    return ruleset; // -1 on a kernel without it
}

static void run_command(struct sock_fprog *filter, int ruleset, char **argv)
{
    struct rlimit none = {0, 0};
    setsid();
    CHECK(setrlimit(RLIMIT_CORE, &none));
    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522, 0};
    uint32_t no_capabilities[6] = {0};
    CHECK(syscall(SYS_capset, &header, no_capabilities));
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (ruleset >= 0)
        CHECK(syscall(SYS_landlock_restrict_self, ruleset, 0));
    CHECK(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter));
    execv(argv[0], argv);
    err(126, "%s", argv[0]);
}

int main(int argc, char **argv)
{
    static struct sock_filter code[4096];
    if (argc < 3)
        errx(125, "usage: launcher FILTER COMMAND [ARGUMENT...]");
    int file = (int)CHECK(open(argv[1], O_RDONLY | O_CLOEXEC));
    struct sock_fprog filter = {.filter = code,
                                .len = (unsigned short)(CHECK(read(file, code, sizeof code)) / (long)sizeof *code)};
    char users[64], groups[64];
    struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                                       CLONE_NEWUTS | CLONE_NEWCGROUP,
                              .exit_signal = SIGCHLD};
    snprintf(users, sizeof users, "65534 %u 1\n", geteuid());
    snprintf(groups, sizeof groups, "65534 %u 1\n", getegid());
    long init = CHECK(syscall(SYS_clone3, &args, sizeof args));
    if (init == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", users);
        write_file("/proc/self/gid_map", groups);
        CHECK(sethostname("sbx", 3));
        enter_view();
        int ruleset = make_ruleset();
        long command = CHECK(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
        if (command == 0)
            run_command(&filter, ruleset, argv + 2);
        int status;
        while (waitpid(-1, &status, 0) != command)
            ;
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    int status;
    CHECK(waitpid((pid_t)init, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
