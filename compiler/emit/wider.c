// Lines about what a target can't say.
#include "compiler/emit/wider.h"

void emit_wider(struct text *out, const char *indent, const struct plan *plan, uint32_t rule, const char *what)
{
    size_t start = out->length;
    text_addf(out, "%s%s", indent, what);
    if (rule != NO_RULE) {
        const struct plan_rule *from = &plan->rules[rule];
        text_addf(out, " (%.*s:%u:%u: %.*s)", STR_ARGS(from->file), from->line, from->column, STR_ARGS(from->text));
    }
    for (size_t i = start; i < out->length; i++) // no file's name or text ends the comment that this may be
        if ((unsigned char)out->data[i] < 0x20)
            out->data[i] = '?';
    text_addf(out, "\n");
}

void emit_wider_network(struct text *out, const char *indent, const struct plan *plan, const char *what)
{
    uint32_t said = NO_RULE;
    for (size_t i = 0; i < plan->net_count; i++) {
        if (plan->net[i].rule != said)
            emit_wider(out, indent, plan, plan->net[i].rule, what);
        said = plan->net[i].rule;
    }
}

bool emit_reaches_out(const struct plan *plan)
{
    for (size_t i = 0; i < plan->net_count; i++)
        if (!plan->net[i].deny && !net_box_is_loopback(&plan->net[i].box) && plan->net[i].box.place != NET_UNIX)
            return true;
    return false;
}

void emit_wider_limits(struct text *out, const char *indent, const struct plan *plan, unsigned kept)
{
    for (int i = 0; i < LIMIT_COUNT; i++)
        if (plan->limits[i].set && !(kept >> i & 1))
            emit_wider(out, indent, plan, plan->limits[i].rule,
                       str_format(plan->arena, "no limit of %s", limit_names[i]).text);
}

void emit_wider_requires(struct text *out, const char *indent, const struct plan *plan)
{
    for (size_t i = 0; i < plan->require_count; i++)
        if (!plan->requires[i].degrade)
            emit_wider(out, indent, plan, plan->requires[i].rule,
                       str_format(plan->arena, "%s is not asked for", feature_names[plan->requires[i].feature]).text);
}

static const net_address mapped_first = (net_address)0xFFFF << 32, mapped_last = mapped_first | UINT32_MAX;

void emit_prefixes(struct arena *arena, net_address first, net_address last, void (*visit)(struct str, void *),
                   void *context)
{
    for (bool more = true; more;) {
        unsigned bits = 0; // of the host's part
        while (bits < 128 && !(first >> bits & 1) && (first | ((((net_address)1 << bits) - 1) << 1 | 1)) <= last)
            bits++;
        net_address end = bits < 128 ? first | (((net_address)1 << bits) - 1) : ~(net_address)0;
        bool mapped = first >= mapped_first && end <= mapped_last;
        if (first <= mapped_first && end >= mapped_last)
            visit(STR("0.0.0.0/0"), context);
        if (!(first == mapped_first && end == mapped_last)) {
            struct text address = {.arena = arena};
            net_address_print(&address, first);
            bool brackets = address.data[0] == '[';
            visit(str_format(arena, "%.*s/%u", (int)address.length - 2 * brackets, address.data + brackets,
                             (mapped ? 32 : 128) - bits),
                  context);
        }
        more = end < last;
        first = end + 1;
    }
}
