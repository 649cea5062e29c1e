// Learning: secrets that the command had no use for, in folders that the policy shows. They are looked for on the host.
#include "compiler/learn/learner.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOKED_AT_MOST = 100000, DEPTH_MOST = 64 };

struct search {
    struct learner *l;
    const struct place *place;
    size_t left;
};

// `host`: a file or folder of the host, which is beneath the place what `rest` says.
static void look_at(struct search *s, struct str host, struct str rest, int depth)
{
    struct learner *l = s->l;
    struct stat status;
    if (!s->left || depth == DEPTH_MOST) {
        l->has_unseen = true;
        return;
    }
    s->left--;
    if (lstat(host.text, &status) != 0 || (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)))
        return; // where a link leads is denied or shown by its own path
    const struct seen_path *seen = map_get(&l->seen->path_index, host);
    struct str as_folder = str_format(l->arena, "%.*s/", STR_ARGS(host));
    if (seen && seen->made)
        return;
    if (known_is_secret(host) || (S_ISDIR(status.st_mode) && known_is_secret(as_folder))) {
        struct str path = str_format(l->arena, "%.*s%.*s", STR_ARGS(s->place->path), STR_ARGS(rest));
        learner_note(l, learner_file_operation(l, "read", host), "it looks like a secret", 0)->path = path;
        return;
    }
    DIR *folder = S_ISDIR(status.st_mode) ? opendir(host.text) : NULL;
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            look_at(s, str_format(l->arena, "%.*s%s", STR_ARGS(as_folder), entry->d_name),
                    str_format(l->arena, "%.*s/%s", STR_ARGS(rest), entry->d_name), depth + 1);
    if (folder)
        closedir(folder);
}

void learner_secrets(struct learner *l)
{
    struct search search = {.l = l, .left = LOOKED_AT_MOST};
    for (size_t i = 0; i < l->place_count; i++) {
        const struct place *place = &l->places[i];
        search.place = place;
        if (!place->gone && !place->is_memory)
            look_at(&search,
                    place->home.length
                        ? str_format(l->arena, "%.*s/%.*s", STR_ARGS(l->seen->home), STR_ARGS(place->home))
                        : str_copy(l->arena, place->path),
                    STR(""), 0);
    }
}
