// Learning.
#include "compiler/learn/learner.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/sets/call_groups.h"
#include "compiler/code/cbpf.h"
#include "compiler/sets/condition_text.h"
#include "compiler/sets/net_range.h"
#include "compiler/meaning/search.h"
#include "lang/format.h"
#include "lang/load.h"

static struct str parent_of(struct str path)
{
    size_t end = path.length;
    while (end && path.text[end - 1] != '/')
        end--;
    return end <= 1 ? STR("/") : (struct str){path.text, end - 1};
}

static struct note *note(struct learner *l, struct str operation, const char *why, uint64_t count)
{
    struct note *note = NEW(l->arena, struct note), *known = map_put(&l->noted, str_copy(l->arena, operation), note);
    if (known)
        return known;
    *note = (struct note){str_copy(l->arena, operation), STR(""), why, count, NULL};
    *l->last_note = note;
    l->last_note = &note->next;
    return note;
}

static int by_path(const void *a, const void *b)
{
    return str_compare(((const struct place *)a)->path, ((const struct place *)b)->path);
}

// What the text means. NULL: it has errors, the first of which is *problem.
static struct policy *compile(struct learner *l, struct str text, const char **problem)
{
    struct compilation *compilation = compilation_new(l->arena);
    struct driver_options options = *l->options;
    options.policy = NULL;
    *problem = driver_roots(compilation, &options);
    struct module *module =
        *problem ? NULL
                 : module_parse_in(compilation, str_format(l->arena, "%.*s.sbx", STR_ARGS(l->name)), l->folder, text);
    struct policy *policy = *problem ? NULL : compilation_policy(compilation, module, &options, NULL, problem);
    if (!policy) {
        if (!*problem)
            *problem =
                compilation->diagnostics.first ? compilation->diagnostics.first->message.text : "it makes no policy";
        return NULL;
    }
    return policy;
}

// ---- files --------------------------------------------------------------------------------------------------------

static bool allows(struct policy *policy, struct str path, unsigned verbs)
{
    for (unsigned verb = 1; verb <= VERB_EXEC; verb <<= 1)
        if (verbs & verb &&
            !policy_verdict(policy, &(struct operation_point){.domain = DOMAIN_FILES, .verb = verb, .path = path})
                 .allowed)
            return false;
    return true;
}

static struct place *add_place(struct learner *l, struct str path, unsigned verbs, uint64_t count, size_t entries)
{
    for (size_t i = 0; i < l->place_count; i++)
        if (str_equal(l->places[i].path, path)) {
            l->places[i].verbs |= verbs;
            l->places[i].count += count;
            l->places[i].entries += entries;
            l->places[i].gone = false;
            return &l->places[i];
        }
    if ((l->place_count & (l->place_count - 1)) == 0)
        l->places = arena_grow(l->arena, l->places, l->place_count * sizeof *l->places,
                               (l->place_count ? 2 * l->place_count : 4) * sizeof *l->places);
    l->places[l->place_count] = (struct place){path, verbs, count, entries, false, false};
    return &l->places[l->place_count++];
}

static struct str file_operation(struct learner *l, const char *verb, struct str path)
{
    struct text text = {.arena = l->arena};
    text_addf(&text, "%s ", verb);
    text_quote(&text, path);
    return text_str(&text);
}

// The folder in which the command makes or removes something: one that was there before.
static struct str made_in(const struct learner *l, struct str path)
{
    struct str folder = parent_of(path);
    for (const struct seen_path *above;
         folder.length > 1 && (above = map_get(&l->seen->path_index, folder)) && above->made;)
        folder = parent_of(folder);
    return folder;
}

static void place_path(struct learner *l, struct policy *usual, const struct seen_path *seen)
{
    struct str path = seen->path, root = known_temporary(path);
    unsigned verbs = seen->verbs;
    if (str_equal(root, path)) {
        if (verbs)
            add_place(l, path, VERB_READ | VERB_WRITE, seen->count, 1)->is_memory = true;
        return;
    }
    if (allows(usual, path, verbs ? verbs : VERB_READ) || (!verbs && seen->folder && !path_covers(l->seen->cwd, path)))
        return;
    if (path_covers(STR("/proc"), path) || path_covers(STR("/dev"), path)) {
        if (verbs)
            note(l, file_operation(l, verbs & VERB_WRITE ? "write" : "read", path),
                 "the sandbox has a /proc and a /dev of its own", seen->count);
        return;
    }
    if (known_is_secret(path)) {
        if (verbs)
            note(l, file_operation(l, "read", path), "it looks like a secret", seen->count)->path = path;
        return;
    }
    if (root.length && seen->made && !path_covers(l->seen->cwd, path)) {
        struct place *place = add_place(l, root, VERB_READ | VERB_WRITE | (verbs & VERB_EXEC), seen->count, 1);
        place->is_memory = true;
        return;
    }
    bool makes = seen->made || verbs & (VERB_CREATE | VERB_DELETE);
    if (verbs & VERB_WRITE || seen->made) {
        struct str target = makes ? made_in(l, path) : path;
        if (known_is_system(path)) {
            note(l, file_operation(l, "write", path), "it would change the system", seen->count);
            return;
        }
        if (makes && known_is_common(l->seen, target)) {
            note(l, file_operation(l, "write", path), "its folder holds much else: make one for it, and allow that",
                 seen->count);
            return;
        }
        if (makes && str_equal(known_temporary(target), target))
            return;
        add_place(l, target, VERB_READ | VERB_WRITE | (verbs & VERB_EXEC), seen->count, 1);
        return;
    }
    if (verbs & VERB_EXEC && !seen->folder) {
        add_place(l, path, VERB_READ | VERB_EXEC, seen->count, 1);
        return;
    }
    if (seen->folder && known_is_common(l->seen, path)) { // the way to others, at most
        if (verbs)
            note(l, file_operation(l, "read", path), "it holds much else", seen->count);
        return;
    }
    if (path_covers(l->seen->cwd, path) && !known_is_common(l->seen, l->seen->cwd))
        path = l->seen->cwd;
    add_place(l, path, VERB_READ, seen->count, 1);
}

// Several places of one kind beside each other become their folder; what another one allows already goes.
static void fold(struct learner *l, size_t least)
{
    for (bool changed = true; changed;) {
        changed = false;
        qsort(l->places, l->place_count, sizeof *l->places, by_path);
        for (size_t i = 0; i < l->place_count; i++) {
            struct place *place = &l->places[i];
            for (size_t k = 0; k < l->place_count && !place->gone; k++) {
                struct place *above = &l->places[k];
                if (k != i && !above->gone && path_covers(above->path, place->path) &&
                    !(place->verbs & ~above->verbs) && place->is_memory == above->is_memory) {
                    above->count += place->count;
                    above->entries += place->entries;
                    place->gone = true;
                }
            }
        }
        for (size_t i = 0; i < l->place_count && !changed; i++) {
            struct str folder = parent_of(l->places[i].path);
            size_t beside = 0, entries = 0;
            uint64_t count = 0;
            if (l->places[i].gone || l->places[i].is_memory || known_is_common(l->seen, folder))
                continue;
            for (size_t k = 0; k < l->place_count; k++)
                if (!l->places[k].gone && l->places[k].verbs == l->places[i].verbs &&
                    path_covers(folder, l->places[k].path) && !l->places[k].is_memory) {
                    beside++;
                    count += l->places[k].count;
                    entries += l->places[k].entries;
                }
            if (beside < least)
                continue;
            unsigned verbs = l->places[i].verbs;
            for (size_t k = 0; k < l->place_count; k++)
                if (l->places[k].verbs == verbs && path_covers(folder, l->places[k].path) && !l->places[k].is_memory)
                    l->places[k].gone = true;
            add_place(l, folder, verbs, count, entries);
            changed = true;
        }
    }
}

// ---- the network --------------------------------------------------------------------------------------------------

static void learn_net(struct learner *l)
{
    struct text text = {.arena = l->arena};
    uint64_t loopback[3] = {0}; // tcp, udp
    for (size_t i = 0; i < l->seen->net_count; i++) {
        const struct seen_net *net = l->seen->nets[i];
        const struct net_point *point = &net->point;
        bool own = point->place == NET_ADDRESS &&
                   (point->address == 1 || (uint32_t)(point->address >> 24) == (0xFFFF00u | 127));
        if (point->verb == VERB_BIND || own) { // a server of the command's own, and who asks it
            if (point->protocol == PROTOCOL_TCP || point->protocol == PROTOCOL_UDP)
                loopback[point->protocol == PROTOCOL_UDP] += net->count;
            continue;
        }
        if (point->protocol == PROTOCOL_UDP &&
            point->place != NET_UNIX) { // a C library asks its kernel for a way to where it then connects
            bool same = false;
            for (size_t k = 0; k < l->seen->net_count; k++) {
                const struct net_point *other = &l->seen->nets[k]->point;
                same |= other->protocol == PROTOCOL_TCP && other->verb == VERB_CONNECT &&
                        other->place == point->place && other->address == point->address;
                same |= other->protocol == PROTOCOL_TCP && other->place == NET_NAME && point->place == NET_NAME &&
                        str_equal(other->name, point->name);
            }
            if (same)
                continue;
        }
        text_addf(&text, "        allow ");
        net_point_print(&text, point);
        if (point->place == NET_NAME && net_is_private(point->address))
            text_addf(&text, " private");
        learner_end_seen(&text, net->count, "");
        l->net_rules++;
    }
    for (int k = 0; k < 2; k++)
        if (loopback[k]) {
            text_addf(&text, "        allow bind, listen, connect %s loopback", k ? "udp" : "tcp");
            learner_end_seen(&text, loopback[k], "; servers of its own");
            l->net_rules++;
        }
    l->net = text_str(&text);
}

// ---- calls --------------------------------------------------------------------------------------------------------

static bool is_dangerous(struct policy *policy, int call)
{
    const struct group_decl *group =
        group_find(policy->compilation, policy->compilation->prelude, STR("dangerous"));
    for (size_t i = 0; group && i < group->call_count; i++)
        if (group->calls[i] == call)
            return true;
    return false;
}

// One rule for each call, with the values of the argument that decides; one for all those of which none does.
static void learn_calls(struct learner *l, struct policy *policy)
{
    struct text text = {.arena = l->arena};
    size_t plain_count = 0;
    uint64_t plain_times = 0;
    bool *plain = NEW_ARRAY(l->arena, bool, syscall_count());
    const struct plan *plan = policy_lower(policy, 1u << ARCH_HERE);
    if (!plan)
        return;
    struct map together = {.arena = l->arena};
    bool *done = NEW_ARRAY(l->arena, bool, l->seen->call_count + 1);
    for (size_t i = 0; i < l->seen->call_count; i++) {
        const struct seen_call *seen = l->seen->calls[i];
        struct operation_point point = {.domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = seen->number};
        int call = syscall_by_number(ARCH_HERE, seen->number);
        memcpy(point.arguments, seen->arguments, sizeof point.arguments);
        if (done[i] || call < 0 || policy_verdict(policy, &point).allowed)
            continue;
        struct verdict verdict = policy_verdict(policy, &point);
        const struct syscall_row *row = syscall_row((size_t)call);
        uint32_t words[SECCOMP_WORDS];
        cbpf_words(words, arch_audit[ARCH_HERE], seen->number, seen->arguments);
        unsigned asked = cbpf_arguments_asked(&plan->filters[ARCH_HERE], words);
        struct text operation = {.arena = l->arena};
        call_print(&operation, &point, asked);
        if (verdict.error == errno_find(STR("ENOSYS")) && !verdict.rule)
            continue; // a C library has another call for it
        if (verdict.rule || is_dangerous(policy, call)) {
            note(l, text_str(&operation),
                 verdict.rule ? "a rule denies it"
                              : "it gives power over the machine or other processes; most programs can do without",
                 seen->count);
            continue;
        }
        if (!asked) {
            for (size_t k = i; k < l->seen->call_count; k++)
                if (l->seen->calls[k]->number == seen->number) {
                    done[k] = true;
                    plain_times += l->seen->calls[k]->count;
                }
            plain[call] = true;
            plain_count++;
            continue;
        }
        if (asked & (asked - 1)) { // several together
            struct str rule = text_str(&operation);
            if (map_put(&together, rule, l))
                continue;
            l->call_rules++;
            text_addf(&text, "        allow %.*s", (int)(rule.length - strlen("syscall ")),
                      rule.text + strlen("syscall "));
            learner_end_seen(&text, seen->count, "");
            continue;
        }
        l->call_rules++;
        unsigned argument = (unsigned)__builtin_ctz(asked);
        uint64_t times = 0;
        struct map values = {.arena = l->arena};
        struct text list = {.arena = l->arena};
        size_t written = 0;
        for (size_t k = i; k < l->seen->call_count; k++) {
            const struct seen_call *other = l->seen->calls[k];
            struct operation_point same = point;
            memcpy(same.arguments, other->arguments, sizeof same.arguments);
            if (other->number != seen->number || policy_verdict(policy, &same).allowed)
                continue;
            done[k] = true;
            times += other->count;
            struct text value = {.arena = l->arena};
            argument_value_print(&value, row, argument, other->arguments[argument], ARCH_HERE);
            if (map_put(&values, text_str(&value), l))
                continue;
            text_addf(&list, "%s%.*s", written++ ? ", " : "", STR_ARGS(text_str(&value)));
        }
        text_addf(&text, written > 1 ? "        allow %s where %s in { %.*s }" : "        allow %s where %s == %.*s",
                  row->name, row->arguments[argument].name, STR_ARGS(text_str(&list)));
        learner_end_seen(&text, times, "");
    }
    if (plain_count) {
        text_addf(&text, "        allow ");
        calls_print(&text, policy->compilation, plain, 1u << ARCH_HERE, NULL, NULL);
        learner_end_seen(&text, plain_times, "");
        l->call_rules++;
    }
    l->calls = text_str(&text);
}

// ---- all of it ----------------------------------------------------------------------------------------------------

bool learn(struct arena *arena, const struct seen *seen, struct str folder, struct str name, struct str given,
           struct str given_policy, const struct driver_options *options, struct learned *learned, const char **problem)
{
    struct learner learner = {.arena = arena,
                              .seen = seen,
                              .folder = folder,
                              .name = name,
                              .given = given,
                              .given_policy = given_policy,
                              .options = options,
                              .noted = {.arena = arena}},
                   *l = &learner;
    l->last_note = &l->notes;
    for (size_t i = 0; i < seen->path_count; i++) {
        const struct seen_path *path = seen->paths[i];
        bool distribution = path_covers(STR("/usr"), path->path) || path_covers(STR("/bin"), path->path);
        for (int k = 0; known_libraries[k].module && distribution && path->verbs & VERB_EXEC; k++)
            l->libraries[k] |= known_runs(&known_libraries[k], path->path);
    }
    struct policy *policy = compile(l, learner_write(l, false), problem);
    if (!policy)
        return false;
    for (size_t i = 0; i < seen->path_count; i++)
        place_path(l, policy, seen->paths[i]);
    fold(l, 3);
    size_t left = 0;
    for (size_t i = 0; i < l->place_count; i++)
        left += !l->places[i].gone;
    if (left > 20)
        fold(l, 2);
    learn_net(l);
    if (!(policy = compile(l, learner_write(l, false), problem)))
        return false;
    learn_calls(l, policy);
    // Each operation of the record is asked of the finished policy.
    for (int again = 0; again < 2; again++) {
        if (!(policy = compile(l, learner_write(l, false), problem)))
            return false;
        *learned = (struct learned){.rules = l->rules};
        for (size_t i = 0; i < seen->path_count; i++) {
            const struct seen_path *path = seen->paths[i];
            if (!path->verbs)
                continue;
            learned->operations++;
            if (allows(policy, path->path, path->verbs)) {
                learned->allowed++;
                continue;
            }
            bool told = map_get(&l->noted, file_operation(l, "read", path->path)) ||
                        map_get(&l->noted, file_operation(l, "write", path->path));
            if (!told && again)
                note(l,
                     file_operation(l,
                                    path->verbs & VERB_WRITE  ? "write"
                                    : path->verbs & VERB_EXEC ? "exec"
                                                              : "read",
                                    path->path),
                     "no rule for it could be found", path->count);
            else if (!told && !path->made && !known_is_common(seen, path->path))
                add_place(l, path->path,
                          (path->verbs & VERB_WRITE ? VERB_WRITE : 0) | VERB_READ | (path->verbs & VERB_EXEC),
                          path->count, 1);
            learned->noted++;
        }
        for (size_t i = 0; i < seen->call_count; i++) {
            struct operation_point point = {
                .domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = seen->calls[i]->number};
            memcpy(point.arguments, seen->calls[i]->arguments, sizeof point.arguments);
            learned->operations++;
            policy_verdict(policy, &point).allowed ? learned->allowed++ : learned->noted++;
        }
        for (size_t i = 0; i < seen->net_count; i++) {
            learned->operations++;
            policy_verdict(policy, &(struct operation_point){.domain = DOMAIN_NET, .net = seen->nets[i]->point}).allowed
                ? learned->allowed++
                : learned->noted++;
        }
        qsort(l->places, l->place_count, sizeof *l->places, by_path);
    }
    struct str text = learner_write(l, true);
    if (!(policy = compile(l, text, problem)))
        return false;
    const struct str *formatted =
        format_source(arena, source_of(&policy->compilation->sources, policy->decl->name.span));
    learned->text = formatted ? *formatted : text;
    learned->rules = l->rules;
    return true;
}
