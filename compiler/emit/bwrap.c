// bubblewrap's command lines.
#include "compiler/emit/bwrap.h"

#include <string.h>

#include "compiler/emit/places.h"

struct script {
    const struct plan *plan;
    struct text wider, options, last, data; // last: options that have to follow all others; data: what is read from it
    unsigned descriptor;
    struct str why; // why there is no such line; empty: none yet
};

static void say_wider(struct script *s, uint32_t rule, const char *what)
{
    emit_wider(&s->wider, "# ", s->plan, rule, what);
}

// ---- words of the shell -------------------------------------------------------------------------------------------

static void add_word(struct text *out, struct str word)
{
    bool plain = word.length;
    for (size_t i = 0; i < word.length; i++)
        plain &= (word.text[i] | 32) >= 'a' && (word.text[i] | 32) <= 'z' ? true
                 : word.text[i] ? strchr("0123456789/._-+,:@%=", word.text[i]) != NULL
                                : false;
    if (plain) {
        text_add(out, word.text, word.length);
        return;
    }
    text_addf(out, "'");
    for (size_t i = 0; i < word.length; i++)
        if (word.text[i] == '\'')
            text_addf(out, "'\\''");
        else
            text_add(out, word.text + i, 1);
    text_addf(out, "'");
}

static void add_host(struct text *out, const struct plan *plan, enum plan_base base, struct str host)
{
    static const char *const folders[PLAN_BASE_COUNT] = {[PLAN_CWD] = "\"$PWD\"/", [PLAN_HOME] = "\"$HOME\"/"};
    if (folders[base])
        text_addf(out, "%s", folders[base]);
    add_word(out, base == PLAN_POLICY ? str_format(out->arena, "%.*s/%.*s", STR_ARGS(plan->folder), STR_ARGS(host))
                                      : host);
}

static void option_path(struct text *out, const char *option, struct str path)
{
    text_addf(out, "  %s ", option);
    add_word(out, path);
    text_addf(out, " \\\n");
}

// A file of the sandbox's, with what a command of the shell writes; that follows.
static void option_data(struct script *s, const char *mode, struct str path)
{
    text_addf(&s->options, "  --perms %s --ro-bind-data %u ", mode, s->descriptor);
    add_word(&s->options, path);
    text_addf(&s->options, " \\\n");
    text_addf(&s->data, " \\\n  %u< <(", s->descriptor++);
}

// Such a name stands in the script as it is.
static bool is_variable(struct script *s, struct str name)
{
    bool good = name.length && !(name.text[0] >= '0' && name.text[0] <= '9');
    for (size_t i = 0; i < name.length; i++)
        good &= name.text[i] == '_' || (name.text[i] >= '0' && name.text[i] <= '9') ||
                ((name.text[i] | 32) >= 'a' && (name.text[i] | 32) <= 'z');
    if (!good)
        s->why = str_format(s->plan->arena, "bash has no variable `%.*s`: name it by letters, digits and `_`",
                            STR_ARGS(name));
    return good;
}

// ---- files --------------------------------------------------------------------------------------------------------

// What of the host is at the mount's place.
static void add_content(struct text *out, const struct script *s, const struct emit_mount *mount)
{
    struct str beneath = emit_beneath(mount);
    add_host(out, s->plan, mount->content->base, mount->content->host);
    if (beneath.length)
        add_word(out, beneath);
}

// What the sandbox could make there, were it not for this mount, is kept by an empty file, as by one of sbxrun's own.
static void keep_from_writing(struct script *s, const struct emit_mount *mount)
{
    text_addf(&s->options, "  --ro-bind \"$(test -e ");
    add_content(&s->options, s, mount);
    text_addf(&s->options, " && echo ");
    add_content(&s->options, s, mount);
    text_addf(&s->options, " || echo /dev/null)\" ");
    add_word(&s->options, mount->place->path);
    text_addf(&s->options, " \\\n");
}

static void show_host(struct script *s, const struct emit_mount *mount)
{
    bool overlay = mount->kind == MOUNT_OVERLAY;
    const char *option = overlay ? "overlay-src" : mount->writes ? "bind" : "ro-bind";
    text_addf(&s->options, "  --%s%s ", option, mount->place->if_exists && !overlay ? "-try" : "");
    add_content(&s->options, s, mount);
    if (overlay) {
        text_addf(&s->options, " --tmp-overlay");
        say_wider(s, mount->content->rule, "what differs is as large as it gets");
    }
    text_addf(&s->options, " ");
    add_word(&s->options, mount->place->path);
    text_addf(&s->options, " \\\n");
}

static void show_memory(struct script *s, const struct emit_mount *mount)
{
    text_addf(&s->options, "  --perms %04o --size %llu --tmpfs ", mount->mode, (unsigned long long)mount->size);
    add_word(&s->options, mount->place->path);
    text_addf(&s->options, " \\\n");
    if (!mount->writes)
        option_path(&s->last, "--remount-ro", mount->place->path);
}

// A file becomes one that can't be opened (devices of a mount can't be), a folder an empty one.
static void hide(struct script *s, const struct emit_mount *mount)
{
    text_addf(&s->options, "  $(test -d ");
    add_content(&s->options, s, mount);
    text_addf(&s->options, " && echo --perms 0111 --tmpfs || echo --ro-bind /dev/null) ");
    add_word(&s->options, mount->place->path);
    text_addf(&s->options, " \\\n");
    option_path(&s->last, "--remount-ro", mount->place->path);
}

static void show_made(struct script *s, const struct plan_view *place)
{
    enum sandbox_file file = (enum sandbox_file)sandbox_file_find(place->text);
    const char *host, *text = emit_made(file, &host);
    if (file == SANDBOX_FILE_folder) {
        option_path(&s->options, "--dir", place->path);
    } else if (host) {
        text_addf(&s->options, "  --ro-bind-try %s ", host);
        add_word(&s->options, place->path);
        text_addf(&s->options, " \\\n");
        say_wider(s, place->rule, "the file is the host's own");
    } else {
        option_data(s, "0444", place->path);
        text_addf(&s->data, text ? "printf %%s '" : file == SANDBOX_FILE_machine_id ? "tr -d - <" : "cat ");
        for (const char *at = text ? text : "/proc/sys/kernel/random/uuid"; *at; at++)
            text_addf(&s->data, *at == '@' ? "'\"$uid\"'" : "%c", *at);
        text_addf(&s->data, text ? "')" : ")");
    }
}

static void show_secret(struct script *s, const struct plan_view *place)
{
    const struct plan_secret *secret = plan_secret_find(s->plan, place->secret);
    option_data(s, "0400", place->path);
    if (secret->variable.length && is_variable(s, secret->variable)) {
        text_addf(&s->data, "printf %%s \"${%.*s?}\")", STR_ARGS(secret->variable));
    }
    if (secret->variable.length)
        return;
    text_addf(&s->data, "cat ");
    add_host(&s->data, s->plan, secret->base, secret->host);
    text_addf(&s->data, ")");
}

static void show_place(struct script *s, size_t i)
{
    struct emit_mount mount = emit_mount_of(s->plan, i, false);
    const struct plan_view *place = mount.place;
    emit_wider_mount(&s->wider, "# ", s->plan, &mount, false);
    switch (mount.kind) {
    case MOUNT_NONE:
    case MOUNT_UNSAID: break;
    case MOUNT_HOST:
    case MOUNT_OVERLAY: show_host(s, &mount); break;
    case MOUNT_FIXED: keep_from_writing(s, &mount); break;
    case MOUNT_HIDDEN: hide(s, &mount); break;
    case MOUNT_MEMORY: show_memory(s, &mount); break;
    case MOUNT_PROC:
        option_path(&s->options, "--proc", place->path);
        if (!mount.writes)
            option_path(&s->last, "--remount-ro", place->path);
        say_wider(s, place->rule, "it tells of bwrap's own process, and of settings and state of the host");
        break;
    case MOUNT_DEV:
        option_path(&s->options, "--dev", place->path);
        if (!(place->verbs & VERB_CREATE))
            option_path(&s->last, "--remount-ro", place->path);
        say_wider(s, place->rule, "the caller's terminal is there, as console");
        break;
    case MOUNT_SECRET: show_secret(s, place); break;
    case MOUNT_TEXT:
        option_data(s, "0444", place->path);
        text_addf(&s->data, "printf %%s ");
        add_word(&s->data, place->text);
        text_addf(&s->data, ")");
        break;
    case MOUNT_MADE: show_made(s, place); break;
    case MOUNT_IMAGE:
        s->why = emit_refusal(s->plan, place->rule, "bubblewrap unpacks no image: unpack it, and show the folder");
    }
}

// ---- the rest -----------------------------------------------------------------------------------------------------

static void add_identity(struct script *s, struct text *out)
{
    static const char *const users[PLAN_USER_COUNT] = {
        [PLAN_USER_NOBODY] = "65534", [PLAN_USER_ROOT] = "0", [PLAN_USER_SELF] = "$(id -u)"};
    text_addf(out, "uid=");
    if (s->plan->user == PLAN_USER_NUMBER)
        text_addf(out, "%u\n", s->plan->user_number);
    else
        text_addf(out, "%s\n", users[s->plan->user]);
    text_addf(&s->options, "  --unshare-user --uid \"$uid\" --gid \"$uid\" \\\n  --cap-drop ALL \\\n");
    for (unsigned c = 0; c < CAPABILITY_COUNT; c++) {
        const char *name = s->plan->capabilities >> c & 1 ? constant_name_of("CAP_", NULL, c, ARCH_X86_64) : NULL;
        if (name)
            text_addf(&s->options, "  --cap-add %s \\\n", name);
    }
}

static void add_network(struct script *s)
{
    bool out = emit_reaches_out(s->plan), names = false;
    if (!out)
        text_addf(&s->options, "  --unshare-net \\\n");
    emit_wider_network(&s->wider, "# ", s->plan,
                       out ? "no address is compared, and the host's network is reached"
                           : "no address is compared; outside there is nothing but unix sockets that are shown");
    for (size_t i = 0; i < s->plan->net_count; i++)
        names |= !s->plan->net[i].deny && net_box_has_name(&s->plan->net[i].box);
    if (names && !plan_verbs(s->plan, STR("/etc/resolv.conf"))) {
        text_addf(&s->options, "  --ro-bind-try /etc/resolv.conf /etc/resolv.conf \\\n");
        say_wider(s, NO_RULE, "/etc/resolv.conf is shown, and the host's resolvers are asked");
    }
    if (s->plan->proxy.set)
        say_wider(s, s->plan->proxy.rule, "the proxy is not asked");
}

static void add_environment(struct script *s)
{
    text_addf(&s->options, "  --clearenv \\\n");
    for (size_t i = 0; i < s->plan->env_count; i++) {
        const struct plan_env *env = &s->plan->env[i];
        if (env->keep && is_variable(s, env->name))
            text_addf(&s->options, "  ${%.*s+--setenv %.*s \"$%.*s\"} \\\n", STR_ARGS(env->name), STR_ARGS(env->name),
                      STR_ARGS(env->name));
        if (env->keep)
            continue;
        text_addf(&s->options, "  --setenv ");
        add_word(&s->options, env->name);
        text_addf(&s->options, " ");
        add_word(&s->options, env->value);
        text_addf(&s->options, " \\\n");
    }
}

static void add_byte_triple(struct text *out, const uint8_t *bytes, size_t count) // RFC 4648 §4
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < count ? bytes[i] : 0);
    for (size_t i = 0; i < 4; i++)
        text_addf(out, "%c", i > count ? '=' : letters[bits >> (18 - 6 * i) & 63]);
}

// The filter, by which what sbxrun would do in the command's place is the command's to do.
static void add_filter(struct script *s, enum arch arch)
{
    enum { LINE = 81 };
    struct bpf_program program =
        cbpf_answering(s->plan->arena, &s->plan->filters[arch], SECCOMP_NOTIFY, SECCOMP_ALLOW);
    size_t length = program.length * sizeof *program.code;
    text_addf(&s->options, "  --seccomp %u \\\n", s->descriptor);
    text_addf(&s->data, " \\\n  %u< <(base64 -d <<'FILTER'", s->descriptor++);
    for (size_t i = 0; i < length; i += 3) {
        if (i % LINE == 0)
            text_addf(&s->data, "\n");
        add_byte_triple(&s->data, (const uint8_t *)program.code + i, length - i < 3 ? length - i : 3);
    }
    text_addf(&s->data, "\nFILTER\n)\n");
}

static void add_command(struct script *s, struct text *out)
{
    text_addf(out, "  --");
    for (size_t i = 0; i < s->plan->command_count; i++) {
        text_addf(out, " ");
        add_word(out, s->plan->command[i]);
    }
    if (!s->plan->command_count)
        text_addf(out, " \"$@\"");
}

bool emit_bwrap(struct text *out, const struct plan *plan, enum arch arch, struct str *why)
{
    struct arena *arena = plan->arena;
    struct script s = {plan, {.arena = arena}, {.arena = arena}, {.arena = arena}, {.arena = arena}, 10, {0}};
    struct text head = {.arena = arena};
    add_identity(&s, &head);
    text_addf(&s.options, "  --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup --hostname sbx \\\n"
                          "  --die-with-parent --new-session \\\n");
    for (size_t i = 0; i < plan->view_count && !s.why.length; i++)
        show_place(&s, i);
    add_network(&s);
    emit_wider_limits(&s.wider, "# ", plan, 0);
    emit_wider_requires(&s.wider, "# ", plan);
    add_environment(&s);
    *why = s.why;
    if (s.why.length)
        return false;
    text_addf(&s.last, "  --remount-ro / \\\n");
    option_path(&s.last, "--chdir", plan->cwd.length ? plan->cwd : STR("/"));
    add_filter(&s, arch);
    text_addf(out,
              "#!/bin/bash\n# The policy %.*s, for bubblewrap on %s. Made by sbxc. Wider than the policy is:\n",
              STR_ARGS(plan->name), arch_names[arch]);
    for (size_t i = 0; i < 4; i++) {
        const struct text *part = (const struct text *[]){&s.wider, &head, &s.options, &s.last}[i];
        if (i == 2)
            text_addf(out, "exec bwrap \\\n");
        text_add(out, part->data, part->length);
    }
    add_command(&s, out);
    text_add(out, s.data.data, s.data.length);
    return true;
}
