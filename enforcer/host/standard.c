// What may be a standard descriptor.
#include "enforcer/host/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "compiler/sets/net_set.h"

static const char *const names[] = {"standard input", "standard output", "standard error"};
static const char by_pipe[] = "pass it through a pipe: `cat … | sbxrun …`, or `sbxrun … | cat`";

// File systems whose files are bytes and nothing more (statfs(2), linux/magic.h, and those that have no header).
// Others, like /proc, namespaces and queues of messages, are ways to the kernel.
static const uint32_t holds_files[] = {
    0xEF53,     // ext2, ext3, ext4
    0x58465342, // xfs
    0x9123683E, // btrfs
    0xF2F52010, // f2fs
    0xCA451A4E, // bcachefs
    0x2FC12FC1, // zfs
    0x3153464A, // jfs
    0x52654973, // reiserfs
    0x3434,     // nilfs2
    0x01161970, // gfs2
    0x7461636F, // ocfs2
    0x24051905, // ubifs
    0x72B6,     // jffs2
    0x4D44,     // vfat
    0x2011BAB0, // exfat
    0x5346544E, // ntfs
    0x7366746E, // ntfs3
    0x482B,     // hfsplus
    0x9660,     // iso9660
    0x15013346, // udf
    0x73717368, // squashfs
    0xE0F5E1E2, // erofs
    0x28CD3D45, // cramfs
    0x7275,     // romfs
    0x01021994, // tmpfs, memfd
    0x858458F6, // ramfs
    0x794C7630, // overlay
    0x61756673, // aufs
    0xF15F,     // ecryptfs
    0x65735546, // fuse, virtiofs
    0x01021997, // 9p
    0x6969,     // nfs
    0x517B,     // smb
    0xFF534D42, // cifs
    0xFE534D42, // smb2
    0x00C36400, // ceph
    0x5346414F, // afs
    0x6B414653, // kafs
    0x786F4256, // vboxsf
    0xBACBACBC, // vmhgfs
};

enum { MEMORY_DEVICES = 1, TERMINALS_OF_PROCESS = 5, MAKES_TERMINALS = 2, PIPES = 0x50495045 };
static const unsigned memory_devices[] = {3, 5, 7, 8, 9}; // null, zero, full, random, urandom (mem(4))

// What memfd_create(2) made lies in no mount that could keep it from being opened for writing and executed, and
// Landlock does not look there.
static bool is_unnamed_memory(int fd, const struct stat *status)
{
    static const char begins[] = "/memfd:";
    char path[64], target[sizeof begins] = "";
    if (status->st_nlink)
        return false; // what has a name is none
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, target, sizeof target - 1) < 0 || strcmp(target, begins) == 0;
}

static const char *why_no_file(int fd, const struct stat *status)
{
    struct statfs place;
    if (is_unnamed_memory(fd, status))
        return "memory that has no name, which the command could write and execute";
    for (size_t i = 0; fstatfs(fd, &place) == 0 && i < sizeof holds_files / sizeof *holds_files; i++)
        if ((uint32_t)place.f_type == holds_files[i])
            return NULL;
    return "a file of the kernel's";
}

static const char *why_no_device(int fd, dev_t device)
{
    for (size_t i = 0; i < sizeof memory_devices / sizeof *memory_devices; i++)
        if (device == makedev(MEMORY_DEVICES, memory_devices[i]))
            return NULL;
    struct termios terminal;
    bool is_terminal = device != makedev(TERMINALS_OF_PROCESS, MAKES_TERMINALS) &&
                       (tcgetattr(fd, &terminal) == 0 || errno == EIO); // EIO: whose other end is gone
    if (is_terminal && fd > STDERR_FILENO) // of the standard ones the command gets a pipe, or a terminal of its own
        return "a terminal of the caller's";
    return is_terminal ? NULL : "a device that is neither a terminal nor like /dev/null";
}

// Rules on nothing but the sandbox's own network leave to the command what chooses a way within it: connect, or options
// of sockets (compiler/meaning/derive.c). A socket of the host's would go another way in the host's.
static bool chooses_ways(const struct plan *plan)
{
    bool chooses = false;
    for (size_t i = 0; i < plan->net_count; i++) {
        const struct net_box *box = &plan->net[i].box;
        if (!plan->net[i].deny && !net_box_is_own(box))
            return false;
        chooses |= !plan->net[i].deny && box->protocols & (PROTOCOL_TCP | PROTOCOL_UDP);
    }
    return chooses;
}

// A connected stream or, handed over on purpose, one that listens.
static const char *why_no_socket(const struct plan *plan, int fd)
{
    int family = -1, type = -1, protocol = -1, listens = -1;
    socklen_t size = sizeof family;
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
        return "a socket of which nothing is known";
    bool tcp = (family == AF_INET || family == AF_INET6) && protocol == IPPROTO_TCP;
    bool on_purpose = fd > STDERR_FILENO;
    if (type != SOCK_STREAM || (family != AF_UNIX && !tcp) || (listens && !on_purpose) ||
        (!listens && getpeername(fd, (struct sockaddr *)&peer, &length) != 0))
        return on_purpose ? "a socket that is neither a connected nor a listening stream"
                          : "a socket that is no connected stream";
    return tcp && chooses_ways(plan)
               ? "a connection of the host's network, and the policy lets the command choose ways in its own"
               : NULL;
}

static const char *why_not(const struct plan *plan, int fd, const struct stat *status)
{
    switch (status->st_mode & S_IFMT) {
    case S_IFREG: return why_no_file(fd, status);
    case S_IFIFO: return NULL;
    case S_IFCHR: return why_no_device(fd, status->st_rdev);
    case S_IFSOCK: return why_no_socket(plan, fd);
    case S_IFDIR: return "a folder of the host";
    case S_IFBLK: return "a disk of the host";
    default: return "neither a file, a pipe, a terminal nor a connection";
    }
}

// What is open for reading has a name of its own beneath /proc/self/fd. A pipe there is the command's alone.
static bool opens_for_writing(const struct identity *identity, int fd, const struct stat *status)
{
    struct statfs place;
    bool named = S_ISREG(status->st_mode) ||
                 (S_ISFIFO(status->st_mode) && fstatfs(fd, &place) == 0 && (uint32_t)place.f_type != PIPES);
    return named && (status->st_uid == identity->outside_user || status->st_mode & (S_IWGRP | S_IWOTH));
}

static int check(const struct plan *plan, int fd, const struct identity *identity, bool landlock,
                 struct failure *failure)
{
    struct stat status;
    char number[32];
    snprintf(number, sizeof number, "descriptor %d", fd);
    const char *name = fd < 3 ? names[fd] : number;
    int mode = fcntl(fd, F_GETFL);
    if (mode < 0 || fstat(fd, &status) != 0)
        return fail(failure, NO_RULE, errno, "cannot look at %s", name);
    const char *why = mode & O_PATH ? "a place of the host" : why_not(plan, fd, &status);
    if (why && fd == STDERR_FILENO && S_ISREG(status.st_mode)) { // nothing is written there, nor can that be told
        close(fd);
        open("/dev/null", O_WRONLY);
    }
    if (why)
        return fail_with_advice(failure, NO_RULE, 0, fd < 3 ? by_pipe : NULL,
                                "%s is %s, which could be a way out of the sandbox", name, why);
    if (!landlock && (mode & O_ACCMODE) == O_RDONLY && opens_for_writing(identity, fd, &status))
        return fail_with_advice(
            failure, NO_RULE, 0, by_pipe,
            "%s is a file that the command could open again and write to: this host has no Landlock", name);
    return 0;
}

// A pipe of root's could not be opened again by its name (/dev/stdin) by somebody else. Nobody but who has it can.
static int give_pipe(int fd, const struct identity *identity, struct failure *failure)
{
    struct statfs place;
    struct stat status;
    bool give = fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && status.st_uid == 0 && fstatfs(fd, &place) == 0 &&
                (uint32_t)place.f_type == PIPES;
    return give && fchown(fd, identity->outside_user, identity->outside_group) != 0
               ? fail(failure, NO_RULE, errno, "cannot give the command descriptor %d", fd)
               : 0;
}

int standard_prepare(const struct plan *plan, const struct handed *handed, const struct identity *identity,
                     bool landlock, struct failure *failure)
{
    int fds[3 + HANDED_MOST] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}, count = 3;
    for (int i = 0; handed && i < handed->count; i++)
        fds[count++] = handed->list[i];
    for (int i = 0; i < count; i++)
        if (check(plan, fds[i], identity, landlock, failure))
            return -1;
    for (int i = 0; identity->as_root && i < count; i++) // once all are what they may be
        if (give_pipe(fds[i], identity, failure))
            return -1;
    return 0;
}

// ---- handed over by number ----------------------------------------------------------------------------------------

static bool read_number(const char **text, int *number)
{
    char *end;
    long value = **text >= '0' && **text <= '9' ? strtol(*text, &end, 10) : -1;
    if (value < 0 || value >= HANDED_NUMBERS)
        return false;
    *number = (int)value;
    *text = end;
    return true;
}

bool handed_wish(struct wished *wished, const char *text)
{
    struct wish wish;
    if (wished->count == HANDED_MOST || !read_number(&text, &wish.from))
        return false;
    wish.to = wish.from;
    if (*text == '=' && (text++, !read_number(&text, &wish.to)))
        return false;
    wished->list[wished->count++] = wish;
    return !*text && wish.to > STDERR_FILENO;
}

const char *handed_take(struct handed *handed, const struct wished *wished)
{
    static char problem[80];
    int copies[HANDED_MOST];
    for (int i = 0; i < wished->count; i++) { // first out of one another's way
        for (int k = 0; k < i; k++)
            if (wished->list[k].to == wished->list[i].to)
                return "--fd gives the command one descriptor under each number";
        copies[i] = fcntl(wished->list[i].from, F_DUPFD_CLOEXEC, HANDED_NUMBERS);
        if (copies[i] < 0 && errno == EINVAL) // the caller's own limit is lower: from its end
            copies[i] = fcntl(wished->list[i].from, F_DUPFD_CLOEXEC, 128);
        if (copies[i] < 0) {
            snprintf(problem, sizeof problem, "--fd: sbxrun has no descriptor %d", wished->list[i].from);
            return problem;
        }
    }
    for (int i = 0; i < wished->count; i++) {
        if (dup3(copies[i], wished->list[i].to, O_CLOEXEC) < 0)
            return "--fd: the caller's limit of open files is lower than that number";
        close(copies[i]);
        handed->list[handed->count++] = wished->list[i].to;
    }
    return NULL;
}
