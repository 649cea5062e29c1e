// Binding a unix socket by the very text that its owner gave.
#include "enforcer/network/named_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "enforcer/host/kernel.h"
#include "enforcer/host/scoped.h"
#include "enforcer/host/work.h"

// Makes the folders that the text goes through, and goes there. Nothing but them lies here. *deep: it is not the root.
static int walk(const char *text, size_t length, bool *deep)
{
    *deep = false;
    for (size_t i = 0, next; i < length; i = next + 1) {
        char name[NAME_MAX + 1];
        next = i;
        while (next < length && text[next] != '/')
            next++;
        memcpy(name, text + i, next - i);
        name[next - i] = '\0';
        if (next == length) // the socket's own name
            return 0;
        if (next == i)
            continue;
        if ((mkdir(name, 0700) != 0 && errno != EEXIST) || chdir(name) != 0)
            return errno;
        struct stat here, above;
        *deep = stat(".", &here) == 0 && stat("..", &above) == 0 && here.st_ino != above.st_ino;
    }
    return 0;
}

// Only to arrange that root it has the capabilities of the sandbox's user namespace. What may be made in the folder is
// asked of who has none: the outside identity.
static int bind_apart(int user, int mounts, int folder, int socket, const struct sockaddr_un *address, socklen_t length,
                      mode_t mask)
{
    bool deep;
    umask(0);
    if (setns(user, CLONE_NEWUSER) != 0 || setns(mounts, CLONE_NEWNS) != 0)
        return errno;
    // Of a mount only its own namespace can make a copy; what is then changed is changed in another.
    closing_fd int tree = sys_open_tree(folder, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0 || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return errno;
    closing_fd int root = open("/", O_PATH | O_CLOEXEC), context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (root < 0 || context < 0 || syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return errno;
    closing_fd int memory = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
    if (memory < 0 || sys_move_mount(memory, root) != 0 || fchdir(memory) != 0)
        return errno;
    int error = walk(address->sun_path, strnlen(address->sun_path, length - offsetof(struct sockaddr_un, sun_path)),
                     &deep);
    if (error)
        return error;
    closing_fd int at = open(".", O_PATH | O_CLOEXEC);
    if (at < 0 || sys_move_mount(tree, at) != 0 || fchdir(deep ? memory : tree) != 0 || chroot(".") != 0)
        return errno;
    if ((error = outside_for_good()))
        return error;
    umask(mask);
    return bind(socket, (const struct sockaddr *)address, length) == 0 ? 0 : errno;
}

int named_bind(const struct outside *outside, int user, int mounts, int folder, int socket,
               const struct sockaddr_un *address, socklen_t length, mode_t mask)
{
    (void)outside;
    int status;
    long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL); // ends without a signal to sbxrun
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int error = outside_for_good();
        _exit(error ? error : bind_apart(user, mounts, folder, socket, address, length, mask));
    }
    if (pid < 0 || work_wait((pid_t)pid, &status, 0) != pid)
        return ENOBUFS;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}
