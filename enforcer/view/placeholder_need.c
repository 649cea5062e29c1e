// Abstract names of sockets, by which runs tell one another which placeholders they need.
#include "enforcer/view/placeholder_need.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "enforcer/host/clock.h"
#include "enforcer/host/scoped.h"

enum { NAME_MOST = 100 };

static const char lock_name[] = "sbx-places";

static struct sockaddr_un abstract(const char *name, socklen_t *length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name, strlen(name));
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    return address;
}

// A socket of that abstract name, which nobody else has then; -1 and errno (EADDRINUSE).
static int take_name(const char *name)
{
    socklen_t length;
    struct sockaddr_un address = abstract(name, &length);
    closing_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, SOMAXCONN) != 0)
        return -1;
    return take_fd(fd);
}

static enum holder holder_of(const char *name)
{
    struct ucred who;
    socklen_t size = sizeof who, length;
    struct sockaddr_un address = abstract(name, &length);
    closing_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, length) != 0)
        return errno == EAGAIN ? STRANGER : NOBODY;
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return OURS; // as far as one can tell
    return who.uid == 0 || who.uid == geteuid() ? OURS : STRANGER;
}

int placeholders_lock(void)
{
    enum { TRIES = 10000, PAUSE = 500, ASKS = 50, SILENT_MOST = 10 }; // five seconds; a quarter of one
    char name[NAME_MOST];
    snprintf(name, sizeof name, "%s-%u", lock_name, (unsigned)geteuid());
    int lock = take_name(name), silent = 0;
    for (int i = 0; lock < 0 && errno == EADDRINUSE && i < TRIES; i++) {
        if (i % ASKS == 0) {
            enum holder holder = holder_of(name);
            silent = holder == NOBODY ? silent + 1 : 0; // it may just have been given back
            if (holder == STRANGER || silent == SILENT_MOST)
                return open("/dev/null", O_RDONLY | O_CLOEXEC); // then there is none
        }
        usleep(PAUSE);
        lock = take_name(name);
    }
    return lock;
}

// What the names of all who need a placeholder begin with.
static void need_prefix(const struct stat *placeholder, char name[NAME_MOST])
{
    snprintf(name, NAME_MOST, "%s-%llx-%llx-", lock_name, (unsigned long long)placeholder->st_dev,
             (unsigned long long)placeholder->st_ino);
}

int placeholder_need(const struct stat *placeholder)
{
    char name[NAME_MOST];
    need_prefix(placeholder, name);
    size_t used = strlen(name);
    snprintf(name + used, sizeof name - used, "%d-%llx", (int)getpid(), (unsigned long long)clock_now());
    return take_name(name);
}

enum holder placeholder_holder(const struct stat *placeholder)
{
    char name[NAME_MOST], *line = NULL;
    size_t capacity = 0;
    enum holder found = NOBODY;
    FILE *list = fopen("/proc/net/unix", "re");
    if (!list)
        return OURS;
    need_prefix(placeholder, name);
    while (found != OURS && getline(&line, &capacity, list) > 0) {
        char *at = strchr(line, '@');
        size_t length = at ? strcspn(++at, " \n") : 0;
        if (!at || strncmp(at, name, strlen(name)) != 0 || length >= NAME_MOST)
            continue;
        at[length] = '\0';
        enum holder holder = holder_of(at);
        found = holder == NOBODY ? found : holder;
    }
    free(line);
    fclose(list);
    return found;
}
