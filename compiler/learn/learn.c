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
    *note = (struct note){.operation = str_copy(l->arena, operation), .why = why, .count = count};
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
    l->places[l->place_count] = (struct place){.path = path, .verbs = verbs, .count = count, .entries = entries};
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

// What beneath the caller's home a program looks for by HOME: hidden names, but where the program itself lies, or which
// the command names. Empty: it is none; else the path beneath the home, which is one inside too, with another HOME.
static struct str beneath_home(const struct learner *l, struct str path)
{
    struct str home = l->seen->home;
    if (home.length < 2 || !path_covers(home, path) || path.length < home.length + 2 ||
        path.text[home.length + 1] != '.' ||
        (path_covers(l->seen->cwd, path) && !known_is_common(l->seen, l->seen->cwd)))
        return STR("");
    struct str below = {path.text + home.length + 1, path.length - home.length - 1};
    const char *slash = memchr(below.text, '/', below.length);
    struct str top = {path.text, slash ? (size_t)(slash - path.text) : path.length};
    for (size_t i = 0; i < l->seen->path_count; i++)
        if (l->seen->paths[i]->verbs & VERB_EXEC && path_covers(top, l->seen->paths[i]->path))
            return STR("");
    for (size_t i = 0; i < l->seen->command_count; i++)
        if (memmem(l->seen->command[i].text, l->seen->command[i].length, top.text, top.length))
            return STR("");
    return below;
}

// Where it will be in the sandbox.
static struct str path_inside(const struct learner *l, struct str path)
{
    struct str below = beneath_home(l, path);
    return below.length ? str_format(l->arena, "%.*s/%.*s", STR_ARGS(l->home), STR_ARGS(below)) : path;
}

// The HOME of the sandbox: the policy's, or a place for temporary files where nothing can be made in that one.
static void choose_home(struct learner *l, struct policy *usual)
{
    struct str home = STR("/");
    for (size_t i = 0; i < usual->env_count; i++)
        if (str_is(usual->env[i].name, "HOME"))
            home = usual->env[i].keep ? l->seen->home : usual->env[i].value;
    bool fits = known_temporary(home).length || allows(usual, home, VERB_WRITE);
    l->home = fits ? home : STR("/tmp");
    if (fits)
        return;
    for (size_t i = 0; i < l->seen->path_count && !l->sets_home; i++)
        l->sets_home = (l->seen->paths[i]->verbs || l->seen->paths[i]->made) &&
                       beneath_home(l, l->seen->paths[i]->path).length;
}

// Is something changed in this folder?
static bool is_changed(const struct learner *l, struct str folder)
{
    for (size_t i = 0; i < l->seen->path_count; i++)
        if ((l->seen->paths[i]->made || l->seen->paths[i]->verbs & VERB_WRITE) &&
            path_covers(folder, l->seen->paths[i]->path))
            return true;
    return false;
}

// A folder of a home in which many programs have theirs.
static bool is_wide(struct str below)
{
    return !memchr(below.text, '/', below.length) || str_is(below, ".local/share") || str_is(below, ".local/state");
}

static void place_path(struct learner *l, struct policy *usual, const struct seen_path *seen)
{
    struct str path = path_inside(l, seen->path), root = known_temporary(path), below = beneath_home(l, seen->path);
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
    if (path_covers(STR("/sys/fs/cgroup"), path)) {
        if (verbs)
            note(l, file_operation(l, verbs & VERB_WRITE ? "write" : "read", path),
                 "the sandbox is in control groups of its own", seen->count);
        return;
    }
    if (known_is_secret(seen->path) && !seen->made) {
        if (verbs)
            note(l, file_operation(l, "read", seen->path), "it looks like a secret", seen->count)->path = path;
        return;
    }
    if (below.length && root.length && !seen->made && !(verbs & VERB_WRITE)) {
        if (!(verbs & VERB_READ) || is_changed(l, seen->path))
            return;
        if (seen->folder && is_wide(below))
            note(l, file_operation(l, "read", seen->path), "it holds much else", seen->count);
        else
            add_place(l, path, VERB_READ, seen->count, 1)->home = below;
        return;
    }
    if (root.length && (seen->made || below.length) && !path_covers(l->seen->cwd, seen->path)) {
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

static bool is_beside(const struct place *place, const struct place *other, struct str folder)
{
    return place->verbs == other->verbs && !place->home.length == !other->home.length && !place->is_memory &&
           path_covers(folder, place->path);
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
                    !(place->verbs & ~above->verbs) && place->is_memory == above->is_memory &&
                    !place->home.length == !above->home.length) {
                    above->count += place->count;
                    above->entries += place->entries;
                    place->gone = true;
                }
            }
        }
        for (size_t i = 0; i < l->place_count && !changed; i++) {
            struct str folder = parent_of(l->places[i].path), home = l->places[i].home;
            size_t beside = 0, entries = 0;
            uint64_t count = 0;
            home.length -= home.length ? l->places[i].path.length - folder.length : 0;
            if (l->places[i].gone || l->places[i].is_memory || known_is_common(l->seen, folder) ||
                (l->places[i].home.length && is_wide(home)))
                continue;
            for (size_t k = 0; k < l->place_count; k++)
                if (is_beside(&l->places[k], &l->places[i], folder) && !l->places[k].gone) {
                    beside++;
                    count += l->places[k].count;
                    entries += l->places[k].entries;
                }
            if (beside < least)
                continue;
            struct place like = l->places[i];
            for (size_t k = 0; k < l->place_count; k++)
                if (is_beside(&l->places[k], &like, folder))
                    l->places[k].gone = true;
            add_place(l, folder, like.verbs, count, entries)->home = home;
            changed = true;
        }
    }
}

// ---- the network --------------------------------------------------------------------------------------------------

// Memory of the sandbox's own, as the deepest place above says.
static bool is_in_memory(const struct learner *l, struct str path)
{
    const struct place *deepest = NULL;
    for (size_t i = 0; i < l->place_count; i++)
        if (!l->places[i].gone && path_covers(l->places[i].path, path) &&
            (!deepest || l->places[i].path.length > deepest->path.length))
            deepest = &l->places[i];
    return deepest ? deepest->is_memory : path_covers(STR("/dev/shm"), path);
}

// Did it make unix sockets whose datagrams go to whatever path each names? `unix loopback` has none.
static bool sends_to_paths(const struct learner *l)
{
    int socket = syscall_find(STR("socket"));
    enum { FAMILY_UNIX = 1, TYPE_DATAGRAM = 2, TYPE_MASK = 15 }; // socket(2); include/linux/net.h
    for (size_t i = 0; i < l->seen->call_count; i++) {
        const struct seen_call *call = l->seen->calls[i];
        if (syscall_by_number(ARCH_HERE, call->number) == socket && call->arguments[0] == FAMILY_UNIX &&
            (call->arguments[1] & TYPE_MASK) == TYPE_DATAGRAM)
            return true;
    }
    return false;
}

// Numbers in a name are mostly those of processes, users and ports, which are others inside or the next time.
static bool has_number(struct str name)
{
    size_t digits = 0;
    for (size_t i = 0; i < name.length && digits < 3; i++)
        digits = name.text[i] >= '0' && name.text[i] <= '9' ? digits + 1 : 0;
    return digits == 3;
}

// A unix socket as the sandbox has it: in memory one of its own, else by its path, or by the folder that was there
// before where its name may be another one each time.
static struct net_point unix_inside(const struct learner *l, const struct net_point *point)
{
    struct net_point inside = *point;
    if (str_equal(point->name, NET_OWN_UNIX))
        return inside;
    inside.name = path_inside(l, point->name);
    if (is_in_memory(l, inside.name)) {
        struct str root = known_temporary(inside.name);
        inside.name = !l->sends_to_paths ? NET_OWN_UNIX : root.length ? root : STR("/dev/shm");
    } else {
        const struct seen_path *socket = map_get(&l->seen->path_index, point->name),
                               *folder = map_get(&l->seen->path_index, parent_of(point->name));
        struct str above = parent_of(point->name);
        struct str name = {point->name.text + above.length, point->name.length - above.length};
        if (socket && socket->made && ((folder && folder->made) || has_number(name)))
            inside.name = made_in(l, point->name);
    }
    return inside;
}

static bool net_allows(struct policy *policy, struct net_point point, unsigned verbs)
{
    for (point.verb = 1; point.verb <= VERB_NET; point.verb <<= 1)
        if (verbs & point.verb &&
            !policy_verdict(policy, &(struct operation_point){.domain = DOMAIN_NET, .net = point}).allowed)
            return false;
    return true;
}

static void learn_unix(struct learner *l, struct policy *policy, struct text *text)
{
    struct map done = {.arena = l->arena};
    l->sends_to_paths = sends_to_paths(l);
    for (size_t i = 0; i < l->seen->net_count; i++) {
        if (l->seen->nets[i]->point.place != NET_UNIX)
            continue;
        struct net_point point = unix_inside(l, &l->seen->nets[i]->point);
        if (map_put(&done, point.name, l))
            continue;
        bool binds = false;
        uint64_t count = 0;
        for (size_t k = i; k < l->seen->net_count; k++) {
            const struct seen_net *other = l->seen->nets[k];
            if (other->point.place == NET_UNIX && str_equal(unix_inside(l, &other->point).name, point.name)) {
                binds |= other->point.verb == VERB_BIND;
                count += other->count;
            }
        }
        if (net_allows(policy, point, binds ? VERB_BIND | VERB_LISTEN | VERB_CONNECT : VERB_CONNECT))
            continue;
        text_addf(text, "        allow %s unix ", binds ? "bind, listen, connect" : "connect");
        if (str_equal(point.name, NET_OWN_UNIX))
            text_add(text, point.name.text, point.name.length);
        else
            text_quote(text, point.name);
        learner_end_seen(text, count, binds ? "; servers of its own" : "");
        l->net_rules++;
    }
}

static bool is_own_loopback(const struct net_point *point)
{
    return point->place == NET_ADDRESS &&
           (point->address == 1 || (uint32_t)(point->address >> 24) == (0xFFFF00u | 127));
}

// A C library asks its kernel by udp for the way to where it then connects.
static bool asks_the_way(const struct learner *l, const struct net_point *point)
{
    for (size_t k = 0; k < l->seen->net_count && point->protocol == PROTOCOL_UDP; k++) {
        const struct net_point *other = &l->seen->nets[k]->point;
        if (other->protocol == PROTOCOL_TCP &&
            ((other->verb == VERB_CONNECT && other->place == point->place && other->address == point->address) ||
             (other->place == NET_NAME && point->place == NET_NAME && str_equal(other->name, point->name))))
            return true;
    }
    return false;
}

static struct str net_operation(struct learner *l, const struct net_point *point)
{
    struct text text = {.arena = l->arena};
    net_point_print(&text, point);
    return text_str(&text);
}

static void learn_net(struct learner *l, struct policy *policy)
{
    struct text text = {.arena = l->arena};
    uint64_t loopback[2] = {0}; // tcp, udp
    learn_unix(l, policy, &text);
    for (size_t i = 0; i < l->seen->net_count; i++) {
        const struct seen_net *net = l->seen->nets[i];
        const struct net_point *point = &net->point;
        if (point->place == NET_UNIX || net_allows(policy, *point, point->verb))
            continue;
        if (point->verb != VERB_CONNECT || is_own_loopback(point)) { // a server of the command's own, and who asks it
            loopback[point->protocol == PROTOCOL_UDP] += net->count;
            continue;
        }
        const char *needless = asks_the_way(l, point) ? "a C library asks so for the way to where it connects by tcp"
                                                      : known_probe(point);
        if (needless) {
            note(l, net_operation(l, point), needless, net->count);
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

static struct operation_point call_point(const struct seen_call *seen)
{
    struct operation_point point = {.domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = seen->number};
    memcpy(point.arguments, seen->arguments, sizeof point.arguments);
    return point;
}

// As a question would ask for it, with the arguments (*asked) that the plan's filter asks for.
static struct str call_operation(struct learner *l, const struct plan *plan, const struct seen_call *seen,
                                 unsigned *asked)
{
    struct operation_point point = call_point(seen);
    uint32_t words[SECCOMP_WORDS];
    struct text text = {.arena = l->arena};
    cbpf_words(words, arch_audit[ARCH_HERE], seen->number, seen->arguments);
    *asked = cbpf_arguments_asked(&plan->filters[ARCH_HERE], words);
    if (syscall_by_number(ARCH_HERE, seen->number) >= 0)
        call_print(&text, &point, *asked);
    else
        text_addf(&text, "syscall %u", seen->number);
    return text_str(&text);
}

// Why no rule is made for a call that the policy does not allow. NULL: one is.
static const char *why_not(struct learner *l, struct policy *policy, const struct seen_call *seen)
{
    struct operation_point point = call_point(seen);
    struct verdict verdict = policy_verdict(policy, &point);
    int call = syscall_by_number(ARCH_HERE, seen->number);
    if (call < 0)
        return "it is newer than this edition of the language; programs know how to do without";
    if (verdict.error == errno_find(STR("ENOSYS")) && !verdict.rule)
        return "C libraries have another call for it";
    if (verdict.rule)
        return verdict.rule->because.length ? str_copy(l->arena, verdict.rule->because).text : "a rule denies it";
    return is_dangerous(policy, call)
               ? "it gives power over the machine or other processes; most programs can do without"
               : NULL;
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
        struct operation_point point = call_point(seen);
        int call = syscall_by_number(ARCH_HERE, seen->number);
        if (done[i] || call < 0 || policy_verdict(policy, &point).allowed)
            continue;
        const struct syscall_row *row = syscall_row((size_t)call);
        unsigned asked;
        struct str operation = call_operation(l, plan, seen, &asked);
        if (why_not(l, policy, seen))
            continue;
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
            if (map_put(&together, operation, l))
                continue;
            l->call_rules++;
            text_addf(&text, "        allow %.*s", (int)(operation.length - strlen("syscall ")),
                      operation.text + strlen("syscall "));
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

// ---- what it comes to ----------------------------------------------------------------------------------------------

static void ask_files(struct learner *l, struct policy *policy, bool last, struct learned *learned)
{
    static const char *const verbs[] = {"read", "write", "exec"};
    for (size_t i = 0; i < l->seen->path_count; i++) {
        const struct seen_path *path = l->seen->paths[i];
        struct str inside = path_inside(l, path->path);
        if (!path->verbs)
            continue;
        learned->operations++;
        if (allows(policy, inside, path->verbs)) {
            learned->allowed++;
            continue;
        }
        struct note *told = NULL;
        for (size_t k = 0; k < sizeof verbs / sizeof *verbs && !told; k++)
            told = map_get(&l->noted, file_operation(l, verbs[k], path->path));
        const char *verb = path->verbs & VERB_WRITE ? "write" : path->verbs & VERB_EXEC ? "exec" : "read";
        if (last && !told)
            told = note(l, file_operation(l, verb, path->path), "no rule for it could be found", path->count);
        if (last)
            told->things++;
        else if (!told && !path->made && !known_is_common(l->seen, path->path))
            add_place(l, inside,
                      (path->verbs & VERB_WRITE ? VERB_WRITE : 0) | VERB_READ | (path->verbs & VERB_EXEC), path->count,
                      1)
                ->home = beneath_home(l, path->path);
    }
}

static void ask_calls(struct learner *l, struct policy *policy, bool last, struct learned *learned)
{
    const struct plan *plan = policy_lower(policy, 1u << ARCH_HERE);
    for (size_t i = 0; i < l->seen->call_count; i++) {
        const struct seen_call *call = l->seen->calls[i];
        struct operation_point point = call_point(call);
        unsigned asked;
        learned->operations++;
        if (policy_verdict(policy, &point).allowed) {
            learned->allowed++;
        } else if (last) {
            const char *why = why_not(l, policy, call);
            struct str operation = plan ? call_operation(l, plan, call, &asked) : STR("syscall");
            struct note *known = map_get(&l->noted, operation);
            if (known)
                known->count += call->count;
            else
                known = note(l, operation, why ? why : "no rule for it could be found", call->count);
            known->things++;
        }
    }
}

static void ask_net(struct learner *l, struct policy *policy, bool last, struct learned *learned)
{
    for (size_t i = 0; i < l->seen->net_count; i++) {
        const struct seen_net *net = l->seen->nets[i];
        struct net_point point = net->point.place == NET_UNIX ? unix_inside(l, &net->point) : net->point;
        learned->operations++;
        if (policy_verdict(policy, &(struct operation_point){.domain = DOMAIN_NET, .net = point}).allowed)
            learned->allowed++;
        else if (last)
            note(l, net_operation(l, &net->point),
                 point.verb == VERB_CONNECT ? "no rule for it could be found"
                                            : "the sandbox has a network of its own, without this address",
                 net->count)
                ->things++;
    }
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
    choose_home(l, policy);
    for (size_t i = 0; i < seen->path_count; i++)
        place_path(l, policy, seen->paths[i]);
    fold(l, 3);
    size_t left = 0;
    for (size_t i = 0; i < l->place_count; i++)
        left += !l->places[i].gone;
    if (left > 20)
        fold(l, 2);
    learn_net(l, policy);
    if (!(policy = compile(l, learner_write(l, false), problem)))
        return false;
    learn_calls(l, policy);
    // Each operation of the record is asked of the finished policy; what it does not allow is given a rule or a note.
    for (int again = 0; again < 2; again++) {
        if (!(policy = compile(l, learner_write(l, false), problem)))
            return false;
        *learned = (struct learned){.rules = l->rules};
        ask_files(l, policy, again, learned);
        ask_calls(l, policy, again, learned);
        ask_net(l, policy, again, learned);
        qsort(l->places, l->place_count, sizeof *l->places, by_path);
    }
    for (const struct note *n = l->notes; n; n = n->next)
        learned->noted += n->things;
    struct str text = learner_write(l, true);
    if (!(policy = compile(l, text, problem)))
        return false;
    const struct str *formatted =
        format_source(arena, source_of(&policy->compilation->sources, policy->decl->name.span));
    learned->text = formatted ? *formatted : text;
    learned->rules = l->rules;
    return true;
}
