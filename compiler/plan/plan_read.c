// Reading plans, as untrusted input.
#include <string.h>

#include "compiler/plan/json.h"
#include "compiler/sets/path_set.h"
#include "compiler/plan/plan_names.h"
#include "lang/check.h"

enum { PLAN_LARGEST = 64 * 1024 * 1024, ITEMS_MOST = 100000 };

struct plan_reader {
    struct arena *arena;
    struct str *why;
    bool failed;
};

static void complain(struct plan_reader *r, const char *what, const char *problem)
{
    if (!r->failed)
        *r->why = str_format(r->arena, "%s: %s", what, problem);
    r->failed = true;
}

static const struct json *member(struct plan_reader *r, const struct json *object, const char *key, enum json_kind kind)
{
    static const struct json nothing[] = {
        [JSON_NUMBER] = {.kind = JSON_NUMBER},
        [JSON_STRING] = {.kind = JSON_STRING, .text = {"", 0}},
        [JSON_ARRAY] = {.kind = JSON_ARRAY},
        [JSON_OBJECT] = {.kind = JSON_OBJECT},
    };
    const struct json *value = json_get(object, key);
    if (value && value->kind == kind && value->count <= ITEMS_MOST)
        return value;
    complain(r, key, value ? value->kind == kind ? "too many items" : "the wrong type" : "missing");
    return &nothing[kind];
}

static uint64_t number_in(struct plan_reader *r, const struct json *object, const char *key, const struct range *range)
{
    uint64_t number = member(r, object, key, JSON_NUMBER)->number;
    if (number < range->least || number > range->most)
        complain(r, key, "out of range");
    return number;
}

static uint64_t number_below(struct plan_reader *r, const struct json *object, const char *key, uint64_t end)
{
    uint64_t number = member(r, object, key, JSON_NUMBER)->number;
    if (end && number >= end) {
        complain(r, key, "out of range");
        return 0;
    }
    return number;
}

static unsigned one_of(struct plan_reader *r, const struct json *object, const char *key, const char *const *names,
                       unsigned count)
{
    struct str text = member(r, object, key, JSON_STRING)->text;
    for (unsigned i = 0; i < count; i++)
        if (str_is(text, names[i]))
            return i;
    complain(r, key, "not one of the known words");
    return 0;
}

static void only(struct plan_reader *r, const struct json *object, const char *const *keys)
{
    if (object->kind != JSON_OBJECT) {
        complain(r, "item", "an object is wanted");
        return;
    }
    for (const struct json *m = object->first; m; m = m->next) {
        bool known = false;
        for (const char *const *key = keys; *key && !known; key++)
            known = str_is(m->key, *key);
        if (!known)
            complain(r, str_copy(r->arena, m->key).text, "not part of a plan");
    }
}

#define ONLY(r, object, ...) only(r, object, (const char *const[]){__VA_ARGS__, NULL})

static uint32_t read_rule(struct plan_reader *r, const struct json *object, size_t rules)
{
    if (!json_get(object, "rule"))
        return NO_RULE;
    return (uint32_t)number_below(r, object, "rule", rules);
}

static unsigned read_bits(struct plan_reader *r, const struct json *object, const char *key,
                          const struct plan_word *words, size_t count)
{
    unsigned bits = 0;
    for (const struct json *word = member(r, object, key, JSON_ARRAY)->first; word; word = word->next) {
        unsigned bit = 0;
        for (size_t i = 0; i < count; i++)
            if (word->kind == JSON_STRING && str_is(word->text, words[i].name))
                bit = words[i].bit;
        if (!bit)
            complain(r, key, "not one of the known words");
        bits |= bit;
    }
    return bits;
}

// A member that is true, or not there.
static bool read_true(struct plan_reader *r, const struct json *item, const char *key)
{
    const struct json *value = json_get(item, key);
    if (value && value->kind != JSON_TRUE)
        complain(r, key, "the wrong type");
    return value;
}

static struct str read_view_path(struct plan_reader *r, const struct json *object, const char *key)
{
    struct str path = member(r, object, key, JSON_STRING)->text;
    const char *flaw = view_path_flaw(path);
    if (flaw)
        complain(r, key, flaw);
    return flaw ? STR("/") : path;
}

static void read_host(struct plan_reader *r, const struct json *item, enum plan_base *base, struct str *host)
{
    *base = (enum plan_base)one_of(r, item, "base", plan_base_names, PLAN_BASE_COUNT);
    *host = member(r, item, "host", JSON_STRING)->text;
    if (!host->length || host->length >= 4096 || (*base == PLAN_ABSOLUTE) != (host->text[0] == '/'))
        complain(r, "host", "not a host path of its base");
}

static void read_view(struct plan_reader *r, const struct json *root, struct plan *plan, size_t rules)
{
    const struct json *list = member(r, root, "view", JSON_ARRAY);
    plan->view = NEW_ARRAY(r->arena, struct plan_view, list->count);
    for (const struct json *item = list->first; item && !r->failed; item = item->next) {
        ONLY(r, item, "path", "verbs", "from", "base", "host", "size", "secret", "text", "sandbox", "if_exists",
             "rule");
        struct plan_view *view = &plan->view[plan->view_count++];
        *view = (struct plan_view){.path = read_view_path(r, item, "path"),
                                   .verbs = read_bits(r, item, "verbs", plan_verb_names, PLAN_VERBS),
                                   .rule = read_rule(r, item, rules)};
        view->from = (enum plan_from)one_of(r, item, "from", plan_from_names, PLAN_FROM_COUNT);
        if (view->verbs & ~(unsigned)VERB_FILES)
            complain(r, "verbs", "not verbs of files");
        if (view->from == PLAN_HOST || view->from == PLAN_OVERLAY || view->from == PLAN_IMAGE)
            read_host(r, item, &view->base, &view->host);
        if (view->from == PLAN_SECRET)
            view->secret = member(r, item, "secret", JSON_STRING)->text;
        if (view->from == PLAN_TEXT)
            view->text = member(r, item, "text", JSON_STRING)->text;
        if (view->from == PLAN_SANDBOX)
            view->text =
                str_from(sandbox_file_names[one_of(r, item, "sandbox", sandbox_file_names, SANDBOX_FILE_COUNT)]);
        if ((view->from == PLAN_TEXT || view->from == PLAN_SANDBOX) && view->verbs & ~(unsigned)VERB_READ)
            complain(r, "verbs", "more than reading of a file that is made");
        if (view->from == PLAN_TMPFS || view->from == PLAN_OVERLAY || view->from == PLAN_IMAGE)
            view->size = number_in(r, item, "size", &place_sizes);
        view->if_exists = read_true(r, item, "if_exists");
        if (plan->view_count > 1 && path_compare(view[-1].path, view->path) >= 0)
            complain(r, "view", "not in order");
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_filters(struct plan_reader *r, const struct json *root, struct plan *plan)
{
    const struct json *all = member(r, root, "syscalls", JSON_OBJECT);
    only(r, all, (const char *const[]){arch_names[0], arch_names[1], NULL});
    for (int arch = 0; arch < ARCH_COUNT && !r->failed; arch++) {
        struct str hex = member(r, all, arch_names[arch], JSON_STRING)->text;
        struct bpf_program *program = &plan->filters[arch];
        if (hex.length % 16 || hex.length / 16 > BPF_MOST) {
            complain(r, arch_names[arch], "not a filter");
            return;
        }
        program->length = hex.length / 16;
        program->code = NEW_ARRAY(r->arena, struct bpf_instruction, program->length);
        for (size_t i = 0; i < program->length; i++) {
            uint64_t word = 0;
            for (size_t k = 0; k < 16; k++) {
                int digit = hex_digit(hex.text[16 * i + k]);
                if (digit < 0)
                    complain(r, arch_names[arch], "not a filter");
                word = word << 4 | (uint64_t)(digit & 15);
            }
            program->code[i] = (struct bpf_instruction){(uint16_t)(word >> 48), (uint8_t)(word >> 40),
                                                        (uint8_t)(word >> 32), (uint32_t)word};
        }
        const char *why;
        size_t where;
        if (!r->failed && !cbpf_check(program, &why, &where))
            complain(r, arch_names[arch], str_format(r->arena, "instruction %zu: %s", where, why).text);
    }
}

static net_address read_address(struct plan_reader *r, const struct json *item, const char *key)
{
    struct str hex = member(r, item, key, JSON_STRING)->text;
    net_address address = 0;
    if (hex.length != 32)
        complain(r, key, "not an address");
    for (size_t i = 0; i < 32 && !r->failed; i++) {
        int digit = hex_digit(hex.text[i]);
        if (digit < 0)
            complain(r, key, "not an address");
        address = address << 4 | (unsigned)(digit & 15);
    }
    return address;
}

static void read_net(struct plan_reader *r, const struct json *root, struct plan *plan, size_t rules)
{
    static const char *const effects[] = {"allow", "deny", "except"};
    const struct json *list = member(r, root, "network", JSON_ARRAY);
    plan->broker = read_bits(r, root, "broker", plan_broker_names, PLAN_BROKER_PARTS);
    plan->net = NEW_ARRAY(r->arena, struct plan_net, list->count);
    for (const struct json *item = list->first; item && !r->failed; item = item->next) {
        ONLY(r, item, "effect", "verbs", "protocols", "place", "first", "last", "name", "private", "port_first",
             "port_last", "rule");
        struct plan_net *net = &plan->net[plan->net_count++];
        unsigned effect = one_of(r, item, "effect", effects, 3);
        *net = (struct plan_net){effect > 0,
                                 effect > 1,
                                 {.verbs = read_bits(r, item, "verbs", plan_verb_names, PLAN_VERBS),
                                  .protocols = read_bits(r, item, "protocols", plan_protocol_names, PLAN_PROTOCOLS)},
                                 read_rule(r, item, rules)};
        net->box.place = (enum net_place)one_of(r, item, "place", plan_place_names, PLAN_PLACES);
        if (net->box.verbs & ~(unsigned)VERB_NET)
            complain(r, "verbs", "not verbs of the network");
        net->box.last = ~(net_address)0;
        if (net_box_has_addresses(&net->box)) {
            net->box.first = read_address(r, item, "first");
            net->box.last = read_address(r, item, "last");
            if (net->box.last < net->box.first)
                complain(r, "last", "less than the first");
        } else if (net->box.place != NET_HOST_LOOPBACK) {
            net->box.name = member(r, item, "name", JSON_STRING)->text;
            const char *flaw = net_box_is_own_unix(&net->box) ? NULL
                               : net->box.place == NET_UNIX ? view_path_flaw(net->box.name)
                               : net->box.place == NET_WILDCARD
                                   ? host_name_flaw(str_format(r->arena, "*.%.*s", STR_ARGS(net->box.name)))
                                   : host_name_flaw(net->box.name);
            if (flaw)
                complain(r, "name", flaw);
        }
        if (!net->box.verbs || !net->box.protocols)
            complain(r, net->box.verbs ? "protocols" : "verbs", "none");
        net->box.private = read_true(r, item, "private");
        if (net->box.private && !net_box_has_name(&net->box))
            complain(r, "private", "about what is no name");
        if (!net->deny && net->box.place == NET_REACHED)
            complain(r, "place", "only denied so");
        net->box.port_last = 65535;
        if (net->box.place != NET_UNIX) {
            net->box.port_first = (uint16_t)number_below(r, item, "port_first", 65536);
            net->box.port_last = (uint16_t)number_below(r, item, "port_last", 65536);
            if (net->box.port_last < net->box.port_first)
                complain(r, "port_last", "less than the first");
        }
    }
}

static void read_proxy(struct plan_reader *r, const struct json *root, struct plan *plan, size_t rules)
{
    if (!json_get(root, "proxy"))
        return;
    const struct json *item = member(r, root, "proxy", JSON_OBJECT);
    ONLY(r, item, "kind", "host", "port", "rule");
    unsigned kind = one_of(r, item, "kind", proxy_kind_names, PROXY_KINDS),
             port = (unsigned)number_below(r, item, "port", 65536);
    struct str host = member(r, item, "host", JSON_STRING)->text;
    bool six = host.length && memchr(host.text, ':', host.length);
    plan->proxy = (struct plan_proxy){.set = true, .rule = read_rule(r, item, rules)};
    if (proxy_url_parse(
            r->arena,
            str_format(r->arena, six ? "%s://[%.*s]:%u" : "%s://%.*s:%u", proxy_kind_names[kind], STR_ARGS(host), port),
            &plan->proxy.url))
        complain(r, "proxy", "not a proxy");
}

static void read_process(struct plan_reader *r, const struct json *root, struct plan *plan)
{
    const struct json *process = member(r, root, "process", JSON_OBJECT);
    ONLY(r, process, "user", "number", "cwd", "env");
    plan->user = (enum plan_user)one_of(r, process, "user", plan_user_names, PLAN_USER_COUNT);
    if (plan->user == PLAN_USER_NUMBER)
        plan->user_number = (uint32_t)number_below(r, process, "number", 65536);
    plan->cwd = read_view_path(r, process, "cwd");
    const struct json *env = member(r, process, "env", JSON_ARRAY);
    struct map seen = {.arena = r->arena};
    plan->env = NEW_ARRAY(r->arena, struct plan_env, env->count);
    for (const struct json *item = env->first; item && !r->failed; item = item->next) {
        ONLY(r, item, "name", "value");
        struct plan_env *variable = &plan->env[plan->env_count++];
        variable->name = member(r, item, "name", JSON_STRING)->text;
        variable->keep = !json_get(item, "value");
        if (!variable->keep)
            variable->value = member(r, item, "value", JSON_STRING)->text;
        const char *flaw = variable_flaw(variable->name);
        if (flaw)
            complain(r, "name", flaw);
        if (map_put(&seen, variable->name, variable))
            complain(r, "env", "a variable twice");
    }
}

static void read_rest(struct plan_reader *r, const struct json *root, struct plan *plan, size_t rules)
{
    const struct json *limits = member(r, root, "limits", JSON_OBJECT);
    for (const struct json *item = limits->first; item && !r->failed; item = item->next) {
        int limit = limit_find(item->key);
        if (limit < 0) {
            complain(r, "limits", "not a limit");
            return;
        }
        ONLY(r, item, "value", "rule");
        plan->limits[limit] =
            (struct plan_limit){true, number_in(r, item, "value", &limit_ranges[limit]), read_rule(r, item, rules)};
    }
    plan->capabilities = number_below(r, root, "capabilities", 1ull << CAPABILITY_COUNT);
    const struct json *secrets = member(r, root, "secrets", JSON_ARRAY);
    struct map named = {.arena = r->arena};
    plan->secrets = NEW_ARRAY(r->arena, struct plan_secret, secrets->count);
    for (const struct json *item = secrets->first; item && !r->failed; item = item->next) {
        ONLY(r, item, "name", "variable", "base", "host", "rule");
        struct plan_secret *secret = &plan->secrets[plan->secret_count++];
        *secret =
            (struct plan_secret){.name = member(r, item, "name", JSON_STRING)->text, .rule = read_rule(r, item, rules)};
        if (json_get(item, "variable"))
            secret->variable = member(r, item, "variable", JSON_STRING)->text;
        else
            read_host(r, item, &secret->base, &secret->host);
        const char *flaw = json_get(item, "variable") ? variable_flaw(secret->variable) : NULL;
        if (flaw)
            complain(r, "variable", flaw);
        if (map_put(&named, secret->name, secret))
            complain(r, "secrets", "a name twice");
    }
    for (size_t i = 0; i < plan->view_count; i++)
        if (plan->view[i].from == PLAN_SECRET && !map_get(&named, plan->view[i].secret))
            complain(r, "view", "a secret that the plan does not have");
    const struct json *requires = member(r, root, "requires", JSON_ARRAY);
    plan->requires = NEW_ARRAY(r->arena, struct plan_require, requires->count);
    for (const struct json *item = requires->first; item && !r->failed; item = item->next) {
        ONLY(r, item, "feature", "version", "degrade", "rule");
        struct plan_require *require = &plan->requires[plan->require_count++];
        require->feature = (enum feature)one_of(r, item, "feature", feature_names, FEATURE_COUNT);
        require->version = number_below(r, item, "version", (uint64_t)UINT32_MAX + 1);
        if (require->version && !feature_versions[require->feature])
            complain(r, "version", "of what has none");
        require->degrade = json_get(item, "degrade") != NULL;
        if (require->degrade)
            require->because = member(r, item, "degrade", JSON_STRING)->text;
        require->rule = read_rule(r, item, rules);
    }
}

static void read_rules(struct plan_reader *r, const struct json *list, struct plan *plan)
{
    plan->rules = NEW_ARRAY(r->arena, struct plan_rule, list->count);
    for (const struct json *item = list->first; item && !r->failed; item = item->next) {
        ONLY(r, item, "file", "line", "column", "text", "because");
        struct plan_rule *rule = &plan->rules[plan->rule_count++];
        rule->file = member(r, item, "file", JSON_STRING)->text;
        rule->text = member(r, item, "text", JSON_STRING)->text;
        rule->because = json_get(item, "because") ? member(r, item, "because", JSON_STRING)->text : STR("");
        rule->line = (uint32_t)number_below(r, item, "line", UINT32_MAX);
        rule->column = (uint32_t)number_below(r, item, "column", UINT32_MAX);
    }
}

struct plan *plan_read(struct arena *arena, struct str text, struct str *why)
{
    const char *problem;
    size_t where;
    if (text.length > PLAN_LARGEST) {
        *why = STR("it is larger than any plan");
        return NULL;
    }
    const struct json *root = json_parse(arena, text, &problem, &where);
    if (!root) {
        *why = str_format(arena, "byte %zu: %s", where, problem);
        return NULL;
    }
    struct plan_reader reader = {.arena = arena, .why = why}, *r = &reader;
    struct plan *plan = NEW(arena, struct plan);
    plan->arena = arena;
    ONLY(r, root, "sbx_plan", "name", "command", "process", "view", "syscalls", "network", "proxy", "broker", "limits",
         "capabilities", "secrets", "requires", "rules");
    if (number_below(r, root, "sbx_plan", 0) != 1)
        complain(r, "sbx_plan", "a version that this program does not know");
    plan->name = member(r, root, "name", JSON_STRING)->text;
    const struct json *command = member(r, root, "command", JSON_ARRAY);
    plan->command = NEW_ARRAY(arena, struct str, command->count);
    for (const struct json *word = command->first; word; word = word->next) {
        if (word->kind != JSON_STRING)
            complain(r, "command", "the wrong type");
        plan->command[plan->command_count++] = word->text;
    }
    const struct json *rules = member(r, root, "rules", JSON_ARRAY);
    read_rules(r, rules, plan);
    read_process(r, root, plan);
    read_view(r, root, plan, rules->count);
    read_filters(r, root, plan);
    read_net(r, root, plan, rules->count);
    read_proxy(r, root, plan, rules->count);
    read_rest(r, root, plan, rules->count);
    return r->failed ? NULL : plan;
}
