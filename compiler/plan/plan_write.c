// Plans as canonical JSON.
#include <sha2.h>
#include <stdio.h>
#include <string.h>

#include "compiler/meaning/broker.h"
#include "compiler/plan/json.h"
#include "compiler/plan/plan_names.h"

const char *const plan_from_names[PLAN_FROM_COUNT] = {"inherit", "host", "tmpfs",  "overlay", "image",
                                                      "proc",    "dev",  "secret", "text",    "sandbox"};
const char *const plan_base_names[PLAN_BASE_COUNT] = {"absolute", "policy", "cwd", "home"};
const char *const plan_user_names[PLAN_USER_COUNT] = {"nobody", "root", "self", "number"};
const char *const plan_place_names[PLAN_PLACES] = {"address", "host-loopback", "name", "wildcard", "unix", "reached"};

const struct plan_word plan_verb_names[PLAN_VERBS] = {
    {VERB_READ, "read"}, {VERB_MODIFY, "modify"},   {VERB_CREATE, "create"}, {VERB_DELETE, "delete"},
    {VERB_EXEC, "exec"}, {VERB_CONNECT, "connect"}, {VERB_BIND, "bind"},     {VERB_LISTEN, "listen"},
};
const struct plan_word plan_broker_names[PLAN_BROKER_PARTS] = {{BROKER_CONNECTIONS, "connections"},
                                                               {BROKER_MESSAGES, "messages"}};
const struct plan_word plan_protocol_names[PLAN_PROTOCOLS] = {
    {PROTOCOL_TCP, "tcp"}, {PROTOCOL_UDP, "udp"}, {PROTOCOL_UNIX, "unix"}};

static void write_rule(struct json_writer *w, uint32_t rule)
{
    if (rule != NO_RULE)
        json_member_number(w, "rule", rule);
}

static void write_verbs(struct json_writer *w, unsigned verbs)
{
    json_key(w, "verbs");
    json_open(w, '[');
    for (size_t i = 0; i < PLAN_VERBS; i++)
        if (verbs & plan_verb_names[i].bit)
            json_string(w, str_from(plan_verb_names[i].name));
    json_close(w, ']');
}

static void write_filter(struct json_writer *w, struct arena *arena, const struct bpf_program *program)
{
    struct text hex = {.arena = arena};
    for (size_t i = 0; i < program->length; i++)
        text_addf(&hex, "%04x%02x%02x%08x", program->code[i].code, program->code[i].jt, program->code[i].jf,
                  program->code[i].k);
    json_string(w, text_str(&hex));
}

static void write_true(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_bool(w, true);
}

static void write_address(struct json_writer *w, const char *key, net_address address)
{
    char hex[33];
    snprintf(hex, sizeof hex, "%016llx%016llx", (unsigned long long)(address >> 64), (unsigned long long)address);
    json_member(w, key, str_from(hex));
}

static void write_net(struct json_writer *w, const struct plan_net *net)
{
    json_open(w, '{');
    json_member(w, "effect", net->exception ? STR("except") : net->deny ? STR("deny") : STR("allow"));
    write_verbs(w, net->box.verbs);
    json_key(w, "protocols");
    json_open(w, '[');
    for (size_t i = 0; i < PLAN_PROTOCOLS; i++)
        if (net->box.protocols & plan_protocol_names[i].bit)
            json_string(w, str_from(plan_protocol_names[i].name));
    json_close(w, ']');
    json_member(w, "place", str_from(plan_place_names[net->box.place]));
    if (net_box_has_addresses(&net->box)) {
        write_address(w, "first", net->box.first);
        write_address(w, "last", net->box.last);
    } else if (net->box.place != NET_HOST_LOOPBACK) {
        json_member(w, "name", net->box.name);
        if (net->box.private)
            write_true(w, "private");
    }
    if (net->box.place != NET_UNIX) {
        json_member_number(w, "port_first", net->box.port_first);
        json_member_number(w, "port_last", net->box.port_last);
    }
    write_rule(w, net->rule);
    json_close(w, '}');
}

static void write_process(struct json_writer *w, const struct plan *plan)
{
    json_key(w, "process");
    json_open(w, '{');
    json_member(w, "user", str_from(plan_user_names[plan->user]));
    if (plan->user == PLAN_USER_NUMBER)
        json_member_number(w, "number", plan->user_number);
    json_member(w, "cwd", plan->cwd.length ? plan->cwd : STR("/"));
    json_key(w, "env");
    json_open(w, '[');
    for (size_t i = 0; i < plan->env_count; i++) {
        json_open(w, '{');
        json_member(w, "name", plan->env[i].name);
        if (!plan->env[i].keep)
            json_member(w, "value", plan->env[i].value);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}

static void write_view(struct json_writer *w, const struct plan *plan)
{
    json_key(w, "view");
    json_open(w, '[');
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *view = &plan->view[i];
        json_open(w, '{');
        json_member(w, "path", view->path);
        write_verbs(w, view->verbs);
        json_member(w, "from", str_from(plan_from_names[view->from]));
        if (view->from == PLAN_HOST || view->from == PLAN_OVERLAY || view->from == PLAN_IMAGE) {
            json_member(w, "base", str_from(plan_base_names[view->base]));
            json_member(w, "host", view->host);
        }
        if (view->from == PLAN_TMPFS || view->from == PLAN_OVERLAY || view->from == PLAN_IMAGE)
            json_member_number(w, "size", view->size);
        if (view->from == PLAN_SECRET)
            json_member(w, "secret", view->secret);
        if (view->from == PLAN_TEXT || view->from == PLAN_SANDBOX)
            json_member(w, plan_from_names[view->from], view->text);
        if (view->if_exists)
            write_true(w, "if_exists");
        write_rule(w, view->rule);
        json_close(w, '}');
    }
    json_close(w, ']');
}

const struct plan_secret *plan_secret_find(const struct plan *plan, struct str name)
{
    for (size_t i = 0; i < plan->secret_count; i++)
        if (str_equal(plan->secrets[i].name, name))
            return &plan->secrets[i];
    return NULL;
}

struct str plan_write(struct arena *arena, const struct plan *plan)
{
    struct text text = {.arena = arena};
    struct json_writer writer = {.text = &text}, *w = &writer;
    json_open(w, '{');
    json_member_number(w, "sbx_plan", 1);
    json_member(w, "name", plan->name);
    json_key(w, "command");
    json_open(w, '[');
    for (size_t i = 0; i < plan->command_count; i++)
        json_string(w, plan->command[i]);
    json_close(w, ']');
    write_process(w, plan);
    write_view(w, plan);
    json_key(w, "syscalls");
    json_open(w, '{');
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        json_key(w, arch_names[arch]);
        write_filter(w, arena, &plan->filters[arch]);
    }
    json_close(w, '}');
    json_key(w, "network");
    json_open(w, '[');
    for (size_t i = 0; i < plan->net_count; i++)
        write_net(w, &plan->net[i]);
    json_close(w, ']');
    if (plan->proxy.set) {
        json_key(w, "proxy");
        json_open(w, '{');
        json_member(w, "kind", str_from(proxy_kind_names[plan->proxy.url.kind]));
        json_member(w, "host", plan->proxy.url.host);
        json_member_number(w, "port", plan->proxy.url.port);
        write_rule(w, plan->proxy.rule);
        json_close(w, '}');
    }
    json_key(w, "broker");
    json_open(w, '[');
    for (size_t i = 0; i < PLAN_BROKER_PARTS; i++)
        if (plan->broker & plan_broker_names[i].bit)
            json_string(w, str_from(plan_broker_names[i].name));
    json_close(w, ']');
    json_key(w, "limits");
    json_open(w, '{');
    for (int i = 0; i < LIMIT_COUNT; i++)
        if (plan->limits[i].set) {
            json_key(w, limit_names[i]);
            json_open(w, '{');
            json_member_number(w, "value", plan->limits[i].value);
            write_rule(w, plan->limits[i].rule);
            json_close(w, '}');
        }
    json_close(w, '}');
    json_member_number(w, "capabilities", plan->capabilities);
    json_key(w, "secrets");
    json_open(w, '[');
    for (size_t i = 0; i < plan->secret_count; i++) {
        json_open(w, '{');
        json_member(w, "name", plan->secrets[i].name);
        if (plan->secrets[i].variable.length) {
            json_member(w, "variable", plan->secrets[i].variable);
        } else {
            json_member(w, "base", str_from(plan_base_names[plan->secrets[i].base]));
            json_member(w, "host", plan->secrets[i].host);
        }
        write_rule(w, plan->secrets[i].rule);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_key(w, "requires");
    json_open(w, '[');
    for (size_t i = 0; i < plan->require_count; i++) {
        const struct plan_require *require = &plan->requires[i];
        json_open(w, '{');
        json_member(w, "feature", str_from(feature_names[require->feature]));
        json_member_number(w, "version", require->version);
        if (require->degrade)
            json_member(w, "degrade", require->because);
        write_rule(w, require->rule);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_key(w, "rules");
    json_open(w, '[');
    for (size_t i = 0; i < plan->rule_count; i++) {
        const struct plan_rule *rule = &plan->rules[i];
        json_open(w, '{');
        json_member(w, "file", rule->file);
        json_member_number(w, "line", rule->line);
        json_member_number(w, "column", rule->column);
        json_member(w, "text", rule->text);
        if (rule->because.length)
            json_member(w, "because", rule->because);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
    return text_str(&text);
}

struct str plan_hash(struct arena *arena, struct str json)
{
    char hex[SHA256_DIGEST_STRING_LENGTH];
    SHA256Data((const uint8_t *)json.text, json.length, hex);
    return str_copy(arena, str_from(hex));
}
