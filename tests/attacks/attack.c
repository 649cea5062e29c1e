// attack NAME [ARGUMENT...]: prints `ok` when the try succeeded, else the error's name; status 0 or 1. With --userns
// first it tries as root of a user namespace of its own, with --mounts besides in a mount namespace: what an ordinary
// user can come to outside of a sandbox.
#include "tests/attacks/attack.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        perror(path);
    if (fd >= 0)
        close(fd);
}

static void become_root_of_my_own(void)
{
    char map[64];
    int user = (int)getuid(), group = (int)getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0)
        return;
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %d 1", user);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %d 1", group);
    write_file("/proc/self/gid_map", map);
}

int main(int argc, char **argv)
{
    static const struct attack_row *const tables[] = {kernel_attacks, file_attacks, process_attacks, network_attacks};
    int at = 1;
    if (argc > at && strcmp(argv[at], "--userns") == 0) {
        become_root_of_my_own();
        at++;
    }
    for (size_t t = 0; argc > at && t < sizeof tables / sizeof *tables; t++)
        for (const struct attack_row *row = tables[t]; row->name; row++)
            if (strcmp(row->name, argv[at]) == 0) {
                int error = row->try(argv + at + 1);
                printf("%s\n", error ? strerrorname_np(error) : "ok");
                return error != 0;
            }
    fprintf(stderr, "attack: there is no such try\n");
    return 2;
}
