// Host paths: where a relative one starts, and what a plan keeps of it.
#include "compiler/meaning/builder.h"

// Joins and makes normal: no "//", ".", or ".." that can be taken back. An absolute result starts with "/".
static struct str normal_path(struct arena *arena, struct str folder, struct str path)
{
    bool absolute = (path.length && path.text[0] == '/') || (folder.length && folder.text[0] == '/');
    struct str whole =
        path.length && path.text[0] == '/' ? path : str_format(arena, "%.*s/%.*s", STR_ARGS(folder), STR_ARGS(path));
    struct str *parts = NEW_ARRAY(arena, struct str, whole.length / 2 + 2);
    size_t count = 0;
    for (size_t i = 0; i < whole.length;) {
        size_t end = i;
        while (end < whole.length && whole.text[end] != '/')
            end++;
        struct str part = {whole.text + i, end - i};
        i = end + 1;
        if (part.length == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..") && count && !str_is(parts[count - 1], ".."))
            count--;
        else if (!str_is(part, "..") || !absolute)
            parts[count++] = part;
    }
    struct text text = {.arena = arena};
    for (size_t i = 0; i < count; i++)
        text_addf(&text, "%s%.*s", absolute || i ? "/" : "", STR_ARGS(parts[i]));
    return text.length ? text_str(&text) : absolute ? STR("/") : STR(".");
}

static struct str relative_to(struct arena *arena, struct str folder, struct str path)
{
    struct text text = {.arena = arena};
    size_t common = folder.length == 1 ? 1 : 0;
    for (size_t i = 0; i <= folder.length && folder.length > 1; i++) {
        bool folder_border = i == folder.length || folder.text[i] == '/';
        bool path_border = i == path.length || (i < path.length && path.text[i] == '/');
        if (folder_border && path_border)
            common = i;
        if (i == folder.length || i == path.length || folder.text[i] != path.text[i])
            break;
    }
    for (size_t i = common; i < folder.length; i++)
        if (folder.text[i] == '/')
            text_addf(&text, "../");
    struct str rest = {path.text + common, path.length - common};
    if (rest.length && rest.text[0] == '/')
        rest = (struct str){rest.text + 1, rest.length - 1};
    text_add(&text, rest.text, rest.length);
    if (text.length && text.data[text.length - 1] == '/')
        text.data[--text.length] = '\0';
    return text.length ? text_str(&text) : STR(".");
}

// `kind` is FROM_POLICY, FROM_CWD or FROM_HOME. A path is relative to the file in which it stands; one from the command
// line to the caller's working directory. The plan keeps what depends on the host's side by name.
struct host_path builder_host_path(struct builder *b, const struct expr *expr, enum source_kind kind)
{
    const struct source *source = source_of(&b->compilation->sources, expr->span);
    if (expr->text.length && expr->text.text[0] == '/')
        return (struct host_path){HOST_ABSOLUTE, normal_path(b->arena, STR("/"), expr->text)};
    if (kind == FROM_HOME || kind == FROM_CWD)
        return (struct host_path){kind == FROM_HOME ? HOST_HOME : HOST_CWD, normal_path(b->arena, STR(""), expr->text)};
    if (!source || source->folder.length == 0)
        return (struct host_path){HOST_CWD, normal_path(b->arena, STR(""), expr->text)};
    struct str absolute = normal_path(b->arena, source->folder, expr->text);
    return (struct host_path){HOST_POLICY, relative_to(b->arena, b->policy->decl->module->source->folder, absolute)};
}
