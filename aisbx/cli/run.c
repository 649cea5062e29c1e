// aisbx run: a command on a copy of the project.
#include "aisbx/runs/run.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aisbx/cli/command.h"
#include "aisbx/layers/promote.h"

int command_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"define", required_argument, NULL, 'D'}, {"snapshot", required_argument, NULL, 's'}, {0}};
    const char *typed = NULL, **values = calloc((size_t)argc + 1, sizeof *values);
    size_t count = 0;
    for (int option; (option = getopt_long(argc, argv, "+D:", options, NULL)) != -1;)
        switch (option) {
        case 'D': values[count++] = optarg; break;
        case 's': typed = optarg; break;
        default: return usage("run");
        }
    struct store store;
    struct workspace workspace;
    struct run_result result;
    char snapshot[ID_SIZE];
    if (!store_open(&store) || !workspace_open(&store, &workspace) || !promote_recover(&store, &workspace))
        return NOT_RUN;
    if (typed ? !store_find(&store, workspace.id, "snapshots", typed, snapshot)
              : snprintf(snapshot, sizeof snapshot, "%s", workspace.head) <= 0)
        return NOT_RUN;
    const struct run_wish wish = {.snapshot = snapshot,
                                  .words = argv[optind] ? (const char *const *)argv + optind : NULL,
                                  .values = count ? values : NULL,
                                  .moves_head = strcmp(snapshot, workspace.head) == 0};
    int status = run_command(&store, &workspace, &wish, &result);
    if (*result.snapshot && isatty(STDERR_FILENO))
        fprintf(stderr, "aisbx: %s changed %llu names: `aisbx diff`, `aisbx promote`\n", result.id,
                (unsigned long long)result.changed);
    if (*result.snapshot && !result.head_moved)
        fprintf(stderr, "aisbx: it is %s, and not what the next run begins with: `aisbx snap restore %s` makes it so\n",
                result.snapshot, result.snapshot);
    workspace_close(&workspace);
    store_close(&store);
    free(values);
    return status;
}
