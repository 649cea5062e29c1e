// sbxc: checks, tests, explains, compares, imports and emits policies.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/actions/actions.h"
#include "compiler/front/options.h"

typedef int run_action(const struct options *, char **files);

static const struct option_row rows[] = {
#define ACTION(id, name, letter, argument, files, help) {name, letter, argument, files, help, true},
#define OPTION(id, name, letter, argument, files, help) {name, letter, argument, files, help, false},
#include "compiler/options.def"
#undef ACTION
#undef OPTION
};

enum {
    BEFORE_OPTIONS = OPTION_FIRST - 1,
#define ACTION(id, name, letter, argument, files, help) OPTION_##id,
#define OPTION(id, name, letter, argument, files, help) OPTION_##id,
#include "compiler/options.def"
#undef ACTION
#undef OPTION
};

#define ACTIONS "--check, --test, --why, --diff, --fix, --fmt, --emit, --import, --doc, --explain or --lsp"

#define EMITTED \
    "plan, seccomp, seccomp-asm, ebpf, apparmor, selinux-cil, docker-seccomp, bwrap, systemd, oci or kubernetes"

enum { ROWS = sizeof rows / sizeof *rows };

static void print_help(void)
{
    puts("usage: sbxc ACTION [OPTION...] FILE...\n");
    options_print(rows, ROWS);
    puts(
        "\nexit: 0 clean; 1 errors, a failed test, something unproved or wider; 2 wrong usage, unreadable input; 3 a "
        "fault of\nsbxc; of --why 0 allowed, 4 denied, 5 partly allowed");
}

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

static bool read_format(const char *name, enum format *format)
{
    static const char *const names[] = {
        [FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_SARIF] = "sarif", [FORMAT_HTML] = "html"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *format = (enum format)i;
            return true;
        }
    return false;
}

// NULL when the options make sense, else what is wrong with them.
static const char *read_options(int argc, char **argv, struct options *options, run_action **chosen, const char **roots,
                                const char **values)
{
    options->driver.roots = roots;
    options->driver.values = values;
    options->import.kernel = IMPORT_KERNEL;
    const char *color = "auto";
    bool import_only = false;
    struct option long_options[ROWS + 1];
    char letters[3 * ROWS + 2];
    options_for_getopt(rows, ROWS, long_options, letters);
    for (int option;
         (option = getopt_long(argc, argv, letters + 1, long_options, NULL)) != -1;) { // options may stand behind files
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
            if (!can_emit(optarg))
                return "--emit gives " EMITTED;
            break;
        case OPTION_DIFF: // of two policies, or with --fmt of a file and its layout
            action = *chosen == format_files ? NULL : diff;
            options->fmt_diff = true;
            break;
        case OPTION_EXPLAIN: action = explain; break;
        case OPTION_DOC: action = document; break;
        case OPTION_LSP: action = serve_editor; break;
        case OPTION_IMPORT:
            action = import;
            if (strcmp(optarg, "docker-seccomp") != 0)
                return "--import takes docker-seccomp";
            break;
        case OPTION_CAPABILITIES:
        case OPTION_KERNEL: {
            const char *wrong = option == OPTION_KERNEL ? read_kernel(optarg, &options->import.kernel)
                                                        : read_capabilities(optarg, &options->import.capabilities);
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
            if (!read_format(optarg, &options->format))
                return "--format is text, json or sarif; of --doc also html";
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
        case OPTION_HELP: print_help(); exit(STATUS_CLEAN);
        default: return options_wrong(rows, ROWS, argv[optind - 1], optopt);
        }
        if (action == format_files && *chosen == diff)
            *chosen = NULL; // --diff --fmt
        if (action && *chosen)
            return "one action at a time: one of " ACTIONS;
        *chosen = action ? action : *chosen;
    }
    options->color =
        strcmp(color, "always") == 0 || (strcmp(color, "auto") == 0 && isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
    if (!*chosen)
        return "say what to do: " ACTIONS;
    if (*chosen == serve_editor)
        return optind < argc ? "--lsp takes no files: an editor names them" : NULL;
    if (optind == argc)
        return *chosen == explain ? "the code of a finding is missing, like SBX0421"
                                  : "a file is missing: sbxc ACTION [OPTION...] FILE...";
    if (options->output && *chosen != emit && *chosen != import && *chosen != document)
        return "-o belongs to --emit, --import and --doc";
    if (*chosen == emit && emits_folder(options->emit) && !options->output)
        return "--emit=oci and kubernetes make a folder: name it with -o";
    if (options->format == FORMAT_HTML && *chosen != document)
        return "--format=html belongs to --doc";
    if ((options->format == FORMAT_JSON || options->format == FORMAT_SARIF) && *chosen == document)
        return "--doc writes Markdown or html";
    if (options->changed && *chosen != check_files)
        return "--changed belongs to --check";
    if (options->format == FORMAT_SARIF && (*chosen == diff || *chosen == why))
        return "--diff and --why have no findings, and so no SARIF: --format=text or json";
    if (options->fmt_write && (*chosen != format_files || options->fmt_diff))
        return "--write belongs to --fmt, without --diff";
    if (options->live && *chosen != test_files)
        return "--live belongs to --test";
    if (import_only && *chosen != import)
        return "--capabilities and --kernel belong to --import";
    if ((*chosen == why || *chosen == emit || *chosen == import || *chosen == explain || *chosen == document) &&
        argc - optind != 1)
        return "this action takes one file (--explain one code) at a time";
    if (*chosen == diff && argc - optind != 2)
        return "--diff compares two files: OLD NEW";
    return NULL;
}

int main(int argc, char **argv)
{
    signal(SIGCHLD, SIG_DFL); // a caller may ignore it; then nobody is told how a child ended (wait(2))
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
