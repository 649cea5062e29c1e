// sbxc: checks, tests, explains and emits policies.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/diff.h"
#include "compiler/driver.h"
#include "compiler/import/seccomp.h"
#include "compiler/lint.h"
#include "compiler/prove/prove.h"
#include "compiler/report/report.h"
#include "compiler/search.h"
#include "compiler/why.h"

enum { STATUS_CLEAN, STATUS_ERRORS, STATUS_USAGE };
enum action { ACTION_NONE, ACTION_CHECK, ACTION_TEST, ACTION_WHY, ACTION_EMIT, ACTION_DIFF, ACTION_IMPORT };

static const char help[] =
    "usage: sbxc --check FILE...                     errors, warnings, proofs, expectations\n"
    "       sbxc --test FILE...                      the expectations, as TAP\n"
    "       sbxc --why 'OPERATION' FILE              the verdict and the rules behind it, as for\n"
    "                                                'write \"/etc\"' or 'syscall ioctl where request == TIOCSTI'\n"
    "       sbxc --diff OLD NEW                      what becomes allowed (+), denied (-) or otherwise (~); exit 1 when wider\n"
    "       sbxc --emit=WHAT [-o OUT] FILE           plan, seccomp (struct sock_filter bytes) or seccomp-asm\n"
    "       sbxc --import=docker-seccomp [-o OUT] PROFILE.json    a seccomp profile as a policy, proved equivalent\n"
    "\n"
    "  -I DIR                 files may import from DIR too\n"
    "  -D NAME=VALUE          sets a parameter of the policy\n"
    "  --policy NAME          which policy of the file\n"
    "  --target ARCH          x86_64 or aarch64, for --emit=seccomp and seccomp-asm\n"
    "  --capabilities A,B     for --import: what the profile's conditions on capabilities are decided for; none unless told\n"
    "  --kernel 6.18          for --import: what its conditions on the kernel are decided for\n"
    "  --format=text|json     how findings are printed\n"
    "  --deny-warnings        warnings count as errors\n"
    "  --no-proof             does not prove that the filters mean what the policy says\n"
    "  --color=auto|always|never\n"
    "  --version, --help\n"
    "\n"
    "exit: 0 clean, 1 errors in the policy or a failed test, 2 wrong usage or unreadable input, 3 a fault of sbxc\n";

struct options {
    enum action action;
    const char *question, *emit, *output;
    struct driver_options driver;
    enum arch target;
    struct import_options import;
    bool json, deny_warnings, color, no_proof;
};

static int usage_error(const char *message)
{
    fprintf(stderr, "sbxc: %s\nsbxc --help shows what there is\n", message);
    return STATUS_USAGE;
}

static void print_findings(const struct options *options, struct compilation *compilation)
{
    if (options->json)
        report_json(stdout, compilation->arena, compilation);
    else
        report_text(stderr, compilation, options->color);
}

static int status_of(const struct options *options, const struct compilation *compilation)
{
    if (compilation->unreadable)
        return STATUS_USAGE;
    return compilation->diagnostics.errors || (options->deny_warnings && compilation->diagnostics.warnings) ? STATUS_ERRORS : STATUS_CLEAN;
}

static bool can_be_built(const struct policy_decl *decl)
{
    for (const struct parameter *p = decl->parameters; p; p = p->next)
        if (!p->value)
            return false; // whoever uses it gives the value; names and types are checked all the same
    return true;
}

// The plan of a policy, with its filters proved. NULL, and diagnostics, when one can't be made or is not proved.
static struct plan *make_plan(const struct options *options, struct policy *policy)
{
    struct plan *plan = policy_lower(policy, ARCH_ALL_MASK);
    bool proved = true;
    for (int arch = 0; plan && !options->no_proof && arch < ARCH_COUNT; arch++)
        proved = prove_filter(policy, (enum arch)arch, &plan->filters[arch]) && proved;
    return proved ? plan : NULL;
}

// Checks one policy: its meaning, its obligations, the filters it would give.
static void check_policy(const struct options *options, struct compilation *compilation, struct policy_decl *decl, struct expr *const *values)
{
    struct policy *policy = policy_build(compilation, decl, values);
    if (policy)
        lint_policy(policy);
    if (policy && policy_check(policy, true))
        make_plan(options, policy);
}

static int check_file(const struct options *options, const char *path)
{
    struct compilation *compilation = compilation_new(arena_new());
    const char *problem = driver_roots(compilation, &options->driver);
    struct module *module = problem ? NULL : module_load(compilation, path);
    if (module && compilation->diagnostics.errors == 0) {
        struct policy_decl *chosen = options->driver.policy || options->driver.value_count ? driver_select(compilation, module, &options->driver) : NULL;
        struct expr **values = chosen ? driver_values(compilation, chosen, &options->driver, &problem) : NULL;
        if (chosen && values)
            check_policy(options, compilation, chosen, values);
        for (struct policy_decl *decl = module->policies; decl && !chosen; decl = decl->next)
            if (can_be_built(decl) && !(options->driver.policy || options->driver.value_count))
                check_policy(options, compilation, decl, NULL);
        for (struct group_decl *group = module->groups; group; group = group->next)
            group_find(compilation, module, group->name.text);
    }
    print_findings(options, compilation);
    int status = problem ? usage_error(problem) : status_of(options, compilation);
    compilation_free(compilation);
    return status;
}

static int check_files(const struct options *options, char **files)
{
    int worst = STATUS_CLEAN;
    for (; *files; files++) {
        int status = check_file(options, *files);
        worst = status > worst ? status : worst;
    }
    return worst;
}

static bool is_expectation(const struct rule *rule)
{
    return rule->effect == EFFECT_EXPECT_ALLOW || rule->effect == EFFECT_EXPECT_DENY;
}

static int test_files(const struct options *options, char **files)
{
    int worst = STATUS_CLEAN;
    unsigned number = 0;
    for (; *files; files++) {
        struct compilation *compilation = compilation_new(arena_new());
        const char *problem = driver_roots(compilation, &options->driver);
        struct module *module = problem ? NULL : module_load(compilation, *files);
        for (struct policy_decl *decl = module && !compilation->diagnostics.errors ? module->policies : NULL; decl; decl = decl->next) {
            if (!can_be_built(decl) || (options->driver.policy && !str_is(decl->name.text, options->driver.policy)))
                continue;
            struct policy *policy = policy_build(compilation, decl, NULL);
            for (size_t i = 0; policy && i < policy->rule_count; i++) {
                const struct rule *rule = &policy->rules[i];
                struct operation_point point;
                if (!is_expectation(rule))
                    continue;
                bool wanted = rule->effect == EFFECT_EXPECT_ALLOW;
                int found = operation_find(policy, rule, !wanted, &point);
                printf("%sok %u - %.*s: %.*s\n", found ? "not " : "", ++number, STR_ARGS(rule_place(policy, rule)), STR_ARGS(rule_text(policy, rule)));
                if (found > 0)
                    printf("# `%.*s` is %s\n", STR_ARGS(operation_text(policy, &point)), wanted ? "denied" : "allowed");
                if (found)
                    worst = worst > STATUS_ERRORS ? worst : STATUS_ERRORS;
            }
        }
        report_text(stderr, compilation, options->color);
        int status = problem ? usage_error(problem) : status_of(options, compilation);
        worst = status > worst ? status : worst;
        compilation_free(compilation);
    }
    printf("1..%u\n", number);
    return worst;
}

// Loads the one policy that --why and --emit are about. NULL when it has errors; *status says which.
static struct policy *load_policy(const struct options *options, struct compilation *compilation, const char *path, int *status)
{
    const char *problem = driver_roots(compilation, &options->driver);
    struct module *module = problem ? NULL : module_load(compilation, path);
    struct policy_decl *decl = module && !compilation->diagnostics.errors ? driver_select(compilation, module, &options->driver) : NULL;
    struct expr **values = decl ? driver_values(compilation, decl, &options->driver, &problem) : NULL;
    struct policy *policy = values ? policy_build(compilation, decl, values) : NULL;
    if (policy && !policy_check(policy, true))
        policy = NULL;
    if (!policy) {
        print_findings(options, compilation);
        *status = problem ? usage_error(problem) : status_of(options, compilation);
    }
    return policy;
}

static int why(const struct options *options, char **files)
{
    struct compilation *compilation = compilation_new(arena_new());
    int status = STATUS_CLEAN;
    struct policy *policy = load_policy(options, compilation, files[0], &status);
    if (policy) {
        struct text out = {.arena = compilation->arena};
        if (policy_why(policy, options->question, &out)) {
            fwrite(out.data, 1, out.length, stdout);
        } else {
            print_findings(options, compilation);
            status = STATUS_USAGE;
        }
    }
    compilation_free(compilation);
    return status;
}

static int write_output(const char *path, struct str data)
{
    FILE *out = path ? fopen(path, "we") : stdout;
    if (!out || fwrite(data.text, 1, data.length, out) != data.length || fflush(out) != 0 || (path && fclose(out) != 0)) {
        fprintf(stderr, "sbxc: cannot write %s: %s\n", path ? path : "to standard output", strerror(errno));
        return STATUS_USAGE;
    }
    return STATUS_CLEAN;
}

static int emit(const struct options *options, char **files)
{
    struct compilation *compilation = compilation_new(arena_new());
    int status = STATUS_CLEAN;
    struct policy *policy = load_policy(options, compilation, files[0], &status);
    struct plan *plan = policy ? make_plan(options, policy) : NULL;
    if (policy && !plan) {
        print_findings(options, compilation);
        status = status_of(options, compilation);
    } else if (plan && strcmp(options->emit, "plan") == 0) {
        status = write_output(options->output, plan_write(compilation->arena, plan));
    } else if (plan && strcmp(options->emit, "seccomp") == 0) {
        const struct bpf_program *program = &plan->filters[options->target];
        status = write_output(options->output, (struct str){(const char *)program->code, program->length * sizeof *program->code});
    } else if (plan) {
        struct text text = {.arena = compilation->arena};
        cbpf_print(&text, &plan->filters[options->target], (int)options->target);
        status = write_output(options->output, text_str(&text));
    }
    if (plan && options->deny_warnings && compilation->diagnostics.warnings) {
        print_findings(options, compilation);
        status = STATUS_ERRORS;
    }
    compilation_free(compilation);
    return status;
}

static int diff(const struct options *options, char **files)
{
    struct compilation *compilation = compilation_new(arena_new());
    const char *problem = driver_roots(compilation, &options->driver);
    struct policy *policies[2] = {NULL};
    for (int i = 0; i < 2 && !problem && (i == 0 || policies[0]); i++) {
        struct module *module = module_load(compilation, files[i]);
        struct policy_decl *decl = module && !compilation->diagnostics.errors ? driver_select(compilation, module, &options->driver) : NULL;
        struct expr **values = decl ? driver_values(compilation, decl, &options->driver, &problem) : NULL;
        if (values)
            policies[i] = i == 0 ? policy_build(compilation, decl, values) : policy_build_beside(policies[0], decl, values);
    }
    const struct policy_diff *found = policies[0] && policies[1] ? policy_diff(policies[0], policies[1]) : NULL;
    int status = STATUS_CLEAN;
    if (found) {
        struct text out = {.arena = compilation->arena};
        if (options->json)
            diff_json(&out, found);
        else
            diff_text(&out, found);
        fwrite(out.data, 1, out.length, stdout);
        status = found->wider ? STATUS_ERRORS : STATUS_CLEAN;
    } else {
        print_findings(options, compilation);
        status = problem ? usage_error(problem) : status_of(options, compilation);
    }
    compilation_free(compilation);
    return status;
}

static int import(const struct options *options, char **files)
{
    struct compilation *compilation = compilation_new(arena_new());
    struct source *source = source_load(compilation, files[0]);
    struct text out = {.arena = compilation->arena};
    bool good = source && import_seccomp(compilation, source, &options->import, &out);
    print_findings(options, compilation);
    int status = status_of(options, compilation);
    if (good && write_output(options->output, text_str(&out)) != STATUS_CLEAN)
        status = STATUS_USAGE;
    compilation_free(compilation);
    return status;
}

enum {
    OPTION_CHECK = 256,
    OPTION_TEST,
    OPTION_WHY,
    OPTION_EMIT,
    OPTION_DIFF,
    OPTION_IMPORT,
    OPTION_CAPABILITIES,
    OPTION_KERNEL,
    OPTION_POLICY,
    OPTION_TARGET,
    OPTION_FORMAT,
    OPTION_DENY,
    OPTION_NO_PROOF,
    OPTION_COLOR,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"check", no_argument, NULL, OPTION_CHECK},
    {"test", no_argument, NULL, OPTION_TEST},
    {"why", required_argument, NULL, OPTION_WHY},
    {"emit", required_argument, NULL, OPTION_EMIT},
    {"diff", no_argument, NULL, OPTION_DIFF},
    {"import", required_argument, NULL, OPTION_IMPORT},
    {"capabilities", required_argument, NULL, OPTION_CAPABILITIES},
    {"kernel", required_argument, NULL, OPTION_KERNEL},
    {"policy", required_argument, NULL, OPTION_POLICY},
    {"target", required_argument, NULL, OPTION_TARGET},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"deny-warnings", no_argument, NULL, OPTION_DENY},
    {"color", required_argument, NULL, OPTION_COLOR},
    {"no-proof", no_argument, NULL, OPTION_NO_PROOF},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char *read_capabilities(const char *list, uint64_t *capabilities)
{
    *capabilities = 0;
    for (const char *at = list; *at && strcmp(list, "none") != 0;) {
        size_t length = strcspn(at, ",");
        int number = capability_find((struct str){at, length});
        if (number < 0)
            return "--capabilities takes a list like CAP_CHOWN,CAP_KILL, or none";
        *capabilities |= 1ull << number;
        at += length + (at[length] == ',');
    }
    return NULL;
}

static const char *read_kernel(const char *version, unsigned *kernel)
{
    unsigned major, minor;
    int used = 0;
    if (sscanf(version, "%3u.%3u%n", &major, &minor, &used) != 2 || version[used] || minor > 255)
        return "--kernel takes a version like 6.1";
    *kernel = major << 8 | minor;
    return NULL;
}

// NULL when the options make sense, else what is wrong with them.
static const char *read_options(int argc, char **argv, struct options *options, const char **roots, const char **values)
{
    options->driver.roots = roots;
    options->driver.values = values;
    options->import.kernel = IMPORT_KERNEL;
    const char *color = "auto";
    bool import_only = false;
    for (int option; (option = getopt_long(argc, argv, "I:D:o:", long_options, NULL)) != -1;) {
        enum action action = ACTION_NONE;
        switch (option) {
        case 'I': roots[options->driver.root_count++] = optarg; break;
        case 'D': values[options->driver.value_count++] = optarg; break;
        case 'o': options->output = optarg; break;
        case OPTION_CHECK: action = ACTION_CHECK; break;
        case OPTION_TEST: action = ACTION_TEST; break;
        case OPTION_WHY:
            action = ACTION_WHY;
            options->question = optarg;
            break;
        case OPTION_EMIT:
            action = ACTION_EMIT;
            options->emit = optarg;
            if (strcmp(optarg, "plan") != 0 && strcmp(optarg, "seccomp") != 0 && strcmp(optarg, "seccomp-asm") != 0)
                return "--emit gives plan, seccomp or seccomp-asm";
            break;
        case OPTION_DIFF: action = ACTION_DIFF; break;
        case OPTION_IMPORT:
            action = ACTION_IMPORT;
            if (strcmp(optarg, "docker-seccomp") != 0)
                return "--import takes docker-seccomp";
            break;
        case OPTION_CAPABILITIES:
        case OPTION_KERNEL: {
            const char *wrong =
                option == OPTION_KERNEL ? read_kernel(optarg, &options->import.kernel) : read_capabilities(optarg, &options->import.capabilities);
            if (wrong)
                return wrong;
            import_only = true;
            break;
        }
        case OPTION_POLICY: options->driver.policy = optarg; break;
        case OPTION_TARGET: {
            int arch = arch_from_name(str_from(optarg));
            if (arch < 0)
                return "--target is x86_64 or aarch64";
            options->target = (enum arch)arch;
            break;
        }
        case OPTION_FORMAT:
            if (strcmp(optarg, "text") != 0 && strcmp(optarg, "json") != 0)
                return "--format is text or json";
            options->json = strcmp(optarg, "json") == 0;
            break;
        case OPTION_DENY: options->deny_warnings = true; break;
        case OPTION_NO_PROOF: options->no_proof = options->import.no_proof = true; break;
        case OPTION_COLOR:
            color = optarg;
            if (strcmp(color, "auto") != 0 && strcmp(color, "always") != 0 && strcmp(color, "never") != 0)
                return "--color is auto, always or never";
            break;
        case OPTION_VERSION: puts("sbxc " SBX_VERSION ", edition 1"); exit(STATUS_CLEAN);
        case OPTION_HELP: fputs(help, stdout); exit(STATUS_CLEAN);
        default: return "that option is not known, or lacks its value";
        }
        if (action != ACTION_NONE && options->action != ACTION_NONE)
            return "one thing to do at a time";
        options->action = action != ACTION_NONE ? action : options->action;
    }
    options->color = strcmp(color, "always") == 0 || (strcmp(color, "auto") == 0 && isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
    if (options->action == ACTION_NONE)
        return "say what to do: --check, --test, --why, --diff, --emit or --import";
    if (optind == argc)
        return "a file is missing";
    if (options->output && options->action != ACTION_EMIT && options->action != ACTION_IMPORT)
        return "-o belongs to --emit and --import";
    if (import_only && options->action != ACTION_IMPORT)
        return "--capabilities and --kernel belong to --import";
    if ((options->action == ACTION_WHY || options->action == ACTION_EMIT || options->action == ACTION_IMPORT) && argc - optind != 1)
        return "one file at a time";
    if (options->action == ACTION_DIFF && argc - optind != 2)
        return "--diff compares two files: OLD NEW";
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.target = ARCH_HERE};
    const char **roots = calloc((size_t)argc, sizeof *roots), **values = calloc((size_t)argc, sizeof *values);
    if (!roots || !values)
        return 3;
    const char *problem = read_options(argc, argv, &options, roots, values);
    int status;
    if (problem)
        status = usage_error(problem);
    else if (options.action == ACTION_CHECK)
        status = check_files(&options, argv + optind);
    else if (options.action == ACTION_TEST)
        status = test_files(&options, argv + optind);
    else if (options.action == ACTION_WHY)
        status = why(&options, argv + optind);
    else if (options.action == ACTION_IMPORT)
        status = import(&options, argv + optind);
    else if (options.action == ACTION_DIFF)
        status = diff(&options, argv + optind);
    else
        status = emit(&options, argv + optind);
    free(roots);
    free(values);
    return status;
}
