// systemd's units.
#include "compiler/emit/systemd.h"

#include <string.h>

#include "compiler/sets/seccomp.h"

struct unit {
    struct policy *policy;
    const struct plan *plan;
    const struct emit_caller *caller;
    enum arch arch;
    uint32_t user;
    unsigned credentials;
    struct text wider, settings;
    struct str why; // why there is no such unit; empty: none yet
};

static void say_wider(struct unit *u, uint32_t rule, const char *what)
{
    emit_wider(&u->wider, "# ", u->plan, rule, what);
}

static void set(struct unit *u, const char *name, const char *value)
{
    text_addf(&u->settings, "%s=%s\n", name, value);
}

// ---- words of a unit ----------------------------------------------------------------------------------------------

// With C's escapes (systemd.syntax(7)), and what stands for a percent sign where specifiers do (systemd.unit(5)).
static void add_escaped(struct text *out, struct str word, const char *percent)
{
    for (size_t i = 0; i < word.length; i++) {
        unsigned char c = (unsigned char)word.text[i];
        if (c < 0x20 || c == 0x7F || (c == ' ' && i + 1 == word.length)) // a line's last space is none
            text_addf(out, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            text_addf(out, "\\%c", c);
        else if (c == '%')
            text_addf(out, "%s", percent);
        else
            text_addf(out, "%c", c);
    }
}

static void add_quoted(struct text *out, const char *before, struct str word)
{
    text_addf(out, "\"%s", before);
    add_escaped(out, word, "%%");
    text_addf(out, "\"");
}

// Settings with paths know no escapes, and colons part what they name.
static struct str path_word(struct unit *u, struct str path)
{
    struct text word = {.arena = u->plan->arena};
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.text[i];
        if (c < 0x20 || c == 0x7F || strchr(":\"\\", c)) {
            u->why = str_format(u->plan->arena, "a unit can't name a path with `%s%c`: give the file another name",
                                c < 0x20 || c == 0x7F ? "\\" : "", c < 0x20 || c == 0x7F ? 'x' : c);
            break;
        }
        text_addf(&word, c == '%' ? "%%%%" : "%c", c);
    }
    return text_str(&word);
}

static void set_path(struct unit *u, const char *name, bool if_exists, struct str path)
{
    text_addf(&u->settings, "%s=\"%s%.*s\"\n", name, if_exists ? "-" : "", STR_ARGS(path_word(u, path)));
}

static void bind(struct unit *u, bool writes, bool if_exists, struct str from, struct str to)
{
    text_addf(&u->settings, "%s=\"%s%.*s\":\"%.*s\"\n", writes ? "BindPaths" : "BindReadOnlyPaths",
              if_exists ? "-" : "", STR_ARGS(path_word(u, from)), STR_ARGS(path_word(u, to)));
}

// Of several settings about one path systemd keeps the flags, and the mount of one: not the memory, beside others. So
// nothing else is said of that path.
static void set_memory(struct unit *u, struct str path, bool writes, bool runs, unsigned mode, uint64_t size)
{
    text_addf(&u->settings, "TemporaryFileSystem=\"%.*s:%s,nosuid,nodev,%smode=%04o,size=%llu",
              STR_ARGS(path_word(u, path)), writes ? "rw" : "ro", runs ? "" : "noexec,", mode,
              (unsigned long long)size);
    text_addf(&u->settings, writes ? ",uid=%u,gid=%u\"\n" : "\"\n", u->user, u->user);
}

static void set_empty(struct unit *u, const char *path, unsigned mode)
{
    set_memory(u, str_from(path), false, false, mode, 1 << 20);
}

// ---- files --------------------------------------------------------------------------------------------------------

// Credentials lie in memory, and are the user's.
static void show_credential(struct unit *u, struct str path)
{
    text_addf(&u->settings, "BindReadOnlyPaths=/run/credentials/%%n/sbx-%u:\"%.*s\"\n", u->credentials++,
              STR_ARGS(path_word(u, path)));
}

static void show_text(struct unit *u, struct str path, struct str text)
{
    text_addf(&u->settings, "SetCredential=sbx-%u:", u->credentials);
    add_escaped(&u->settings, text, "%");
    text_addf(&u->settings, "\n");
    show_credential(u, path);
}

static void show_secret(struct unit *u, const struct plan_view *place)
{
    const struct plan_secret *secret = plan_secret_find(u->plan, place->secret);
    struct str from = {0};
    if (secret->variable.length) {
        u->why = emit_refusal(u->plan, secret->rule,
                              "a unit has no caller with an environment: take the secret from a file");
        return;
    }
    if (!emit_host_path(u->plan, u->caller, secret->base, secret->host, secret->rule, &from, &u->why))
        return;
    text_addf(&u->settings, "LoadCredential=sbx-%u:%.*s\n", u->credentials, STR_ARGS(path_word(u, from)));
    show_credential(u, place->path);
}

static void show_made(struct unit *u, const struct plan_view *place)
{
    enum sandbox_file file = (enum sandbox_file)sandbox_file_find(place->text);
    const char *host, *text = emit_made(file, &host);
    if (file == SANDBOX_FILE_folder) {
        set_empty(u, place->path.text, 0755);
    } else if (host) {
        bind(u, false, true, str_from(host), place->path);
        say_wider(u, place->rule, "the file is the host's own");
    } else {
        show_text(u, place->path, emit_made_text(u->plan, file, u->user));
        if (!text)
            say_wider(u, place->rule, "the number is the same in each run");
    }
}

static void show_host(struct unit *u, const struct emit_mount *mount)
{
    struct str from = {0};
    if (!emit_host_path(u->plan, u->caller, mount->content->base, mount->content->host, mount->place->rule, &from,
                        &u->why))
        return;
    bind(u, mount->writes, mount->place->if_exists,
         str_format(u->plan->arena, "%.*s%.*s", STR_ARGS(from), STR_ARGS(emit_beneath(mount))), mount->place->path);
}

static bool lies_in(struct unit *u, const char *folder)
{
    for (size_t i = 0; i < u->plan->view_count; i++)
        if (str_starts(u->plan->view[i].path, str_from(folder)))
            return true;
    return false;
}

// Where systemd makes a user namespace it writes to it, so there is always one, and it can be written.
static void show_proc(struct unit *u)
{
    bool whole = lies_in(u, "/proc/");
    const struct plan_view *place = NULL;
    for (size_t i = 0; i < u->plan->view_count; i++)
        if (u->plan->view[i].from == PLAN_PROC)
            place = &u->plan->view[i];
    set(u, "ProtectProc", "invisible");
    set(u, "ProcSubset", whole ? "all" : "pid");
    struct text what = {.arena = u->plan->arena};
    text_addf(&what, "/proc shows the processes of other services of this user");
    if (whole)
        text_addf(&what, ", and settings and state of the host");
    if (!place || !(place->verbs & VERB_WRITE))
        text_addf(&what, ", and their settings can be written");
    say_wider(u, place ? place->rule : NO_RULE, text_str(&what).text);
}

static bool is_at(struct unit *u, const struct plan_view *place, const char *path)
{
    if (!str_is(place->path, path))
        u->why = emit_refusal(u->plan, place->rule, str_format(u->plan->arena, "a unit has it at %s alone", path).text);
    return str_is(place->path, path);
}

static void show_place(struct unit *u, size_t i)
{
    struct emit_mount mount = emit_mount_of(u->plan, i, true);
    const struct plan_view *place = mount.place;
    emit_wider_mount(&u->wider, "# ", u->plan, &mount, true);
    switch (mount.kind) {
    case MOUNT_NONE:
    case MOUNT_UNSAID: return;
    case MOUNT_HOST: show_host(u, &mount); break;
    case MOUNT_FIXED:
        if (!mount.writes)
            set_path(u, "ReadOnlyPaths", false, place->path);
        break;
    case MOUNT_HIDDEN:
        if (mount.spares)
            set_empty(u, place->path.text, 0111);
        else
            set_path(u, "InaccessiblePaths", !mount.made_by_writing, place->path);
        return;
    case MOUNT_MEMORY: set_memory(u, place->path, mount.writes, mount.runs, mount.mode, mount.size); return;
    case MOUNT_PROC: is_at(u, place, "/proc"); return;
    case MOUNT_DEV:
        if (!is_at(u, place, "/dev"))
            return;
        set(u, "PrivateDevices", "yes");
        set_empty(u, "/dev/mqueue", 0111); // the host's
        set_empty(u, "/dev/hugepages", 0111);
        say_wider(u, place->rule, "it shows the host's terminals");
        return;
    case MOUNT_SECRET: show_secret(u, place); return;
    case MOUNT_TEXT: show_text(u, place->path, place->text); return;
    case MOUNT_MADE: show_made(u, place); return;
    case MOUNT_OVERLAY:
        u->why = emit_refusal(u->plan, place->rule,
                              "a unit shows no folder copy on write: show a copy, or the folder itself");
        return;
    case MOUNT_IMAGE:
        u->why = emit_refusal(u->plan, place->rule, "a unit unpacks no image: unpack it, and show the folder");
        return;
    }
    set_path(u, mount.runs ? "ExecPaths" : "NoExecPaths", place->if_exists, place->path);
}

// With /proc systemd shows /sys, too. It is hidden with all beneath it; where something beneath is shown, no more than
// that folder can be.
static void hide_sys(struct unit *u)
{
    if (!lies_in(u, "/sys/")) {
        set(u, "InaccessiblePaths", "-/sys");
        return;
    }
    set(u, "ReadOnlyPaths", "/sys");
    say_wider(u, NO_RULE, "/sys is the host's, and can be read");
    struct str last = STR("");
    for (size_t i = 0; i < u->plan->view_count; i++) {
        struct str path = u->plan->view[i].path;
        if (!str_starts(path, STR("/sys/")))
            continue;
        const char *end = strchr(path.text + strlen("/sys/"), '/');
        struct str folder = {path.text, end ? (size_t)(end - path.text) : path.length};
        if (end && !str_equal(folder, last))
            set_memory(u, folder, false, false, 0755, 1 << 20);
        last = folder;
    }
}

static void add_files(struct unit *u)
{
    if (!plan_verbs(u->plan, STR("/")))
        set_empty(u, "/", 0755);
    show_proc(u);
    if (!plan_verbs(u->plan, STR("/run"))) // where systemd has files of its own
        set_empty(u, "/run", 0755);
    if (!plan_verbs(u->plan, STR("/sys")))
        hide_sys(u);
    for (size_t i = 0; i < u->plan->view_count && !u->why.length; i++)
        show_place(u, i);
}

// ---- system calls -------------------------------------------------------------------------------------------------

enum { ANYTHING = -1 };

struct question { // may the call have an argument with these bits?
    const char *call;
    int argument; // or ANYTHING
    uint32_t bits;
    int second; // the same of another
    uint32_t second_bits;
};

static graph_node with_bits(struct graph *graph, graph_node node, int argument, uint32_t bits)
{
    if (argument == ANYTHING)
        return node;
    struct graph_interval all = {bits, bits};
    graph_node yes = graph_leaf(graph, 1), no = graph_leaf(graph, 0);
    return graph_select(graph, graph_test(graph, WORD_LOW(argument), bits, &all, 1, yes, no), node,
                        graph_leaf(graph, SECCOMP_KILL));
}

static bool answers(struct unit *u, graph_node node, uint32_t answer)
{
    uint32_t words[SECCOMP_WORDS] = {0};
    return graph_find(u->policy->graph, node, answer, words, SECCOMP_WORDS) != 0; // given up: it may
}

static bool may(struct unit *u, const struct question *q)
{
    struct graph *graph = u->policy->graph;
    int call = syscall_find(str_from(q->call));
    if (call < 0 || syscall_row((size_t)call)->number[u->arch] < 0)
        return false;
    graph_node node = policy_call(u->policy, u->arch, (size_t)call);
    node = with_bits(graph, node, q->argument, q->bits);
    node = with_bits(graph, node, q->second_bits ? q->second : ANYTHING, q->second_bits);
    return answers(u, node, SECCOMP_ALLOW);
}

#define SET_ID(call, argument, bit)                                                                                    \
    {                                                                                                                  \
        call, argument, 0##bit, 0, 0                                                                                   \
    }
#define SET_IDS(call, argument) SET_ID(call, argument, 2000), SET_ID(call, argument, 4000)
#define MAKES_SET_IDS(call, flags, mode)                                                                               \
    {call, mode, 02000, flags, 0100},                                                                                  \
    {                                                                                                                  \
        call, mode, 04000, flags, 0100                                                                                 \
    }
#define MAKES_NAMESPACES(call, argument)                                                                               \
    {call, argument, 0x00020000, 0, 0}, {call, argument, 0x02000000, 0, 0}, {call, argument, 0x04000000, 0, 0},        \
        {call, argument, 0x08000000, 0, 0}, {call, argument, 0x10000000, 0, 0}, {call, argument, 0x20000000, 0, 0},    \
    {                                                                                                                  \
        call, argument, 0x40000000, 0, 0                                                                               \
    }

// What such a setting keeps from being done (systemd.exec(5)); it is given where the policy allows none of that.
static const struct {
    const char *setting;
    struct question questions[20];
} kept[] = {
    {"RestrictNamespaces", // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
     {MAKES_NAMESPACES("clone", 0),
      MAKES_NAMESPACES("unshare", 0),
      {"setns", ANYTHING, 0, 0, 0},
      {"clone3", ANYTHING, 0, 0, 0}}},
    {"RestrictSUIDSGID", // S_ISGID, S_ISUID; where files are made (O_CREAT, on both architectures), too
     {SET_IDS("chmod", 1),
      SET_IDS("fchmod", 1),
      SET_IDS("fchmodat", 2),
      SET_IDS("mkdir", 1),
      SET_IDS("mkdirat", 2),
      SET_IDS("creat", 1),
      MAKES_SET_IDS("open", 1, 2),
      MAKES_SET_IDS("openat", 2, 3),
      {"openat2", ANYTHING, 0, 0, 0},
      {"fchmodat2", 2, 02000, 0, 0},
      {"fchmodat2", 2, 04000, 0, 0}}},
    {"MemoryDenyWriteExecute", // PROT_WRITE | PROT_EXEC; PROT_EXEC; SHM_EXEC
     {{"mmap", 2, 6, 0, 0}, {"mprotect", 2, 4, 0, 0}, {"pkey_mprotect", 2, 4, 0, 0}, {"shmat", 2, 0100000, 0, 0}}},
};

static void add_kept(struct unit *u)
{
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        bool allowed = false;
        for (size_t q = 0; q < sizeof kept[i].questions / sizeof *kept[i].questions && kept[i].questions[q].call; q++)
            allowed |= may(u, &kept[i].questions[q]);
        if (!allowed)
            set(u, kept[i].setting, "yes");
    }
}

static void add_families(struct unit *u)
{
    enum { FAMILIES = 46 }; // AF_MAX
    struct graph *graph = u->policy->graph;
    graph_node socket = policy_call(u->policy, u->arch, (size_t)syscall_find(STR("socket")));
    size_t found = 0;
    text_addf(&u->settings, "RestrictAddressFamilies=");
    for (uint32_t family = 0; family < FAMILIES; family++) {
        struct graph_interval one = {family, family};
        const char *name = constant_name_of("AF_", NULL, family, u->arch);
        graph_node node = graph_select(
            graph, graph_test(graph, WORD_LOW(0), UINT32_MAX, &one, 1, graph_leaf(graph, 1), graph_leaf(graph, 0)),
            socket, graph_leaf(graph, SECCOMP_KILL));
        if (name && answers(u, node, SECCOMP_ALLOW))
            text_addf(&u->settings, "%s%s", found++ ? " " : "", name);
    }
    text_addf(&u->settings, found ? "\n" : "none\n");
}

// The rules by which a call is allowed with some arguments and not with others.
// False: they are none that somebody wrote, but what follows from others.
static bool say_arguments(struct unit *u, size_t call, bool *said)
{
    static const struct {
        const char *call, *what;
    } some[] = {{"clone", "of its arguments only namespaces are compared"},
                {"socket", "of its arguments only the family is compared"}};
    const char *what = "no argument is compared";
    bool written = false;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        if (strcmp(some[i].call, syscall_row(call)->name) == 0)
            what = some[i].what;
    for (const struct call_rule *rule = u->policy->calls[call]; rule; rule = rule->next) {
        uint32_t number = rule->rule->number;
        bool compares = !rule->rule->derived && (rule->match->tests[u->arch] || rule->except);
        if (!said[number] && compares)
            say_wider(u, number, what);
        written |= compares;
        said[number] = true;
    }
    return written;
}

// Calls that systemd lets every unit make are taken from its list first.
static void add_calls(struct unit *u)
{
    struct text list = {.arena = u->plan->arena}, derived = {.arena = u->plan->arena};
    bool *said = NEW_ARRAY(u->plan->arena, bool, u->policy->rule_count);
    uint32_t fallback = (uint32_t)u->policy->fallback.number;
    for (size_t call = 0; call < syscall_count(); call++) {
        if (syscall_row(call)->number[u->arch] < 0)
            continue;
        graph_node node = policy_call(u->policy, u->arch, call);
        if (!answers(u, node, SECCOMP_ALLOW))
            continue;
        text_addf(&list, " %s", syscall_row(call)->name);
        if (graph_at(u->policy->graph, node)->run_count && !say_arguments(u, call, said))
            text_addf(&derived, " %s", syscall_row(call)->name);
    }
    if (derived.length)
        say_wider(u, NO_RULE,
                  str_format(u->plan->arena, "arguments, but for what a setting keeps, are not compared of%.*s",
                             STR_ARGS(text_str(&derived)))
                      .text);
    set(u, "SystemCallArchitectures", u->arch == ARCH_AARCH64 ? "arm64" : "x86-64");
    set(u, "SystemCallFilter", "@default");
    set(u, "SystemCallFilter", "~@default");
    if (list.length) // an empty one would be no filter
        text_addf(&u->settings, "SystemCallFilter=%.*s\n", STR_ARGS(text_str(&list)));
    if (fallback != SECCOMP_KILL)
        set(u, "SystemCallErrorNumber", errno_name((int)(fallback & 0xFFFF)));
    add_kept(u);
    add_families(u);
}

// ---- the network --------------------------------------------------------------------------------------------------

static void add_prefix(struct str prefix, void *list)
{
    text_addf(list, " %.*s", STR_ARGS(prefix));
}

// Whether addresses alone say whom the policy lets it talk to; then those are in the list. Who may be connected to from
// anywhere is not held to any.
static bool list_addresses(struct unit *u, struct text *list)
{
    for (size_t i = 0; i < u->plan->net_count; i++) {
        const struct net_box *box = &u->plan->net[i].box;
        if (u->plan->net[i].deny || box->place == NET_UNIX)
            continue;
        if (net_box_is_loopback(box) || box->place == NET_HOST_LOOPBACK) {
            text_addf(list, " localhost");
            continue;
        }
        if (box->place != NET_ADDRESS || box->verbs != VERB_CONNECT)
            return false;
        emit_prefixes(u->plan->arena, box->first, box->last, add_prefix, list);
    }
    return true;
}

static void add_network(struct unit *u)
{
    bool out = emit_reaches_out(u->plan), names = false;
    struct text list = {.arena = u->plan->arena};
    bool compared = out && list_addresses(u, &list);
    set(u, "PrivateNetwork", out ? "no" : "yes");
    if (compared) {
        set(u, "IPAddressDeny", "any");
        text_addf(&u->settings, "IPAddressAllow=%.*s\n", STR_ARGS(text_str(&list)));
    }
    emit_wider_network(&u->wider, "# ", u->plan,
                       compared ? "no port is compared, and loopback is the host's"
                       : out    ? "no address is compared, and the host's network is reached"
                                : "no address is compared; outside there is nothing but unix sockets that are shown");
    for (size_t i = 0; i < u->plan->net_count; i++)
        names |= !u->plan->net[i].deny && net_box_has_name(&u->plan->net[i].box);
    if (names && !plan_verbs(u->plan, STR("/etc/resolv.conf"))) {
        bind(u, false, true, STR("/etc/resolv.conf"), STR("/etc/resolv.conf"));
        say_wider(u, NO_RULE, "/etc/resolv.conf is shown, and the host's resolvers are asked");
    }
    if (u->plan->proxy.set)
        say_wider(u, u->plan->proxy.rule, "the proxy is not asked");
}

// ---- the rest -----------------------------------------------------------------------------------------------------

static void add_identity(struct unit *u)
{
    text_addf(&u->settings, "User=%u\nGroup=%u\n", u->user, u->user);
    set(u, "SupplementaryGroups", "");
    set(u, "PrivateUsers", "yes");
    set(u, "NoNewPrivileges", "yes");
    for (int ambient = 0; ambient < 2; ambient++) {
        text_addf(&u->settings, ambient ? "AmbientCapabilities=" : "CapabilityBoundingSet=");
        for (unsigned c = 0; c < CAPABILITY_COUNT; c++)
            if (u->plan->capabilities >> c & 1)
                text_addf(&u->settings, " %s", constant_name_of("CAP_", NULL, c, u->arch));
        text_addf(&u->settings, "\n");
    }
    set(u, "KeyringMode", "private");
    set(u, "PrivateIPC", "yes");
    set(u, "ProtectHostname", "yes");
    if (u->user == 0)
        say_wider(u, NO_RULE, "the user is the host's root, whom all its files belong to");
    say_wider(u, NO_RULE, "processes of other services of the same user can be signalled, and the host's name is seen");
}

static void add_environment(struct unit *u)
{
    static const char *const given[] = {"LANG",
                                        "USER",
                                        "LOGNAME",
                                        "HOME",
                                        "SHELL",
                                        "PATH",
                                        "TERM",
                                        "INVOCATION_ID",
                                        "MANAGERPID",
                                        "JOURNAL_STREAM",
                                        "SYSTEMD_EXEC_PID",
                                        "NOTIFY_SOCKET",
                                        "LISTEN_PID",
                                        "LISTEN_FDS",
                                        "CREDENTIALS_DIRECTORY"};
    bool named[sizeof given / sizeof *given] = {false};
    for (size_t i = 0; i < u->plan->env_count; i++) {
        const struct plan_env *env = &u->plan->env[i];
        for (size_t n = 0; n < sizeof given / sizeof *given; n++)
            named[n] |= str_is(env->name, given[n]);
        text_addf(&u->settings, env->keep ? "PassEnvironment=" : "Environment=");
        add_quoted(&u->settings, "",
                   env->keep ? env->name
                             : str_format(u->plan->arena, "%.*s=%.*s", STR_ARGS(env->name), STR_ARGS(env->value)));
        text_addf(&u->settings, "\n");
    }
    text_addf(&u->settings, "UnsetEnvironment=");
    for (size_t n = 0; n < sizeof given / sizeof *given; n++)
        if (!named[n])
            text_addf(&u->settings, " %s", given[n]);
    text_addf(&u->settings, "\n");
}

enum limit_form { FORM_COUNT, FORM_PERCENT, FORM_MS };

static const struct {
    const char *setting;
    enum limit_form form;
} limits[LIMIT_COUNT] = {
    [LIMIT_memory] = {"MemoryMax", FORM_COUNT},       [LIMIT_swap] = {"MemorySwapMax", FORM_COUNT},
    [LIMIT_cpu] = {"CPUQuota", FORM_PERCENT},         [LIMIT_cpu_weight] = {"CPUWeight", FORM_COUNT},
    [LIMIT_pids] = {"TasksMax", FORM_COUNT},          [LIMIT_lifetime] = {"RuntimeMaxSec", FORM_MS},
    [LIMIT_open_files] = {"LimitNOFILE", FORM_COUNT}, [LIMIT_file_size] = {"LimitFSIZE", FORM_COUNT},
};

static void add_limits(struct unit *u)
{
    unsigned said = 0;
    for (int i = 0; i < LIMIT_COUNT; i++) {
        unsigned long long value = u->plan->limits[i].value;
        if (!limits[i].setting)
            continue;
        said |= 1u << i;
        if (!u->plan->limits[i].set)
            continue;
        if (limits[i].form == FORM_PERCENT)
            text_addf(&u->settings, "%s=%llu.%llu%%\n", limits[i].setting, value / 10, value % 10);
        else
            text_addf(&u->settings, "%s=%llu%s\n", limits[i].setting, value, limits[i].form == FORM_MS ? "ms" : "");
    }
    emit_wider_limits(&u->wider, "# ", u->plan, said);
    emit_wider_requires(&u->wider, "# ", u->plan);
}

bool emit_systemd(struct text *out, struct policy *policy, const struct plan *plan, const struct emit_caller *caller,
                  enum arch arch, struct str *why)
{
    struct arena *arena = plan->arena;
    struct unit u = {.policy = policy, .plan = plan, .caller = caller, .arch = arch, .user = emit_user(plan, caller)};
    u.wider.arena = u.settings.arena = arena;
    if (plan->command_count) {
        set(&u, "Type", "exec");
        text_addf(&u.settings, "ExecStart=");
        for (size_t i = 0; i < plan->command_count; i++) {
            text_addf(&u.settings, i ? " " : "");
            add_quoted(&u.settings, i ? "" : ":", plan->command[i]); // no variable in it
        }
        text_addf(&u.settings, "\n");
    }
    set(&u, "WorkingDirectory", path_word(&u, plan->cwd.length ? plan->cwd : STR("/")).text);
    add_identity(&u);
    add_environment(&u);
    add_files(&u);
    add_network(&u);
    add_calls(&u);
    add_limits(&u);
    *why = u.why;
    if (u.why.length)
        return false;
    text_addf(out, "# The policy %.*s, for systemd on %s. Made by sbxc. Wider than the policy is:\n",
              STR_ARGS(plan->name), arch_names[arch]);
    text_add(out, u.wider.data, u.wider.length);
    if (plan->command_count)
        text_addf(out, "[Unit]\nDescription=%.*s, behind a policy of sbx\n\n", STR_ARGS(plan->name));
    else
        text_addf(out, "# No command: a drop-in (NAME.service.d/sbx.conf) for a service that has one.\n");
    text_addf(out, "[Service]\n");
    text_add(out, u.settings.data, u.settings.length);
    return true;
}
