// `sbxrun --dry-run`: a plan as a person wants to read it, with what enforces each part on this host.
#pragma once

#include "enforcer/drivers/run.h"

void dry_run_print(FILE *, const struct run *);
