// What a target can't say, so that what is made for it is wider than the policy there: a line for each, with its rule.
#pragma once

#include "compiler/plan/plan.h"

void emit_wider(struct text *out, const char *indent, const struct plan *, uint32_t rule, // or NO_RULE
                const char *what);

// The same of each rule on the network that says of what it allows more than what kind of socket.
void emit_wider_network(struct text *out, const char *indent, const struct plan *, const char *what);

// May more be reached than the sandbox's own loopback and its own unix sockets?
bool emit_reaches_out(const struct plan *);

// What no target beside sbxrun keeps: limits of those kinds, and what the policy requires of a host.
void emit_wider_limits(struct text *out, const char *indent, const struct plan *, unsigned kept); // bits of enum limit
void emit_wider_requires(struct text *out, const char *indent, const struct plan *);

// The addresses as prefixes, "10.0.0.0/8"; each in the arena.
void emit_prefixes(struct arena *, net_address first, net_address last, void (*visit)(struct str prefix, void *),
                   void *context);
