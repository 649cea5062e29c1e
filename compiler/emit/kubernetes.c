// Kubernetes' objects (API of 1.31: Pod v1, ConfigMap v1, NetworkPolicy networking.k8s.io/v1).
#include "compiler/emit/kubernetes.h"

#include <string.h>

#include "compiler/emit/docker_seccomp.h"

enum { NAME_MOST = 63 }; // letters of a label's value (RFC 1123)

struct pod {
    struct policy *policy;
    const struct plan *plan;
    const struct emit_caller *caller;
    enum arch arch;
    uint32_t user;
    struct str name;
    struct json_writer w;
    struct text mounts, volumes, files; // what stands in those arrays, and in the ConfigMap's data
    struct json_writer mounts_w, volumes_w, files_w;
    unsigned volume_count, file_count;
    struct text *wider;
    struct str why; // why there is none; empty: none yet
};

static void say_wider(struct pod *p, uint32_t rule, const char *what)
{
    emit_wider(p->wider, "", p->plan, rule, what);
}

// ---- files --------------------------------------------------------------------------------------------------------

static void mount_volume(struct pod *p, struct str volume, struct str path, bool writes, struct str file, bool deep)
{
    struct json_writer *w = &p->mounts_w;
    if (memchr(path.text, ':', path.length))
        p->why = str_format(p->plan->arena, "a pod mounts nothing at a path with `:`: %.*s", STR_ARGS(path));
    json_open(w, '{');
    json_member(w, "name", volume);
    json_member(w, "mountPath", path);
    json_member_bool(w, "readOnly", !writes);
    if (!writes && deep) // else what is mounted beneath could be written
        json_member(w, "recursiveReadOnly", STR("Enabled"));
    if (file.length)
        json_member(w, "subPath", file);
    json_close(w, '}');
}

static struct str open_volume(struct pod *p, const char *kind)
{
    struct str name = str_format(p->plan->arena, "v%u", p->volume_count++);
    json_open(&p->volumes_w, '{');
    json_member(&p->volumes_w, "name", name);
    json_open_member(&p->volumes_w, kind, '{');
    return name;
}

static void close_volume(struct pod *p)
{
    json_close(&p->volumes_w, '}');
    json_close(&p->volumes_w, '}');
}

static void add_bind(struct pod *p, enum emit_there there, struct str from, struct str path, bool writes)
{
    struct str volume = open_volume(p, "hostPath");
    json_member(&p->volumes_w, "path", from);
    json_member(&p->volumes_w, "type", there == THERE_FILE ? STR("File") : STR("Directory"));
    close_volume(p);
    mount_volume(p, volume, path, writes, STR(""), true);
}

static void add_memory(struct pod *p, struct str path, bool writes, uint64_t size)
{
    struct str volume = open_volume(p, "emptyDir");
    json_member(&p->volumes_w, "medium", STR("Memory"));
    json_member(&p->volumes_w, "sizeLimit", str_format(p->plan->arena, "%llu", (unsigned long long)size));
    close_volume(p);
    mount_volume(p, volume, path, writes, STR(""), false);
}

static void add_text(struct pod *p, struct str path, struct str text)
{
    struct str key = str_format(p->plan->arena, "f%u", p->file_count++);
    json_member(&p->files_w, key.text, text);
    mount_volume(p, STR("files"), path, false, key, false);
}

static void add_made(struct pod *p, const struct plan_view *place)
{
    enum sandbox_file file = (enum sandbox_file)sandbox_file_find(place->text);
    const char *host, *text = emit_made(file, &host);
    if (file == SANDBOX_FILE_folder) {
        add_memory(p, place->path, false, 1 << 20);
    } else if (host) {
        if (emit_what_is_there(str_from(host)))
            add_bind(p, THERE_FILE, str_from(host), place->path, false);
        say_wider(p, place->rule, "the file is the node's own");
    } else {
        add_text(p, place->path, emit_made_text(p->plan, file, p->user));
        if (!text)
            say_wider(p, place->rule, "the number is the same in each run");
    }
}

static void add_secret(struct pod *p, const struct plan_view *place)
{
    const struct plan_secret *secret = plan_secret_find(p->plan, place->secret);
    struct str from = {0};
    if (secret->variable.length)
        p->why =
            emit_refusal(p->plan, secret->rule, "a pod has no caller with an environment: take the secret from a file");
    else if (emit_host_path(p->plan, p->caller, secret->base, secret->host, secret->rule, &from, &p->why))
        add_bind(p, THERE_FILE, from, place->path, false);
}

// A file becomes an empty one, a folder an empty one.
static void hide(struct pod *p, const struct emit_mount *mount, enum emit_there there)
{
    if (there == THERE_FOLDER || mount->spares)
        add_memory(p, mount->place->path, false, 1 << 20);
    else if (there == THERE_FILE || mount->made_by_writing)
        add_text(p, mount->place->path, STR(""));
}

static void add_host(struct pod *p, const struct emit_mount *mount)
{
    const struct plan_view *place = mount->place;
    struct str folder = {0};
    if (!emit_host_path(p->plan, p->caller, mount->content->base, mount->content->host, place->rule, &folder, &p->why))
        return;
    struct str from = str_format(p->plan->arena, "%.*s%.*s", STR_ARGS(folder), STR_ARGS(emit_beneath(mount)));
    enum emit_there there = emit_what_is_there(from);
    if (mount->kind == MOUNT_HIDDEN)
        hide(p, mount, there);
    else if (there || (mount->kind == MOUNT_HOST && !place->if_exists))
        add_bind(p, there, from, place->path, mount->writes);
    else if (mount->kind == MOUNT_FIXED)
        add_text(p, place->path, STR("")); // what the sandbox could make there, were it not for this
}

static void add_place(struct pod *p, size_t i)
{
    struct emit_mount mount = emit_mount_of(p->plan, i, false);
    const struct plan_view *place = mount.place;
    emit_wider_mount(p->wider, "", p->plan, &mount, false);
    switch (mount.kind) {
    case MOUNT_NONE:
    case MOUNT_UNSAID: break;
    case MOUNT_PROC:
    case MOUNT_DEV: // every container has one
        if (!str_is(place->path, place->from == PLAN_PROC ? "/proc" : "/dev"))
            p->why = emit_refusal(p->plan, place->rule, "a pod has it at its usual place alone");
        break;
    case MOUNT_HOST:
    case MOUNT_FIXED:
    case MOUNT_HIDDEN: add_host(p, &mount); break;
    case MOUNT_MEMORY: add_memory(p, place->path, mount.writes, mount.size); break;
    case MOUNT_SECRET: add_secret(p, place); break;
    case MOUNT_TEXT: add_text(p, place->path, place->text); break;
    case MOUNT_MADE: add_made(p, place); break;
    case MOUNT_OVERLAY:
        p->why = emit_refusal(p->plan, place->rule,
                              "a pod shows no folder copy on write: show a copy, or the folder itself");
        break;
    case MOUNT_IMAGE:
        p->why = emit_refusal(p->plan, place->rule,
                              "a pod's image is none of a policy's: unpack it on the node, and show the folder");
    }
}

static void add_files(struct pod *p)
{
    say_wider(p, NO_RULE, "/proc and /sys show settings and state of the node, /dev has shm and the usual devices");
    say_wider(p, NO_RULE,
              "/etc/hosts, /etc/hostname, /etc/resolv.conf and /dev/termination-log are the kubelet's, "
              "where the policy has none");
    for (size_t i = 0; i < p->plan->view_count && !p->why.length; i++)
        add_place(p, i);
    if (!p->file_count)
        return;
    json_open(&p->volumes_w, '{');
    json_member(&p->volumes_w, "name", STR("files"));
    json_open_member(&p->volumes_w, "configMap", '{');
    json_member(&p->volumes_w, "name", p->name);
    close_volume(p);
}

// ---- objects ------------------------------------------------------------------------------------------------------

static void open_object(struct pod *p, const char *version, const char *kind)
{
    json_open(&p->w, '{');
    json_member(&p->w, "apiVersion", str_from(version));
    json_member(&p->w, "kind", str_from(kind));
    json_open_member(&p->w, "metadata", '{');
    json_member(&p->w, "name", p->name);
}

static void add_label(struct pod *p, const char *key)
{
    json_open_member(&p->w, key, '{');
    json_member(&p->w, "sbx-policy", p->name);
    json_close(&p->w, '}');
}

static void add_security(struct pod *p)
{
    json_open_member(&p->w, "securityContext", '{');
    json_member_bool(&p->w, "privileged", false);
    json_member_bool(&p->w, "allowPrivilegeEscalation", false);
    json_member_bool(&p->w, "readOnlyRootFilesystem", true);
    json_member_bool(&p->w, "runAsNonRoot", p->user != 0);
    json_member_number(&p->w, "runAsUser", p->user);
    json_member_number(&p->w, "runAsGroup", p->user);
    json_open_member(&p->w, "capabilities", '{');
    json_member_words(&p->w, "drop", "ALL");
    json_open_member(&p->w, "add", '[');
    for (unsigned c = 0; c < CAPABILITY_COUNT; c++)
        if (p->plan->capabilities >> c & 1)
            json_string(&p->w, str_from(constant_name_of("CAP_", NULL, c, p->arch) + strlen("CAP_")));
    json_close(&p->w, ']');
    json_close(&p->w, '}');
    json_open_member(&p->w, "seccompProfile", '{');
    json_member(&p->w, "type", STR("Localhost"));
    json_member(&p->w, "localhostProfile", str_format(p->plan->arena, "operator/default/%.*s.json", STR_ARGS(p->name)));
    json_close(&p->w, '}');
    json_close(&p->w, '}');
}

static void add_limits(struct pod *p)
{
    const struct plan_limit *limits = p->plan->limits;
    json_open_member(&p->w, "resources", '{');
    json_open_member(&p->w, "limits", '{');
    if (limits[LIMIT_cpu].set)
        json_member(&p->w, "cpu", str_format(p->plan->arena, "%llum", (unsigned long long)limits[LIMIT_cpu].value));
    if (limits[LIMIT_memory].set)
        json_member(&p->w, "memory",
                    str_format(p->plan->arena, "%llu", (unsigned long long)limits[LIMIT_memory].value));
    json_close(&p->w, '}');
    json_close(&p->w, '}');
}

static void add_environment(struct pod *p)
{
    json_open_member(&p->w, "env", '[');
    for (size_t i = 0; i < p->plan->env_count; i++) {
        const struct plan_env *env = &p->plan->env[i];
        if (env->keep)
            continue; // there is no caller
        struct text value = {.arena = p->plan->arena};
        for (size_t c = 0; c < env->value.length; c++) // no reference in it
            text_addf(&value, env->value.text[c] == '$' ? "$$" : "%c", env->value.text[c]);
        json_open(&p->w, '{');
        json_member(&p->w, "name", env->name);
        json_member(&p->w, "value", value.length ? text_str(&value) : STR(""));
        json_close(&p->w, '}');
    }
    json_close(&p->w, ']');
}

static void add_command(struct pod *p)
{
    json_open_member(&p->w, "command", '[');
    for (size_t i = 0; i < p->plan->command_count; i++) {
        struct text word = {.arena = p->plan->arena};
        for (size_t c = 0; c < p->plan->command[i].length; c++)
            text_addf(&word, p->plan->command[i].text[c] == '$' ? "$$" : "%c", p->plan->command[i].text[c]);
        json_string(&p->w, word.length ? text_str(&word) : STR(""));
    }
    json_close(&p->w, ']');
}

static void add_array(struct pod *p, const char *key, struct text *elements)
{
    json_key(&p->w, key);
    json_raw(&p->w, str_format(p->plan->arena, "[%.*s]", (int)elements->length, elements->data ? elements->data : ""));
}

static void add_pod(struct pod *p, struct str wider)
{
    const struct plan_limit *lifetime = &p->plan->limits[LIMIT_lifetime];
    const char *arch = p->arch == ARCH_AARCH64 ? "arm64" : "amd64";
    open_object(p, "v1", "Pod");
    add_label(p, "labels");
    json_open_member(&p->w, "annotations", '{');
    json_member(&p->w, "sbx.wider", wider);
    json_close(&p->w, '}');
    json_close(&p->w, '}');
    json_open_member(&p->w, "spec", '{');
    json_member(&p->w, "restartPolicy", STR("Never"));
    json_member(&p->w, "hostname", STR("sbx"));
    json_open_member(&p->w, "nodeSelector", '{');
    json_member(&p->w, "kubernetes.io/arch", str_from(arch));
    json_close(&p->w, '}');
    if (lifetime->set) // in seconds
        json_member_number(&p->w, "activeDeadlineSeconds", lifetime->value / 1000 + (lifetime->value % 1000 != 0));
    json_member_bool(&p->w, "automountServiceAccountToken", false);
    json_member_bool(&p->w, "enableServiceLinks", false);
    json_open_member(&p->w, "containers", '[');
    json_open(&p->w, '{');
    json_member(&p->w, "name", p->name);
    json_member(&p->w, "image", STR("sbx-empty"));
    json_member(&p->w, "imagePullPolicy", STR("Never"));
    add_command(p);
    json_member(&p->w, "workingDir", p->plan->cwd.length ? p->plan->cwd : STR("/"));
    add_environment(p);
    add_limits(p);
    add_security(p);
    add_array(p, "volumeMounts", &p->mounts);
    json_close(&p->w, '}');
    json_close(&p->w, ']');
    add_array(p, "volumes", &p->volumes);
    json_close(&p->w, '}');
    json_close(&p->w, '}');
}

static void add_config_map(struct pod *p)
{
    open_object(p, "v1", "ConfigMap");
    json_close(&p->w, '}');
    json_member_bool(&p->w, "immutable", true);
    json_key(&p->w, "data");
    json_raw(&p->w, str_format(p->plan->arena, "{%.*s}", (int)p->files.length, p->files.data));
    json_close(&p->w, '}');
}

// The operator's words for a profile: an errno is a string, and that of the default can't be said.
static void add_profile(struct pod *p, struct str profile)
{
    const char *why;
    size_t where;
    const struct json *object = json_parse(p->plan->arena, profile, &why, &where);
    open_object(p, "security-profiles-operator.x-k8s.io/v1beta1", "SeccompProfile");
    json_member(&p->w, "namespace", STR("default"));
    json_close(&p->w, '}');
    json_open_member(&p->w, "spec", '{');
    json_member(&p->w, "defaultAction", json_get(object, "defaultAction")->text);
    const struct json *architectures = json_get(object, "architectures");
    json_key(&p->w, "architectures");
    json_raw(&p->w, (struct str){profile.text + architectures->start, architectures->end - architectures->start});
    json_open_member(&p->w, "syscalls", '[');
    for (const struct json *rule = json_get(object, "syscalls")->first; rule; rule = rule->next) {
        json_open(&p->w, '{');
        for (const struct json *member = rule->first; member; member = member->next) {
            json_key(&p->w, str_copy(p->plan->arena, member->key).text);
            if (str_is(member->key, "errnoRet"))
                json_string(&p->w, str_format(p->plan->arena, "%llu", (unsigned long long)member->number));
            else
                json_raw(&p->w, (struct str){profile.text + member->start, member->end - member->start});
        }
        json_close(&p->w, '}');
    }
    json_close(&p->w, ']');
    json_close(&p->w, '}');
    json_close(&p->w, '}');
}

// ---- the network --------------------------------------------------------------------------------------------------

static void add_block(struct str prefix, void *context)
{
    struct json_writer *w = context;
    json_open(w, '{');
    json_open_member(w, "ipBlock", '{');
    json_member(w, "cidr", prefix);
    json_close(w, '}');
    json_close(w, '}');
}

static void add_ports(struct pod *p, unsigned protocols, uint16_t first, uint16_t last)
{
    static const struct {
        unsigned protocol;
        const char *name;
    } names[] = {{PROTOCOL_TCP, "TCP"}, {PROTOCOL_UDP, "UDP"}};
    json_open_member(&p->w, "ports", '[');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(protocols & names[i].protocol))
            continue;
        json_open(&p->w, '{');
        json_member(&p->w, "protocol", str_from(names[i].name));
        if (first > 0 || last < UINT16_MAX) {
            json_member_number(&p->w, "port", first ? first : 1);
            if (last > first)
                json_member_number(&p->w, "endPort", last);
        }
        json_close(&p->w, '}');
    }
    json_close(&p->w, ']');
}

static bool goes_out(const struct plan_net *net)
{
    return !net->deny && !net_box_is_loopback(&net->box) && net->box.place != NET_UNIX;
}

static void add_direction(struct pod *p, const char *key, unsigned verbs)
{
    bool outward = verbs == VERB_CONNECT, names = false;
    json_open_member(&p->w, key, '[');
    for (size_t i = 0; i < p->plan->net_count; i++) {
        const struct plan_net *net = &p->plan->net[i];
        if (!goes_out(net) || !(net->box.verbs & verbs))
            continue;
        json_open(&p->w, '{');
        if (outward && net->box.place == NET_ADDRESS) {
            json_open_member(&p->w, "to", '[');
            emit_prefixes(p->plan->arena, net->box.first, net->box.last, add_block, &p->w);
            json_close(&p->w, ']');
        }
        names |= outward && net_box_has_name(&net->box);
        add_ports(p, net->box.protocols, net->box.port_first, net->box.port_last);
        json_close(&p->w, '}');
    }
    if (names) { // the cluster's resolvers are asked
        json_open(&p->w, '{');
        add_ports(p, PROTOCOL_TCP | PROTOCOL_UDP, 53, 53);
        json_close(&p->w, '}');
    }
    json_close(&p->w, ']');
    if (names)
        say_wider(p, NO_RULE, "any resolver is asked, at port 53");
}

static void say_network(struct pod *p)
{
    uint32_t said = NO_RULE;
    for (size_t i = 0; i < p->plan->net_count; i++) {
        const struct plan_net *net = &p->plan->net[i];
        const struct net_box *box = &net->box;
        const char *what = net->exception                                  ? NULL
                           : box->place == NET_HOST_LOOPBACK && !net->deny ? NULL
                           : net->deny && !emit_reaches_out(p->plan)       ? NULL
                           : net->deny                                     ? "it is not denied"
                           : net_box_has_name(box) ? "no name is compared: any address is reached at that port"
                           : box->place == NET_UNIX
                               ? "no path of a socket is compared; those are reached that are shown"
                           : net_box_is_loopback(box)               ? "no port of the loopback is compared"
                           : box->verbs & (VERB_BIND | VERB_LISTEN) ? "no own address is compared"
                                                                    : NULL;
        if (box->place == NET_HOST_LOOPBACK && !net->deny && !p->why.length)
            p->why =
                emit_refusal(p->plan, net->rule, "a pod reaches no loopback of its node: allow the node's address");
        if (what && net->rule != said) {
            say_wider(p, net->rule, what);
            said = net->rule;
        }
    }
    if (p->plan->proxy.set)
        say_wider(p, p->plan->proxy.rule, "the proxy is not asked");
}

static void add_network(struct pod *p)
{
    open_object(p, "networking.k8s.io/v1", "NetworkPolicy");
    json_close(&p->w, '}');
    json_open_member(&p->w, "spec", '{');
    json_open_member(&p->w, "podSelector", '{');
    add_label(p, "matchLabels");
    json_close(&p->w, '}');
    json_member_words(&p->w, "policyTypes", "Ingress Egress");
    add_direction(p, "ingress", VERB_BIND | VERB_LISTEN);
    add_direction(p, "egress", VERB_CONNECT);
    json_close(&p->w, '}');
    json_close(&p->w, '}');
}

// ---- all of it ----------------------------------------------------------------------------------------------------

static struct str name_of(struct pod *p)
{
    struct text name = {.arena = p->plan->arena};
    for (size_t i = 0; i < p->plan->name.length; i++) {
        char c = p->plan->name.text[i];
        text_addf(&name, "%c", c >= 'A' && c <= 'Z' ? c | 32 : c == '_' ? '-' : c);
    }
    while (name.length && name.data[name.length - 1] == '-')
        name.length--;
    if (!name.length || name.length > NAME_MOST || name.data[0] == '-')
        p->why = str_format(p->plan->arena, "a pod has no name like %.*s: name the policy by up to %d letters",
                            STR_ARGS(p->plan->name), NAME_MOST);
    return name.length ? text_str(&name) : STR("");
}

bool emit_kubernetes(struct emit_folder *made, struct text *wider, struct policy *policy, const struct plan *plan,
                     const struct emit_caller *caller, enum arch arch)
{
    struct arena *arena = plan->arena;
    struct text objects = {.arena = arena}, said = {.arena = arena}, profile = {.arena = arena}, why = {.arena = arena};
    struct pod p = {.policy = policy, .plan = plan, .caller = caller, .arch = arch, .user = emit_user(plan, caller)};
    p.w = (struct json_writer){.text = &objects, .lines = 3};
    p.mounts.arena = p.volumes.arena = p.files.arena = arena;
    p.mounts_w = (struct json_writer){.text = &p.mounts, .depth = 5};
    p.volumes_w = (struct json_writer){.text = &p.volumes, .depth = 5};
    p.files_w = (struct json_writer){.text = &p.files, .depth = 5};
    p.wider = &said;
    p.name = name_of(&p);
    if (!plan->command_count)
        p.why =
            str_format(arena, "a pod runs a command: name it in %.*s, as `command \"/bin/sh\";`", STR_ARGS(plan->name));
    enum { KEPT = 1 << LIMIT_memory | 1 << LIMIT_cpu | 1 << LIMIT_lifetime };
    emit_wider_limits(&said, "", plan, KEPT);
    emit_wider_requires(&said, "", plan);
    say_network(&p);
    if (!p.why.length)
        add_files(&p);
    struct json_writer seccomp = {.text = &profile, .lines = 2};
    if (!p.why.length && !emit_oci_seccomp(&seccomp, &why, policy, arch))
        p.why = text_str(&why);
    if (p.why.length) {
        text_add(wider, p.why.text, p.why.length);
        return false;
    }
    json_open(&p.w, '{');
    json_member(&p.w, "apiVersion", STR("v1"));
    json_member(&p.w, "kind", STR("List"));
    json_open_member(&p.w, "items", '[');
    add_network(&p); // which says where it is wider, and holds before there is a pod
    add_profile(&p, text_str(&profile));
    if (p.file_count)
        add_config_map(&p);
    if (p.user == 0)
        say_wider(&p, NO_RULE, "the user is the node's root, whom all its files belong to");
    add_pod(&p, text_str(&said));
    json_close(&p.w, ']');
    json_close(&p.w, '}');
    emit_file_add(made, "pod.json", text_str(&objects));
    emit_file_add(made, "seccomp.json", text_str(&profile));
    text_add(wider, said.data, said.length);
    return true;
}
