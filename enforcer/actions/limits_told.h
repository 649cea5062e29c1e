// What limits stopped in a run that they did not end, a sentence each.
#pragma once

#include "enforcer/drivers/run.h"

void limits_tell(FILE *, const struct run *, const struct outcome *);
