// `sbxc --test --live`: what a policy says, held against what its sandbox does on this host.
#pragma once

#include "enforcer/inside/probe.h"
#include "enforcer/drivers/run.h"

struct live; // what is to be tried, and what it is tried for

// Chooses the operations: members of every expectation, every system call of this machine, every path and network
// target that a rule names, every capability. Lies in the policy's arena.
struct live *live_choose(struct policy *);
const struct probes *live_probes(const struct live *);

// After the run: TAP lines without numbers, one for each expectation and one for each domain. False when something
// disagreed.
bool live_report(FILE *, const struct live *);
