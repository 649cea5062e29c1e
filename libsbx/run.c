// libsbx: runs a command, by sbxrun.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libsbx/policy.h"

extern char **environ;

enum { PLAN, REPORT, EVENTS, INPUT, OUTPUT, ERROR, CHANNELS };

struct channel {
    int mine, theirs; // -1
};

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static struct sbx_result failed(const char *what)
{
    char *text = NULL;
    if (asprintf(&text, "%s: %s", what, strerror(errno)) < 0)
        text = NULL;
    return (struct sbx_result){-1, text};
}

// A pipe whose other end is the command's.
static int open_pipe(struct channel *channel, bool i_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    *channel = (struct channel){ends[i_write], ends[!i_write]};
    return fcntl(channel->mine, F_SETFL, O_NONBLOCK);
}

static int open_channels(const struct sbx_run *run, struct str plan, struct channel channels[CHANNELS])
{
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = (struct channel){-1, -1};
    channels[PLAN].theirs = memfd_create("plan", MFD_CLOEXEC);
    channels[REPORT].theirs = memfd_create("report", MFD_CLOEXEC);
    if (channels[PLAN].theirs < 0 || channels[REPORT].theirs < 0 ||
        write(channels[PLAN].theirs, plan.text, plan.length) != (ssize_t)plan.length)
        return -1;
    if (run->event && open_pipe(&channels[EVENTS], false) != 0)
        return -1;
    if (run->data && open_pipe(&channels[INPUT], true) != 0)
        return -1;
    return run->said && (open_pipe(&channels[OUTPUT], false) != 0 || open_pipe(&channels[ERROR], false) != 0) ? -1 : 0;
}

static void give(posix_spawn_file_actions_t *actions, int fd, int as, int flags)
{
    if (fd >= 0)
        posix_spawn_file_actions_adddup2(actions, fd, as);
    else
        posix_spawn_file_actions_addopen(actions, as, "/dev/null", flags, 0);
}

static int start(sbx_policy *policy, const struct plan *plan, const struct sbx_run *run,
                 struct channel channels[CHANNELS], pid_t *pid)
{
    enum { PLAN_AT = 3, REPORT_AT, EVENTS_AT };
    size_t count = 0, words = 0;
    while (run->command && run->command[words])
        words++;
    const char **argv = NEW_ARRAY(policy->compilation->arena, const char *, words + 12);
    argv[count++] = run->sbxrun ? run->sbxrun : "sbxrun";
    argv[count++] = "--beside";
    argv[count++] = plan->folder.length ? str_copy(policy->compilation->arena, plan->folder).text : ".";
    argv[count++] = "--report";
    argv[count++] = "/dev/fd/4";
    if (run->event) {
        argv[count++] = "--events";
        argv[count++] = "/dev/fd/5";
    }
    argv[count++] = "/dev/fd/3";
    if (words)
        argv[count++] = "--";
    for (size_t i = 0; i < words; i++)
        argv[count++] = run->command[i];
    argv[count] = NULL;
    // First above all numbers that are given, so that none of ours is taken by another.
    int *theirs[] = {&channels[PLAN].theirs,  &channels[REPORT].theirs, &channels[EVENTS].theirs,
                     &channels[INPUT].theirs, &channels[OUTPUT].theirs, &channels[ERROR].theirs};
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
        if (*theirs[i] >= 0 && *theirs[i] <= EVENTS_AT) {
            int above = fcntl(*theirs[i], F_DUPFD_CLOEXEC, EVENTS_AT + 1);
            if (above < 0)
                return errno;
            close(*theirs[i]);
            *theirs[i] = above;
        }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    give(&actions, run->data ? channels[INPUT].theirs : run->input, STDIN_FILENO, O_RDONLY);
    give(&actions, run->said ? channels[OUTPUT].theirs : run->output, STDOUT_FILENO, O_WRONLY);
    give(&actions, run->said ? channels[ERROR].theirs : run->error, STDERR_FILENO, O_WRONLY);
    posix_spawn_file_actions_adddup2(&actions, channels[PLAN].theirs, PLAN_AT);
    posix_spawn_file_actions_adddup2(&actions, channels[REPORT].theirs, REPORT_AT);
    if (run->event)
        posix_spawn_file_actions_adddup2(&actions, channels[EVENTS].theirs, EVENTS_AT);
    int error = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

struct lines { // events that have come so far
    char *data;
    size_t length, capacity;
};

// Events are lines; what has no end yet waits for more.
static void take_events(const struct sbx_run *run, struct lines *lines, const char *data, size_t length)
{
    if (lines->length + length + 1 > lines->capacity) {
        size_t capacity = 2 * (lines->length + length) + 256;
        char *larger = realloc(lines->data, capacity);
        if (!larger)
            abort();
        lines->data = larger;
        lines->capacity = capacity;
    }
    memcpy(lines->data + lines->length, data, length);
    lines->length += length;
    size_t done = 0;
    for (char *end; (end = memchr(lines->data + done, '\n', lines->length - done));) {
        *end = '\0';
        run->event(run->context, lines->data + done);
        done = (size_t)(end - lines->data) + 1;
    }
    memmove(lines->data, lines->data + done, lines->length - done);
    lines->length -= done;
}

// Until all that can be read has ended, and what is to be read is written or has nobody who reads.
static void converse(const struct sbx_run *run, struct channel channels[CHANNELS])
{
    static const int watched[] = {INPUT, OUTPUT, ERROR, EVENTS};
    struct lines lines = {0};
    size_t written = 0;
    for (;;) {
        struct pollfd waits[sizeof watched / sizeof *watched];
        bool any = false;
        for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
            waits[i] =
                (struct pollfd){.fd = channels[watched[i]].mine, .events = watched[i] == INPUT ? POLLOUT : POLLIN};
            any |= waits[i].fd >= 0;
        }
        if (!any)
            break;
        if (poll(waits, sizeof waits / sizeof *waits, -1) < 0 && errno != EINTR)
            break;
        for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
            int *fd = &channels[watched[i]].mine;
            char data[65536];
            if (*fd < 0 || !waits[i].revents)
                continue;
            if (watched[i] == INPUT) {
                ssize_t n = written < run->length ? write(*fd, run->data + written, run->length - written) : 0;
                written += n > 0 ? (size_t)n : 0;
                if (written >= run->length || (n < 0 && errno != EAGAIN && errno != EINTR))
                    close_one(fd);
                continue;
            }
            ssize_t n = read(*fd, data, sizeof data);
            if (n > 0 && watched[i] == EVENTS)
                take_events(run, &lines, data, (size_t)n);
            else if (n > 0)
                run->said(run->context, watched[i] == ERROR ? 2 : 1, data, (size_t)n);
            else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                close_one(fd);
        }
    }
    free(lines.data);
}

static char *read_all(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = size > 0 ? malloc((size_t)size + 1) : NULL;
    ssize_t n = text ? pread(fd, text, (size_t)size, 0) : -1;
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

struct sbx_result sbx_run(sbx_policy *policy, const struct sbx_run *run)
{
    struct plan *plan = sbx_policy_plan(policy);
    struct channel channels[CHANNELS];
    struct sbx_result result = {-1, NULL};
    pid_t pid = 0;
    if (!plan) {
        errno = EINVAL;
        return failed("the policy has no plan: sbx_check says why");
    }
    struct sigaction children;
    if (sigaction(SIGCHLD, NULL, &children) == 0 &&
        (children.sa_handler == SIG_IGN || children.sa_flags & SA_NOCLDWAIT)) {
        errno = ECHILD;
        return failed("this program ignores SIGCHLD, so nobody could tell how the command ended");
    }
    int error = open_channels(run, plan_write(policy->compilation->arena, plan), channels) != 0
                    ? errno
                    : start(policy, plan, run, channels, &pid);
    for (int i = 0; i < CHANNELS; i++)
        if (i != REPORT)
            close_one(&channels[i].theirs);
    if (error) {
        errno = error;
        result = failed("cannot start sbxrun");
    } else {
        // Who stops reading is not to be killed for it.
        sigset_t pipe, before;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, &before);
        converse(run, channels);
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        while (sigtimedwait(&pipe, NULL, &(struct timespec){0, 0}) > 0)
            ;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        result = (struct sbx_result){WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                                     read_all(channels[REPORT].theirs)};
    }
    for (int i = 0; i < CHANNELS; i++) {
        close_one(&channels[i].mine);
        close_one(&channels[i].theirs);
    }
    return result;
}
