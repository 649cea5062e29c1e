// aisbx init: a policy for what the project is.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aisbx/cli/command.h"

// What lies in a project's folder says which tools work on it. Nothing is executed to find out.
static const struct {
    const char *file, *module, *what;
} kinds[] = {
    {"pyproject.toml", "std.python", "Python"},   {"setup.py", "std.python", "Python"},
    {"requirements.txt", "std.python", "Python"}, {"main.py", "std.python", "Python"},
    {"package.json", "std.node", "Node.js"},      {"go.mod", "std.go", "Go"},
    {"Cargo.toml", "std.rust", "Rust"},           {"pom.xml", "std.java", "Java"},
    {"build.gradle", "std.java", "Java"},         {"CMakeLists.txt", "std.c", "C and C++"},
    {"Makefile", "std.c", "C and C++"},
};

static bool write_policy(int folder)
{
    char imports[1024] = "import std.shell;\n", uses[1024] = "    use std.shell;\n";
    struct stat status;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (stat(kinds[i].file, &status) == 0 && S_ISREG(status.st_mode) && !strstr(imports, kinds[i].module)) {
            printf("%s says that it is %s: `use %s`\n", kinds[i].file, kinds[i].what, kinds[i].module);
            snprintf(imports + strlen(imports), sizeof imports - strlen(imports), "import %s;\n", kinds[i].module);
            snprintf(uses + strlen(uses), sizeof uses - strlen(uses), "    use %s;\n", kinds[i].module);
        }
    int fd = openat(folder, "policy.sbx", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return errno == EEXIST ? (warnx(".aisbx/policy.sbx is there already"), false)
                               : (warn(".aisbx/policy.sbx can't be written"), false);
    fprintf(
        file,
        "sbx 1;\n\n%s\n"
        "# What runs of `aisbx run` may do. They work on a copy of the project: `aisbx diff` shows what they changed,\n"
        "# `aisbx promote` brings it to the host.\n"
        "policy project {\n%s\n"
        "    fs {\n"
        "        # allow SBX0715: it tests what it writes, with no more rights than it has itself\n"
        "        allow read, write, exec \"/workspace\" from overlay \"..\" size 1GiB;\n"
        "        deny write \"/workspace/.aisbx\" because \"it decides about the next run\";\n"
        "        allow read, write \"/tmp\" from tmpfs size 256MiB;\n"
        "    }\n"
        "    limits { pids 256; lifetime 1h; }\n"
        "    process { cwd \"/workspace\"; }\n"
        "}\n",
        imports, uses);
    if (ferror(file) || fclose(file) != 0)
        return warn(".aisbx/policy.sbx can't be written"), unlinkat(folder, "policy.sbx", 0), false;
    return true;
}

int command_init(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return usage("init");
    if (mkdir(".aisbx", 0777) != 0 && errno != EEXIST)
        return warn(".aisbx can't be made"), STATUS_REFUSED;
    int folder = open(".aisbx", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return warn(".aisbx can't be opened"), STATUS_REFUSED;
    bool written = write_policy(folder);
    close(folder);
    if (!written)
        return STATUS_REFUSED;
    puts("wrote .aisbx/policy.sbx: read it, then `aisbx run -- COMMAND`");
    return STATUS_FINE;
}
