// The report of a run.
#include "enforcer/actions/run_report.h"

#include <string.h>

#include "compiler/plan/json.h"
#include "enforcer/supervisor/events.h"

static const char *const ended_names[] = {
    [ENDED_NOT_SET_UP] = "not set up", [ENDED_NOT_EXECUTED] = "not executed", [ENDED_EXITED] = "exited",
    [ENDED_SIGNALED] = "signaled",     [ENDED_LIFETIME] = "lifetime limit",   [ENDED_MEMORY] = "memory limit",
    [ENDED_OUTPUT] = "output limit",   [ENDED_CPU_TIME] = "cpu_time limit",
};

static void write_rule(struct json_writer *w, const struct plan *plan, uint32_t rule)
{
    if (rule < plan->rule_count)
        json_member(w, "rule", rule_named(plan, rule));
}

static void write_usage(struct json_writer *w, const struct outcome *outcome)
{
    json_member_number(w, "setup_us", outcome->setup);
    json_member_number(w, "wall_us", outcome->wall);
    json_member_number(w, "cpu_us", outcome->cpu);
    json_member_number(w, "peak_memory_bytes", outcome->peak);
    json_member(w, "peak_memory_of", outcome->peak_of_all ? STR("sandbox") : STR("largest process"));
    json_member_number(w, "oom_kills", outcome->oom_kills);
    json_key(w, "pids_refused");
    outcome->pids_known ? json_number(w, outcome->pids_refused) : json_null(w);
}

bool run_report_write(FILE *file, const struct run *run, struct str hash, const struct outcome *outcome,
                      const struct failure *failure)
{
    const struct plan *plan = run->plan;
    struct text text = {.arena = plan->arena};
    struct json_writer writer = {.text = &text}, *w = &writer;
    json_open(w, '{');
    json_member_number(w, "sbx_report", 1);
    json_member(w, "policy", plan->name);
    json_member(w, "plan_sha256", hash);
    json_member(w, "plan_from", str_from(run->plan_from));
    json_key(w, "command");
    json_open(w, '[');
    for (char *const *word = run->argv; *word; word++)
        json_string(w, str_from(*word));
    json_close(w, ']');
    json_key(w, "ended");
    json_open(w, '{');
    json_member(w, "how", str_from(ended_names[outcome->ended]));
    if (outcome->ended == ENDED_EXITED)
        json_member_number(w, "status", (uint64_t)outcome->value);
    if (outcome->ended == ENDED_SIGNALED)
        json_member_number(w, "signal", (uint64_t)outcome->value);
    if (outcome->ended == ENDED_NOT_EXECUTED)
        json_member(w, "error", str_from(strerror(outcome->value)));
    if (outcome->ended == ENDED_NOT_SET_UP) {
        json_member(w, "failure",
                    str_format(plan->arena, "%s%s%s", failure->what, failure->error ? ": " : "",
                               failure->error ? strerror(failure->error) : ""));
        write_rule(w, plan, failure->rule);
    }
    json_close(w, '}');
    json_member_number(w, "outside_user", (uint64_t)outcome->outside_user);
    write_usage(w, outcome);
    json_key(w, "limits");
    json_open(w, '[');
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const struct limit_use *use = &outcome->uses[i];
        const char *keeper = limit_keeper(&run->claims->bounds, (enum limit)i);
        if (!plan->limits[i].set)
            continue;
        json_open(w, '{');
        json_member(w, "limit", str_from(limit_names[i]));
        json_member_number(w, "value", plan->limits[i].value);
        json_key(w, "kept_by");
        keeper ? json_string(w, str_from(keeper)) : json_null(w);
        json_key(w, "peak");
        use->peak_known ? json_number(w, use->peak) : json_null(w);
        json_key(w, "reached");
        use->reached_known ? json_number(w, use->reached) : json_null(w);
        write_rule(w, plan, plan->limits[i].rule);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_key(w, "disks");
    json_open(w, '[');
    for (size_t i = 0; i < plan->view_count; i++) {
        if (!plan->view[i].size)
            continue;
        json_open(w, '{');
        json_member(w, "place", plan->view[i].path);
        json_member_number(w, "size", plan->view[i].size);
        json_key(w, "used");
        outcome->disks && outcome->disks[i].used != DISK_UNKNOWN ? json_number(w, outcome->disks[i].used)
                                                                 : json_null(w);
        json_key(w, "peak");
        outcome->disks && outcome->disks[i].peak != DISK_UNKNOWN ? json_number(w, outcome->disks[i].peak)
                                                                 : json_null(w);
        write_rule(w, plan, plan->view[i].rule);
        json_close(w, '}');
    }
    json_close(w, ']');
    if (run->claims->network.brokered) {
        json_key(w, "guard");
        outcome->guard ? json_string(w, str_format(plan->arena, "none: %s", outcome->guard))
                       : json_string(w, STR("eBPF"));
    }
    json_key(w, "destinations");
    events_write(w, run->events, EVENT_DESTINATION);
    json_key(w, "calls");
    outcome->untold ? json_string(w, str_format(plan->arena, "not told: %s", strerror(outcome->untold)))
                    : events_write(w, run->events, EVENT_CALL);
    if (run->explain_files) {
        json_key(w, "files");
        events_write(w, run->events, EVENT_FILE);
    }
    json_key(w, "not_told_apart");
    events_write_others(w, run->events);
    if (run->layer_count) {
        json_key(w, "layers");
        json_open(w, '[');
        for (size_t i = 0; i < outcome->layer_count; i++) {
            json_open(w, '{');
            json_member(w, "file", str_from(run->layers[i]));
            json_member(w, "sha256", str_from(outcome->layers[i].hash));
            json_member_number(w, "bytes", outcome->layers[i].bytes);
            json_close(w, '}');
        }
        json_close(w, ']');
    }
    if (run->keep) {
        json_key(w, "layer");
        json_open(w, '{');
        if (outcome->kept.why[0])
            json_member(w, "lacks", str_from(outcome->kept.why));
        else
            json_member_number(w, "entries", outcome->kept.entries);
        json_member_number(w, "sockets_left_out", outcome->kept.sockets);
        json_close(w, '}');
    }
    json_key(w, "degraded");
    json_open(w, '[');
    for (size_t i = 0; i < run->claims->degraded_count; i++) {
        const struct degradation *d = &run->claims->degraded[i];
        json_open(w, '{');
        json_member(w, "lost", d->lost);
        json_member(w, "because", d->because);
        write_rule(w, plan, d->rule);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
    return fwrite(text.data, 1, text.length, file) == text.length && fflush(file) == 0;
}
