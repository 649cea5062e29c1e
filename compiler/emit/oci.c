// Bundles of OCI's runtime specification.
#include "compiler/emit/oci.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/emit/docker_seccomp.h"

struct bundle {
    struct policy *policy;
    const struct plan *plan;
    const struct emit_caller *caller;
    enum arch arch;
    uint32_t user;
    struct json_writer w;
    struct emit_folder *made;
    struct text *wider;
    size_t file_count;
    struct str why; // why there is no such bundle; empty: none yet
};

static void say_wider(struct bundle *b, uint32_t rule, const char *what)
{
    emit_wider(b->wider, "", b->plan, rule, what);
}

// ---- files --------------------------------------------------------------------------------------------------------

static void add_mount(struct bundle *b, const char *type, struct str source, struct str path, const char *options)
{
    json_open(&b->w, '{');
    json_member(&b->w, "destination", path);
    json_member(&b->w, "type", str_from(type));
    json_member(&b->w, "source", source);
    json_member_words(&b->w, "options", options);
    json_close(&b->w, '}');
}

// A folder with all that is mounted beneath it (mount_setattr(2)); crun 1.8 takes no such options of files.
static void add_bind(struct bundle *b, enum emit_there there, struct str from, struct str path, bool writes, bool runs)
{
    const char *deep = there == THERE_FILE ? "" : "r";
    struct text words = {.arena = b->plan->arena};
    text_addf(&words, "%sbind %snosuid %snodev", deep, deep, deep);
    text_addf(&words, writes ? " rw" : " %sro", deep);
    if (!runs)
        text_addf(&words, " %snoexec", deep);
    add_mount(b, "bind", from, path, text_str(&words).text);
}

static void add_memory(struct bundle *b, struct str path, bool writes, bool runs, unsigned mode, uint64_t size)
{
    uint32_t owner = writes ? b->user : 0;
    add_mount(b, "tmpfs", STR("tmpfs"), path,
              str_format(b->plan->arena, "%s nosuid nodev%s mode=%04o size=%llu uid=%u gid=%u", writes ? "rw" : "ro",
                         runs ? "" : " noexec", mode, (unsigned long long)size, owner, owner)
                  .text);
}

// A file of the bundle, at a path of the view.
static void add_text(struct bundle *b, struct str path, struct str text)
{
    struct str name = str_format(b->plan->arena, "files/%zu", b->file_count++);
    emit_file_add(b->made, name.text, text);
    add_bind(b, THERE_FILE, str_format(b->plan->arena, "%.*s/%.*s", STR_ARGS(b->made->path), STR_ARGS(name)), path,
             false, false);
}

static void add_made(struct bundle *b, const struct plan_view *place)
{
    enum sandbox_file file = (enum sandbox_file)sandbox_file_find(place->text);
    const char *host, *text = emit_made(file, &host);
    if (file == SANDBOX_FILE_folder) {
        add_memory(b, place->path, false, false, 0755, 1 << 20);
    } else if (host) {
        if (emit_what_is_there(str_from(host)))
            add_bind(b, THERE_FILE, str_from(host), place->path, false, false);
        say_wider(b, place->rule, "the file is the host's own");
    } else {
        add_text(b, place->path, emit_made_text(b->plan, file, b->user));
        if (!text)
            say_wider(b, place->rule, "the number is the same in each run");
    }
}

static void add_secret(struct bundle *b, const struct plan_view *place)
{
    const struct plan_secret *secret = plan_secret_find(b->plan, place->secret);
    struct str from = {0};
    if (secret->variable.length)
        b->why = emit_refusal(b->plan, secret->rule,
                              "a bundle has no caller with an environment: take the secret from a file");
    else if (emit_host_path(b->plan, b->caller, secret->base, secret->host, secret->rule, &from, &b->why))
        add_bind(b, THERE_FILE, from, place->path, false, false);
}

// A file becomes one that can't be opened (devices of a mount can't be), a folder an empty one.
static void hide(struct bundle *b, const struct emit_mount *mount, struct str from)
{
    enum emit_there there = emit_what_is_there(from);
    struct str path = mount->place->path;
    if (there == THERE_FOLDER || mount->spares)
        add_memory(b, path, false, false, 0111, 1 << 20);
    else if (there == THERE_FILE || mount->made_by_writing)
        add_bind(b, THERE_FILE, STR("/dev/null"), path, false, false);
}

static void add_host(struct bundle *b, const struct emit_mount *mount)
{
    const struct plan_view *place = mount->place;
    struct str folder = {0};
    if (!emit_host_path(b->plan, b->caller, mount->content->base, mount->content->host, place->rule, &folder, &b->why))
        return;
    struct str from = str_format(b->plan->arena, "%.*s%.*s", STR_ARGS(folder), STR_ARGS(emit_beneath(mount)));
    enum emit_there there = emit_what_is_there(from);
    if (mount->kind == MOUNT_HIDDEN)
        hide(b, mount, from);
    else if (there || (mount->kind == MOUNT_HOST && !place->if_exists))
        add_bind(b, there, from, place->path, mount->writes, mount->runs);
    else if (mount->kind == MOUNT_FIXED && !mount->writes)
        add_text(b, place->path, STR("")); // what the sandbox could make there, were it not for this
    else if (mount->kind == MOUNT_FIXED && !mount->runs)
        say_wider(b, place->rule, "programs there can be run, once there are");
}

// Runtimes work by it.
static void add_proc(struct bundle *b)
{
    const struct plan_view *place = NULL;
    bool whole = false;
    for (size_t i = 0; i < b->plan->view_count; i++) {
        whole |= b->plan->view[i].from == PLAN_SANDBOX && str_starts(b->plan->view[i].path, STR("/proc/"));
        if (b->plan->view[i].from == PLAN_PROC)
            place = &b->plan->view[i];
    }
    if (place && !str_is(place->path, "/proc"))
        b->why = emit_refusal(b->plan, place->rule, "a bundle has it at /proc alone");
    add_mount(b, "proc", STR("proc"), STR("/proc"),
              str_format(b->plan->arena, "nosuid nodev noexec%s%s", place && place->verbs & VERB_WRITE ? "" : " ro",
                         whole ? "" : " subset=pid")
                  .text);
    if (!place)
        say_wider(b, NO_RULE, "/proc is there, with the processes of the sandbox");
    else if (whole)
        say_wider(b, place->rule, "it tells of settings and state of the host");
}

static void add_place(struct bundle *b, size_t i)
{
    struct emit_mount mount = emit_mount_of(b->plan, i, true);
    const struct plan_view *place = mount.place;
    emit_wider_mount(b->wider, "", b->plan, &mount, true);
    switch (mount.kind) {
    case MOUNT_NONE:
    case MOUNT_UNSAID:
    case MOUNT_PROC:
    case MOUNT_DEV: break; // every bundle has one
    case MOUNT_HOST:
    case MOUNT_FIXED:
    case MOUNT_HIDDEN: add_host(b, &mount); break;
    case MOUNT_MEMORY: add_memory(b, place->path, mount.writes, mount.runs, mount.mode, mount.size); break;
    case MOUNT_SECRET: add_secret(b, place); break;
    case MOUNT_TEXT: add_text(b, place->path, place->text); break;
    case MOUNT_MADE: add_made(b, place); break;
    case MOUNT_OVERLAY:
        b->why = emit_refusal(b->plan, place->rule,
                              "a bundle shows no folder copy on write: show a copy, or the folder itself");
        break;
    case MOUNT_IMAGE:
        b->why = emit_refusal(b->plan, place->rule, "a bundle unpacks no image: unpack it, and show the folder");
    }
}

// Runtimes put devices there, whatever a bundle says.
static void add_devices(struct bundle *b)
{
    const struct plan_view *place = NULL;
    for (size_t i = 0; i < b->plan->view_count; i++)
        if (b->plan->view[i].from == PLAN_DEV)
            place = &b->plan->view[i];
    if (place && !str_is(place->path, "/dev"))
        b->why = emit_refusal(b->plan, place->rule, "a bundle has it at /dev alone");
    if (!place)
        say_wider(b, NO_RULE, "/dev is there, with null, zero, full, random, urandom, tty and terminals");
    add_memory(b, STR("/dev"), place && place->verbs & VERB_CREATE, false, 0755, 1 << 20);
    add_mount(b, "devpts", STR("devpts"), STR("/dev/pts"), "nosuid noexec newinstance ptmxmode=0666 mode=0620");
}

static bool finds_names(const struct plan *plan)
{
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && net_box_has_name(&plan->net[i].box))
            return !plan_verbs(plan, STR("/etc/resolv.conf"));
    return false;
}

static void add_mounts(struct bundle *b)
{
    json_open_member(&b->w, "mounts", '[');
    add_proc(b);
    add_devices(b);
    for (size_t i = 0; i < b->plan->view_count && !b->why.length; i++)
        add_place(b, i);
    if (finds_names(b->plan) && emit_what_is_there(STR("/etc/resolv.conf"))) {
        add_bind(b, THERE_FILE, STR("/etc/resolv.conf"), STR("/etc/resolv.conf"), false, false);
        say_wider(b, NO_RULE, "/etc/resolv.conf is shown, and the host's resolvers are asked");
    }
    json_close(&b->w, ']');
}

// ---- the process --------------------------------------------------------------------------------------------------

static void add_environment(struct bundle *b)
{
    json_open_member(&b->w, "env", '[');
    for (size_t i = 0; i < b->plan->env_count; i++) {
        const struct plan_env *env = &b->plan->env[i];
        const char *here = env->keep ? getenv(str_copy(b->plan->arena, env->name).text) : NULL;
        struct str value = env->keep ? str_from(here ? here : "") : env->value;
        if (!env->keep || here)
            json_string(&b->w, str_format(b->plan->arena, "%.*s=%.*s", STR_ARGS(env->name), STR_ARGS(value)));
    }
    json_close(&b->w, ']');
}

static void add_capabilities(struct bundle *b)
{
    static const char *const sets[] = {"bounding", "effective", "inheritable", "permitted", "ambient"};
    json_open_member(&b->w, "capabilities", '{');
    for (size_t set = 0; set < sizeof sets / sizeof *sets; set++) {
        json_open_member(&b->w, sets[set], '[');
        for (unsigned c = 0; c < CAPABILITY_COUNT; c++)
            if (b->plan->capabilities >> c & 1)
                json_string(&b->w, str_from(constant_name_of("CAP_", NULL, c, b->arch)));
        json_close(&b->w, ']');
    }
    json_close(&b->w, '}');
}

static void add_rlimits(struct bundle *b)
{
    static const struct {
        enum limit limit;
        const char *type;
    } rlimits[] = {{LIMIT_open_files, "RLIMIT_NOFILE"}, {LIMIT_file_size, "RLIMIT_FSIZE"}};
    json_open_member(&b->w, "rlimits", '[');
    for (size_t i = 0; i < sizeof rlimits / sizeof *rlimits; i++) {
        const struct plan_limit *limit = &b->plan->limits[rlimits[i].limit];
        if (!limit->set)
            continue;
        json_open(&b->w, '{');
        json_member(&b->w, "type", str_from(rlimits[i].type));
        json_member_number(&b->w, "hard", limit->value);
        json_member_number(&b->w, "soft", limit->value);
        json_close(&b->w, '}');
    }
    json_close(&b->w, ']');
}

static void add_process(struct bundle *b)
{
    json_open_member(&b->w, "process", '{');
    json_member_bool(&b->w, "terminal", false);
    json_open_member(&b->w, "user", '{');
    json_member_number(&b->w, "uid", b->user);
    json_member_number(&b->w, "gid", b->user);
    json_close(&b->w, '}');
    json_open_member(&b->w, "args", '[');
    for (size_t i = 0; i < b->plan->command_count; i++)
        json_string(&b->w, b->plan->command[i]);
    json_close(&b->w, ']');
    add_environment(b);
    json_member(&b->w, "cwd", b->plan->cwd.length ? b->plan->cwd : STR("/"));
    add_capabilities(b);
    add_rlimits(b);
    json_member_bool(&b->w, "noNewPrivileges", true);
    json_close(&b->w, '}');
    if (b->user == 0)
        say_wider(b, NO_RULE, "the user is the host's root, whom all its files belong to");
}

// ---- what Linux keeps ---------------------------------------------------------------------------------------------

static void add_namespaces(struct bundle *b)
{
    bool out = emit_reaches_out(b->plan);
    json_open_member(&b->w, "namespaces", '[');
    for (const char *at = out ? "pid ipc uts mount cgroup user" : "pid ipc uts mount cgroup user network"; *at;
         at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        json_open(&b->w, '{');
        json_member(&b->w, "type", (struct str){at, length});
        json_close(&b->w, '}');
        at += length;
    }
    json_close(&b->w, ']');
    emit_wider_network(b->wider, "", b->plan,
                       out ? "no address is compared, and the host's network is reached"
                           : "no address is compared; outside there is nothing but unix sockets that are shown");
    if (b->plan->proxy.set)
        say_wider(b, b->plan->proxy.rule, "the proxy is not asked");
}

// Capabilities are those of a user namespace, which knows the user, and root, who sets up what is in it.
static void add_mappings(struct bundle *b)
{
    static const char *const kinds[] = {"uidMappings", "gidMappings"};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        json_open_member(&b->w, kinds[kind], '[');
        for (int i = 0; i < (b->user ? 2 : 1); i++) {
            json_open(&b->w, '{');
            json_member_number(&b->w, "containerID", i ? b->user : 0);
            json_member_number(&b->w, "hostID", i ? b->user : 0);
            json_member_number(&b->w, "size", 1);
            json_close(&b->w, '}');
        }
        json_close(&b->w, ']');
    }
}

static void add_resources(struct bundle *b)
{
    const struct plan_limit *limits = b->plan->limits;
    const struct plan_limit *memory = &limits[LIMIT_memory], *swap = &limits[LIMIT_swap];
    unsigned kept = 1u << LIMIT_open_files | 1u << LIMIT_file_size | 1u << LIMIT_memory | 1u << LIMIT_cpu |
                    1u << LIMIT_cpu_weight | 1u << LIMIT_pids | (memory->set ? 1u << LIMIT_swap : 0);
    json_open_member(&b->w, "resources", '{');
    json_open_member(&b->w, "devices", '[');
    json_open(&b->w, '{');
    json_member_bool(&b->w, "allow", false);
    json_member(&b->w, "access", STR("rwm"));
    json_close(&b->w, '}');
    json_close(&b->w, ']');
    if (memory->set) {
        json_open_member(&b->w, "memory", '{');
        json_member_number(&b->w, "limit", memory->value);
        if (swap->set) // of both together
            json_member_number(&b->w, "swap",
                               memory->value > INT64_MAX - swap->value ? INT64_MAX : memory->value + swap->value);
        json_close(&b->w, '}');
    }
    if (limits[LIMIT_cpu].set || limits[LIMIT_cpu_weight].set)
        json_open_member(&b->w, "cpu", '{');
    if (limits[LIMIT_cpu].set) { // microseconds of processor time in so many of the clock's
        json_member_number(&b->w, "quota", limits[LIMIT_cpu].value * 100);
        json_member_number(&b->w, "period", 100000);
    }
    if (limits[LIMIT_cpu_weight].set) // as runtimes make a weight of it
        json_member_number(&b->w, "shares", 2 + ((limits[LIMIT_cpu_weight].value - 1) * 262142 + 9998) / 9999);
    if (limits[LIMIT_cpu].set || limits[LIMIT_cpu_weight].set)
        json_close(&b->w, '}');
    if (limits[LIMIT_pids].set) {
        json_open_member(&b->w, "pids", '{');
        json_member_number(&b->w, "limit", limits[LIMIT_pids].value);
        json_close(&b->w, '}');
    }
    json_close(&b->w, '}');
    emit_wider_limits(b->wider, "", b->plan, kept);
    emit_wider_requires(b->wider, "", b->plan);
}

static void add_linux(struct bundle *b)
{
    json_open_member(&b->w, "linux", '{');
    add_namespaces(b);
    add_mappings(b);
    add_resources(b);
    json_member_words(&b->w, "maskedPaths",
                      "/proc/acpi /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/scsi");
    json_member_words(&b->w, "readonlyPaths", "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger");
    json_key(&b->w, "seccomp");
    struct text why = {.arena = b->plan->arena};
    if (!emit_oci_seccomp(&b->w, &why, b->policy, b->arch))
        b->why = text_str(&why);
    json_close(&b->w, '}');
}

bool emit_oci(struct emit_folder *made, struct text *wider, struct policy *policy, const struct plan *plan,
              const struct emit_caller *caller, enum arch arch)
{
    struct text body = {.arena = plan->arena}, said = {.arena = plan->arena};
    struct bundle b = {.policy = policy,
                       .plan = plan,
                       .caller = caller,
                       .arch = arch,
                       .user = emit_user(plan, caller),
                       .w = {.text = &body, .lines = 2, .depth = 1, .after_value = true},
                       .made = made,
                       .wider = &said};
    emit_file_add(made, "rootfs", (struct str){0});
    emit_file_add(made, "files", (struct str){0});
    if (!plan->command_count)
        b.why = str_format(plan->arena, "a bundle runs a command: name it in %.*s, as `command \"/bin/sh\";`",
                           STR_ARGS(plan->name));
    json_member(&b.w, "hostname", STR("sbx"));
    json_open_member(&b.w, "root", '{');
    json_member(&b.w, "path", STR("rootfs"));
    json_member_bool(&b.w, "readonly", true);
    json_close(&b.w, '}');
    add_process(&b);
    add_mounts(&b);
    add_linux(&b);
    json_close(&b.w, '}');
    if (b.why.length) {
        text_add(wider, b.why.text, b.why.length);
        return false;
    }
    // What it can't say stands first.
    struct text config = {.arena = plan->arena};
    struct json_writer w = {.text = &config, .lines = 2};
    json_open(&w, '{');
    json_member(&w, "ociVersion", STR("1.1.0"));
    json_open_member(&w, "annotations", '{');
    json_member(&w, "sbx.policy", plan->name);
    json_member(&w, "sbx.wider", said.length ? text_str(&said) : STR(""));
    json_close(&w, '}');
    text_add(&config, body.data, body.length);
    emit_file_add(made, "config.json", text_str(&config));
    if (said.length)
        text_add(wider, said.data, said.length);
    return true;
}
