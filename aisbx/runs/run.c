// One run.
#include "aisbx/runs/run.h"

#include <cjson/cJSON.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sha2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aisbx/layers/facts.h"
#include "libsbx/sbx.h"

// ---- the plan -----------------------------------------------------------------------------------------------------

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

// True if the folder that is open lies in that one, or is it.
static bool lies_in(int folder, const struct stat *in)
{
    struct stat at, below = {0};
    int fd = dup(folder);
    bool lies = false;
    while (fd >= 0 && !lies && fstat(fd, &at) == 0 && !same_file(&at, &below)) { // the root is its own folder
        lies = same_file(&at, in);
        below = at;
        int above = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = above;
    }
    if (fd >= 0)
        close(fd);
    return lies;
}

static bool writes(const cJSON *entry)
{
    const cJSON *verb;
    cJSON_ArrayForEach(verb, cJSON_GetObjectItem(entry, "verbs"))
    {
        const char *name = cJSON_GetStringValue(verb);
        if (name && (strcmp(name, "modify") == 0 || strcmp(name, "create") == 0 || strcmp(name, "delete") == 0))
            return true;
    }
    return false;
}

// The place of the view that shows the workspace as a copy. False: there is none, or a run could write what aisbx
// believes; said.
static bool find_place(const char *plan, const struct store *store, const struct workspace *workspace,
                       char place[PATH_MAX])
{
    cJSON *json = cJSON_Parse(plan), *view = cJSON_GetObjectItem(json, "view"), *entry;
    const char *home = getenv("HOME");
    bool found = false, fine = true;
    struct stat own, other;
    fstat(workspace->root, &own);
    cJSON_ArrayForEach(entry, view)
    {
        const char *from = cJSON_GetStringValue(cJSON_GetObjectItem(entry, "from")),
                   *base = cJSON_GetStringValue(cJSON_GetObjectItem(entry, "base")),
                   *host = cJSON_GetStringValue(cJSON_GetObjectItem(entry, "host")),
                   *path = cJSON_GetStringValue(cJSON_GetObjectItem(entry, "path"));
        char where[2 * PATH_MAX];
        if (!from || !base || !host || !path || (strcmp(from, "overlay") != 0 && strcmp(from, "host") != 0))
            continue;
        snprintf(where, sizeof where, "%s%s%s",
                 strcmp(base, "policy") == 0 ? workspace->policy_folder
                 : strcmp(base, "home") == 0 ? (home ? home : "")
                                             : "",
                 strcmp(base, "absolute") == 0 ? "" : "/", host);
        if (strcmp(base, "cwd") == 0)
            snprintf(where, sizeof where, "%s", host);
        if (stat(where, &other) != 0)
            continue;
        if (strcmp(from, "overlay") == 0) {
            if (same_file(&own, &other) && !found) {
                snprintf(place, PATH_MAX, "%s", path);
                found = true;
            }
        } else if (writes(entry) && lies_in(store->folder, &other)) {
            warnx("%s lets runs write %s, where the store %s lies: set AISBX_HOME to another place, or show less",
                  workspace->policy, where, store->path);
            fine = false;
        }
    }
    cJSON_Delete(json);
    if (!found && fine)
        warnx("%s shows no copy of %s: `allow read, write \"/workspace\" from overlay \"..\";` would",
              workspace->policy, workspace->folder);
    return found && fine;
}

static sbx_policy *compile(const struct workspace *workspace, const struct run_wish *wish, char **plan)
{
    char *findings = NULL;
    sbx_policy *policy = sbx_compile_file(workspace->policy, NULL, wish->values, &findings);
    if (findings && !policy)
        fputs(findings, stderr);
    sbx_free(findings);
    size_t length;
    *plan = policy ? sbx_emit(policy, "plan", &length) : NULL;
    if (policy && !*plan)
        warnx("%s can't be made a plan of: `sbxc --check` says why", workspace->policy);
    return policy;
}

// ---- sbxrun -------------------------------------------------------------------------------------------------------

enum { PLAN_AT = 3, REPORT_AT, FIRST_LAYER_AT };

struct process {
    pid_t pid;
    int streams[3]; // by number; [0] is not used
    int report;     // a file of memory
};

// Beside this program, else found in PATH.
static const char *sbxrun(char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 16);
    char *slash = length > 0 ? (path[length] = '\0', strrchr(path, '/')) : NULL;
    if (slash)
        strcpy(slash + 1, "sbxrun");
    return slash && access(path, X_OK) == 0 ? path : "sbxrun";
}

// All descriptors that sbxrun gets stand above those that it gets them as.
static int above(int fd)
{
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, 64);
    close(fd);
    return higher;
}

// In the new process: it ends with this one, also when this one is killed.
static _Noreturn void become_sbxrun(pid_t parent, const int *given, int count, const char *const *argv)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
        _exit(NOT_RUN);
    for (int fd = 1; fd < count; fd++)
        if (dup2(given[fd], fd) < 0)
            _exit(NOT_RUN);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], (char *const *)argv);
    warn("%s can't be started", argv[0]);
    _exit(NOT_RUN);
}

static bool start(const struct store *store, const struct workspace *workspace, const struct run_wish *wish,
                  const char *plan, char digests[][DIGEST_SIZE], int count, const char *keep, struct process *process)
{
    char path[PATH_MAX], names[LAYERS_MOST][24];
    size_t words = 0, argc = 0;
    while (wish->words && wish->words[words])
        words++;
    const char **all = calloc(words + 2 * LAYERS_MOST + 16, sizeof *all);
    int plan_fd = memfd_create("plan", MFD_CLOEXEC), out[2] = {-1, -1}, error[2] = {-1, -1};
    process->report = memfd_create("report", MFD_CLOEXEC);
    if (!all || plan_fd < 0 || process->report < 0 || write(plan_fd, plan, strlen(plan)) != (ssize_t)strlen(plan) ||
        pipe2(out, O_CLOEXEC) != 0 || pipe2(error, O_CLOEXEC) != 0)
        return warn("sbxrun can't be started"), false;
    all[argc++] = sbxrun(path);
    all[argc++] = "--beside";
    all[argc++] = workspace->policy_folder;
    all[argc++] = "--report";
    all[argc++] = "/dev/fd/4";
    all[argc++] = "--keep";
    all[argc++] = keep;
    bool fine = true;
    int given[FIRST_LAYER_AT + LAYERS_MOST] = {-1, above(out[1]), above(error[1]), above(plan_fd),
                                               above(dup(process->report))};
    for (int i = 0; i < count; i++) {
        int fd = blob_open(&store->blobs, digests[i]);
        given[FIRST_LAYER_AT + i] = fd < 0 ? -1 : above(fd);
        if (fd < 0)
            fine = (warn("the layer %.12s is not in the store", digests[i]), false);
        snprintf(names[i], sizeof names[i], "/dev/fd/%d", FIRST_LAYER_AT + i);
        all[argc++] = "--layer";
        all[argc++] = names[i];
    }
    all[argc++] = "/dev/fd/3";
    if (words)
        all[argc++] = "--";
    for (size_t i = 0; i < words; i++)
        all[argc++] = wish->words[i];
    pid_t self = getpid();
    process->pid = fine ? fork() : -1;
    if (process->pid == 0)
        become_sbxrun(self, given, FIRST_LAYER_AT + count, all);
    if (fine && process->pid < 0)
        fine = (warn("sbxrun can't be started"), false);
    for (int i = 1; i < FIRST_LAYER_AT + count; i++)
        close(given[i]);
    free(all);
    process->streams[1] = out[0];
    process->streams[2] = error[0];
    return fine;
}

static void pass_on(int stream, const char *data, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = write(stream, data + done, length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; // nobody reads it any more: the log has it
        done += (size_t)n;
    }
}

// Until both streams have ended; signals that a person sends go to sbxrun, who ends the command in order.
static int converse(struct process *process, struct log *log, int signals)
{
    char data[32768];
    while (process->streams[1] >= 0 || process->streams[2] >= 0) {
        struct pollfd waits[] = {{.fd = process->streams[1], .events = POLLIN},
                                 {.fd = process->streams[2], .events = POLLIN},
                                 {.fd = signals, .events = POLLIN}};
        if (poll(waits, 3, -1) < 0 && errno != EINTR)
            break;
        struct signalfd_siginfo info;
        if (waits[2].revents && read(signals, &info, sizeof info) == sizeof info)
            kill(process->pid, (int)info.ssi_signo);
        for (int stream = 1; stream < 3; stream++) {
            if (!waits[stream - 1].revents)
                continue;
            ssize_t n = read(process->streams[stream], data, sizeof data);
            if (n > 0) {
                pass_on(stream, data, (size_t)n);
                log_piece(log, stream, data, (size_t)n);
            } else if (n == 0 || errno != EINTR) {
                close(process->streams[stream]);
                process->streams[stream] = -1;
            }
        }
    }
    int status;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// ---- what it left -------------------------------------------------------------------------------------------------

static bool keep_layer(struct store *store, const struct workspace *workspace, const struct run_wish *wish,
                       const char *place, int layer, int64_t since, struct run_result *result)
{
    struct stat status;
    struct change change = {0};
    struct facts known = {0};
    char digest[DIGEST_SIZE];
    uint64_t bytes;
    if (fstat(layer, &status) != 0 || status.st_size == 0)
        return true; // sbxrun has said why there is none
    if (!blob_keep(&store->blobs, layer, digest, &bytes))
        return warn("the store %s: what the run changed can't be kept", store->path), false;
    bool fine = change_add(&change, &store->blobs, digest, 0, place);
    if (!fine)
        warnx("what the run changed can't be kept: %s", change.why);
    result->changed = change.count;
    if (fine && change.count) {
        fine = facts_load(store, wish->snapshot, &known) && store_begin(store);
        if (fine) {
            fine = snapshot_new(store, workspace, wish->snapshot, digest, place, result->snapshot) &&
                   facts_keep(store, result->snapshot, workspace->root, &change, &known, since);
            // Who moved it meanwhile keeps it.
            if (fine && wish->moves_head) {
                fine = store_do(store, "UPDATE workspaces SET head = ? WHERE id = ? AND head = ?", "tit",
                                result->snapshot, workspace->id, wish->snapshot);
                result->head_moved = sqlite3_changes(store->db) == 1;
            }
            if (!fine || !store_commit(store))
                fine = (store_rollback(store), false);
        }
    }
    facts_free(&known);
    change_free(&change);
    return fine;
}

static char *words_json(const struct run_wish *wish)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; wish->words && wish->words[i]; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(wish->words[i]));
    char *text = cJSON_PrintUnformatted(list);
    cJSON_Delete(list);
    return text;
}

static bool digest_of(const char *path, char digest[DIGEST_SIZE])
{
    return SHA256File(path, digest) != NULL;
}

int run_command(struct store *store, const struct workspace *workspace, const struct run_wish *wish,
                struct run_result *result)
{
    char digests[LAYERS_MOST][DIGEST_SIZE], place[PATH_MAX], policy_digest[DIGEST_SIZE] = "", plan_digest[DIGEST_SIZE];
    char keep[sizeof store->path + ID_SIZE + 16], log_digest[DIGEST_SIZE] = "", report_digest[DIGEST_SIZE] = "";
    struct process process = {.streams = {-1, -1, -1}, .report = -1};
    struct log log;
    char *plan;
    *result = (struct run_result){.status = NOT_RUN};
    sbx_policy *policy = compile(workspace, wish, &plan);
    if (!policy || !plan)
        return NOT_RUN;
    if (!find_place(plan, store, workspace, place))
        return NOT_RUN;
    int count = snapshot_layers(store, wish->snapshot, digests);
    SHA256Data((const uint8_t *)plan, strlen(plan), plan_digest);
    if (count < 0 || !digest_of(workspace->policy, policy_digest))
        return NOT_RUN;
    id_new("run", result->id);
    int mark = store_mark(store, result->id);
    char *words = words_json(wish);
    if (mark < 0 || !words || !log_begin(&log, store, result->id))
        return NOT_RUN;
    if (!store_do(store,
                  "INSERT INTO runs (id, workspace, snapshot, words, policy, plan, state, created)"
                  " VALUES (?, ?, ?, ?, ?, ?, 'running', ?)",
                  "titttti", result->id, workspace->id, wish->snapshot, words, policy_digest, plan_digest,
                  (int64_t)now_milliseconds()))
        return NOT_RUN;
    snprintf(keep, sizeof keep, "%s/running/%s.tar", store->path, result->id);
    sigset_t passed;
    sigemptyset(&passed);
    for (size_t i = 0; i < 5; i++)
        sigaddset(&passed, (const int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1}[i]);
    sigprocmask(SIG_BLOCK, &passed, NULL);
    signal(SIGPIPE, SIG_IGN);
    int signals = signalfd(-1, &passed, SFD_CLOEXEC | SFD_NONBLOCK);
    struct timespec since;
    clock_gettime(CLOCK_REALTIME_COARSE, &since);
    bool kept = true;
    if (start(store, workspace, wish, plan, digests, count, keep, &process)) {
        result->status = converse(&process, &log, signals);
        int layer = open(keep, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (layer >= 0) {
            kept = keep_layer(store, workspace, wish, place, layer, (int64_t)since.tv_sec * 1000000000 + since.tv_nsec,
                              result);
            close(layer);
        }
        uint64_t bytes;
        kept &=
            lseek(process.report, 0, SEEK_SET) == 0 && blob_keep(&store->blobs, process.report, report_digest, &bytes);
    }
    unlink(keep);
    close(process.report);
    if (!log_end(&log, store, log_digest))
        kept = (warn("the store %s: the log is not whole", store->path), false);
    kept &= store_do(store,
                     "UPDATE runs SET state = ?, ended = ?, status = ?, result = ?, log = ?, report = ?"
                     " WHERE id = ?",
                     "tiitttt", kept ? "ended" : "unkept", (int64_t)now_milliseconds(), (int64_t)result->status,
                     *result->snapshot ? result->snapshot : NULL, *log_digest ? log_digest : NULL,
                     *report_digest ? report_digest : NULL, result->id);
    store_unmark(store, result->id, mark);
    close(signals);
    free(words);
    sbx_free(plan);
    sbx_policy_free(policy);
    return kept || result->status ? result->status : 1;
}
