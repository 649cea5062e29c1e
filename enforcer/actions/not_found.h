// Why a command could not be executed, for who named it.
#pragma once

#include "enforcer/drivers/run.h"

// A sentence that begins with "; ", or "". `error`: what execve said. It looks at the host as the caller.
struct str not_found_advice(const struct run *, int error);
