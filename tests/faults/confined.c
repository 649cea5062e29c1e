// The command of the tests of faults: prints `confined` when every wall of their policy stands around it, else which do
// not.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

static int holes;

static void hole(const char *what)
{
    printf("HOLE: %s\n", what);
    holes++;
}

static void want(int stands, const char *what)
{
    if (!stands)
        hole(what);
}

static int status_is(const char *text, const char *key, const char *value)
{
    const char *at = strstr(text, key);
    return at && strncmp(at + strlen(key), value, strlen(value)) == 0;
}

int main(int argc, char **argv)
{
    char text[8192] = "";
    int landlock = argc > 2 && strcmp(argv[2], "landlock") == 0;
    int fd = open("/proc/self/status", O_RDONLY);
    want(fd >= 0 && read(fd, text, sizeof text - 1) > 0, "/proc");
    close(fd);
    want(status_is(text, "\nSeccomp:\t", "2"), "the filter of system calls");
    want(status_is(text, "\nNoNewPrivs:\t", "1"), "no_new_privs");
    static const char *const sets[] = {"\nCapInh:\t", "\nCapPrm:\t", "\nCapEff:\t", "\nCapBnd:\t", "\nCapAmb:\t"};
    for (int i = 0; i < 5; i++)
        want(status_is(text, sets[i], "0000000000000000"), "capabilities");
    want(status_is(text, "\nSigBlk:\t", "0000000000000000"), "the signal mask");
    want(access(argv[1], F_OK) != 0, "the host's files are out of sight");
    want(open("/usr/bin/new", O_WRONLY | O_CREAT, 0644) < 0, "/usr is read-only");
    want(open("/w/locked/new", O_WRONLY | O_CREAT, 0644) < 0, "a denied folder");
    want(open("/w/later", O_WRONLY | O_CREAT, 0644) < 0, "a denied path that did not exist");
    want(open("/o/locked", O_WRONLY | O_CREAT, 0644) < 0, "a denied path in an overlay");
    want((fd = open("/w/ok", O_WRONLY | O_CREAT, 0644)) >= 0 && unlink("/w/ok") == 0, "what is allowed");
    want((fd = open("/o/ok", O_WRONLY | O_CREAT, 0644)) >= 0, "an overlay");
    want((fd = open("/secret", O_RDONLY)) >= 0, "the secret");
    for (int i = 3; i < 256; i++) {
        struct stat status;
        if (fstat(i, &status) == 0 && S_ISDIR(status.st_mode))
            hole("an open folder");
    }
    want(socket(AF_INET, SOCK_STREAM, 0) < 0, "no sockets");
    struct rlimit limit;
    want(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == 100, "the limit of open files");
    want(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur <= 1 && limit.rlim_max <= 1, "no core dumps");
    want(getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_max == 8 << 20, "the limit of files' size");
    struct statvfs file_system;
    want(statvfs("/tmp", &file_system) == 0 && file_system.f_blocks * file_system.f_frsize <= 1 << 20,
         "the size of /tmp");
    want(statvfs("/usr", &file_system) == 0 && file_system.f_flag & ST_NOSUID && file_system.f_flag & ST_NODEV,
         "nosuid, nodev");
    want(statvfs("/w", &file_system) == 0 && file_system.f_flag & ST_NOEXEC, "noexec");
    struct utsname names;
    want(uname(&names) == 0 && strcmp(names.nodename, "sbx") == 0, "the host's name");
    want(getsid(0) == getpid(), "a session of its own");
    want(getpid() < 10, "a pid namespace");
    want(getuid() == 65534, "who it is inside");
    char here[100];
    want(getcwd(here, sizeof here) && strcmp(here, "/w") == 0, "where it starts");
    want(!getenv("SBX_TEST_SECRET") || !*getenv("SBX_TEST_SECRET"), "the environment");
    if (landlock) // only it tells making from removing
        want(mkdir("/drop/made", 0700) == 0 && rmdir("/drop/made") != 0 && errno == EACCES, "Landlock");
    if (!holes)
        printf("confined\n");
    return 0;
}
