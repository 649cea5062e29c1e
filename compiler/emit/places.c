// The places of a plan's view as mounts.
#include "compiler/emit/places.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/sets/path_set.h"

static const struct plan_view *place_above(const struct plan *plan, size_t i)
{
    for (size_t above = i; above-- > 0;)
        if (path_covers(plan->view[above].path, plan->view[i].path))
            return &plan->view[above];
    return NULL;
}

// Where the content of an inherited place comes from; NULL: there is nothing.
static const struct plan_view *place_with_content(const struct plan *plan, size_t i)
{
    const struct plan_view *place = &plan->view[i];
    while (place && place->from == PLAN_INHERIT)
        place = place_above(plan, (size_t)(place - plan->view));
    return place;
}

static bool spares_something(const struct plan *plan, size_t i)
{
    for (size_t beneath = i + 1; beneath < plan->view_count; beneath++)
        if (path_covers(plan->view[i].path, plan->view[beneath].path) && plan->view[beneath].verbs)
            return true;
    return false;
}

static bool is_hosts(const struct plan_view *content)
{
    return content->from == PLAN_HOST || content->from == PLAN_OVERLAY;
}

static void set_memory(struct emit_mount *mount, unsigned mode)
{
    mount->kind = MOUNT_MEMORY;
    mount->size = mount->content->from == PLAN_TMPFS ? mount->content->size : 64 << 20;
    mount->mode = mode;
}

static void set_inherited(struct emit_mount *mount, const struct plan *plan, const struct plan_view *above, bool noexec)
{
    const struct plan_view *place = mount->place, *content = mount->content;
    unsigned writing = content->from == PLAN_DEV ? VERB_CREATE : VERB_WRITE; // devices can be written all the same
    bool host = is_hosts(content), written = above->verbs & VERB_WRITE;
    bool same = !above->verbs == !place->verbs && !(above->verbs & writing) == !(place->verbs & writing) &&
                (!noexec || !(host || content->from == PLAN_TMPFS) ||
                 !(above->verbs & VERB_EXEC) == !(place->verbs & VERB_EXEC));
    if (same)
        return;
    if (!place->verbs && host) {
        mount->kind = MOUNT_HIDDEN;
        mount->made_by_writing = written;
        mount->spares = spares_something(plan, (size_t)(place - plan->view));
    } else if (!place->verbs && content->from == PLAN_TMPFS) {
        set_memory(mount, 0111);
    } else if (!place->verbs) {
        mount->kind = MOUNT_UNSAID;
        mount->unsaid = "it is not hidden";
    } else if (host) {
        mount->kind = written                                          ? MOUNT_FIXED
                      : content->from == PLAN_OVERLAY && mount->writes ? MOUNT_OVERLAY
                                                                       : MOUNT_HOST;
    } else if (content->from == PLAN_TMPFS || (content->from == PLAN_DEV && place->verbs & writing)) {
        set_memory(mount, content->from == PLAN_DEV ? 01777 : 0755);
    } else if (!(place->verbs & writing)) {
        mount->kind = MOUNT_UNSAID;
        mount->unsaid = "it can be written";
    }
}

struct emit_mount emit_mount_of(const struct plan *plan, size_t i, bool noexec)
{
    static const enum emit_mount_kind kinds[PLAN_FROM_COUNT] = {
        [PLAN_HOST] = MOUNT_HOST,     [PLAN_TMPFS] = MOUNT_MEMORY, [PLAN_OVERLAY] = MOUNT_OVERLAY,
        [PLAN_IMAGE] = MOUNT_IMAGE,   [PLAN_PROC] = MOUNT_PROC,    [PLAN_DEV] = MOUNT_DEV,
        [PLAN_SECRET] = MOUNT_SECRET, [PLAN_TEXT] = MOUNT_TEXT,    [PLAN_SANDBOX] = MOUNT_MADE,
    };
    const struct plan_view *place = &plan->view[i], *content = place_with_content(plan, i),
                           *above = place_above(plan, i);
    struct emit_mount mount = {.place = place, .content = content};
    mount.writes = place->verbs & VERB_WRITE;
    mount.runs = place->verbs & VERB_EXEC;
    if (!content || (!place->verbs && place->from != PLAN_INHERIT))
        return mount; // there is nothing
    if (place->from == PLAN_INHERIT)
        set_inherited(&mount, plan, above, noexec);
    else
        mount.kind = kinds[place->from];
    if (place->from == PLAN_TMPFS)
        set_memory(&mount, 0755);
    if (place->from == PLAN_OVERLAY && !mount.writes)
        mount.kind = MOUNT_HOST;
    if (place->from == PLAN_SANDBOX && above && above->from == PLAN_PROC)
        mount.kind = MOUNT_NONE; // what lies in proc is told with it
    return mount;
}

struct str emit_beneath(const struct emit_mount *mount)
{
    struct str path = mount->place->path, above = mount->content->path;
    size_t skipped = above.length == 1 ? 0 : above.length;
    if (path.length == above.length)
        return STR("");
    return (struct str){path.text + skipped, path.length - skipped};
}

void emit_wider_mount(struct text *out, const char *indent, const struct plan *plan, const struct emit_mount *mount,
                      bool noexec)
{
    const struct plan_view *place = mount->place, *content = mount->content;
    unsigned writes = place->verbs & VERB_WRITE;
    if (!content || (!place->verbs && place->from != PLAN_INHERIT))
        return;
    if (writes && writes != VERB_WRITE && content->from != PLAN_DEV && content->from != PLAN_PROC)
        emit_wider(out, indent, plan, place->rule, "to modify, create and delete are one");
    if (place->verbs && !(place->verbs & VERB_READ))
        emit_wider(out, indent, plan, place->rule, "it can be read");
    if (!noexec && (is_hosts(content) || content->from == PLAN_TMPFS) && place->verbs && !mount->runs)
        emit_wider(out, indent, plan, place->rule, "programs there can be run");
    if (mount->kind == MOUNT_UNSAID)
        emit_wider(out, indent, plan, place->rule, mount->unsaid);
}

static const struct {
    const char *text, *host;
} made[SANDBOX_FILE_COUNT] = {
    [SANDBOX_FILE_passwd] = {"user:x:@:@::/:/bin/sh\nroot:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", NULL},
    [SANDBOX_FILE_group] = {"user:x:@:\nroot:x:0:\nnogroup:x:65534:\n", NULL},
    [SANDBOX_FILE_hosts] = {"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 sbx\n", NULL},
    [SANDBOX_FILE_hostname] = {"sbx\n", NULL},
    [SANDBOX_FILE_nsswitch] = {"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n", NULL},
    [SANDBOX_FILE_cpu_max] = {"max 100000\n", NULL},
    [SANDBOX_FILE_memory_max] = {"max\n", NULL},
    [SANDBOX_FILE_loadavg] = {"0.00 0.00 0.00 1/1 1\n", NULL},
    [SANDBOX_FILE_timezone] = {NULL, "/etc/timezone"},
    [SANDBOX_FILE_meminfo] = {NULL, "/proc/meminfo"},
    [SANDBOX_FILE_cpuinfo] = {NULL, "/proc/cpuinfo"},
    [SANDBOX_FILE_stat] = {NULL, "/proc/stat"},
    [SANDBOX_FILE_uptime] = {NULL, "/proc/uptime"},
    [SANDBOX_FILE_version] = {NULL, "/proc/version"},
    [SANDBOX_FILE_filesystems] = {NULL, "/proc/filesystems"},
    [SANDBOX_FILE_osrelease] = {NULL, "/proc/sys/kernel/osrelease"},
    [SANDBOX_FILE_pid_max] = {NULL, "/proc/sys/kernel/pid_max"},
    [SANDBOX_FILE_overcommit_memory] = {NULL, "/proc/sys/vm/overcommit_memory"},
    [SANDBOX_FILE_cpus_online] = {NULL, "/sys/devices/system/cpu/online"},
    [SANDBOX_FILE_cpus_possible] = {NULL, "/sys/devices/system/cpu/possible"},
};

const char *emit_made(enum sandbox_file file, const char **host)
{
    *host = made[file].host;
    return made[file].text;
}

struct str emit_made_text(const struct plan *plan, enum sandbox_file file, uint32_t user)
{
    struct text text = {.arena = plan->arena};
    if (!made[file].text) {
        const char *hex = plan_hash(plan->arena, plan_write(plan->arena, plan)).text;
        if (file == SANDBOX_FILE_boot_id) // RFC 9562 §4
            text_addf(&text, "%.8s-%.4s-%.4s-%.4s-%.12s\n", hex, hex + 8, hex + 12, hex + 16, hex + 20);
        else
            text_addf(&text, "%.32s\n", hex);
        return text_str(&text);
    }
    for (const char *at = made[file].text; *at; at++)
        if (*at == '@')
            text_addf(&text, "%u", user);
        else
            text_add(&text, at, 1);
    return text_str(&text);
}

bool emit_host_path(const struct plan *plan, const struct emit_caller *caller, enum plan_base base, struct str host,
                    uint32_t rule, struct str *path, struct str *why)
{
    const struct str folders[PLAN_BASE_COUNT] = {
        [PLAN_POLICY] = plan->folder, [PLAN_CWD] = caller->cwd, [PLAN_HOME] = caller->home};
    *path = host;
    if (base == PLAN_ABSOLUTE)
        return true;
    const char *folder = folders[base].text;
    char *real = folder && *folder == '/' ? realpath(folder, NULL) : NULL; // what `..` leaves has to be no link
    if (!real) {
        *why = emit_refusal(plan, rule, base == PLAN_HOME ? "HOME names no folder" : "its folder is not there");
        return false;
    }
    size_t length = strcmp(real, "/") == 0 ? 0 : strlen(real);
    while (str_is(host, "..") || str_starts(host, STR("../"))) {
        while (length > 0 && real[--length] != '/') {
        }
        host = host.length == 2 ? STR(".") : (struct str){host.text + 3, host.length - 3};
    }
    *path = str_is(host, ".") ? length ? str_copy(plan->arena, (struct str){real, length}) : STR("/")
                              : str_format(plan->arena, "%.*s/%.*s", (int)length, real, STR_ARGS(host));
    free(real);
    return true;
}

uint32_t emit_user(const struct plan *plan, const struct emit_caller *caller)
{
    const uint32_t users[PLAN_USER_COUNT] = {[PLAN_USER_NOBODY] = 65534,
                                             [PLAN_USER_ROOT] = 0,
                                             [PLAN_USER_SELF] = caller->user,
                                             [PLAN_USER_NUMBER] = plan->user_number};
    return users[plan->user];
}

enum emit_there emit_what_is_there(struct str path)
{
    struct stat status;
    return stat(path.text, &status) != 0 ? THERE_NOT : S_ISDIR(status.st_mode) ? THERE_FOLDER : THERE_FILE;
}

void emit_file_add(struct emit_folder *folder, const char *name, struct str text)
{
    struct emit_file *file = NEW(folder->arena, struct emit_file);
    *file = (struct emit_file){str_copy(folder->arena, str_from(name)), text, NULL};
    *(folder->last ? folder->last : &folder->first) = file;
    folder->last = &file->next;
}

struct str emit_refusal(const struct plan *plan, uint32_t rule, const char *what)
{
    struct text why = {.arena = plan->arena};
    emit_wider(&why, "", plan, rule, what);
    struct str said = text_str(&why);
    said.length--; // the line's end
    return said;
}
