// A plan as a template for a security module of the host, to stand around the sandbox as one more layer.
//
// Neither module can say all that a policy says, so a template allows what the policy allows, and denies what it can of
// the rest: it never stands in the way, and what it leaves open the sandbox itself holds. Comments say where it is
// wider.
#pragma once

#include "compiler/plan/plan.h"

// An AppArmor profile `sbx-NAME` for the command (apparmor.d(5)), in the paths that it sees.
void emit_apparmor(struct text *, const struct plan *);

// A module for SELinux in CIL: a block `sbx_NAME` with a type for the process and for each kind of right, and the
// host's files labelled so. It needs a base policy with the usual classes, the role object_r and the user system_u.
void emit_selinux(struct text *, const struct plan *);
