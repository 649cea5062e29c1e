// A set of system calls in few words: greedily the group that says most of what is left, then single names.
#include "compiler/call_groups.h"

#include <string.h>

static bool exists(size_t call, unsigned architectures)
{
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        if (architectures >> arch & 1 && syscall_row(call)->number[arch] >= 0)
            return true;
    return false;
}

// How many calls the group would say that are not said yet; 0 when it has one that is no member.
static size_t gain(const struct group_decl *group, const bool *member, const bool *left, unsigned architectures)
{
    size_t count = 0;
    for (size_t i = 0; i < group->call_count; i++) {
        if (!exists(group->calls[i], architectures))
            continue;
        if (!member[group->calls[i]])
            return 0;
        count += left[group->calls[i]];
    }
    return count;
}

void calls_print(struct text *text, struct compilation *compilation, const bool *member, unsigned architectures)
{
    bool *left = NEW_ARRAY(compilation->arena, bool, syscall_count());
    memcpy(left, member, syscall_count() * sizeof *left);
    const char *separator = "";
    for (;;) {
        const struct group_decl *best = NULL;
        size_t most = 1;
        for (struct group_decl *g = compilation->prelude->groups; g; g = g->next) {
            group_find(compilation, compilation->prelude, g->name.text);
            size_t count = gain(g, member, left, architectures);
            if (count > most) {
                most = count;
                best = g;
            }
        }
        if (!best)
            break;
        text_addf(text, "%s@%.*s", separator, STR_ARGS(best->name.text));
        separator = ", ";
        for (size_t i = 0; i < best->call_count; i++)
            left[best->calls[i]] = false;
    }
    for (size_t i = 0; i < syscall_count(); i++)
        if (left[i]) {
            text_addf(text, "%s%s", separator, syscall_row(i)->name);
            separator = ", ";
        }
}
