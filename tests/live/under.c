// under NUMBER=ERRNO... -- COMMAND...: runs a command under a seccomp filter that answers those system calls so, as
// other sandboxes do.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sock_filter code[100] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}};
    unsigned short length = 1;
    int at = 1;
    for (; at < argc && strcmp(argv[at], "--") != 0 && length < 90; at++) {
        const char *answer = strchr(argv[at], '=');
        code[length++] = (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)atoi(argv[at])};
        code[length++] = (struct sock_filter){BPF_RET | BPF_K, 0, 0,
                                              SECCOMP_RET_ERRNO | (unsigned)(answer ? atoi(answer + 1) : EPERM)};
    }
    code[length++] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog program = {length, code};
    if (at + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 99;
    execvp(argv[at + 1], argv + at + 1);
    return 98;
}
