// Drives a fuzz target: every file of a corpus as it is, then mutations of them for a while. With clang,
// -fsanitize=fuzzer does better and takes the same targets; this one needs nothing.
//
//   TARGET [--seconds N] [--seed N] CORPUS…       an input that kills the target is left in ./crash-TARGET
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 1 << 16, CORPUS_MOST = 4096 };

static struct input {
    uint8_t *data;
    size_t size;
} corpus[CORPUS_MOST];
static size_t corpus_count;
static uint8_t current[LARGEST];
static size_t current_size;
static const char *target;
static uint64_t state = 88172645463325252u;

static unsigned below(unsigned end)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17; // xorshift64 (Marsaglia)
    return (unsigned)((state >> 33) % end);
}

static void add_file(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > LARGEST ||
        corpus_count == CORPUS_MOST) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct input *input = &corpus[corpus_count++];
    input->data = malloc((size_t)status.st_size + 1);
    ssize_t n = read(fd, input->data, (size_t)status.st_size);
    input->size = n > 0 ? (size_t)n : 0;
    close(fd);
}

static void add(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        add_file(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char file[4096];
        const char *suffix = strrchr(entry->d_name, '.');
        bool answer = suffix && strcmp(suffix, ".out") == 0; // what is said of the file beside it
        if (entry->d_name[0] != '.' && !answer &&
            snprintf(file, sizeof file, "%s/%s", path, entry->d_name) < (int)sizeof file)
            add_file(file);
    }
    closedir(folder);
}

static void keep_crash(int signal_number)
{
    char path[300];
    const char *name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
    snprintf(path, sizeof path, "crash-%s", name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0 && write(fd, current, current_size) < 0)
        _exit(3);
    _exit(signal_number == SIGALRM ? 4 : 1);
}

static void insert(size_t at, const uint8_t *data, size_t size)
{
    if (current_size + size > LARGEST)
        return;
    memmove(current + at + size, current + at, current_size - at);
    memcpy(current + at, data, size);
    current_size += size;
}

static void mutate(void)
{
    const struct input *from = &corpus[below((unsigned)corpus_count)];
    memcpy(current, from->data, from->size);
    current_size = from->size;
    for (unsigned i = 0, n = 1 + below(6); i < n; i++) {
        size_t at = current_size ? below((unsigned)current_size) : 0,
               length = current_size ? 1 + below((unsigned)(current_size - at < 32 ? current_size - at : 32)) : 0;
        const struct input *other = &corpus[below((unsigned)corpus_count)];
        size_t there = other->size ? below((unsigned)other->size) : 0,
               piece = other->size ? 1 + below((unsigned)(other->size - there < 64 ? other->size - there : 64)) : 0;
        static const char *const words[] = {"{",
                                            "}",
                                            "(",
                                            ")",
                                            ";",
                                            ",",
                                            "\"",
                                            "..",
                                            "0",
                                            "-1",
                                            "18446744073709551615",
                                            "$a",
                                            "@default",
                                            " where ",
                                            " except ",
                                            " from ",
                                            "use ",
                                            "not ",
                                            "\xff",
                                            "/*"};
        switch (below(7)) {
        case 0:
            if (current_size)
                current[at] ^= (uint8_t)(1u << below(8));
            break;
        case 1:
            if (current_size)
                current[at] = (uint8_t)below(256);
            break;
        case 2: memmove(current + at, current + at + length, current_size - at - length), current_size -= length; break;
        case 3: insert(at, other->data + there, piece); break;
        case 4: {
            uint8_t copy[32];
            memcpy(copy, current + at, length);
            insert(at, copy, length);
            break;
        }
        case 5: {
            const char *word = words[below(20)];
            insert(at, (const uint8_t *)word, strlen(word));
            break;
        }
        default: current_size = at; break;
        }
    }
}

enum { MEBIBYTES_MOST = 1024 }; // with sanitizers, which keep what is freed for a while

static void run_one(void)
{
    alarm(10); // an input that takes so long is a finding too
    LLVMFuzzerTestOneInput(current, current_size);
    alarm(0);
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > MEBIBYTES_MOST * 1024L)
        abort(); // and one that takes so much memory
}

int main(int argc, char **argv)
{
    double seconds = 2;
    target = argv[0];
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            state ^= strtoull(argv[++i], NULL, 0) * 0x9E3779B97F4A7C15u;
        else
            add(argv[i]);
    if (!corpus_count) {
        fprintf(stderr, "%s: the corpus is empty\n", argv[0]);
        return 2;
    }
    const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], keep_crash);
    for (size_t i = 0; i < corpus_count; i++) {
        memcpy(current, corpus[i].data, current_size = corpus[i].size);
        run_one();
    }
    unsigned long count = 0;
    for (time_t end = time(NULL) + (time_t)seconds; time(NULL) < end; count++) {
        mutate();
        run_one();
    }
    printf("%s: %zu inputs of the corpus, %lu made of them\n", target, corpus_count, count);
    return 0;
}
