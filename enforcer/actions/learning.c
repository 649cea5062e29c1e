// Learning a policy from a run, and tightening one.
#include "enforcer/actions/learning.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/code/cbpf.h"
#include "compiler/front/output.h"
#include "compiler/learn/learn.h"
#include "compiler/report/report.h"
#include "enforcer/actions/observe.h"
#include "enforcer/actions/plan_file.h"
#include "enforcer/host/say.h"
#include "lang/load.h"

enum { STATUS_NOT_SET_UP = 125 };

static int refuse(const char *what, const char *path, const char *why)
{
    say(stderr, "sbxrun: %s %s: %s", what, path, why);
    return STATUS_NOT_SET_UP;
}

// What any program may do: of other calls each is recorded.
static const struct plan *usual_plan(struct arena *arena)
{
    struct compilation *compilation = compilation_new(arena);
    struct driver_options options = {0};
    const char *problem;
    struct module *module =
        module_parse(compilation, STR("usual.sbx"), STR("sbx 1; import std.base; policy usual { use std.base; }\n"));
    struct policy *policy = compilation_policy(compilation, module, &options, NULL, &problem);
    const struct plan *plan = policy ? policy_lower(policy, 1u << ARCH_HERE) : NULL;
    if (!plan)
        report_text(stderr, compilation, false);
    return plan;
}

// The command as a policy names it: found in PATH, by its whole name.
static struct str program_of(struct arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    char real[PATH_MAX];
    if (strchr(name, '/'))
        return str_copy(arena, str_from(realpath(name, real) && name[0] != '/' ? real : name));
    while (path && *path) {
        size_t length = strcspn(path, ":");
        struct str candidate = str_format(arena, "%.*s/%s", (int)length, path, name);
        if (length && access(candidate.text, X_OK) == 0)
            return candidate;
        path += length + (path[length] == ':');
    }
    return str_from(name);
}

static struct seen *begin_record(struct arena *arena, char *const *argv)
{
    struct seen *seen = seen_new(arena);
    char cwd[PATH_MAX];
    const char *home = getenv("HOME");
    size_t count = 0;
    while (argv[count])
        count++;
    seen->command = NEW_ARRAY(arena, struct str, count + 1);
    for (size_t i = 0; i < count; i++)
        seen->command[i] = i ? str_from(argv[i]) : program_of(arena, argv[0]);
    seen->command_count = count;
    seen->cwd = str_copy(arena, str_from(getcwd(cwd, sizeof cwd) ? cwd : "/"));
    seen->home = str_from(home ? home : "/");
    seen->processes = 1;
    return seen;
}

// A name for the policy, from its file's.
static struct str name_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    struct text text = {.arena = arena};
    for (const char *at = base; *at && strcmp(at, ".sbx") != 0; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z'), digit = *at >= '0' && *at <= '9';
        if (!text.length && !letter)
            text_addf(&text, "p_");
        text_addf(&text, "%c", letter || digit ? *at : '_');
    }
    struct str name = text.length ? text_str(&text) : STR("learned");
    struct compilation *compilation = compilation_new(arena); // a word of the language's is none
    module_parse(compilation, STR("name"), str_format(arena, "sbx 1; policy %.*s { }", STR_ARGS(name)));
    return compilation->diagnostics.errors ? str_format(arena, "p_%.*s", STR_ARGS(name)) : name;
}

// Whether a policy says that it was made of that record. Its folder may be one where anybody has written.
static bool names_record(struct arena *arena, const char *policy, struct str record)
{
    const char *problem;
    struct str text = file_read_whole(arena, policy, &problem), hash = plan_hash(arena, record);
    struct str line = str_format(arena, "\n%s%.*s\n", LEARN_RECORD, STR_ARGS(hash));
    return !problem && memmem(text.text, text.length, line.text, line.length);
}

int learning_run(struct arena *arena, const char *out, const char *given, const struct driver_options *options,
                 char *const *argv)
{
    size_t length = strlen(out);
    struct str text, given_policy = STR("");
    const char *problem, *slash = strrchr(out, '/'), *given_name = "";
    struct failure failure = {0};
    if (length < 5 || strcmp(out + length - 4, ".sbx") != 0)
        return refuse("cannot learn into", out, "a policy's name ends in .sbx");
    const char *record = str_format(arena, "%.*s.seen.json", (int)(length - 4), out).text;
    text = file_read_whole(arena, record, &problem);
    bool has_record = !problem;
    if (!has_record && errno != ENOENT) // or what it holds would be lost
        return refuse("cannot read", record, problem);
    if (!has_record && access(out, F_OK) == 0)
        return refuse(
            "cannot learn into", out,
            "it is there, and was not learned: give it as POLICY, to go on from it, and another name to learn into");
    const struct plan *usual = usual_plan(arena);
    struct seen *seen = begin_record(arena, argv), *all = seen_new(arena);
    if (has_record && !names_record(arena, out, text))
        return refuse("cannot go on with", record,
                      "it is not what the policy beside it was made of: remove both, and learn anew");
    if (has_record && !seen_read(all, text, &problem))
        return refuse("cannot go on with", record, problem);
    if (given) { // an import reaches files beside it and below
        struct compilation *compilation = compilation_new(arena);
        struct policy *policy = driver_policy(compilation, given, options, NULL, &problem);
        size_t folder = slash ? (size_t)(slash - out) + 1 : 0;
        if (!policy)
            report_text(stderr, compilation, false);
        if (!policy)
            return problem ? refuse("cannot go on from", given, problem) : STATUS_NOT_SET_UP;
        if (strncmp(given, out, folder) != 0 || strstr(given + folder, "..") || given[folder] == '/')
            return refuse("cannot go on from", given,
                          "it must lie in the folder of the new policy, or below, which imports it");
        given_name = given + folder;
        given_policy = policy->decl->name.text;
    }
    if (!usual)
        return STATUS_NOT_SET_UP;
    int status = observe(seen, argv, usual, &failure);
    if (status < 0)
        return refuse(failure.what, argv[0], strerror(failure.error));
    // The runs before, and then this one, so that the command is the last one's.
    struct learned learned;
    char folder[PATH_MAX];
    if (!realpath(slash ? str_format(arena, "%.*s/", (int)(slash - out), out).text : ".", folder))
        return refuse("cannot write", out, strerror(errno));
    if (!seen_read(all, seen_write(arena, seen), &problem))
        return refuse("cannot keep", record, problem);
    if (!learn(arena, all, str_from(folder), name_of(arena, out), str_from(given_name), given_policy, options, &learned,
               &problem))
        return refuse("cannot learn", out, problem);
    int error = output_write(record, seen_write(arena, all));
    if (error || (error = output_write(out, learned.text)))
        return refuse("cannot write", out, strerror(error));
    say(stderr, "sbxrun: %s: %zu rules of its own; it allows %zu of %zu things that were seen, and notes %zu", out,
        learned.rules, learned.allowed, learned.operations, learned.noted);
    return status;
}

// ---- tightening ---------------------------------------------------------------------------------------------------

// Where the policy shows a file of the host: its path in the view, by the deepest place that shows it. Empty: nowhere.
static struct str path_in_view(struct arena *arena, const struct plan *plan, struct str path)
{
    struct str best = STR("");
    size_t depth = 0;
    char real[PATH_MAX], cwd[PATH_MAX];
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *place = &plan->view[i];
        if (place->from != PLAN_HOST && place->from != PLAN_OVERLAY)
            continue;
        const char *base = place->base == PLAN_POLICY ? str_copy(arena, plan->folder).text
                           : place->base == PLAN_HOME ? getenv("HOME")
                           : place->base == PLAN_CWD  ? getcwd(cwd, sizeof cwd)
                                                      : "";
        if (!base || !realpath(str_format(arena, "%s/%.*s", base, STR_ARGS(place->host)).text, real))
            continue;
        struct str source = str_copy(arena, str_from(real));
        if (path_covers(source, path) && source.length >= depth) {
            depth = source.length;
            best = str_format(arena, "%.*s%.*s", STR_ARGS(place->path),
                              (int)(path.length - (source.length > 1 ? source.length : 0)),
                              path.text + (source.length > 1 ? source.length : 0));
        }
    }
    return best;
}

// Where a program that finds a file of the caller's home by HOME looks for it in the sandbox. Empty: nowhere.
static struct str path_by_home(struct arena *arena, const struct policy *policy, const struct seen *seen,
                               struct str path)
{
    for (size_t i = 0; i < policy->env_count && seen->home.length > 1 && path_covers(seen->home, path); i++)
        if (str_is(policy->env[i].name, "HOME") && !policy->env[i].keep)
            return str_format(arena, "%.*s%.*s", STR_ARGS(policy->env[i].value), (int)(path.length - seen->home.length),
                              path.text + seen->home.length);
    return STR("");
}

// Of calls that any program makes nothing is recorded.
static bool is_unrecorded(const struct plan *usual, uint32_t number)
{
    uint32_t words[SECCOMP_WORDS];
    cbpf_words(words, arch_audit[ARCH_HERE], number, NULL);
    return cbpf_run(&usual->filters[ARCH_HERE], words, NULL) == SECCOMP_ALLOW &&
           cbpf_arguments_asked(&usual->filters[ARCH_HERE], words) == 0;
}

static bool is_used(struct arena *arena, const struct policy *policy, const struct plan *plan, const struct plan *usual,
                    const struct rule *rule, const struct seen *seen)
{
    for (size_t i = 0; i < rule->calls.count; i++) {
        int number = syscall_row(rule->calls.list[i].call)->number[ARCH_HERE];
        if (number < 0 || is_unrecorded(usual, (uint32_t)number))
            return true;
    }
    for (size_t i = 0; i < seen->path_count && rule->domain == DOMAIN_FILES; i++) {
        struct str path = seen->paths[i]->path,
                   paths[] = {path, path_in_view(arena, plan, path), path_by_home(arena, policy, seen, path)};
        for (size_t k = 0; k < sizeof paths / sizeof *paths; k++)
            for (unsigned verb = 1; verb <= VERB_EXEC; verb <<= 1)
                if (paths[k].length && (seen->paths[i]->verbs ? seen->paths[i]->verbs : (unsigned)VERB_READ) & verb &&
                    rule_matches(policy, rule,
                                 &(struct operation_point){.domain = DOMAIN_FILES, .verb = verb, .path = paths[k]}))
                    return true;
    }
    for (size_t i = 0; i < seen->net_count && rule->domain == DOMAIN_NET; i++) {
        struct operation_point point = {.domain = DOMAIN_NET, .net = seen->nets[i]->point};
        if (rule_matches(policy, rule, &point))
            return true;
        if (point.net.place == NET_UNIX) // in the sandbox it may be one of its own
            point.net.name = NET_OWN_UNIX;
        if (rule_matches(policy, rule, &point))
            return true;
    }
    for (size_t i = 0; i < seen->call_count && rule->domain == DOMAIN_CALLS; i++) {
        struct operation_point point = {.domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = seen->calls[i]->number};
        memcpy(point.arguments, seen->calls[i]->arguments, sizeof point.arguments);
        if (rule_matches(policy, rule, &point))
            return true;
    }
    return rule->domain == DOMAIN_CAPABILITIES; // nothing tells which were used
}

int tightening_run(struct arena *arena, const char *path, const struct driver_options *options, char *const *argv)
{
    const char *problem;
    struct compilation *compilation = compilation_new(arena);
    struct policy *policy = driver_policy(compilation, path, options, NULL, &problem);
    struct plan *plan = policy ? policy_lower(policy, 1u << ARCH_HERE) : NULL;
    const struct plan *usual = plan ? usual_plan(arena) : NULL;
    struct failure failure = {0};
    if (!usual) {
        report_text(stderr, compilation, false);
        return problem ? refuse("cannot tighten", path, problem) : STATUS_NOT_SET_UP;
    }
    struct seen *seen = begin_record(arena, argv);
    int status = observe(seen, argv, usual, &failure);
    if (status < 0)
        return refuse(failure.what, argv[0], strerror(failure.error));
    size_t unused = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        const struct source *source = source_of(&compilation->sources, rule->span);
        if (rule->effect != EFFECT_ALLOW || rule->chain || rule->derived || !source ||
            is_used(arena, policy, plan, usual, rule, seen))
            continue;
        struct position at = source_position(source, rule->span.start);
        // Its whole lines, if nothing else stands on them.
        size_t start = rule->span.start, end = rule->span.end;
        while (start && source->text.text[start - 1] != '\n')
            start--;
        while (end < source->text.length && source->text.text[end] != '\n')
            end++;
        if (!unused++)
            printf("--- %s\n+++ %s\n", path, path);
        size_t lines = 1;
        for (size_t k = start; k < end; k++)
            lines += source->text.text[k] == '\n';
        printf("@@ -%u,%zu +%u,0 @@\n-", at.line, lines, at.line - 1);
        for (size_t k = start; k < end; k++)
            source->text.text[k] == '\n' ? fputs("\n-", stdout) : putchar(source->text.text[k]);
        putchar('\n');
    }
    if (unused)
        say(stderr, "sbxrun: the command had no use for %zu rule%s of %s", unused, unused == 1 ? "" : "s", path);
    else
        say(stderr, "sbxrun: the command had a use for every rule of %s", path);
    return status;
}
