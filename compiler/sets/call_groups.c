// Sets of system calls in few words: greedily the group that says most of what is left, then single names.
#include "compiler/sets/call_groups.h"

#include <string.h>

static bool exists(size_t call, unsigned architectures)
{
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        if (architectures >> arch & 1 && syscall_row(call)->number[arch] >= 0)
            return true;
    return false;
}

// How much shorter the list gets by naming the group; 0 or less: not at all.
static int gain(const struct group_decl *group, const bool *member, const bool *left, unsigned architectures,
                const bool *spare, const bool *excess)
{
    int count = -1; // for its own name
    for (size_t i = 0; i < group->call_count; i++) {
        size_t call = group->calls[i];
        if (!exists(call, architectures) || (excess && excess[call]))
            continue;
        if (!member[call] && !(spare && spare[call]))
            return 0;
        count += member[call] ? left[call] : -2;
    }
    return count;
}

void calls_print(struct text *text, struct compilation *compilation, const bool *member, unsigned architectures,
                 const bool *spare, bool *excess)
{
    bool *left = NEW_ARRAY(compilation->arena, bool, syscall_count());
    memcpy(left, member, syscall_count() * sizeof *left);
    const char *separator = "";
    for (;;) {
        const struct group_decl *best = NULL;
        int most = 0;
        for (struct group_decl *g = compilation->prelude->groups; g; g = g->next) {
            group_find(compilation, compilation->prelude, g->name.text);
            int more = gain(g, member, left, architectures, spare, excess);
            if (more > most) {
                most = more;
                best = g;
            }
        }
        if (!best)
            break;
        text_addf(text, "%s@%.*s", separator, STR_ARGS(best->name.text));
        separator = ", ";
        for (size_t i = 0; i < best->call_count; i++) {
            left[best->calls[i]] = false;
            if (excess && !member[best->calls[i]] && exists(best->calls[i], architectures))
                excess[best->calls[i]] = true;
        }
    }
    for (size_t i = 0; i < syscall_count(); i++)
        if (left[i]) {
            text_addf(text, "%s%s", separator, syscall_row(i)->name);
            separator = ", ";
        }
}

static unsigned own_architectures(size_t call)
{
    unsigned own = 0;
    for (int arch = 0; arch < ARCH_COUNT; arch++)
        own |= syscall_row(call)->number[arch] >= 0 ? 1u << arch : 0;
    return own;
}

static void add_to_line(struct call_lines *lines, size_t call, unsigned architectures, struct str condition,
                        bool shared)
{
    enum arch arch = (enum arch)__builtin_ctz(architectures);
    if (architectures == own_architectures(call))
        architectures = ARCH_ALL_MASK;
    struct call_line *line = NULL;
    for (struct call_line *l = lines->first; l && !line && (shared || !condition.length); l = l->next)
        if (l->architectures == architectures && str_equal(l->condition, condition))
            line = l;
    if (!line) {
        line = NEW(lines->arena, struct call_line);
        *line = (struct call_line){architectures, condition, NEW_ARRAY(lines->arena, bool, syscall_count()),
                                   call,          arch,      NULL};
        *(lines->last ? lines->last : &lines->first) = line;
        lines->last = &line->next;
    }
    line->member[call] = true;
}

void call_lines_add(struct call_lines *lines, size_t call, const struct str conditions[ARCH_COUNT], bool shared)
{
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        unsigned same = 0;
        bool said = false; // with an architecture before
        for (int other = 0; other < ARCH_COUNT && conditions[arch].text; other++)
            if (conditions[other].text && str_equal(conditions[other], conditions[arch])) {
                same |= 1u << other;
                said |= other < arch;
            }
        if (same && !said)
            add_to_line(lines, call, same, conditions[arch], shared);
    }
}
