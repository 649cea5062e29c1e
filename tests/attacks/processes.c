// Tries on processes and resources.
#include "tests/attacks/attack.h"

#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fork_many(char **arguments) // more processes than are allowed
{
    int most = atoi(arguments[0]), count = 0, error = 0;
    pid_t *children = calloc((size_t)most, sizeof *children);
    for (; count < most && !error; count++) {
        children[count] = fork();
        if (children[count] == 0) {
            pause();
            _exit(0);
        }
        error = children[count] < 0 ? errno : 0;
    }
    for (int i = 0; i < count; i++)
        if (children[i] > 0) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
    return error;
}

static void *sleep_forever(void *nothing)
{
    pause();
    return nothing;
}

static int thread_many(char **arguments)
{
    int most = atoi(arguments[0]);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < most; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, &small, sleep_forever, NULL);
        if (error)
            return error;
    }
    return 0;
}

static int take_memory(char **arguments) // MiB, in a child: who may be killed for it
{
    size_t bytes = strtoul(arguments[0], NULL, 0) << 20;
    pid_t pid = fork();
    if (pid == 0) {
        char *all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t i = 0; all != MAP_FAILED && i < bytes; i += 4096)
            all[i] = 1;
        _exit(all == MAP_FAILED);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ENOMEM;
}

static int live_on(char **arguments) // a daemon that writes to a file after its parent is gone
{
    if (fork() == 0) {
        setsid();
        signal(SIGHUP, SIG_IGN);
        if (fork() == 0) {
            setsid();
            usleep(700 * 1000);
            close(open(arguments[0], O_WRONLY | O_CREAT, 0644));
        }
        _exit(0);
    }
    return 0;
}

static int stay(char **arguments) // deaf to what can be ignored
{
    for (int i = 1; i < 65; i++)
        signal(i, SIG_IGN);
    sleep((unsigned)atoi(arguments[0]));
    return 0;
}

static int kill_those_above(char **arguments) // and whatever can be reached
{
    (void)arguments;
    int error = result_of(kill(getppid(), SIGKILL));
    sleep(1);
    for (pid_t pid = 1; pid < 40000 && error; pid++)
        if (pid != getpid() && kill(pid, 0) == 0 && pid == 1)
            error = result_of(kill(1, SIGKILL));
    usleep(300 * 1000);
    return error ? error : getppid() == 1 || getppid() == 0 ? EPERM : 0;
}

static int see_process(char **arguments) // of the host, by its number
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/environ", arguments[0]);
    char byte;
    int fd = open(path, O_RDONLY);
    return fd < 0 ? errno : read(fd, &byte, 1) < 0 ? errno : 0;
}

static int signal_process(char **arguments)
{
    return result_of(kill(atoi(arguments[0]), 0));
}

static int dump_core(char **arguments)
{
    (void)arguments;
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
    getrlimit(RLIMIT_CORE, &limit);
    return limit.rlim_cur > 1 ? 0 : EPERM; // 1 means none at all (core(5))
}

static int core_limit(char **arguments) // 0, by which a handler of the host gets dumps
{
    struct rlimit limit;
    int other = strcmp(arguments[0], "prlimit") == 0;
    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return errno;
    limit.rlim_cur = 0;
    if ((other ? prlimit(0, RLIMIT_CORE, &limit, NULL) : setrlimit(RLIMIT_CORE, &limit)) != 0)
        return errno;
    getrlimit(RLIMIT_CORE, &limit);
    return limit.rlim_cur == 0 ? 0 : EINVAL; // it said so, and left it as it was
}

static int crash(char **arguments) // with limits set as it is told, one after the other
{
    for (; *arguments; arguments++) {
        struct rlimit to = {strtoul(*arguments, NULL, 0), strtoul(*arguments, NULL, 0)};
        setrlimit(RLIMIT_CORE, &to);
        to.rlim_max = RLIM_INFINITY;
        setrlimit(RLIMIT_CORE, &to);
        prlimit(0, RLIMIT_CORE, &to, NULL);
    }
    prctl(PR_SET_DUMPABLE, 1);
    abort();
}

static int burn(char **arguments) // processor time, by children, one after the other: how many, milliseconds of each
{
    for (int i = 0; i < atoi(arguments[0]); i++) {
        pid_t child = fork();
        if (child == 0) {
            while (clock() < atol(arguments[1]) * (CLOCKS_PER_SEC / 1000))
                ;
            _exit(0);
        }
        if (child < 0 || waitpid(child, NULL, 0) != child)
            return errno;
    }
    return 0;
}

static int write_input(char **arguments) // to descriptor 0
{
    (void)arguments;
    return result_of(write(STDIN_FILENO, "past the limit of output\n", 25));
}

static int shared_segment(char **arguments) // of the host, by its key
{
    return result_of(shmget((key_t)strtol(arguments[0], NULL, 0), 0, 0));
}

static int shared_file(char **arguments) // of the host's /dev/shm
{
    return result_of(shm_open(arguments[0], O_RDONLY, 0));
}

static int more_priority(char **arguments)
{
    (void)arguments;
    return setpriority(PRIO_PROCESS, 0, -5) == 0 ? 0 : errno;
}

// Its scheduling, processors and priorities: the sandbox's first process, or outside a child. All are tried.
static int slow_first(char **arguments)
{
    (void)arguments;
    struct {
        uint32_t size, policy;
        uint64_t more[5];
    } attributes = {.size = 48, .policy = SCHED_IDLE};
    struct sched_param none = {0};
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    pid_t child = getppid() == 1 ? 0 : fork(), target = child ? child : 1;
    if (child == 0 && getppid() != 1) {
        pause();
        _exit(0);
    }
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); // it is ready only once the command runs
    int got = 0, error = 0;
    long tries[] = {syscall(SYS_sched_setscheduler, target, SCHED_IDLE, &none),
                    syscall(SYS_sched_setparam, target, &none),
                    syscall(SYS_sched_setattr, target, &attributes, 0),
                    syscall(SYS_sched_setaffinity, target, sizeof first, &first),
                    syscall(SYS_setpriority, PRIO_PROCESS, target, 19),
                    syscall(SYS_ioprio_set, 1, target, 0x6000)};
    error = errno;
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        got += tries[i] >= 0;
    if (child > 0)
        kill(child, SIGKILL);
    return got ? 0 : error;
}

static int terminals(char **arguments) // of which the host has 4096: how many
{
    struct rlimit files = {4096, 4096};
    int error = setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) != 0 ? errno : 0;
    for (int i = 0; i < atoi(arguments[0]) && !error; i++)
        error = open("/dev/ptmx", O_RDWR | O_NOCTTY) < 0 ? errno : 0;
    return error;
}

static int huge_pages(char **arguments) // by each call that gives some; there may be none
{
    const size_t size = 2 << 20;
    if (strcmp(arguments[0], "mmap") == 0)
        return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == MAP_FAILED
                   ? errno
                   : 0;
    if (strcmp(arguments[0], "shmget") == 0) {
        int segment = shmget(IPC_PRIVATE, size, IPC_CREAT | SHM_HUGETLB | 0600), error = errno;
        if (segment >= 0)
            shmctl(segment, IPC_RMID, NULL);
        return segment >= 0 ? 0 : error;
    }
    return result_of(syscall(SYS_memfd_create, "huge", MFD_HUGETLB | strtoul(arguments[1], NULL, 0)));
}

// More than half of the instances of inotify that the kernel counts for a user: others of his would have none.
static int try_watches(char **arguments)
{
    for (int wanted = atoi(arguments[0]); wanted > 0; wanted--)
        if (inotify_init1(IN_CLOEXEC) < 0)
            return errno;
    return 0;
}

const struct attack_row process_attacks[] = {
    {"watches", try_watches},
    {"fork", fork_many},
    {"threads", thread_many},
    {"memory", take_memory},
    {"live-on", live_on},
    {"stay", stay},
    {"kill-above", kill_those_above},
    {"see-process", see_process},
    {"signal-process", signal_process},
    {"core", dump_core},
    {"core-limit", core_limit},
    {"crash", crash},
    {"burn", burn},
    {"write-input", write_input},
    {"shared-segment", shared_segment},
    {"shared-file", shared_file},
    {"priority", more_priority},
    {"slow-first", slow_first},
    {"terminals", terminals},
    {"huge-pages", huge_pages},
    {NULL, NULL},
};
