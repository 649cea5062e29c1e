// What could be written at a place.
//
// The text before it is read by the parser, which says what may follow: exactly the grammar's words. Which names may
// stand there follows from the words of the statement and the block it stands in.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/sets/condition_text.h"
#include "compiler/describe/describe.h"
#include "compiler/lsp/request.h"

enum item_kind {
    ITEM_CALL = 3,
    ITEM_VARIABLE = 6,
    ITEM_POLICY = 7,
    ITEM_MODULE = 9,
    ITEM_ARGUMENT = 10,
    ITEM_GROUP = 13,
    ITEM_KEYWORD = 14,
    ITEM_FILE = 17,
    ITEM_FOLDER = 19,
    ITEM_CONSTANT = 21
};

struct place {
    struct call_request *request;
    const struct analysis *analysis;
    struct str *words; // of the statement before the place, without what is half written
    size_t count;
    struct str block;     // whose block: "policy", "fs", … ; empty at the top
    struct span replaced; // what is half written
    bool in_string;
    struct expected expected;         // by the grammar
    const struct policy_decl *policy; // around it; may be NULL
};

static void offer(struct place *place, enum item_kind kind, struct str label, const char *detail, struct str text)
{
    struct json_writer *w = place->request->result;
    json_open(w, '{');
    json_member(w, "label", label);
    json_member_number(w, "kind", kind);
    if (detail)
        json_member(w, "detail", str_from(detail));
    json_key(w, "textEdit");
    json_open(w, '{');
    write_range(w, "range", place->analysis->source, place->replaced);
    json_member(w, "newText", text);
    json_close(w, '}');
    json_member(w, "filterText", text);
    json_close(w, '}');
}

static bool expects(const struct expected *expected, const char *name)
{
    for (size_t i = 0; i < expected->count; i++)
        if (strcmp(expected->names[i], name) == 0)
            return true;
    return false;
}

// ---- where it is --------------------------------------------------------------------------------------------------

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-';
}

// Where what is half written before a place starts: a string with its quote, or a word with its sigil. False within a
// comment.
static bool find_start(const struct source *source, uint32_t offset, uint32_t *start, bool *in_string)
{
    uint32_t line = offset;
    const char *text = source->text.text;
    while (line > 0 && text[line - 1] != '\n')
        line--;
    *in_string = false;
    for (uint32_t i = line; i < offset; i++) {
        if (*in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"') {
            *in_string = !*in_string;
            *start = i;
        } else if (!*in_string && text[i] == '#')
            return false;
    }
    if (*in_string)
        return true;
    *start = offset;
    while (*start > line && is_word_byte(text[*start - 1]))
        --*start;
    if (*start > line && (text[*start - 1] == '@' || text[*start - 1] == '$'))
        --*start;
    return true;
}

static struct str word_at(const struct place *place, size_t back) // from the end, 0 is the last
{
    return back < place->count ? place->words[place->count - 1 - back] : STR("");
}

static bool last_is(const struct place *place, const char *const *words)
{
    for (; *words; words++)
        if (str_is(word_at(place, 0), *words))
            return true;
    return false;
}

static bool has(const struct place *place, const char *word)
{
    for (size_t i = 0; i < place->count; i++)
        if (str_is(place->words[i], word))
            return true;
    return false;
}

// The words of the statement that a text ends in, and the block around it.
static void find_statement(struct place *place, struct str before, const struct token_list *tokens)
{
    enum { DEPTH_MOST = 64 };
    struct str blocks[DEPTH_MOST] = {{0}};
    size_t depth = 0, first = 0;
    bool lists[DEPTH_MOST] = {false};
    for (size_t i = 0; i < tokens->count; i++) {
        struct span span = tokens->spans[i];
        struct str text = {before.text + span.start, span.end - span.start};
        struct str start = {before.text + tokens->spans[first].start,
                            tokens->spans[first].end - tokens->spans[first].start};
        struct span previous = tokens->spans[i ? i - 1 : 0];
        struct str behind = {before.text + previous.start, previous.end - previous.start};
        if (str_is(text, "{") && depth < DEPTH_MOST) {
            lists[depth] = str_is(behind, "in") || str_is(behind, ":");
            blocks[depth] = lists[depth]          ? (depth ? blocks[depth - 1] : STR(""))
                            : str_is(start, "on") ? STR("syscalls")
                                                  : start;
            first = lists[depth] || str_is(start, "group") ? first : i + 1;
            depth++;
        } else if (str_is(text, "}") && depth) {
            depth--;
            first = lists[depth] ? first : i + 1;
        } else if (str_is(text, ";")) {
            first = i + 1;
        }
        if (first >= tokens->count)
            break;
    }
    place->block = depth ? blocks[depth - 1] : STR("");
    place->words = NEW_ARRAY(place->request->arena, struct str, tokens->count - first + 1);
    for (size_t i = first; i < tokens->count; i++)
        place->words[place->count++] =
            (struct str){before.text + tokens->spans[i].start, tokens->spans[i].end - tokens->spans[i].start};
}

// ---- system calls -------------------------------------------------------------------------------------------------

static void offer_groups(struct place *place, const struct module *module)
{
    for (const struct group_decl *group = module ? module->groups : NULL; group; group = group->next) {
        struct str name = str_format(place->request->arena, "@%.*s", STR_ARGS(group->name.text));
        offer(place, ITEM_GROUP, name, "a group of system calls", name);
    }
}

static void offer_calls(struct place *place)
{
    offer_groups(place, place->analysis->module);
    for (const struct import_decl *import = place->analysis->module->imports; import; import = import->next)
        offer_groups(place, import->module);
    offer_groups(place, place->analysis->compilation->prelude);
    for (size_t i = 0; i < syscall_count(); i++) {
        struct str name = str_from(syscall_row(i)->name);
        offer(place, ITEM_CALL, name, describe_call(i), name);
    }
}

// The calls of the statement; whatever a group stands for, its first ones that have arguments.
static int statement_call(const struct place *place)
{
    for (size_t i = 0; i < place->count && !str_is(place->words[i], "where"); i++) {
        struct str word = place->words[i];
        int call = syscall_find(word);
        if (call >= 0 && i > 0 && !(str_is(word, "syscall")))
            return call;
        if (word.length < 2 || word.text[0] != '@')
            continue;
        const struct group_decl *group = group_find(place->analysis->compilation, place->analysis->module,
                                                    (struct str){word.text + 1, word.length - 1});
        for (size_t k = 0; group && k < group->call_count; k++)
            if (syscall_row(group->calls[k])->argument_count)
                return group->calls[k];
    }
    return -1;
}

static void offer_arguments(struct place *place)
{
    int call = statement_call(place);
    const struct syscall_row *row = call < 0 ? NULL : syscall_row((size_t)call);
    for (int i = 0; row && i < row->argument_count; i++)
        offer(place, ITEM_ARGUMENT, str_from(row->arguments[i].name), describe_argument_type(row->arguments[i].type),
              str_from(row->arguments[i].name));
}

static void offer_constants(struct place *place)
{
    int call = statement_call(place), argument = -1;
    const struct syscall_row *row = call < 0 ? NULL : syscall_row((size_t)call);
    for (size_t i = 0; row && i < place->count; i++) // the last one that is named
        if (syscall_argument(row, place->words[i]) >= 0)
            argument = syscall_argument(row, place->words[i]);
    bool narrow = false;
    for (size_t i = 0; argument >= 0 && constant_row(i) && !narrow; i++)
        narrow = argument_takes_name(row, (unsigned)argument, constant_row(i)->name) == 1;
    for (size_t i = 0; constant_row(i); i++) {
        const char *name = constant_row(i)->name;
        bool other = capability_find(str_from(name)) >= 0 || errno_find(str_from(name)) >= 0;
        if (narrow ? argument_takes_name(row, (unsigned)argument, name) == 1 : !other)
            offer(place, ITEM_CONSTANT, str_from(name), NULL, str_from(name));
    }
}

static void offer_named_constants(struct place *place, int (*is)(struct str))
{
    for (size_t i = 0; constant_row(i); i++)
        if (is(str_from(constant_row(i)->name)) >= 0)
            offer(place, ITEM_CONSTANT, str_from(constant_row(i)->name), NULL, str_from(constant_row(i)->name));
}

static bool offer_call_names(struct place *place)
{
    static const char *const before_arguments[] = {"where", "and", "or", "not", "(", NULL};
    static const char *const before_constants[] = {"==", "!=", "<", "<=", ">",  ">=", "&",
                                                   "|",  "in", "{", ",",  "..", NULL};
    static const char *const before_calls[] = {"allow", "deny", "never", "except", "syscall", ",", NULL};
    if (str_is(word_at(place, 0), "with"))
        offer_named_constants(place, errno_find);
    else if (str_is(word_at(place, 0), "on"))
        for (int arch = 0; arch < ARCH_COUNT; arch++)
            offer(place, ITEM_CONSTANT, str_from(arch_names[arch]), NULL, str_from(arch_names[arch]));
    else if (has(place, "where") && last_is(place, before_arguments))
        offer_arguments(place);
    else if (has(place, "where") && last_is(place, before_constants))
        offer_constants(place);
    else if (!has(place, "where") && last_is(place, before_calls))
        offer_calls(place);
    else
        return false;
    return true;
}

// ---- policies and modules -----------------------------------------------------------------------------------------

// What stands before the place as `a.b.`, which is replaced together with what is half written.
static void take_dotted(struct place *place, size_t from)
{
    if (place->count <= from)
        return;
    const char *text = place->analysis->source->text.text;
    uint32_t start = place->replaced.start;
    while (start > 0 && (is_word_byte(text[start - 1]) || text[start - 1] == '.'))
        start--;
    place->replaced.start = start;
}

static void offer_imports(struct place *place)
{
    take_dotted(place, 1);
    for (size_t i = 0; library_at(i); i++) {
        struct str name = str_format(place->request->arena, "std.%s", library_at(i)->name);
        offer(place, ITEM_MODULE, name, "of the standard library", name);
    }
}

static struct str import_name(struct arena *arena, const struct import_decl *import)
{
    return import->alias.text.length ? import->alias.text
           : import->path            ? name_list_text(arena, import->path, ".")
                                     : path_stem(import->file.text);
}

static void offer_policies(struct place *place)
{
    struct arena *arena = place->request->arena;
    take_dotted(place, 1);
    for (const struct policy_decl *policy = place->analysis->module->policies; policy; policy = policy->next)
        if (policy != place->policy)
            offer(place, ITEM_POLICY, policy->name.text, "a policy of this file", policy->name.text);
    for (const struct import_decl *import = place->analysis->module->imports; import; import = import->next) {
        struct str name = import_name(arena, import);
        if (import->module && module_main_policy(import->module))
            offer(place, ITEM_MODULE, name, "the policy of this module", name);
        for (const struct policy_decl *policy = import->module ? import->module->policies : NULL; policy;
             policy = policy->next) {
            if (policy == module_main_policy(import->module))
                continue; // offered by the module's name
            struct str whole = str_format(arena, "%.*s.%.*s", STR_ARGS(name), STR_ARGS(policy->name.text));
            offer(place, ITEM_POLICY, whole, "a policy of this module", whole);
        }
    }
}

static const struct policy_decl *used_policy(const struct place *place)
{
    struct text path = {.arena = place->request->arena};
    for (size_t i = 1; i < place->count && !str_is(place->words[i], "("); i++)
        text_addf(&path, "%.*s", STR_ARGS(place->words[i]));
    struct str whole = text_str(&path);
    const struct policy_decl *policy = module_find_policy(place->analysis->module, whole);
    for (const struct import_decl *import = place->analysis->module->imports; import && !policy;
         import = import->next) {
        struct str name = import_name(place->request->arena, import);
        if (!import->module || !str_starts(whole, name))
            continue;
        if (whole.length == name.length)
            policy = module_main_policy(import->module);
        else if (whole.text[name.length] == '.')
            policy = module_find_policy(import->module,
                                        (struct str){whole.text + name.length + 1, whole.length - name.length - 1});
    }
    return policy;
}

static void offer_parameters(struct place *place)
{
    const struct policy_decl *policy = used_policy(place);
    for (const struct parameter *p = policy ? policy->parameters : NULL; p; p = p->next)
        offer(place, ITEM_ARGUMENT, p->name.text, type_name(p->type),
              str_format(place->request->arena, "%.*s = ", STR_ARGS(p->name.text)));
}

static void offer_references(struct place *place)
{
    struct arena *arena = place->request->arena;
    for (const struct parameter *p = place->policy ? place->policy->parameters : NULL; p; p = p->next) {
        struct str name = str_format(arena, "$%.*s", STR_ARGS(p->name.text));
        offer(place, ITEM_VARIABLE, name, type_name(p->type), name);
    }
    for (const struct let_decl *let = place->analysis->module->lets; let; let = let->next) {
        struct str name = str_format(arena, "$%.*s", STR_ARGS(let->name.text));
        offer(place, ITEM_VARIABLE, name, "a `let` of this file", name);
    }
}

// ---- paths --------------------------------------------------------------------------------------------------------

static int not_hidden(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

// The entries of a folder of the host, as what follows the last `/` of the string. `only`: an end that files must have,
// or NULL.
static void offer_entries(struct place *place, struct str folder, uint32_t segment, const char *only)
{
    enum { ENTRIES_MOST = 2000 };
    struct dirent **entries;
    struct span whole = place->replaced;
    int count = scandir(folder.text, &entries, not_hidden, alphasort);
    place->replaced.start = segment;
    for (int i = 0; i < count; i++) {
        struct str name = str_from(entries[i]->d_name);
        bool is_folder = entries[i]->d_type == DT_DIR || entries[i]->d_type == DT_LNK;
        bool fits = is_folder || !only ||
                    (name.length > strlen(only) && strcmp(name.text + name.length - strlen(only), only) == 0);
        if (i < ENTRIES_MOST && fits && text_is_utf8(name) && !memchr(name.text, '"', name.length) &&
            !memchr(name.text, '\\', name.length))
            offer(place, is_folder ? ITEM_FOLDER : ITEM_FILE, name, NULL, name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    place->replaced = whole;
}

static void offer_paths(struct place *place, uint32_t offset)
{
    struct arena *arena = place->request->arena;
    struct str text = place->analysis->source->text, last = word_at(place, 0);
    uint32_t segment = offset;
    while (segment > place->replaced.start + 1 && text.text[segment - 1] != '/')
        segment--;
    struct str written = {text.text + place->replaced.start + 1, segment - place->replaced.start - 1};
    struct str beside = place->analysis->source->folder;
    const char *home = getenv("HOME");
    bool import = str_is(word_at(place, 0), "import"),
         from = str_is(last, "from") || str_is(last, "overlay") || str_is(last, "image") || str_is(last, "file");
    bool files = str_is(place->block, "fs") || str_is(place->block, "tests") || str_is(place->block, "secrets") ||
                 has(place, "command") || has(place, "cwd");
    if (written.length && written.text[0] == '/' && (files || has(place, ":") || has(place, "=")))
        offer_entries(place, str_copy(arena, written), segment, NULL);
    else if ((import || from) && beside.length)
        offer_entries(place, str_format(arena, "%.*s/%.*s", STR_ARGS(beside), STR_ARGS(written)), segment,
                      import ? ".sbx" : NULL);
    else if (str_is(last, "home") && home)
        offer_entries(place, str_format(arena, "%s/%.*s", home, STR_ARGS(written)), segment, NULL);
    else if (str_is(last, "cwd") && place->request->server->folder_count)
        offer_entries(place,
                      str_format(arena, "%.*s/%.*s", STR_ARGS(place->request->server->folders[0]), STR_ARGS(written)),
                      segment, NULL);
}

// ---- all ----------------------------------------------------------------------------------------------------------

static void offer_words(struct place *place, const char *const *words)
{
    for (; *words; words++)
        offer(place, ITEM_CONSTANT, str_from(*words), NULL, str_from(*words));
}

// The names that may stand here. True when only names may.
static bool offer_names(struct place *place)
{
    static const char *const types[] = {"path", "size", "duration", "int",      "bool", "string",
                                        "host", "cidr", "port",     "endpoint", NULL};
    static const char *const users[] = {"root", "nobody", "self", NULL};
    struct str first = place->count ? place->words[0] : STR(""), last = word_at(place, 0);
    bool capability = has(place, "capability") || has(place, "capabilities");
    if (str_is(first, "import"))
        offer_imports(place);
    else if ((str_is(first, "use") || str_is(first, "within")) && has(place, "("))
        offer_parameters(place);
    else if (str_is(first, "use") || str_is(first, "within"))
        offer_policies(place);
    else if (str_is(first, "policy") && str_is(last, ":"))
        offer_words(place, types);
    else if (str_is(first, "require") && place->count == 1)
        for (int i = 0; i < FEATURE_COUNT; i++)
            offer(place, ITEM_ARGUMENT, str_from(feature_names[i]), feature_versions[i], str_from(feature_names[i]));
    else if (str_is(last, "secret"))
        for (const struct secret_decl *secret = place->policy ? place->policy->secrets : NULL; secret;
             secret = secret->next)
            offer(place, ITEM_VARIABLE, secret->name.text, "a secret of this policy", secret->name.text);
    else if (str_is(place->block, "limits") && place->count == 0)
        for (int i = 0; i < LIMIT_COUNT; i++)
            offer(place, ITEM_ARGUMENT, str_from(limit_names[i]), describe_limit((enum limit)i),
                  str_from(limit_names[i]));
    else if (capability && (str_is(last, ",") || str_is(last, "capability") || str_is(last, "capabilities")))
        offer_named_constants(place, capability_find);
    else if (str_is(last, "user"))
        offer_words(place, users);
    else if (str_is(first, "group") && (str_is(last, "{") || str_is(last, ",")))
        offer_calls(place);
    else if (str_is(place->block, "syscalls") || has(place, "syscall"))
        return offer_call_names(place);
    else
        return false;
    return true;
}

static struct expected expected_after(struct arena *arena, struct str text, struct token_list *tokens)
{
    struct expected expected = {0};
    struct sources sources = {.arena = arena};
    parse_tokens(arena, source_add(&sources, STR(""), STR(""), text), tokens, &expected);
    return expected;
}

static void offer_keywords(struct place *place, bool names_stand_here)
{
    // Most keywords may also be names, and then the grammar takes them where it takes any name: those are no news.
    struct token_list tokens = {0};
    struct expected names = {0};
    if (names_stand_here)
        names = expected_after(place->request->arena, STR("sbx 1;\nimport "), &tokens);
    for (size_t i = 0; i < place->expected.count; i++) {
        const char *name = place->expected.names[i];
        if (name[0] >= 'a' && name[0] <= 'z' && !strchr(name, ' ') && !expects(&names, name))
            offer(place, ITEM_KEYWORD, str_from(name), NULL, str_from(name));
    }
}

static const struct policy_decl *policy_around(const struct analysis *analysis, uint32_t offset)
{
    const struct policy_decl *around = NULL; // the last that starts before: one that is half written has no end
    for (const struct policy_decl *policy = analysis->module->policies; policy; policy = policy->next)
        if (policy->name.span.start < offset)
            around = policy;
    return around;
}

void lsp_completion(struct call_request *request)
{
    struct place place = {.request = request};
    uint32_t offset, start = 0;
    if (!request_place(request, &place.analysis, &offset))
        return;
    const struct source *source = place.analysis->source;
    uint32_t flaw, flaw_length;
    json_open(request->result, '{');
    json_key(request->result, "isIncomplete");
    json_bool(request->result, false);
    json_key(request->result, "items");
    json_open(request->result, '[');
    if (find_start(source, offset, &start, &place.in_string) &&
        !source_flaw((struct str){source->text.text, start}, &flaw, &flaw_length)) {
        place.replaced = (struct span){source->number, start, offset};
        place.policy = policy_around(place.analysis, start);
        struct token_list tokens = {0};
        struct str before = str_copy(request->arena, (struct str){source->text.text, start});
        place.expected = expected_after(request->arena, before, &tokens);
        find_statement(&place, before, &tokens);
        if (place.in_string) {
            offer_paths(&place, offset);
        } else {
            bool names = offer_names(&place);
            if (expects(&place.expected, "a parameter ($name)"))
                offer_references(&place);
            offer_keywords(&place, names || expects(&place.expected, "a name"));
        }
    }
    json_close(request->result, ']');
    json_close(request->result, '}');
}
