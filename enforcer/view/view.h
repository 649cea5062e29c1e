// The view: what the sandbox sees as its file system, built from nothing.
//
// In three steps, because a host's files are opened by whoever may (for root: the supervisor, so that they can be
// presented by idmapped mounts) and everything else happens in the sandbox's own mount namespace. Only descriptors are
// used from the moment a host path is opened; no step follows a symbolic link inside the view. Kernel: open_tree(2),
// move_mount(2), mount_setattr(2), fsopen(2), pivot_root(2). Leaves nothing on the host: every mount lies in a
// namespace or is not attached yet.
#pragma once

#include <linux/openat2.h>
#include <sys/types.h>
#include <time.h>

#include "enforcer/host/failure.h"
#include "enforcer/host/identity.h"
#include "enforcer/view/bases.h"

#define DISK_UNKNOWN UINT64_MAX

struct disk_use {        // of a place of the view that has a size
    uint64_t used, peak; // bytes: when the command ended, and the most that was seen, ten times a second; DISK_UNKNOWN
    uint64_t device;     // that it was on when the sandbox was made
};

enum { LAYERS_MOST = 32 };

struct unpacked {     // an archive's folder in the cache (enforcer/helpers/unpacked.h)
    const char *host; // its path; NULL: there is none
    char hash[65];    // of the archive: SHA-256, hexadecimal
    uint64_t bytes;   // of it
    int folder;       // locked while the run lasts, so that nobody removes it
    bool unkept;      // it is this run's alone, and goes with it
    bool of_outside;  // it belongs to the outside identity
};

struct lying {        // what a layer has for an overlay
    const char *host; // the path of its folder; NULL: nothing
    int tree;         // the mount, not attached yet
};

struct view_place {          // one of plan->view
    const char *path, *host; // NUL-terminated; host is NULL unless from the host
    int above;               // the place that this one lies in; -1: none
    int content;             // the place whose `from` provides what is here: itself, or one above; -1: nothing does
    bool has_below;          // places lie in it
    bool skipped;            // `if exists`, and it does not; or content above is skipped
    bool is_folder;
    struct str text;                // of a file that is made (made.h)
    bool held, beneath_placeholder; // it does not exist on the host, where a placeholder keeps its place
                                    // (placeholder.h); lies beneath one that does not
    bool blocked;                   // nor can it, as long as what its path passes stays a file or a link
    uid_t owner;                    // of content of the host's: whose rights root's sandbox has there
    gid_t owner_group;
    char *link; // made as a symbolic link with this text instead of a mount; "" while it is not, NULL when it can't be
    int source, tree; // O_PATH on the host's side, kept for places below; the mount, not attached yet
    bool straight;    // no link was followed to the source: its path says where on the host it is
    bool of_outside;  // it belongs to the outside identity, and is not presented as if it did
    struct unpacked image;
    // Of an overlay: what layers have for it, the lowest first; the mode and time of its top folder, where one of them
    // says them; once the view is built, where what differs lies, and what it differs from (is_compared).
    struct lying *layers;
    bool has_top;
    mode_t top_mode;
    struct timespec top_time;
    int upper, lower;
};

struct hidden { // a folder of the host that no sandbox sees, or a file that none changes
    struct str path;
    uint64_t device, inode;
    bool above; // it lies beneath this one, is not there, and can't be made: so nobody may write here
    bool kept;  // it is such a file
};

struct hide { // where one lies in a place of the view
    size_t place, hidden;
    struct str beneath; // "/.cache/sbx"
};

struct secrets;
struct grounds;

struct view {
    const struct plan *plan;
    struct view_place *places;
    const struct secrets *secrets; // secrets.h; what PLAN_SECRET places hold
    struct hidden *hidden;         // hidden.h
    struct hide *hides;
    size_t hidden_count, hide_count, hidden_most;
    struct str mounts; // the host's, as proc_pid_mountinfo(5) has them; empty: not read
    struct grounds *grounds; // view_source.h
    struct unpacked *layers; // of earlier runs, the lowest first (enforcer/helpers/below.h)
    size_t layer_count;
    bool is_compared; // what overlays will hold is compared with what lies beneath them
    int root;
};

// How openat2(2) looks below a folder: not out of it, and along no link.
enum { INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

static inline bool view_place_is_link(const struct view_place *place)
{
    return place->link && place->link[0];
}

// Place i of the view: denied, or kept by a placeholder.
bool view_is_mask(const struct view *, size_t i);

// Copy on write: asked for, or what an image needs for some place of its to be written.
bool view_is_overlay(const struct view *, size_t i);

// Where what is at a place comes from; PLAN_INHERIT where nothing is, as for place -1.
enum plan_from view_content_kind(const struct view *, int place);

// MOUNT_ATTR_*: what its mount may, by its rights.
uint64_t view_attributes(const struct view *, size_t i);

// Lays out the places; everything that allocates happens here. Returns 0, or -1 and the failure.
int view_prepare(struct view *, const struct plan *, const struct view_bases *, struct failure *);

// Opens what comes from the host, in idmapped mounts: what the owner of a folder owns is the sandbox's. NULL: as it is.
int view_open(struct view *, struct owners *, struct failure *);

// Builds the view and makes it the root of this process. For the first process in new mount and pid namespaces.
int view_enter(struct view *, struct failure *);

// Closes what view_open opened, in the process that does not enter the view. The numbers stay: the process that does
// sees them too.
void view_close(const struct view *);

// Opens a place of the view in which this process is. O_PATH; -1 and errno.
int view_place_open(const struct view_place *);
