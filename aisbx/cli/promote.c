// aisbx promote: what runs changed is brought to the host, or taken back.
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aisbx/cli/command.h"
#include "aisbx/cli/pending.h"
#include "aisbx/layers/danger.h"
#include "aisbx/store/shown.h"

struct wishes {
    char **danger, **ours, **theirs; // each ended by NULL
    bool dry;
};

// What happens with one, and true where it is to be written; *open: a person has to decide first.
static bool choose(const struct wishes *wishes, const struct judged *j, const char *folder, bool *open)
{
    bool ours = *wishes->ours && path_chosen(j->d.path, wishes->ours, folder),
         theirs = *wishes->theirs && path_chosen(j->d.path, wishes->theirs, folder),
         danger = *wishes->danger && path_chosen(j->d.path, wishes->danger, folder);
    if (ours || j->verdict == PROMOTE_THERE)
        return false;
    bool yes = j->verdict == PROMOTE_FINE || (j->verdict == PROMOTE_DANGER && danger) ||
               (j->verdict == PROMOTE_CONFLICT && theirs && (danger || !danger_of(j->d.path)));
    if (yes)
        return true;
    *open = true;
    const char *path = shown(j->d.path), *who = danger_of(j->d.path);
    switch (j->verdict) {
    case PROMOTE_NEVER: fprintf(stderr, "never %s: %s; leave it away: --ours %s\n", path, j->reason, path); break;
    case PROMOTE_DANGER:
        fprintf(stderr, "danger %s: obeyed by %s; take it: --danger %s, leave it away: --ours %s\n", path, j->reason,
                path, path);
        break;
    default:
        fprintf(stderr, "conflict %s: %s%s%s; take the sandbox's: --theirs %s%s%s, leave the host's: --ours %s\n", path,
                j->reason, who ? ", and obeyed by " : "", who ? who : "", path, who ? " --danger " : "",
                who ? path : "", path);
    }
    return false;
}

// A path that a person decided about, and that names nothing which differs, is a mistake.
static bool all_name_something(const struct pending *pending, char *const *paths, const char *folder)
{
    for (; *paths; paths++) {
        bool names = false;
        for (size_t i = 0; i < pending->count && !names; i++)
            names = path_chosen(pending->list[i].path, (char *const[]){*paths, NULL}, folder);
        if (!names)
            return warnx("%s: nothing there differs (`aisbx diff --name-only`)", shown(*paths)), false;
    }
    return true;
}

static bool bring(struct store *store, struct workspace *workspace, const struct wishes *wishes)
{
    struct pending pending;
    char id[ID_SIZE] = "", next[ID_SIZE];
    if (!pending_load(store, workspace->head, &pending))
        return pending_free(&pending), false;
    struct judged *judged = calloc(pending.count + 1, sizeof *judged);
    bool *chosen = calloc(pending.count + 1, sizeof *chosen), open = false;
    if (!judged || !chosen)
        abort();
    const char *folder = workspace->folder;
    bool fine = all_name_something(&pending, wishes->danger, folder) &&
                all_name_something(&pending, wishes->ours, folder) &&
                all_name_something(&pending, wishes->theirs, folder) &&
                promote_judge(workspace, pending.list, pending.count, judged);
    size_t many = 0;
    for (size_t i = 0; i < pending.count && fine; i++)
        many += chosen[i] = choose(wishes, &judged[i], folder, &open);
    if (fine && open)
        fine = (warnx("nothing was written: decide about each of these"), false);
    if (fine && wishes->dry) {
        for (size_t i = 0; i < pending.count; i++)
            if (chosen[i])
                puts(shown(pending.list[i].path));
    } else if (fine && !pending.count) {
        puts("nothing differs");
    } else if (fine) {
        const struct promote p = {store,
                                  workspace,
                                  pending.snapshot,
                                  pending.digest,
                                  &pending.change,
                                  (const char(*)[DIGEST_SIZE])pending.layers,
                                  pending.layer_count};
        fine = !many || promote_write(&p, judged, chosen, pending.count, id);
        // What the next run begins with is the host's folder again, which has it all.
        if (fine && store_begin(store)) {
            fine = snapshot_new(store, workspace, NULL, NULL, NULL, next) &&
                   store_do(store, "UPDATE workspaces SET head = ? WHERE id = ? AND head = ?", "tit", next,
                            workspace->id, pending.snapshot);
            if (!fine || !store_commit(store))
                fine = (store_rollback(store), false);
        }
        if (fine && many)
            printf("%s: %zu names written; `aisbx promote --undo %s` takes them back\n", id, many, id);
        else if (fine)
            puts("the host has it all already");
    }
    free(judged);
    free(chosen);
    pending_free(&pending);
    return fine;
}

static bool take_back(struct store *store, struct workspace *workspace, const char *typed, bool as_far)
{
    char id[ID_SIZE];
    if (!store_find(store, workspace->id, "promotions", typed, id) || !promote_undo(store, workspace, id, as_far))
        return false;
    // Where nothing has run since, the next run goes on from what was promoted.
    if (!store_do(store,
                  "UPDATE workspaces SET head = (SELECT snapshot FROM promotions WHERE id = ?1) WHERE id = ?2 AND"
                  " (SELECT depth FROM snapshots WHERE id = head) = 0",
                  "ti", id, workspace->id))
        return false;
    printf("%s is taken back\n", id);
    return true;
}

int command_promote(int argc, char **argv)
{
    static const struct option options[] = {{"danger", required_argument, NULL, 'd'},
                                            {"ours", required_argument, NULL, 'o'},
                                            {"theirs", required_argument, NULL, 't'},
                                            {"dry-run", no_argument, NULL, 'n'},
                                            {"undo", required_argument, NULL, 'u'},
                                            {"force", no_argument, NULL, 'f'},
                                            {0}};
    size_t room = (size_t)argc + 1, dangers = 0, ours = 0, theirs = 0;
    struct wishes wishes = {calloc(room, sizeof(char *)), calloc(room, sizeof(char *)), calloc(room, sizeof(char *)),
                            false};
    const char *undo = NULL;
    bool force = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 'd': wishes.danger[dangers++] = optarg; break;
        case 'o': wishes.ours[ours++] = optarg; break;
        case 't': wishes.theirs[theirs++] = optarg; break;
        case 'n': wishes.dry = true; break;
        case 'u': undo = optarg; break;
        case 'f': force = true; break;
        default: return usage("promote");
        }
    if (optind < argc || (force && !undo) || (undo && (dangers || ours || theirs || wishes.dry)))
        return usage("promote");
    struct store store;
    struct workspace workspace;
    if (!store_open(&store) || !workspace_open(&store, &workspace) || !promote_recover(&store, &workspace))
        return STATUS_REFUSED;
    bool fine = undo ? take_back(&store, &workspace, undo, force) : bring(&store, &workspace, &wishes);
    workspace_close(&workspace);
    store_close(&store);
    free(wishes.danger);
    free(wishes.ours);
    free(wishes.theirs);
    return fine ? STATUS_FINE : STATUS_REFUSED;
}
