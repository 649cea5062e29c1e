// Reading seccomp profiles: every member is known or an error, every value has the type that engines want.
#include "compiler/import/profile.h"

#include <stdio.h>
#include <string.h>

#include "compiler/code/cbpf.h"
#include "compiler/plan/json.h"

struct reader {
    struct compilation *compilation;
    struct arena *arena;
    struct diagnostics *diagnostics;
    uint32_t source;
    struct profile *profile;
    bool good;
};

struct at { // a value and the way to it
    const struct json *json;
    struct str pointer;
};

static struct span span_of(const struct reader *r, const struct json *json)
{
    return (struct span){r->source, json->start, json->end};
}

static void wanted(struct reader *r, struct at at, const char *what)
{
    struct span span = span_of(r, at.json);
    struct str where = at.pointer.length ? at.pointer : STR("the profile");
    diagnostic_label(r->diagnostics, diagnose(r->diagnostics, SBX0802, span, STR_ARGS(where), what), span,
                     "this is something else");
    r->good = false;
}

static struct at member(const struct reader *r, struct at object, const char *key)
{
    const struct json *json = json_get(object.json, key);
    if (json && json->kind == JSON_NULL)
        json = NULL; // as engines take it: absent
    return (struct at){json, str_format(r->arena, "%.*s/%s", STR_ARGS(object.pointer), key)};
}

static struct at element(const struct reader *r, struct at list, const struct json *json, size_t index)
{
    return (struct at){json, str_format(r->arena, "%.*s/%zu", STR_ARGS(list.pointer), index)};
}

static bool is_kind(struct reader *r, struct at at, enum json_kind kind, const char *what)
{
    if (at.json->kind == kind)
        return true;
    wanted(r, at, what);
    return false;
}

// What profiles say to people, in any object; the first that is there is taken.
static const char *const comments[] = {"comment", "description", "_comment"};
enum { COMMENTS = sizeof comments / sizeof *comments };

static bool is_comment(struct str key)
{
    bool found = false;
    for (int i = 0; i < COMMENTS; i++)
        found |= str_is(key, comments[i]);
    return found;
}

static void only_members(struct reader *r, struct at object, const char *const *known, size_t count)
{
    for (const struct json *json = object.json->first; json; json = json->next) {
        bool found = is_comment(json->key);
        struct nearest nearest = {.wrong = json->key};
        for (size_t i = 0; i < count; i++) {
            found |= str_is(json->key, known[i]);
            nearest_offer(&nearest, str_from(known[i]));
        }
        if (found)
            continue;
        struct span span = span_of(r, json);
        struct diagnostic *d =
            diagnose(r->diagnostics, SBX0803, span, STR_ARGS(object.pointer.length ? object.pointer : STR("/")),
                     STR_ARGS(json->key));
        diagnostic_suggest(r->diagnostics, d, span, "", &nearest,
                           "what it would ask for is not known, so it is not left out");
        r->good = false;
    }
}
#define ONLY_MEMBERS(r, object, ...)                                                                                   \
    only_members(r, object, (const char *const[]){__VA_ARGS__},                                                        \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void unknown(struct reader *r, struct at at, const char *what, const struct nearest *nearest)
{
    struct span span = span_of(r, at.json);
    struct diagnostic *d = diagnose(r->diagnostics, SBX0804, span, STR_ARGS(at.pointer), STR_ARGS(at.json->text), what);
    diagnostic_suggest(r->diagnostics, d, span, "", nearest, "no engine would take it");
    r->good = false;
}

static void unknown_constant(struct reader *r, struct at at, const char *what, const char *prefix)
{
    struct nearest nearest = {.wrong = at.json->text};
    for (size_t i = 0; constant_row(i); i++)
        if (str_starts(str_from(constant_row(i)->name), str_from(prefix)))
            nearest_offer(&nearest, str_from(constant_row(i)->name));
    unknown(r, at, what, &nearest);
}

// Of letters, digits and "_": what else is said of a name stands in comments of the policy.
static bool is_word(struct str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return text.length > 0;
}

static void loses(struct reader *r, struct at at, struct str what, const char *instead)
{
    struct span span = span_of(r, at.json);
    diagnostic_label(r->diagnostics, diagnose(r->diagnostics, SBX0809, span, STR_ARGS(at.pointer), STR_ARGS(what)),
                     span, "%s", instead);
    struct str sentence = str_format(r->arena, "%.*s: %s", STR_ARGS(what), instead);
    struct profile *profile = r->profile;
    for (size_t i = 0; i < profile->loss_count; i++)
        if (str_equal(profile->losses[i], sentence))
            return;
    profile->losses = arena_grow(r->arena, profile->losses, profile->loss_count * sizeof sentence,
                                 (profile->loss_count + 1) * sizeof sentence);
    profile->losses[profile->loss_count++] = sentence;
}

// ---- actions ------------------------------------------------------------------------------------------------------

// What the kernel does for each where nobody traces or listens (seccomp(2)), and what is lost.
static const struct {
    const char *name;
    uint32_t answer; // SECCOMP_ERRNO: with an errno of its own
    const char *loss;
} actions[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_ALLOW, NULL},
    {"SCMP_ACT_ERRNO", SECCOMP_ERRNO, NULL},
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_KILL, NULL},
    {"SCMP_ACT_KILL", SECCOMP_KILL, "it kills one thread, and here the process is killed"},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_KILL, "it kills one thread, and here the process is killed"},
    {"SCMP_ACT_TRAP", SECCOMP_KILL, "it sends SIGSYS, which a program may catch, and here the process is killed"},
    {"SCMP_ACT_LOG", SECCOMP_ALLOW, "what it allows is not logged here"},
    {"SCMP_ACT_TRACE", SECCOMP_ERRNO, "nobody traces here, so it is ENOSYS, as the kernel says it then"},
    {"SCMP_ACT_NOTIFY", SECCOMP_ERRNO, "nobody listens here, so it is ENOSYS, as the kernel says it then"},
};

// What is more than the kernel returns at most it cuts to that (seccomp(2)); libseccomp takes only what is less.
static int cut_errno(struct reader *r, struct at number)
{
    if (number.json->number < ERRNO_MOST)
        return (int)number.json->number;
    struct span span = span_of(r, number.json);
    diagnostic_label(r->diagnostics, diagnose(r->diagnostics, SBX0815, span, STR_ARGS(number.pointer), ERRNO_MOST - 1),
                     span, "no engine that uses it loads this; the policy says %d, as the kernel would", ERRNO_MOST);
    return ERRNO_MOST;
}

static int find_errno(struct reader *r, struct at number, struct at name)
{
    if (name.json && is_kind(r, name, JSON_STRING, "the name of an error")) {
        int value = errno_find(name.json->text);
        if (value < 0)
            unknown_constant(r, name, "an error of Linux", "E");
        else if (number.json && number.json->kind == JSON_NUMBER && number.json->number != (uint64_t)value)
            wanted(r, number, "the number of the error that is named beside it");
        return value;
    }
    if (!number.json)
        return errno_find(STR("EPERM")); // the runtime specification's default
    if (number.json->kind == JSON_NUMBER && number.json->number > 0 && number.json->number <= UINT16_MAX)
        return cut_errno(r, number);
    wanted(r, number, "the number of an error from 1 on (0 says that the call was done)");
    return -1;
}

static bool read_action(struct reader *r, struct at action, struct at error_number, struct at error_name,
                        uint32_t *answer)
{
    if (!action.json) {
        r->good = false;
        return false;
    }
    if (!is_kind(r, action, JSON_STRING, "an action"))
        return false;
    struct nearest nearest = {.wrong = action.json->text};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        nearest_offer(&nearest, str_from(actions[i].name));
        if (!str_is(action.json->text, actions[i].name))
            continue;
        *answer = actions[i].answer;
        if (actions[i].loss)
            loses(r, action, action.json->text, actions[i].loss);
        if (actions[i].answer == SECCOMP_ERRNO) {
            int error = actions[i].loss ? errno_find(STR("ENOSYS")) : find_errno(r, error_number, error_name);
            *answer |= (uint32_t)(error > 0 ? error : 0);
            return error > 0;
        }
        return true;
    }
    unknown(r, action, "an action", &nearest);
    return false;
}

// ---- architectures ------------------------------------------------------------------------------------------------

static const struct {
    const char *seccomp, *docker; // as profiles name it, and as conditions do (GOARCH)
    int arch;
} architectures[] = {
    {"SCMP_ARCH_X86_64", "amd64", ARCH_X86_64},
    {"SCMP_ARCH_AARCH64", "arm64", ARCH_AARCH64},
    {"SCMP_ARCH_X86", "x86", -1},
    {"SCMP_ARCH_X86", "386", -1},
    {"SCMP_ARCH_X32", "x32", -1},
    {"SCMP_ARCH_ARM", "arm", -1},
    {"SCMP_ARCH_MIPS", "mips", -1},
    {"SCMP_ARCH_MIPS64", "mips64", -1},
    {"SCMP_ARCH_MIPS64N32", "mips64n32", -1},
    {"SCMP_ARCH_MIPSEL", "mipsel", -1},
    {"SCMP_ARCH_MIPSEL64", "mipsel64", -1},
    {"SCMP_ARCH_MIPSEL64N32", "mipsel64n32", -1},
    {"SCMP_ARCH_MIPSEL64N32", "mips3l64n32", -1},
    {"SCMP_ARCH_PPC", "ppc", -1},
    {"SCMP_ARCH_PPC64", "ppc64", -1},
    {"SCMP_ARCH_PPC64LE", "ppc64le", -1},
    {"SCMP_ARCH_S390", "s390", -1},
    {"SCMP_ARCH_S390X", "s390x", -1},
    {"SCMP_ARCH_RISCV64", "riscv64", -1},
    {"SCMP_ARCH_PARISC", "parisc", -1},
    {"SCMP_ARCH_PARISC64", "parisc64", -1},
    {"SCMP_ARCH_LOONGARCH64", "loong64", -1},
    {"SCMP_ARCH_M68K", "m68k", -1},
    {"SCMP_ARCH_SH", "sh", -1},
    {"SCMP_ARCH_SHEB", "sheb", -1},
};

static int find_architecture(struct reader *r, struct at at, bool docker)
{
    if (!is_kind(r, at, JSON_STRING, "the name of an architecture"))
        return -2;
    struct nearest nearest = {.wrong = at.json->text};
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++) {
        const char *name = docker ? architectures[i].docker : architectures[i].seccomp;
        if (str_is(at.json->text, name))
            return architectures[i].arch;
        nearest_offer(&nearest, str_from(name));
    }
    unknown(r, at, "an architecture", &nearest);
    return -2;
}

static void add_architecture(struct reader *r, struct at at)
{
    int arch = find_architecture(r, at, false);
    struct profile *profile = r->profile;
    if (arch != -1)
        return;
    for (size_t i = 0; i < profile->other_count; i++)
        if (str_equal(profile->others[i], at.json->text))
            return;
    profile->others = arena_grow(r->arena, profile->others, profile->other_count * sizeof *profile->others,
                                 (profile->other_count + 1) * sizeof *profile->others);
    profile->others[profile->other_count++] = at.json->text;
}

// Engines add these to the machine's own, whichever that is.
static void read_architectures(struct reader *r, struct at root)
{
    struct at list = member(r, root, "architectures"), map = member(r, root, "archMap");
    size_t index = 0;
    if (list.json && is_kind(r, list, JSON_ARRAY, "a list of architectures"))
        for (const struct json *json = list.json->first; json; json = json->next)
            add_architecture(r, element(r, list, json, index++));
    index = 0;
    if (!map.json || !is_kind(r, map, JSON_ARRAY, "a list of objects"))
        return;
    for (const struct json *json = map.json->first; json; json = json->next) {
        struct at entry = element(r, map, json, index++);
        if (!is_kind(r, entry, JSON_OBJECT, "an object"))
            continue;
        ONLY_MEMBERS(r, entry, "architecture", "subArchitectures");
        struct at own = member(r, entry, "architecture"), subs = member(r, entry, "subArchitectures");
        if (own.json)
            add_architecture(r, own);
        else
            wanted(r, entry, "an object with an `architecture`");
        size_t k = 0;
        if (subs.json && is_kind(r, subs, JSON_ARRAY, "a list of architectures"))
            for (const struct json *sub = subs.json->first; sub; sub = sub->next)
                add_architecture(r, element(r, subs, sub, k++));
    }
}

// ---- rules --------------------------------------------------------------------------------------------------------

static void read_filter(struct reader *r, struct at at, struct profile_filter *filter)
{
    if (!at.json || !is_kind(r, at, JSON_OBJECT, "an object"))
        return;
    ONLY_MEMBERS(r, at, "arches", "caps", "minKernel");
    struct at arches = member(r, at, "arches"), caps = member(r, at, "caps"), kernel = member(r, at, "minKernel");
    size_t index = 0;
    if (arches.json && is_kind(r, arches, JSON_ARRAY, "a list of architectures"))
        for (const struct json *json = arches.json->first; json; json = json->next) {
            int arch = find_architecture(r, element(r, arches, json, index++), true);
            filter->has_architectures = true;
            if (arch >= 0)
                filter->architectures[arch] = true;
        }
    index = 0;
    if (caps.json && is_kind(r, caps, JSON_ARRAY, "a list of capabilities"))
        for (const struct json *json = caps.json->first; json; json = json->next) {
            struct at cap = element(r, caps, json, index++);
            if (!is_kind(r, cap, JSON_STRING, "a capability"))
                continue;
            int number = capability_find(json->text);
            if (number < 0)
                unknown_constant(r, cap, "a capability", "CAP_");
            else
                filter->capabilities |= 1ull << number;
        }
    if (!kernel.json)
        return;
    unsigned major, minor;
    int used = 0;
    if (!is_kind(r, kernel, JSON_STRING, "a version like \"4.8\""))
        return;
    if (sscanf(kernel.json->text.text, "%3u.%3u%n", &major, &minor, &used) == 2 &&
        (size_t)used == kernel.json->text.length && minor < 256)
        filter->kernel = major << 8 | minor;
    else
        wanted(r, kernel, "a version like \"4.8\"");
}

static bool read_number(struct reader *r, struct at at, uint64_t *value)
{
    if (at.json && is_kind(r, at, JSON_NUMBER, "a number"))
        *value = at.json->number;
    return at.json;
}

static void report_unmasked(struct reader *r, struct at value)
{
    struct span span = span_of(r, value.json);
    diagnostic_label(r->diagnostics, diagnose(r->diagnostics, SBX0813, span, STR_ARGS(value.pointer)), span,
                     "libseccomp compares what `value` has of it");
}

static void read_arguments(struct reader *r, struct at list, struct profile_rule *rule)
{
    static const char *const comparisons[COMPARISON_COUNT] = {
        "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};
    if (!list.json || !is_kind(r, list, JSON_ARRAY, "a list of conditions"))
        return;
    rule->arguments = NEW_ARRAY(r->arena, struct profile_argument, list.json->count);
    size_t index = 0;
    for (const struct json *json = list.json->first; json; json = json->next) {
        struct at at = element(r, list, json, index++);
        if (!is_kind(r, at, JSON_OBJECT, "an object"))
            continue;
        ONLY_MEMBERS(r, at, "index", "value", "valueTwo", "op");
        struct profile_argument *argument = &rule->arguments[rule->argument_count++];
        *argument = (struct profile_argument){.pointer = at.pointer, .span = span_of(r, json)};
        uint64_t number = 0;
        struct at position = member(r, at, "index"), op = member(r, at, "op");
        if (!read_number(r, position, &number) || !op.json)
            wanted(r, at, "a condition with `index`, `value` and `op`");
        else if (number > 5)
            wanted(r, position, "an argument from 0 to 5");
        argument->index = (unsigned)(number % SYSCALL_ARGUMENTS);
        read_number(r, member(r, at, "value"), &argument->value);
        read_number(r, member(r, at, "valueTwo"), &argument->value_two);
        if (!op.json || !is_kind(r, op, JSON_STRING, "a comparison"))
            continue;
        struct nearest nearest = {.wrong = op.json->text};
        int found = -1;
        for (int i = 0; i < COMPARISON_COUNT; i++) {
            nearest_offer(&nearest, str_from(comparisons[i]));
            if (str_is(op.json->text, comparisons[i]))
                found = i;
        }
        if (found < 0)
            unknown(r, op, "a comparison", &nearest);
        else
            argument->comparison = (enum profile_comparison)found;
        if (argument->comparison == COMPARISON_MASKED_EQ && argument->value_two & ~argument->value)
            report_unmasked(r, member(r, at, "valueTwo"));
    }
}

static void add_call(struct reader *r, struct at name, struct profile_rule *rule)
{
    if (!is_kind(r, name, JSON_STRING, "the name of a system call"))
        return;
    if (!is_word(name.json->text)) {
        wanted(r, name, "the name of a system call");
        return;
    }
    int call = syscall_find(name.json->text);
    struct span span = span_of(r, name.json);
    rule->calls[rule->call_count++] = (struct profile_call){call, name.json->text, name.pointer, span};
    if (call >= 0 || syscall_is_foreign(name.json->text))
        return;
    struct nearest nearest = {.wrong = name.json->text};
    for (size_t i = 0; i < syscall_count(); i++)
        nearest_offer(&nearest, str_from(syscall_row(i)->name));
    struct diagnostic *d = diagnose(r->diagnostics, SBX0805, span, STR_ARGS(name.pointer), STR_ARGS(name.json->text));
    diagnostic_suggest(r->diagnostics, d, span, "", &nearest,
                       "Linux 6.18 has none with this name, on any architecture; it is left out, as engines do");
}

static struct at comment_of(struct reader *r, struct at at)
{
    struct at found = {0};
    for (int i = COMMENTS; i-- > 0;)
        if (member(r, at, comments[i]).json)
            found = member(r, at, comments[i]);
    return found;
}

static void read_rule(struct reader *r, struct at at)
{
    if (!is_kind(r, at, JSON_OBJECT, "an object"))
        return;
    ONLY_MEMBERS(r, at, "name", "names", "action", "errnoRet", "errno", "args", "includes", "excludes");
    struct profile_rule *rule = &r->profile->rules[r->profile->rule_count++];
    *rule = (struct profile_rule){.pointer = at.pointer, .span = span_of(r, at.json)};
    struct at name = member(r, at, "name"), names = member(r, at, "names"), comment = comment_of(r, at),
              action = member(r, at, "action");
    if (!name.json == !names.json)
        wanted(r, at, "either `name` or `names`");
    rule->calls = NEW_ARRAY(r->arena, struct profile_call, 1 + (names.json ? names.json->count : 0));
    size_t index = 0;
    if (name.json)
        add_call(r, name, rule);
    if (names.json && is_kind(r, names, JSON_ARRAY, "a list of system calls"))
        for (const struct json *json = names.json->first; json; json = json->next)
            add_call(r, element(r, names, json, index++), rule);
    if (!action.json)
        wanted(r, at, "a rule with an `action`");
    else
        read_action(r, action, member(r, at, "errnoRet"), member(r, at, "errno"), &rule->answer);
    read_arguments(r, member(r, at, "args"), rule);
    if (comment.json && is_kind(r, comment, JSON_STRING, "text"))
        rule->comment = comment.json->text;
    read_filter(r, member(r, at, "includes"), &rule->includes);
    read_filter(r, member(r, at, "excludes"), &rule->excludes);
}

static void read_profile(struct reader *r, struct at root)
{
    if (!is_kind(r, root, JSON_OBJECT, "an object"))
        return;
    struct at whole = member(r, member(r, root, "linux"), "seccomp"); // a bundle's config.json holds it there
    if (json_get(root.json, "linux")) {
        if (!whole.json) {
            wanted(r, member(r, root, "linux"), "a `linux.seccomp` object");
            return;
        }
        read_profile(r, whole);
        return;
    }
    ONLY_MEMBERS(r, root, "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "flags",
                 "listenerPath", "listenerMetadata", "syscalls");
    struct at action = member(r, root, "defaultAction"), flags = member(r, root, "flags"),
              calls = member(r, root, "syscalls");
    if (!action.json)
        wanted(r, root, "a profile with a `defaultAction`");
    else
        read_action(r, action, member(r, root, "defaultErrnoRet"), member(r, root, "defaultErrno"),
                    &r->profile->answer);
    read_architectures(r, root);
    size_t index = 0;
    if (flags.json && is_kind(r, flags, JSON_ARRAY, "a list of flags"))
        for (const struct json *json = flags.json->first; json; json = json->next) {
            struct at flag = element(r, flags, json, index++);
            if (!is_kind(r, flag, JSON_STRING, "the name of a flag"))
                continue;
            if (is_word(json->text))
                loses(r, flag, json->text, "how the filter is loaded is not a policy's to say");
            else
                wanted(r, flag, "the name of a flag");
        }
    static const char *const listener[] = {"listenerPath", "listenerMetadata"};
    for (int i = 0; i < 2; i++) {
        struct at at = member(r, root, listener[i]);
        if (at.json)
            loses(r, at, str_from(listener[i]), "nobody listens here");
    }
    if (!calls.json || !is_kind(r, calls, JSON_ARRAY, "a list of rules"))
        return;
    r->profile->rules = NEW_ARRAY(r->arena, struct profile_rule, calls.json->count);
    index = 0;
    for (const struct json *json = calls.json->first; json; json = json->next)
        read_rule(r, element(r, calls, json, index++));
}

struct profile *profile_read(struct compilation *compilation, const struct source *source)
{
    struct arena *arena = compilation->arena;
    const char *why;
    size_t where;
    struct json *json = json_parse(arena, source->text, &why, &where);
    if (!json) {
        struct span span = {source->number, (uint32_t)where, (uint32_t)where + 1};
        diagnostic_label(&compilation->diagnostics, diagnose(&compilation->diagnostics, SBX0801, span, why), span,
                         "here");
        return NULL;
    }
    struct reader r = {compilation, arena, &compilation->diagnostics, source->number, NEW(arena, struct profile), true};
    read_profile(&r, (struct at){json, STR("")});
    return r.good ? r.profile : NULL;
}
