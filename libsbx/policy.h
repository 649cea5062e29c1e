// What a policy of libsbx holds.
#pragma once

#include "compiler/front/driver.h"
#include "libsbx/sbx.h"

struct sbx_policy {
    struct compilation *compilation; // owns all of it
    struct policy *policy;
    struct plan *plan; // for all architectures, once it was asked for
};

struct plan *sbx_policy_plan(sbx_policy *); // NULL when findings forbid one
