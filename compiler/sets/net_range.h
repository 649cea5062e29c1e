// Which addresses are private: of a network, a host or a link of their own, not of the internet (RFC 6890). A name may
// lead to those only where a rule says so, or an answer of DNS could lead anywhere (DNS rebinding).
#pragma once

#include "compiler/sets/net_set.h"

bool net_is_private(net_address);

// Who connects there is at a loopback: at an address of its own, or at "any" (0.0.0.0, ::). No name leads there.
bool net_is_at_loopback(net_address);
bool net_find_loopback(net_address first, net_address last, net_address *found); // the first of them

// The first address from `first` to `last` that is private, and not at a loopback, or that is public. False when there
// is none.
bool net_find(net_address first, net_address last, bool private, net_address *found);
