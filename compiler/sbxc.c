// sbxc: checks, tests, explains, compares, imports and emits policies.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/actions/actions.h"

typedef int run_action(const struct options *, char **files);

static const char help[] =
    "usage: sbxc --check FILE|FOLDER|-...            errors, warnings, proofs, expectations\n"
    "       sbxc --test [--live] FILE...             the expectations, as TAP; --live: also what the sandbox does here\n"
    "       sbxc --why 'OPERATION' FILE              the verdict and the rules behind it, as for\n"
    "                                                'write \"/etc\"' or 'syscall ioctl where request == TIOCSTI'\n"
    "       sbxc --fix FILE|FOLDER...                applies the fixes that are certain, then checks\n"
    "       sbxc --fmt [--write|--diff] FILE|FOLDER|-...   the canonical layout: printed, written, or shown as a difference\n"
    "       sbxc --diff OLD NEW                      what becomes allowed (+), denied (-) or otherwise (~); exit 1 when wider\n"
    "       sbxc --emit=WHAT [-o OUT] FILE           plan, seccomp (struct sock_filter bytes) or seccomp-asm\n"
    "       sbxc --explain SBX0421                   what a finding means, with examples\n"
    "       sbxc --import=docker-seccomp [-o OUT] PROFILE.json    a seccomp profile as a policy, proved equivalent\n"
    "\n"
    "  -I DIR                 files may import from DIR too\n"
    "  -D NAME=VALUE          sets a parameter of the policy\n"
    "  --policy NAME          which policy of the file\n"
    "  --target ARCH          x86_64 or aarch64, for --emit=seccomp and seccomp-asm\n"
    "  --capabilities A,B     for --import: what the profile's conditions on capabilities are decided for; none unless told\n"
    "  --kernel 6.18          for --import: what its conditions on the kernel are decided for\n"
    "  --format=text|json|sarif   how findings are printed\n"
    "  --changed COMMIT       for --check: only files that differ from it (by git), and those that import them\n"
    "  --deny-warnings        warnings count as errors\n"
    "  --no-proof             does not prove that the filters mean what the policy says\n"
    "  --color=auto|always|never\n"
    "  --version, --help\n"
    "\n"
    "exit: 0 clean, 1 errors in the policy or a failed test, 2 wrong usage or unreadable input, 3 a fault of sbxc\n";

enum {
    OPTION_CHECK = 256,
    OPTION_TEST,
    OPTION_WHY,
    OPTION_EMIT,
    OPTION_DIFF,
    OPTION_IMPORT,
    OPTION_EXPLAIN,
    OPTION_LIVE,
    OPTION_FMT,
    OPTION_FIX,
    OPTION_WRITE,
    OPTION_CAPABILITIES,
    OPTION_KERNEL,
    OPTION_POLICY,
    OPTION_TARGET,
    OPTION_FORMAT,
    OPTION_CHANGED,
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
    {"fix", no_argument, NULL, OPTION_FIX},
    {"fmt", no_argument, NULL, OPTION_FMT},
    {"write", no_argument, NULL, OPTION_WRITE},
    {"live", no_argument, NULL, OPTION_LIVE},
    {"explain", no_argument, NULL, OPTION_EXPLAIN},
    {"import", required_argument, NULL, OPTION_IMPORT},
    {"capabilities", required_argument, NULL, OPTION_CAPABILITIES},
    {"kernel", required_argument, NULL, OPTION_KERNEL},
    {"policy", required_argument, NULL, OPTION_POLICY},
    {"target", required_argument, NULL, OPTION_TARGET},
    {"changed", required_argument, NULL, OPTION_CHANGED},
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
static const char *read_options(int argc, char **argv, struct options *options, run_action **chosen, const char **roots, const char **values)
{
    options->driver.roots = roots;
    options->driver.values = values;
    options->import.kernel = IMPORT_KERNEL;
    const char *color = "auto";
    bool import_only = false;
    for (int option; (option = getopt_long(argc, argv, "I:D:o:", long_options, NULL)) != -1;) {
        run_action *action = NULL;
        switch (option) {
        case 'I': roots[options->driver.root_count++] = optarg; break;
        case 'D': values[options->driver.value_count++] = optarg; break;
        case 'o': options->output = optarg; break;
        case OPTION_CHECK: action = check_files; break;
        case OPTION_TEST: action = test_files; break;
        case OPTION_WHY:
            action = why;
            options->question = optarg;
            break;
        case OPTION_EMIT:
            action = emit;
            options->emit = optarg;
            if (strcmp(optarg, "plan") != 0 && strcmp(optarg, "seccomp") != 0 && strcmp(optarg, "seccomp-asm") != 0)
                return "--emit gives plan, seccomp or seccomp-asm";
            break;
        case OPTION_DIFF: // of two policies, or with --fmt of a file and its layout
            action = *chosen == format_files ? NULL : diff;
            options->fmt_diff = true;
            break;
        case OPTION_EXPLAIN: action = explain; break;
        case OPTION_IMPORT:
            action = import;
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
            options->format = strcmp(optarg, "json") == 0 ? FORMAT_JSON : strcmp(optarg, "sarif") == 0 ? FORMAT_SARIF : FORMAT_TEXT;
            if (options->format == FORMAT_TEXT && strcmp(optarg, "text") != 0)
                return "--format is text, json or sarif";
            break;
        case OPTION_FIX: action = fix_files; break;
        case OPTION_FMT: action = format_files; break;
        case OPTION_WRITE: options->fmt_write = true; break;
        case OPTION_LIVE: options->live = true; break;
        case OPTION_CHANGED: options->changed = optarg; break;
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
        if (action == format_files && *chosen == diff)
            *chosen = NULL; // --diff --fmt
        if (action && *chosen)
            return "one thing to do at a time";
        *chosen = action ? action : *chosen;
    }
    options->color = strcmp(color, "always") == 0 || (strcmp(color, "auto") == 0 && isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
    if (!*chosen)
        return "say what to do: --check, --test, --why, --diff, --emit, --import or --explain";
    if (optind == argc)
        return *chosen == explain ? "the code of a finding is missing, like SBX0421" : "a file is missing";
    if (options->output && *chosen != emit && *chosen != import)
        return "-o belongs to --emit and --import";
    if (options->changed && *chosen != check_files)
        return "--changed belongs to --check";
    if (options->format == FORMAT_SARIF && *chosen == diff)
        return "--diff has no findings, and so no SARIF: --format=text or json";
    if (options->fmt_write && (*chosen != format_files || options->fmt_diff))
        return "--write belongs to --fmt, without --diff";
    if (options->live && *chosen != test_files)
        return "--live belongs to --test";
    if (import_only && *chosen != import)
        return "--capabilities and --kernel belong to --import";
    if ((*chosen == why || *chosen == emit || *chosen == import || *chosen == explain) && argc - optind != 1)
        return "one at a time";
    if (*chosen == diff && argc - optind != 2)
        return "--diff compares two files: OLD NEW";
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.target = ARCH_HERE};
    const char **roots = calloc((size_t)argc, sizeof *roots), **values = calloc((size_t)argc, sizeof *values);
    if (!roots || !values)
        return 3;
    run_action *chosen = NULL;
    const char *problem = read_options(argc, argv, &options, &chosen, roots, values);
    int status = problem ? usage_error(problem) : chosen(&options, argv + optind);
    free(roots);
    free(values);
    return status;
}
