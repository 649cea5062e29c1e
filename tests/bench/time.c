// Times whole commands side by side: time ROUNDS < COMMANDS, a line "NAME<tab>COMMAND ARGUMENT..." each. Every round
// runs each once, in turn, so that a machine whose speed drifts slows all of them; printed are medians and minima, in
// microseconds, and the median of the processor's time: NAME<tab>MEDIAN<tab>MINIMUM<tab>PROCESSOR.
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 256, WORDS = 64 };

extern char **environ;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double microseconds(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 200, count = 0;
    static char lines[COMMANDS][4096];
    char *names[COMMANDS], *words[COMMANDS][WORDS];
    double *times[COMMANDS], *used[COMMANDS];
    while (count < COMMANDS && fgets(lines[count], sizeof lines[count], stdin)) {
        int n = 0;
        names[count] = strtok(lines[count], "\t\n");
        for (char *word = strtok(NULL, " \n"); word && n < WORDS - 1; word = strtok(NULL, " \n"))
            words[count][n++] = word;
        words[count][n] = NULL;
        times[count] = calloc((size_t)rounds, sizeof(double));
        used[count] = calloc((size_t)rounds, sizeof(double));
        count += n > 0;
    }
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    for (int round = -3; round < rounds; round++) // three to warm up
        for (int i = 0; i < count; i++) {
            pid_t pid;
            int status;
            double start = now();
            if (posix_spawnp(&pid, words[i][0], &quiet, NULL, words[i], environ) != 0)
                errx(1, "cannot run %s", words[i][0]);
            struct rusage usage;
            wait4(pid, &status, 0, &usage);
            if (status)
                errx(1, "%s failed with status %d", names[i], status);
            if (round >= 0) {
                times[i][round] = now() - start;
                used[i][round] = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
            }
        }
    for (int i = 0; i < count; i++) {
        qsort(times[i], (size_t)rounds, sizeof(double), by_value);
        qsort(used[i], (size_t)rounds, sizeof(double), by_value);
        printf("%s\t%.0f\t%.0f\t%.0f\n", names[i], times[i][rounds / 2], times[i][0], used[i][rounds / 2]);
    }
    return 0;
}
