// Calls that the command's filter hands to the supervisor.
#include "enforcer/supervisor/calls.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "compiler/code/cbpf.h"
#include "compiler/sets/path_set.h"
#include "compiler/meaning/search.h"
#include "enforcer/host/handover.h"
#include "enforcer/host/clock.h"
#include "enforcer/host/kernel.h"
#include "enforcer/host/outside.h"
#include "enforcer/supervisor/lesser.h"
#include "enforcer/supervisor/named.h"
#include "enforcer/supervisor/routes.h"
#include "enforcer/supervisor/sized.h"
#include "enforcer/host/scoped.h"
#include "enforcer/host/work.h"

// Under a limit of processors what the supervisor does is bounded, too: by a share of that limit, and no more than a
// fiftieth of a second of it at once. While that is used up calls wait in the kernel, and paced sources in their epoll:
// calls that are made again, connections that are being made, questions for names.
enum { SHARE = 8, AT_ONCE = 20000000 }; // an eighth; nanoseconds

struct budget {
    uint64_t rate; // thousandths of a processor that the limit is; 0: there is none
    uint64_t at;   // when `left` was that
    int64_t left;  // nanoseconds of processor time
    uint64_t used; // ever
    struct watch again;
    struct watch paced; // fd -1: there are no such sources
};

struct calls {
    const struct call_settings *settings;
    struct call_maker maker;
    struct notified_source source;
    struct watch listener, handover; // the first is the source's
    struct policy *policy;           // made anew, to explain
    bool recompiled;                 // or tried to be
    unsigned memories;               // that were made with less
    struct routes routes;
    struct budget budget;
};

// ---- filters ------------------------------------------------------------------------------------------------------

enum { ACTION = 0xFFFF0000u };

static bool is_told(uint32_t action)
{
    return (action & ACTION) == SECCOMP_ERRNO && (action & ~ACTION) != ENOSYS;
}

static void add(struct bpf_program *program, unsigned code, uint32_t k, uint8_t yes, uint8_t no)
{
    program->code[program->length++] = (struct bpf_instruction){(uint16_t)code, yes, no, k};
}

// The plan's filter, with "ask" in the place of what is told; and of what is allowed, where `files` are. What kills
// does so.
static void add_filter(struct bpf_program *program, const struct bpf_program *own, bool files)
{
    for (size_t i = 0; i < own->length; i++) {
        struct bpf_instruction *at = &program->code[program->length++];
        *at = own->code[i];
        if (at->code == (BPF_RET | BPF_K) && (is_told(at->k) || (files && at->k == SECCOMP_ALLOW)))
            at->k = SECCOMP_NOTIFY;
    }
}

// Two filters of that length follow. Calls of this architecture that name files go to the second, others to the first.
static void choose_by_name(struct bpf_program *program, size_t length, size_t end, char *const *argv)
{
    size_t named = 0, first, second;
    for (uint32_t number = 0; number < end; number++)
        named += named_by(number) && number != SYS_execve;
    first = program->length + 2 * named + 10;
    second = first + length;
#define TO(where) ((uint32_t)((where)-program->length - 1))
    add(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, arch_audit[ARCH_HERE], 1, 0);
    add(program, BPF_JMP | BPF_JA, TO(first), 0, 0);
    add(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    for (uint32_t number = 0; number < end; number++)
        if (named_by(number) && number != SYS_execve) {
            add(program, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
            add(program, BPF_JMP | BPF_JA, TO(second), 0, 0);
        }
    // The command's own exec can't be asked about, as nobody answers before it. It is known by where its words lie.
    uint64_t words = (uintptr_t)argv;
    uint32_t at = offsetof(struct seccomp_data, args) + sizeof words;
    add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 5);
    add(program, BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)words, 0, 2);
    add(program, BPF_LD | BPF_W | BPF_ABS, at + 4, 0, 0);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(words >> 32), 1, 0);
    add(program, BPF_JMP | BPF_JA, TO(second), 0, 0);
#undef TO
}

// A call of this architecture, whatever its arguments; of sockets one that makes such.
static void ask_about(struct bpf_program *program, uint32_t number)
{
    uint8_t more = number == SYS_socket ? 2 : 0;
    add(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, arch_audit[ARCH_HERE], 0, 3 + more);
    add(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1 + more);
    if (more) {
        add(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args), 0, 0); // little-endian
        add(program, BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1);
    }
    add(program, BPF_RET | BPF_K, SECCOMP_NOTIFY, 0, 0);
}

const struct bpf_program *calls_asking(const struct call_settings *settings)
{
    // Until its exec nobody answers the command.
    static const uint32_t needed[] = {SYS_execve, SYS_exit_group};
    const struct bpf_program *own = &settings->plan->filters[ARCH_HERE];
    struct arena *arena = settings->plan->arena;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        uint32_t words[SECCOMP_WORDS];
        cbpf_words(words, arch_audit[ARCH_HERE], needed[i], NULL);
        if (is_told(cbpf_run(own, words, NULL)))
            return NULL;
    }
    struct bpf_program *asking = NEW(arena, struct bpf_program);
    size_t end = settings->explain_files ? syscall_numbers_end(ARCH_HERE) : 0;
    asking->code = NEW_ARRAY(arena, struct bpf_instruction, 2 * own->length + 2 * end + 24);
    if (sized_asks(settings->plan))
        ask_about(asking, SYS_sysinfo);
    if (settings->counts_routes)
        ask_about(asking, SYS_socket);
    if (settings->explain_files)
        choose_by_name(asking, own->length, end, settings->argv);
    add_filter(asking, own, false);
    if (settings->explain_files)
        add_filter(asking, own, true);
    return asking->length > BPF_MOST ? NULL : asking;
}

// ---- denials ------------------------------------------------------------------------------------------------------

// That says which rule denies; NULL: nothing does. It takes a millisecond where it was not compiled for this run.
static struct policy *policy_of(struct calls *calls)
{
    const struct call_settings *settings = calls->settings;
    if (settings->policy || !settings->recompile)
        return settings->policy;
    if (!calls->recompiled) {
        as_itself_begin(); // the policy's files may be its user's alone
        calls->policy = settings->recompile(settings->recompile_context);
        as_itself_end();
    }
    calls->recompiled = true;
    return calls->policy;
}

static uint32_t denying_rule(struct calls *calls, const struct operation_point *point)
{
    if (!policy_of(calls))
        return RULE_NOT_KNOWN;
    struct verdict verdict = policy_verdict(policy_of(calls), point);
    return verdict.rule && !verdict.allowed ? verdict.rule->number : NO_RULE;
}

// Names it by its number and the arguments that decided, so that a program's thousand tries are one line.
static void note_denied(struct calls *calls, const struct notified *call, const uint32_t words[SECCOMP_WORDS])
{
    const struct call_settings *settings = calls->settings;
    unsigned asked = cbpf_arguments_asked(&settings->plan->filters[ARCH_HERE], words);
    struct operation_point point = {.domain = DOMAIN_CALLS, .arch = ARCH_HERE, .number = (uint32_t)call->number};
    memcpy(point.arguments, call->arguments, sizeof point.arguments);
    struct arena *arena = arena_new();
    struct text text = {.arena = arena};
    call_print(&text, &point, asked);
    struct str operation = text_str(&text);
    if (!event_again(settings->events, operation, true)) {
        bool listed = syscall_by_number(point.arch, point.number) >= 0;
        event_denied(settings->events, EVENT_CALL, operation, listed ? denying_rule(calls, &point) : NO_RULE);
    }
    arena_free(arena);
}

// What tells most of what was refused, and which rule would allow it: where a name is to be made or removed that is one
// for its folder.
static unsigned told_verb(unsigned lacking)
{
    static const unsigned order[] = {VERB_EXEC, VERB_WRITE, VERB_CREATE, VERB_DELETE, VERB_READ};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if ((lacking & order[i]) == order[i])
            return order[i];
    return VERB_WRITE;
}

// Is a folder the way to what is shown, which can be gone, and listed where no place of the view lies above it?
static bool is_way(const struct plan *plan, struct str path, bool gone)
{
    bool way = false;
    for (size_t i = 0; i < plan->view_count; i++) {
        way |= path_covers(path, plan->view[i].path);
        if (!gone && path_covers(plan->view[i].path, path))
            return false;
    }
    return way;
}

// What is wanted of a file and not allowed. Of what is not there on the host either nothing is said: programs look for
// much.
static void note_file(struct calls *calls, const struct notified *call, const struct named *file)
{
    const struct call_settings *settings = calls->settings;
    struct str path = str_from(file->path);
    unsigned wanted = file->verbs ? file->verbs : (unsigned)VERB_READ,
             lacking = wanted & ~plan_verbs(settings->plan, path);
    struct stat status;
    char above[PATH_MAX], shown[PATH_MAX + 32];
    if (!lacking || path_covers(STR("/proc"), path) || path_covers(STR("/dev"), path))
        return;
    if (!(wanted & ~(unsigned)VERB_READ) && is_way(settings->plan, path, !file->verbs))
        return;
    strcpy(above, file->path);
    if (wanted & VERB_CREATE)
        *strrchr(above, '/') = '\0';
    snprintf(shown, sizeof shown, "/proc/%d/root%s", call->caller.thread, above);
    as_itself_begin(); // what is told is for who started the run
    bool there = lstat(*above ? above : "/", &status) == 0 || lstat(shown, &status) == 0;
    as_itself_end();
    if (!there)
        return;
    struct arena *arena = arena_new();
    unsigned told = told_verb(lacking);
    struct text text = {.arena = arena};
    path_verbs_print(&text, told);
    text_addf(&text, " ");
    text_quote(&text, path);
    struct str operation = text_str(&text);
    if (!event_again(settings->events, operation, true)) {
        event_denied(
            settings->events, EVENT_FILE, operation,
            denying_rule(calls, &(struct operation_point){.domain = DOMAIN_FILES, .verb = told & -told, .path = path}));
    }
    arena_free(arena);
}

static void answer_one(struct calls *calls)
{
    struct notified call;
    uint32_t words[SECCOMP_WORDS];
    if (notified_next(&calls->source, &call) <= 0)
        return;
    cbpf_words(words, call.architecture, (uint32_t)call.number, call.arguments);
    uint32_t action = cbpf_run(&calls->settings->plan->filters[ARCH_HERE], words, NULL);
    if (action == SECCOMP_NOTIFY && calls->maker.self) {
        calls->maker.make(calls->maker.self, &call);
        return;
    }
    if (action == SECCOMP_ALLOW && calls->settings->explain_files && named_by((uint32_t)call.number)) {
        static struct named files[NAMED_MOST];
        for (int i = 0, count = named_read(&call, files); i < count; i++)
            note_file(calls, &call, &files[i]);
        notified_continue(&call);
        notified_release(&call);
        return;
    }
    if (sized_is(calls->settings->plan, &call)) {
        sized_answer(calls->settings->plan, &call);
        notified_release(&call);
        return;
    }
    if (action == SECCOMP_ALLOW && calls->settings->counts_routes && routes_is(&call)) {
        routes_answer(&calls->routes, calls->settings->identity, &call);
        notified_release(&call);
        return;
    }
    bool told = is_told(action);
    if (told && lesser_make(calls->settings->plan, calls->settings->identity, &call, &calls->memories)) {
        notified_release(&call);
        return;
    }
    notified_answer(&call, told ? (int)(action & ~ACTION) : ENOSYS, 0);
    if (told)
        note_denied(calls, &call, words);
    notified_release(&call);
}

// ---- what it may cost ---------------------------------------------------------------------------------------------

static void take_work(struct supervisor *supervisor, struct calls *calls, bool take)
{
    struct watch *paced = &calls->budget.paced;
    supervisor->prompt = take ? &calls->listener : NULL;
    if (paced->fd >= 0)
        epoll_ctl(supervisor->loop, EPOLL_CTL_MOD, paced->fd,
                  &(struct epoll_event){.events = take ? EPOLLIN : 0, .data.ptr = paced});
}

// Takes what was used from the budget. Where more was used than there is, no work is taken until there is some again.
static void spend(struct supervisor *supervisor, struct calls *calls)
{
    struct budget *budget = &calls->budget;
    uint64_t used = work_done();
    uint64_t now = clock_now(), past = now - budget->at < 1000000000u * 1000u ? now - budget->at : 1000000000u * 1000u;
    budget->left += (int64_t)(past * budget->rate / 1000 / SHARE);
    budget->left = (budget->left < AT_ONCE ? budget->left : AT_ONCE) - (int64_t)(used - budget->used);
    budget->used = used;
    budget->at = now;
    if (budget->left >= 0)
        return;
    uint64_t wait = (uint64_t)-budget->left * 1000 * SHARE / budget->rate + 1000000;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)}};
    if (timerfd_settime(budget->again.fd, 0, &when, NULL) == 0)
        take_work(supervisor, calls, false);
}

static void goes_on(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)events;
    struct calls *calls = watch->context;
    uint64_t times;
    if (read(watch->fd, &times, sizeof times) == sizeof times)
        take_work(supervisor, calls, true);
}

// One of them, the one that was ready for longest.
static void paced_is_ready(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)events;
    struct epoll_event event;
    struct watch *source = epoll_wait(watch->fd, &event, 1, 0) == 1 ? event.data.ptr : NULL;
    if (source && source->fd >= 0)
        source->ready(supervisor, source, event.events);
    spend(supervisor, watch->context);
}

static void call_came(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    struct calls *calls = watch->context;
    if (!(events &
          EPOLLIN)) { // no process has the filter any more; asked for a call now, older kernels would wait for one
        supervisor->prompt = NULL;
        return;
    }
    answer_one(calls);
    if (calls->budget.rate)
        spend(supervisor, calls);
}

// ---- the source ---------------------------------------------------------------------------------------------------

static void handed_over(struct supervisor *supervisor, struct watch *watch, uint32_t events)
{
    (void)events;
    struct calls *calls = watch->context;
    uint64_t what;
    int fds[HANDOVER_MOST], count = handover_receive(watch->fd, &what, fds);
    if (count < 0) { // the inside has closed its end
        epoll_ctl(supervisor->loop, EPOLL_CTL_DEL, watch->fd, NULL);
    } else if (what == HANDED_LISTENER && count == 1 && calls->source.listener < 0) {
        calls->listener.fd = calls->source.listener = take_fd(fds[0]);
        ioctl(calls->source.listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
              SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP); // where it can, or answers take longer
        supervisor->prompt = &calls->listener;
        calls->budget.used = work_done();
    } else if (what == HANDED_NETWORK && count == 2 && calls->routes.user < 0) {
        calls->routes = (struct routes){take_fd(fds[0]), take_fd(fds[1])};
    } else if (what == HANDED_ROOT && calls->maker.self) {
        calls->maker.take_root(calls->maker.self, fds, count);
    }
    for (int i = 0; i < count; i++)
        close_scoped(&fds[i]);
}

struct calls *calls_new(const struct call_settings *settings, const struct call_maker *maker, int handover,
                        struct failure *failure)
{
    struct calls *calls = calloc(1, sizeof *calls);
    if (!calls) {
        fail(failure, NO_RULE, ENOMEM, "cannot answer for the command's calls");
        return NULL;
    }
    *calls = (struct calls){
        .settings = settings,
        .maker = *maker,
        .source = {-1, NOTIFIED_NOBODY},
        .listener = {-1, call_came, calls},
        .routes = {-1, -1},
        .handover = {handover, handed_over, calls},
        .budget = {
            .at = clock_now(), .left = AT_ONCE, .again = {-1, goes_on, calls}, .paced = {-1, paced_is_ready, calls}}};
    const struct plan_limit *cpu = &settings->plan->limits[LIMIT_cpu];
    if (cpu->set) {
        calls->budget.rate = cpu->value;
        calls->budget.again.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    }
    if (cpu->set && maker->self)
        calls->budget.paced.fd = epoll_create1(EPOLL_CLOEXEC);
    if (cpu->set && (calls->budget.again.fd < 0 || (maker->self && calls->budget.paced.fd < 0))) {
        fail(failure, NO_RULE, errno, "cannot bound what the command's calls cost");
        close_scoped(&calls->budget.again.fd);
        free(calls);
        return NULL;
    }
    return calls;
}

int calls_add(struct supervisor *supervisor, struct calls *calls)
{
    struct budget *budget = &calls->budget;
    if (budget->rate && supervisor_add(supervisor, &budget->again, EPOLLIN) != 0)
        return -1;
    if (budget->paced.fd >= 0) {
        if (supervisor_add(supervisor, &budget->paced, EPOLLIN) != 0)
            return -1;
        supervisor->paced = budget->paced.fd;
    }
    if (calls->maker.self && calls->maker.add(supervisor, calls->maker.self) != 0)
        return -1;
    return supervisor_add(supervisor, &calls->handover, EPOLLIN);
}

void calls_free(struct calls *calls)
{
    if (!calls)
        return;
    if (calls->maker.self)
        calls->maker.free(calls->maker.self);
    notified_end(&calls->source);
    close_scoped(&calls->routes.user);
    close_scoped(&calls->routes.network);
    close_scoped(&calls->budget.again.fd);
    close_scoped(&calls->budget.paced.fd);
    free(calls);
}
