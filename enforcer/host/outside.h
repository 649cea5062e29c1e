// Whose rights: while sbxrun acts for a command at the host's sockets, it is whom the command is on the host.
//
// What a command may do there must not depend on who started sbxrun. So for as long as there is a broker the process is
// the outside identity, with all of its user and group numbers, without groups and without an effective capability
// (credentials(7), capabilities(7)): a source route, a port below 1024, a mark or a reserved queue is what the kernel
// says of that user, and so is what servers, owners in /proc/net and a firewall see. To be itself, sbxrun has to say
// so, for the few things that it does for itself meanwhile.
#pragma once

#include "enforcer/host/identity.h"

// That this process is the outside identity. Whatever acts at the host's sockets for a command asks for one; only
// outside_enter makes one.
struct outside {
    uid_t user;
    gid_t group;
};

// The process becomes it. Its memory is not its user's to look into. NULL and the failure: then it is what it was.
const struct outside *outside_enter(const struct identity *, struct failure *);
void outside_leave(void); // for good. Ends the process if that fails

// Between these it is itself. Nothing is done for the command there. They nest in nothing; without outside_enter they
// do nothing.
void as_itself_begin(void);
void as_itself_end(void);

// A new process of it, as a sleeper, can never be itself again. 0, or an errno.
int outside_for_good(void);

// The user namespace that `make` makes belongs to the outside identity, which may therefore look into the sandbox's
// processes without a capability (user_namespaces(7)). Returns what `make` does, or -1 and errno.
long outside_owning(const struct identity *, long (*make)(void *), void *context);
