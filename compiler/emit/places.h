// The places of a plan's view as mounts, one each: what those have in common who show a view in words of others.
#pragma once

#include "compiler/emit/wider.h"

enum emit_mount_kind {
    MOUNT_NONE,    // the place above shows it as it is to be
    MOUNT_HOST,    // what is on the host
    MOUNT_FIXED,   // the same, where the place above could write it, or make it if it is not there
    MOUNT_OVERLAY, // what is on the host, copied when it is written
    MOUNT_HIDDEN,  // what is on the host can't be opened
    MOUNT_MEMORY,  // an empty folder
    MOUNT_PROC,
    MOUNT_DEV,
    MOUNT_SECRET,
    MOUNT_TEXT,
    MOUNT_MADE, // a file that sbxrun makes for each run
    MOUNT_IMAGE,
    MOUNT_UNSAID // no mount makes it so; `unsaid` is what it is instead
};

struct emit_mount {
    enum emit_mount_kind kind;
    const struct plan_view *place, *content; // content: where what is there comes from, the place itself or one above
    bool writes, runs;                       // may be written; programs there may be run
    bool made_by_writing;                    // MOUNT_HIDDEN: the place above could make it
    bool spares;                             // MOUNT_HIDDEN: something beneath is shown, so it is a folder
    uint64_t size;                           // MOUNT_MEMORY: bytes
    unsigned mode;                           // MOUNT_MEMORY
    const char *unsaid;
};

// How a plan's place is shown. `noexec`: a target that can keep programs of a mount from being run.
struct emit_mount emit_mount_of(const struct plan *, size_t place, bool noexec);

// The part of a path of the view beneath its content's place: empty, or with a slash before it.
struct str emit_beneath(const struct emit_mount *);

// Says where the mount is wider than the rule.
void emit_wider_mount(struct text *out, const char *indent, const struct plan *, const struct emit_mount *,
                      bool noexec);

// What a made file says, '@' standing for the user's number; NULL: it is the host's own, at *host, or a number, with
// *host NULL, that is another in each run.
const char *emit_made(enum sandbox_file, const char **host);

// ---- for those who can't ask on the host where the policy will run ------------------------------------------------

struct emit_caller { // stands for sbxrun's caller; the memory is whoever's made it
    struct str cwd, home;
    uint32_t user;
};

// Such a path, absolute and normal. False: its folder is none; *why is the sentence.
bool emit_host_path(const struct plan *, const struct emit_caller *, enum plan_base, struct str host, uint32_t rule,
                    struct str *path, struct str *why);
uint32_t emit_user(const struct plan *, const struct emit_caller *);

// Such a file's text, of the plan, for that user. Numbers that are others in each run come from the plan's.
struct str emit_made_text(const struct plan *, enum sandbox_file, uint32_t user);

enum emit_there { THERE_NOT, THERE_FILE, THERE_FOLDER };
enum emit_there emit_what_is_there(struct str path); // on this host, behind links

struct emit_folder { // what is made where a target takes more than one file
    struct arena *arena;
    struct str path; // its own, absolute
    struct emit_file {
        struct str name; // in the folder
        struct str text; // NULL: a folder
        struct emit_file *next;
    } * first, **last; // folders before what lies in them
};
void emit_file_add(struct emit_folder *, const char *name, struct str text);

// The sentence why there is no such thing: what, with the rule.
struct str emit_refusal(const struct plan *, uint32_t rule, const char *what);
