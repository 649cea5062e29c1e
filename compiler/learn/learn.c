// Learning.
#include "compiler/learn/learner.h"

#include "lang/format.h"
#include "lang/load.h"

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
    learner_files(l, policy);
    learner_net(l, policy);
    if (!(policy = compile(l, learner_write(l, false), problem)))
        return false;
    learner_calls(l, policy);
    // Each operation of the record is asked of the finished policy; what it does not allow is given a rule or a note.
    for (int again = 0; again < 2; again++) {
        if (!(policy = compile(l, learner_write(l, false), problem)))
            return false;
        *learned = (struct learned){.rules = l->rules};
        learner_ask_files(l, policy, again, learned);
        learner_ask_calls(l, policy, again, learned);
        learner_ask_net(l, policy, again, learned);
    }
    learner_secrets(l);
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
