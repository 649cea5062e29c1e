// Names: what they resolve to, as far as a rule allows them (the supervisor's side; sbxnames speaks DNS).
//
// A pin says that an address belongs to a name for a while. Only a name that a rule allows gets one, and only with an
// address that no rule denies and that is not private, so no answer can lead elsewhere (DNS rebinding).
#pragma once

#include "enforcer/host/failure.h"
#include "enforcer/host/resolvers.h"

enum { NAMES_LEAST_SECONDS = 60 };

struct names;

// True if some rule allows a name, so that names are resolved at all.
bool plan_has_names(const struct plan *);

struct names *names_new(const struct plan *, const struct resolvers *); // they must outlive it
void names_free(struct names *);

bool names_are_asked_at(const struct names *, net_address, uint16_t port);

// Does any rule allow the name, whatever the port? Canonical.
bool names_allows(const struct plan *, struct str name);

// PIN_PRIVATE: refused, for no rule says `private`; PIN_FULL: the name, or all of them, have as many as can be kept.
enum pin_result { PIN_REFUSED, PIN_PRIVATE, PIN_FULL, PIN_KEPT };
// Keeps a pin for that long, if the name may have that address. `now`: monotonic nanoseconds.
enum pin_result names_pin(struct names *, struct str name, net_address, uint32_t seconds, uint64_t now);

// Who is told of each pin: the name, the address, and until when it holds.
typedef void names_pinned(void *, struct str name, net_address, uint64_t until);
void names_tell(struct names *, names_pinned *, void *context);

void names_pin_hosts(struct names *, uint64_t now); // the same for all of /etc/hosts, for good

// The names that are pinned to an address now, one after the other: from *at = 0 on, until it returns an empty one.
struct str names_of(const struct names *, net_address, uint64_t now, size_t *at);

// An address that stands for an allowed name, for as long as the run lasts: where a proxy reaches names, nobody here
// looks them up. Of 198.18.0.0/15, which is no host's (RFC 2544). 0 when there are no more.
net_address names_stand_in(struct names *, struct str name);
bool names_is_stand_in(const struct names *, net_address);
