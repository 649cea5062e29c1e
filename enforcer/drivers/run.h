// One run: what a driver is given, and what it says afterwards.
//
// Drivers are rows of a table in sbxrun.c. A driver claims (claim.h) before it runs: what it does not enforce, it
// refuses. It may begin before there is a plan: making namespaces takes the kernel about as long as compiling a policy
// takes.
#pragma once

#include "enforcer/drivers/claim.h"
#include "enforcer/helpers/layer.h"
#include "enforcer/host/standard.h"
#include "enforcer/inside/probe.h"
#include "enforcer/supervisor/relay.h"
#include "enforcer/supervisor/supervise.h"
#include "enforcer/view/view.h"

struct run {
    const struct plan *plan;
    const char *plan_from; // "policy", "cache" or "file"
    struct policy *policy; // that the plan was made of, and says which rule denied a call; NULL: it is not there
    struct policy *(*recompile)(
        void *context); // makes it when there is something to tell; NULL, also of what it returns: there is none
    void *recompile_context;
    struct claims *claims;
    struct view_bases bases;
    char *const *argv;           // the command; argv[0] is looked for in the view's PATH when it has no slash
    char *const *environment;    // its whole environment
    uint64_t started;            // monotonic nanoseconds, when sbxrun started
    const struct handed *handed; // descriptors that the command gets besides the standard ones; NULL: none
    const struct probes *probes; // tried in place of the command; NULL: the command runs
    const char *const *layers; // of earlier runs, files of the host that overlays begin with, the lowest first
    size_t layer_count;
    FILE *changes, *keep;        // where what differs in overlays is listed, and where kept as a layer; NULL: nowhere
    struct events *events;       // what is denied, and where connections go
    bool explain_files;          // also which files: each call that names some is then looked at
};

struct outcome {
    enum ended ended;
    int value;
    uint64_t setup, wall, cpu; // microseconds: until the command's exec, from then on, of all its processes
    uint64_t peak;             // bytes
    bool peak_of_all;          // of the whole sandbox, not of its largest process
    bool pids_known;
    uint64_t oom_kills, pids_refused;
    struct limit_use uses[LIMIT_COUNT];
    const struct disk_use *disks; // by the plan's place of the view; NULL: it never ran
    int outside_user;             // who its processes were on the host
    const char *guard;            // where there is a broker: why no guard stands behind it; NULL: one did
    int untold;                   // the errno, where denied calls could not be told
    int changes_unwritten;        // the errno, where the changes could not be written
    uint64_t changes_unlisted;    // of them, how many could not be listed
    struct kept kept;             // where a layer was asked for
    const struct unpacked *layers; // those that overlays began with, as far as they were found; in the plan's arena
    size_t layer_count;
};

struct native;

// Begins, in an arena that stays as long as the run and that both sides see (arena_new_shared). `early`: its namespaces
// are made from here on, on another processor. `changes`: what differs in overlays will be asked for.
// The caller's terminal is looked at; it is used while the command runs.
struct native *native_begin(struct arena *, bool early, bool changes, enum terminal_wish);

// Runs the command to its end; the run lies in that arena. Always fills *outcome; on ENDED_NOT_SET_UP the failure too.
void native_run(struct native *, const struct run *, struct outcome *, struct failure *);

void native_end(struct native *); // leaves nothing behind, whether or not it ran
