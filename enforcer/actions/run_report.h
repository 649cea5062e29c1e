// The report of a run (`--report FILE`): JSON, `"sbx_report": 1`; docs/report.md describes it.
#pragma once

#include "enforcer/drivers/run.h"

// `hash` names the plan that ran. False and errno when the file can't be written whole.
bool run_report_write(FILE *, const struct run *, struct str hash, const struct outcome *, const struct failure *);
