// aisbx log: what a run wrote.
#include "aisbx/runs/log.h"

#include <err.h>
#include <getopt.h>

#include "aisbx/cli/command.h"
#include "aisbx/store/workspace.h"

int command_log(int argc, char **argv)
{
    static const struct option options[] = {{"follow", no_argument, NULL, 'f'}, {"json", no_argument, NULL, 'j'}, {0}};
    bool follow = false, json = false;
    for (int option; (option = getopt_long(argc, argv, "f", options, NULL)) != -1;)
        switch (option) {
        case 'f': follow = true; break;
        case 'j': json = true; break;
        default: return usage("log");
        }
    struct store store;
    struct workspace workspace;
    char id[ID_SIZE];
    if (argc - optind > 1)
        return usage("log");
    if (!store_open(&store) || !workspace_open(&store, &workspace))
        return STATUS_REFUSED;
    bool found = argv[optind] ? store_find(&store, workspace.id, "runs", argv[optind], id)
                              : store_text(&store, id, sizeof id,
                                           "SELECT id FROM runs WHERE workspace = ? ORDER BY id DESC LIMIT 1", "i",
                                           workspace.id);
    if (found && !*id)
        found = (warnx("nothing has run here yet"), false);
    bool fine = found && log_show(&store, id, json, follow);
    workspace_close(&workspace);
    store_close(&store);
    return fine ? STATUS_FINE : STATUS_REFUSED;
}
