// The forms that an IPv4 address has in IPv6. Who sends to one of them may reach that IPv4 address, by a translator, a
// tunnel or the kernel itself. So a deny of IPv4 addresses is one of all their forms, and where IPv4 is private they
// are.
#pragma once

#include "compiler/sets/net_set.h"

enum { NET_FORMS = 11 }; // the first is ::ffff:0:0/96, where this program has IPv4

// The addresses that the form has for all of IPv4 from `first` to `last` (of 32 bits). False when it has none. Where
// the IPv4 address stands in no one place, or is veiled, they are all that the form has; `exact` says that it is not
// so.
bool net_form(int form, uint32_t first, uint32_t last, net_address *from, net_address *to, bool *exact);
