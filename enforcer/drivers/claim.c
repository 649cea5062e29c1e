// Claims: which layer enforces which part of a plan on this host.
#include "enforcer/drivers/claim.h"

#include "compiler/sets/path_set.h"
#include "enforcer/limits/cgroup.h"
#include "enforcer/host/host.h"
#include "enforcer/drivers/features.h"

// What a place's content is made by, or why it can't be yet.
static const struct {
    enum plan_from from;
    const char *layer, *refusal;
} contents[] = {
    {PLAN_INHERIT, "mount", NULL},
    {PLAN_HOST, "bind mount", NULL},
    {PLAN_TMPFS, "tmpfs of its size", NULL},
    {PLAN_PROC, "procfs of the pid namespace", NULL},
    {PLAN_DEV, "tmpfs with verified devices", NULL},
    {PLAN_OVERLAY, "overlay of a read-only mount and a tmpfs of its size", NULL},
    {PLAN_IMAGE, "bind mount of the unpacked image, under an overlay where it may be written", NULL},
    {PLAN_SECRET, "a file of memory, mode 0400", NULL},
    {PLAN_TEXT, "a file of memory, mode 0444", NULL},
    {PLAN_SANDBOX, "a file of memory, mode 0444", NULL},
};

static const struct plan_require *may_degrade(const struct plan *plan, enum feature feature)
{
    for (size_t i = 0; i < plan->require_count; i++) {
        const struct plan_require *require = &plan->requires[i];
        if (require->feature == feature && require->degrade)
            return require;
    }
    return NULL;
}

static void degrade(struct claims *claims, const struct plan *plan, const struct plan_require *require, struct str lost)
{
    if ((claims->degraded_count & (claims->degraded_count - 1)) == 0) // full: it has a power of two, or none
        claims->degraded = arena_grow(plan->arena, claims->degraded, claims->degraded_count * sizeof *claims->degraded,
                                      (2 * claims->degraded_count + 1) * sizeof *claims->degraded);
    claims->degraded[claims->degraded_count++] =
        (struct degradation){require->feature, lost, require->because, require->rule};
}

static void claim_requires(const struct plan *plan, bool strict, struct claims *claims, struct failure *failure)
{
    for (size_t i = 0; i < plan->require_count; i++) {
        const struct plan_require *require = &plan->requires[i];
        const char *found;
        if (host_has(require->feature, require->version, &found))
            continue;
        const char *name = feature_names[require->feature];
        struct str wanted = require->version
                                ? str_format(plan->arena, "%s >= %llu", name, (unsigned long long)require->version)
                                : str_from(name);
        if (!require->degrade || strict)
            fail_with_advice(failure, require->rule, 0,
                             require->degrade ? "--strict refuses to run with less"
                                              : "`else degrade because \"…\"` would let it run with less",
                             "the policy requires %.*s, and this host has %s", STR_ARGS(wanted), found);
        else
            degrade(claims, plan, require, wanted);
    }
}

static void claim_limits(const struct plan *plan, bool strict, struct claims *claims, struct failure *failure)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        if (!plan->limits[i].set || bounds_add(&claims->bounds, plan, (enum limit)i))
            continue;
        const struct plan_require *require = may_degrade(plan, FEATURE_cgroup);
        if (require && !strict) {
            degrade(claims, plan, require, str_format(plan->arena, "limit %s", limit_names[i]));
            continue;
        }
        fail_with_advice(failure, plan->limits[i].rule, 0,
                         require ? "--strict refuses to run with less"
                                 : "run it as root or in a control group that is delegated to you (systemd-run --user "
                                   "--scope -p Delegate=yes), or write "
                                   "`require cgroup else degrade because \"…\";` to run without where there is none",
                         "the limit %s needs a control group%s, and you may make none on this host", limit_names[i],
                         i == LIMIT_io ? " of version 2" : "");
    }
}

// Where a place's content comes from: its own line, or the nearest above that says it.
static enum plan_from content_of(const struct plan *plan, size_t place)
{
    for (size_t k = place + 1; k-- > 0;)
        if (plan->view[k].from != PLAN_INHERIT && path_covers(plan->view[k].path, plan->view[place].path))
            return plan->view[k].from;
    return PLAN_INHERIT;
}

// May devices be written in the /dev that a place lies in?
static bool device_folder_writes(const struct plan *plan, size_t place)
{
    for (size_t k = 0; k < place; k++)
        if (plan->view[k].verbs & VERB_MODIFY && path_covers(plan->view[k].path, plan->view[place].path))
            return true;
    return false;
}

// Mounts know read-only and noexec. Less than the whole of `write`, or writing without reading, is more than they can
// say.
static void claim_places(const struct plan *plan, const struct claims *claims, struct failure *failure)
{
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *place = &plan->view[i];
        for (size_t k = 0; k < sizeof contents / sizeof *contents; k++)
            if (contents[k].from == place->from && contents[k].refusal)
                fail(failure, place->rule, 0, "nothing here makes %s yet, so the command is not run",
                     contents[k].refusal);
        if ((place->from == PLAN_PROC || place->from == PLAN_DEV) && place->path.length == 1)
            fail_with_advice(failure, place->rule, 0, "name a place for it, as `allow read \"/proc\" from proc;`",
                             "the root of the view can't be a /proc or /dev");
        if (place->verbs && !(place->verbs & VERB_READ))
            fail_with_advice(failure, place->rule, 0, "allow read too",
                             "nothing here lets %.*s be written or executed without being read", STR_ARGS(place->path));
        unsigned writes = place->verbs & VERB_WRITE, above = 0;
        if (place->verbs && !(writes & VERB_MODIFY) && place->from == PLAN_INHERIT && content_of(plan, i) == PLAN_DEV &&
            device_folder_writes(plan, i))
            fail_with_advice(failure, place->rule, 0, "deny to read it, which hides it",
                             "a device can be written wherever the folder that it lies in can, also %.*s",
                             STR_ARGS(place->path));
        bool devices = place->from == PLAN_DEV && writes == VERB_MODIFY;
        if (writes == 0 || writes == VERB_WRITE || devices)
            continue;
        for (size_t k = i; k-- > 0 && place->from == PLAN_INHERIT;)
            if (path_covers(plan->view[k].path, place->path)) {
                above = plan->view[k].verbs & VERB_WRITE;
                break;
            }
        if (!claims->landlock)
            fail_with_advice(failure, place->rule, 0,
                             "allow or deny all of `write`, or run it on Linux 5.13 or newer with Landlock on",
                             "only Landlock tells modify, create and delete apart, and this host has none");
        if (!(writes & VERB_MODIFY) && content_of(plan, i) == PLAN_HOST)
            fail_with_advice(failure, place->rule, 0,
                             "allow `modify` too (with create and delete it is `write`), or let the content be a copy "
                             "(`from overlay`) or the sandbox's own (`from tmpfs`)",
                             "whoever may create or delete at %.*s could change modes, owners, times and attributes of "
                             "the host's files there, and no rule allows to modify them",
                             STR_ARGS(place->path));
        if (above & ~writes)
            fail_with_advice(failure, place->rule, 0,
                             "allow the smaller set above and the larger one beneath, or deny all of `write` here",
                             "at %.*s fewer of modify, create and delete are allowed than in the folder above, which "
                             "nothing here can enforce",
                             STR_ARGS(place->path));
    }
}

int claim_plan(const struct plan *plan, bool strict, struct claims *claims, struct failure *failure)
{
    *claims = (struct claims){.landlock = host_landlock_abi() > 0};
    bounds_begin(&claims->bounds, failure);
    // All of them, also after a refusal: --dry-run shows the whole.
    claim_requires(plan, strict, claims, failure);
    claim_places(plan, claims, failure);
    network_claim(plan, &claims->network, failure);
    for (size_t i = 0; i < plan->require_count; i++) // what the host has may still fail to load
        if (plan->requires[i].feature == FEATURE_ebpf && (!plan->requires[i].degrade || strict))
    claims->network.guard_rule = plan->requires[i].rule;
    claim_limits(plan, strict, claims, failure);
    return failure->what[0] ? -1 : 0;
}

struct str claim_place(const struct plan *plan, const struct claims *claims, const struct plan_view *place)
{
    if (!place->verbs)
        return STR("hidden by a mount");
    const char *layer = "";
    for (size_t k = 0; k < sizeof contents / sizeof *contents; k++)
        if (contents[k].from == place->from)
            layer = contents[k].layer;
    if (!layer)
        return STR("nothing makes it yet");
    bool writable = place->verbs & VERB_WRITE;
    return str_format(plan->arena, "%s%s%s, nosuid, nodev%s", layer, writable ? "" : ", read-only",
                      place->verbs & VERB_EXEC ? "" : ", noexec", claims->landlock ? "; Landlock" : "");
}

static struct str claim_path(const struct plan *plan, const struct claims *claims, struct str path)
{
    const struct plan_view *place = NULL; // the deepest, which stands last
    for (size_t i = 0; i < plan->view_count; i++)
        if (path_covers(plan->view[i].path, path))
            place = &plan->view[i];
    if (place)
        return str_format(plan->arena, "%.*s: %.*s", STR_ARGS(place->path), STR_ARGS(claim_place(plan, claims, place)));
    return str_format(plan->arena, "nothing of it is in the view%s", claims->landlock ? "; Landlock" : "");
}

struct str claim_operation(const struct plan *plan, const struct claims *claims, const struct operation_point *point)
{
    const char *network_text = claims->network.own.up ? "a network namespace with a loopback of its own"
                                                      : "an empty network namespace";
    switch (point->domain) {
    case DOMAIN_FILES: return claim_path(plan, claims, point->path);
    case DOMAIN_NET:
        if (claims->network.brokered)
            return str_format(plan->arena,
                              "%s; the broker, which makes each connection; %sseccomp, which sockets there may be",
                              network_text,
                              claims->network.guard_lacks ? ""
                                                          : "the guard, eBPF on the sockets of the host's network; ");
        return str_format(plan->arena, "%s; seccomp, which sockets there may be%s", network_text,
                          claims->network.own.needs_landlock ? "; Landlock, which tcp ports" : "");
    case DOMAIN_CALLS:
        return str_format(plan->arena, "seccomp, a filter of %zu instructions", plan->filters[ARCH_HERE].length);
    case DOMAIN_CAPABILITIES: return STR("capability sets, in a user namespace of its own");
    }
    return STR("");
}
