// Runs a Python program under a policy, from C:  cc run.c $(pkg-config --cflags --libs sbx) -o run && ./run
#include <sbx.h>
#include <stdio.h>
#include <string.h>

static void said(void *context, int stream, const char *data, size_t length)
{
    (void)context;
    printf("[%s] %.*s", stream == 1 ? "out" : "err", (int)length, data);
}

static void event(void *context, const char *json)
{
    (void)context;
    printf("[event] %s\n", json);
}

int main(void)
{
    static const char text[] =
        "sbx 1;\n"
        "import std.python;\n"
        "policy embedded { use std.python; fs { allow read, write \"/tmp\" from tmpfs size 16MiB; } limits { lifetime "
        "60s; } }\n";
    static const char program[] =
        "import os\nprint(input().upper())\ntry: os.chroot('/')\nexcept PermissionError: print('refused')\n";
    char *findings;
    sbx_policy *policy = sbx_compile_text(text, NULL, NULL, NULL, &findings);
    if (!policy || sbx_check(policy, 0, &findings) != 0) {
        fputs(findings ? findings : "no findings\n", stderr);
        return 1;
    }
    struct sbx_verdict verdict = sbx_verdict(policy, "read \"/etc/shadow\"");
    printf("may read /etc/shadow: %s\n", verdict.allowed ? "yes" : "no");
    sbx_free(verdict.rule);
    const char *command[] = {"/usr/bin/python3", "-c", program, NULL};
    struct sbx_run run = {.command = command,
                          .input = -1,
                          .output = -1,
                          .error = -1,
                          .data = "hello\n",
                          .length = 6,
                          .said = said,
                          .event = event};
    struct sbx_result result = sbx_run(policy, &run);
    printf("status %d, %s\n", result.status,
           result.report && strstr(result.report, "\"how\":\"exited\"") ? "exited" : "not exited");
    sbx_free(result.report);
    sbx_policy_free(policy);
    return result.status != 0;
}
