// Runs a program and all it starts under ptrace(2), and breaks one system call of one process:
//
//   inject count FILE -- PROGRAM…               writes to FILE how many calls each process made, one line a process:
//   number, calls, and of the first exec'ed one "command" inject fail ERRNO PROCESS CALL -- PROGRAM…  that call is not
//   made and returns the error; processes and calls are counted from 0 inject kill PROCESS CALL -- PROGRAM…        at
//   that call the process is killed inject log -- PROGRAM…                      breaks none: Landlock domains are
//   entered with their log of the command's refusals on (Linux 6.15)
//
// Only calls before an exec of the command count: the process that does the second exec (the first is PROGRAM's) is the
// command's. Exits as PROGRAM does.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MOST = 64 };

static struct process {
    pid_t pid;
    unsigned long calls;
    bool inside;  // between a call's entry and its exit
    bool broken;  // its call is to return the error
    bool command; // it has become the command
} processes[PROCESSES_MOST];
static size_t process_count;

static struct process *find(pid_t pid)
{
    for (size_t i = 0; i < process_count; i++)
        if (processes[i].pid == pid)
            return &processes[i];
    if (process_count == PROCESSES_MOST)
        return NULL;
    processes[process_count].pid = pid;
    return &processes[process_count++];
}

static void set_call(pid_t pid, long number)
{
#ifdef __x86_64__
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, pid, NULL, &regs);
    regs.orig_rax = (unsigned long)number;
    ptrace(PTRACE_SETREGS, pid, NULL, &regs);
#else
    int value = (int)number;
    struct iovec io = {&value, sizeof value};
    ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &io);
#endif
}

static void set_result(pid_t pid, long value)
{
    struct user_regs_struct regs;
    struct iovec io = {&regs, sizeof regs};
    ptrace(PTRACE_GETREGSET, pid, 1 /* NT_PRSTATUS */, &io);
#ifdef __x86_64__
    regs.rax = (unsigned long)value;
#else
    regs.regs[0] = (unsigned long)value;
#endif
    ptrace(PTRACE_SETREGSET, pid, 1, &io);
}

// The second argument of landlock_restrict_self(2), where that is the call: LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON.
static void log_refusals(pid_t pid)
{
    struct user_regs_struct regs;
    struct iovec io = {&regs, sizeof regs};
    ptrace(PTRACE_GETREGSET, pid, 1 /* NT_PRSTATUS */, &io);
#ifdef __x86_64__
    if (regs.orig_rax != SYS_landlock_restrict_self)
        return;
    regs.rsi = 1u << 1;
#else
    if (regs.regs[8] != SYS_landlock_restrict_self)
        return;
    regs.regs[1] = 1u << 1;
#endif
    ptrace(PTRACE_SETREGSET, pid, 1, &io);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "", *file = NULL;
    int at = 2, error = 0;
    size_t process = PROCESSES_MOST;
    unsigned long call = 0;
    if (strcmp(mode, "count") == 0 && argc > 4)
        file = argv[at++];
    if (strcmp(mode, "fail") == 0 && argc > 6)
        error = atoi(argv[at++]);
    bool log = strcmp(mode, "log") == 0;
    if (strcmp(mode, "count") != 0 && !log && argc > 5) {
        process = strtoul(argv[at++], NULL, 10);
        call = strtoul(argv[at++], NULL, 10);
    }
    if (at + 1 >= argc || strcmp(argv[at], "--") != 0)
        return fprintf(stderr, "inject: wrong usage\n"), 2;
    pid_t first = fork();
    if (first == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execv(argv[at + 1], argv + at + 1);
        _exit(127);
    }
    int status, result = 127;
    waitpid(first, &status, 0);
    ptrace(PTRACE_SETOPTIONS, first, NULL,
           PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
               PTRACE_O_EXITKILL);
    find(first);
    ptrace(PTRACE_CONT, first, NULL, NULL); // up to the exec of the program itself
    bool started = false;
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        struct process *p = find(pid);
        if (!p)
            return fprintf(stderr, "inject: too many processes\n"), 2;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == first)
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int signal = WSTOPSIG(status), deliver = 0;
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
            p->command = started; // the first exec is the program's
            started = true;
        } else if (signal == (SIGTRAP | 0x80)) {
            p->inside = !p->inside;
            if (p->inside && !p->command) {
                if (log)
                    log_refusals(pid);
                bool now = (size_t)(p - processes) == process && p->calls++ == call;
                if ((size_t)(p - processes) != process)
                    p->calls++;
                if (now && error) {
                    set_call(pid, -1);
                    p->broken = true;
                } else if (now) {
                    kill(pid, SIGKILL);
                    continue;
                }
            } else if (!p->inside && p->broken) {
                set_result(pid, -error);
                p->broken = false;
            }
        } else if (status >> 16 == 0 && signal != SIGTRAP && signal != SIGSTOP) {
            deliver = signal;
        }
        // The command itself runs untraced but for its signals.
        ptrace(!started || p->command ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL, deliver);
    }
    FILE *out = file ? fopen(file, "w") : NULL;
    for (size_t i = 0; out && i < process_count; i++)
        fprintf(out, "%zu %lu%s\n", i, processes[i].calls, processes[i].command ? " command" : "");
    if (out)
        fclose(out);
    return result;
}
