// AppArmor profiles.
#include "compiler/emit/emit.h"

#include <string.h>

#include "compiler/sets/path_set.h"

// A path in quotes, nothing in it a pattern or a variable.
static void print_path(struct text *out, struct str path, const char *tail)
{
    text_addf(out, "\"");
    for (size_t i = 0; i < path.length; i++) {
        char c = path.text[i];
        if (strchr("*?[]{}^\\\"", c))
            text_add(out, "\\", 1);
        if (c == '@' && i + 1 < path.length && path.text[i + 1] == '{')
            text_addf(out, "[@]");
        else if ((unsigned char)c < 0x20)
            text_addf(out, "\\%03o", (unsigned)c);
        else
            text_add(out, &c, 1);
    }
    text_addf(out, "%s\"", tail);
}

// The file or folder itself, and all beneath it.
static void print_rule(struct text *out, const char *effect, struct str path, const char *rights)
{
    bool root = path.length == 1;
    static const char *const tails[] = {"", "/", "/**"};
    for (int i = root ? 1 : 0; i < 3; i++) {
        text_addf(out, "  %s", effect);
        print_path(out, root ? STR("") : path, tails[i]);
        text_addf(out, " %s,\n", rights);
    }
}

static const char *rights_of(unsigned verbs, bool deny, char rights[8])
{
    char *at = rights;
    if (verbs & VERB_READ)
        *at++ = 'r';
    if (verbs & VERB_WRITE)
        *at++ = 'w', *at++ = 'k', *at++ = 'l';
    if (verbs & VERB_EXEC) {
        *at++ = 'm';
        if (!deny)
            *at++ = 'i'; // in this profile
        *at++ = 'x';
    }
    *at = '\0';
    return rights;
}

// What may be done at some place beneath.
static unsigned verbs_beneath(const struct plan *plan, size_t place)
{
    unsigned verbs = 0;
    for (size_t i = place + 1; i < plan->view_count && path_covers(plan->view[place].path, plan->view[i].path); i++)
        verbs |= plan->view[i].verbs;
    return verbs;
}

static unsigned verbs_above(const struct plan *plan, size_t place)
{
    for (size_t i = place; i-- > 0;)
        if (path_covers(plan->view[i].path, plan->view[place].path))
            return plan->view[i].verbs;
    return 0;
}

static void print_files(struct text *out, const struct plan *plan)
{
    char rights[8];
    for (size_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *place = &plan->view[i];
        unsigned fewer = verbs_above(plan, i) & ~place->verbs, spared = verbs_beneath(plan, i) & fewer;
        bool writes = fewer & VERB_WRITE;
        if (writes && (place->verbs & VERB_WRITE)) // it knows one right to write
            fewer &= ~(unsigned)VERB_WRITE;
        if (place->verbs)
            print_rule(out, "", place->path, rights_of(place->verbs, false, rights));
        if (spared)
            text_addf(
                out,
                "  # wider here: a deny of AppArmor's spares nothing that lies beneath, as this one's rule does\n");
        if (fewer & ~spared)
            print_rule(out, "deny ", place->path, rights_of(fewer & ~spared, true, rights));
    }
}

void emit_apparmor(struct text *out, const struct plan *plan)
{
    unsigned protocols = 0;
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny)
            protocols |= plan->net[i].box.protocols;
    text_addf(out,
              "# The policy %.*s, for AppArmor: one more layer around the sandbox, which holds what this can't say "
              "(system calls and their arguments, addresses,\n",
              STR_ARGS(plan->name));
    text_addf(out, "# limits). Made by sbxc.\nabi <abi/3.0>,\n\nprofile sbx-%.*s flags=(attach_disconnected) {\n",
              STR_ARGS(plan->name));
    print_files(out, plan);
    text_addf(out, "\n  network unix,\n");
    if (protocols & PROTOCOL_TCP)
        text_addf(out, "  network inet stream,\n  network inet6 stream,\n");
    if (protocols & PROTOCOL_UDP)
        text_addf(out, "  network inet dgram,\n  network inet6 dgram,\n");
    for (unsigned c = 0; c < CAPABILITY_COUNT; c++) {
        const char *name = plan->capabilities >> c & 1 ? constant_name_of("CAP_", NULL, c, ARCH_X86_64) : NULL;
        if (!name)
            continue;
        text_addf(out, "  capability ");
        for (const char *at = name + strlen("CAP_"); *at; at++)
            text_addf(out, "%c", *at == '_' ? '_' : *at | 32);
        text_addf(out, ",\n");
    }
    text_addf(out, "  signal peer=@{profile_name},\n  ptrace (read, readby) peer=@{profile_name},\n}\n");
}
