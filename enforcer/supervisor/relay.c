// The relay.
#include "enforcer/supervisor/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/host/handover.h"
#include "enforcer/host/say.h"
#include "enforcer/host/scoped.h"

// ---- what is left switched on -------------------------------------------------------------------------------------

// Private modes (DEC's, and xterm's: ctlseqs), of those that a person would miss or be troubled by.
static const struct {
    unsigned mode;
    bool usual; // on, when nobody has asked for anything
} modes[] = {
    {1, false},                               // cursor keys send other codes
    {5, false},                               // light and dark are exchanged
    {6, false},    {69, false},               // lines and columns are counted within margins, and these are kept
    {7, true},                                // lines are wrapped
    {45, false},                              // going back wraps, too
    {25, true},                               // the cursor is seen
    {47, false},                              // another screen, in three ways
    {1047, false}, {1049, false}, {9, false}, // the mouse is reported, and how
    {1000, false}, {1001, false}, {1002, false}, {1003, false}, {1005, false},
    {1006, false}, {1015, false}, {1016, false}, {1004, false}, // so is the focus
    {2004, false},                                              // what is pasted comes in brackets
    {2026, false},                                              // nothing is drawn
    {66, false},                                                // the keypad sends other codes; also ESC = and ESC >
};

enum { MODES = sizeof modes / sizeof *modes, KEYPAD = 66 };

// What else is set, and what sets it back; on a terminal that does not know it, nothing is seen.
enum {
    COLOURS,
    SPECIAL_COLOURS,
    DYNAMIC_COLOURS,
    CONSOLE_COLOURS,
    LINK,
    POINTER,
    CURSOR,
    MARGINS,
    INSERTS,
    OTHER_BYTES,
    LONG_CONTROLS,
    SETTINGS
};
static const char *const settings[SETTINGS] = {
    [COLOURS] = "\033]104\033\\",
    [SPECIAL_COLOURS] = "\033]105\033\\",
    [DYNAMIC_COLOURS] =
        "\033]110\033\\\033]111\033\\\033]112\033\\\033]113\033\\\033]114\033\\\033]115\033\\"
        "\033]116\033\\\033]117\033\\\033]118\033\\\033]119\033\\",
    [CONSOLE_COLOURS] = "\033]R\033\\", // console_codes(4)
    [LINK] = "\033]8;;\033\\",
    [POINTER] = "\033]22;\033\\",
    [CURSOR] = "\033[0 q",
    [MARGINS] = "\0337\033[r\0338",     // it moves the cursor
    [INSERTS] = "\033[2;4;20l\033[12h", // ANSI's modes: the keyboard is locked, characters move others, local echo
    [OTHER_BYTES] = "\033%G",
    [LONG_CONTROLS] = "\033 F",
};

// Commands to a terminal's operating system (xterm's ctlseqs: OSC) that set something, by their number.
static const struct {
    unsigned first, last, setting;
    bool of_colours; // which can be asked for, too
} commands[] = {{4, 4, COLOURS, true},
                {5, 5, SPECIAL_COLOURS, true},
                {8, 8, LINK, false},
                {10, 19, DYNAMIC_COLOURS, true},
                {22, 22, POINTER, false}};

static void set_mode(struct screen *screen, unsigned mode, bool on)
{
    for (unsigned i = 0; i < MODES; i++)
        if (modes[i].mode == mode)
            screen->on = on == modes[i].usual ? screen->on & ~(1u << i) : screen->on | 1u << i;
}

static void set_unusual(struct screen *screen, unsigned mode)
{
    for (unsigned i = 0; i < MODES; i++)
        screen->on |= (modes[i].mode == mode) << i;
}

// Where in a sequence (ECMA-48) what came out ends: GROUND is between two.
enum { GROUND, ESCAPED, CHARACTERS, CONTROL, COMMAND, STRING };
enum { SHIFT_OUT = 0x0E, CANCEL = 0x18, SUBSTITUTE = 0x1A, ESCAPE = 0x1B, C1_FIRST = 0x80, C1_LAST = 0x9F };

// The last letter says what a control sequence is.
static void obey(struct screen *screen, const struct control *control, char letter)
{
    unsigned often = control->numbers[0] ? control->numbers[0] : 1;
    if (control->kind == '?' && (letter == 'h' || letter == 'l'))
        for (unsigned i = 0; i < control->count; i++)
            set_mode(screen, control->numbers[i], letter == 'h');
    else if (control->kind == '?' && letter == 'r') // as it was when it was saved: unusual, for all that is known
        for (unsigned i = 0; i < control->count; i++)
            set_unusual(screen, control->numbers[i]);
    else if (control->kind == '>' && letter == 'u')
        screen->keyboards++;
    else if (control->kind == '<' && letter == 'u')
        screen->keyboards -= often < screen->keyboards ? often : screen->keyboards;
    else if (control->kind == '=' && letter == 'u')
        screen->has_keyboard = true;
    else if (control->kind == '>' && letter == 'm')
        screen->other_keys = true;
    else if (letter == 'm')
        screen->is_styled = true;
    else if (letter == 'q' && control->between == ' ')
        screen->settings |= 1u << CURSOR;
    else if ((letter == 'r' || letter == 's') && !control->kind)
        screen->settings |= 1u << MARGINS;
    else if ((letter == 'h' || letter == 'l') && !control->kind)
        screen->settings |= 1u << INSERTS;
}

static void read_control(struct relay *relay, char c)
{
    struct control *control = &relay->control;
    if (c >= '0' && c <= '9') {
        control->number = control->number < 100000 ? control->number * 10 + (unsigned)(c - '0') : control->number;
    } else if (c >= '<' && c <= '?') {
        control->kind = c;
    } else if (c >= ' ' && c <= '/') {
        control->between = c;
    } else if (c == ';' || c == ':' || (c >= '@' && c <= '~')) {
        if (control->count < CONTROL_NUMBERS)
            control->numbers[control->count++] = control->number;
        control->number = 0;
        if (c < '@')
            return;
        obey(relay->screen, control, c);
        control->state = GROUND;
    } // controls within are the terminal's to obey, and end nothing
}

// What ESC begins, or a C1 control, which stands for ESC and a letter.
static void read_escape(struct relay *relay, char c)
{
    if (c == '=' || c == '>')
        set_mode(relay->screen, KEYPAD, c == '=');
    relay->control = (struct control){.state = c == '['                 ? CONTROL
                                               : c == ']'               ? COMMAND
                                               : c && strchr("PX^_", c) ? STRING
                                               : c >= ' ' && c <= '/'   ? CHARACTERS
                                               : (unsigned char)c < ' ' ? ESCAPED
                                                                        : GROUND,
                                      .between = c};
    relay->screen->is_styled |= relay->control.state == CHARACTERS || (c && strchr("no|}~", c));
}

// What follows ESC and a character that is none of the end.
static void read_characters(struct relay *relay, char c)
{
    struct control *control = &relay->control;
    if (control->between == '%')
        relay->screen->settings |= 1u << OTHER_BYTES;
    if (control->between == ' ')
        relay->screen->settings |= 1u << LONG_CONTROLS;
    if (c >= '0' && c <= '~')
        control->state = GROUND;
}

// A command is a number and fields; those of a colour are its number, a question ("?") or what it is to be. The
// console's own command has neither a number nor an end.
static void read_command(struct relay *relay, char c)
{
    struct control *control = &relay->control;
    bool is_digit = c >= '0' && c <= '9', names = control->between == ';' && !is_digit && c != '?' && c != ';';
    control->between = c;
    if (c == ';' && !control->count) {
        control->numbers[control->count++] = control->number;
        names = false;
    } else if (is_digit && !control->count) {
        control->number = control->number < 100000 ? control->number * 10 + (unsigned)(c - '0') : control->number;
    } else if (!control->count) {
        control->state = STRING;
        relay->screen->settings |= c == 'P' ? 1u << CONSOLE_COLOURS : 0;
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands && control->count; i++)
        if (control->number >= commands[i].first && control->number <= commands[i].last &&
            (names || !commands[i].of_colours))
            relay->screen->settings |= 1u << commands[i].setting;
}

// Whether a byte is, or ends, a control of C1 (ECMA-48): by itself, or as UTF-8 has it.
static bool is_c1(struct control *control, unsigned char c)
{
    bool follows = control->following && c >= C1_FIRST && c <= 0xBF,
         is = c >= C1_FIRST && c <= C1_LAST && (!follows || control->may_be_c1);
    control->following = follows ? control->following - 1 : c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    control->may_be_c1 = c == 0xC2;
    return is;
}

// Follows what comes out only as far as what has to be undone at the end.
static void look(struct stream *stream, size_t length)
{
    struct relay *relay = stream->context;
    struct control *control = &relay->control;
    for (const char *at = stream->data, *end = at + length; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if (is_c1(control, c)) {
            relay->screen->is_odd = true;
            read_escape(relay, (char)(c - C1_FIRST + '@'));
        } else if (c == ESCAPE)
            control->state = ESCAPED;
        else if (c == CANCEL || c == SUBSTITUTE)
            control->state = GROUND;
        else if (control->state == ESCAPED)
            read_escape(relay, *at);
        else if (control->state == CONTROL)
            read_control(relay, *at);
        else if ((control->state == STRING || control->state == COMMAND) && c == '\a')
            control->state = GROUND;
        else if (control->state == COMMAND)
            read_command(relay, *at);
        else if (control->state == CHARACTERS)
            read_characters(relay, *at);
        else if (c == SHIFT_OUT)
            relay->screen->is_styled = true;
    }
    relay->screen->is_within = control->state != GROUND;
}

// Between two sequences, as usual, and with characters as usual: what is said next is seen.
static void undo(int output, struct screen *screen)
{
    char text[1024];
    size_t length = 0;
    if (!screen->on && !screen->keyboards && !screen->has_keyboard && !screen->other_keys && !screen->is_styled &&
        !screen->is_within && !screen->is_odd && !screen->settings)
        return;
    if (screen->is_within || screen->is_odd) // CAN, ST
        length += (size_t)snprintf(text, sizeof text, "\030\033\\");
    if (screen->keyboards)
        length += (size_t)snprintf(text + length, sizeof text - length, "\033[<%uu", screen->keyboards);
    if (screen->has_keyboard)
        length += (size_t)snprintf(text + length, sizeof text - length, "\033[=0u");
    if (screen->other_keys)
        length += (size_t)snprintf(text + length, sizeof text - length, "\033[>4m");
    for (unsigned i = 0; i < MODES; i++)
        if (screen->on >> i & 1)
            length += (size_t)(modes[i].mode == KEYPAD ? snprintf(text + length, sizeof text - length, "\033>")
                                                       : snprintf(text + length, sizeof text - length, "\033[?%u%c",
                                                                  modes[i].mode, modes[i].usual ? 'h' : 'l'));
    for (unsigned i = 0; i < SETTINGS; i++)
        if (screen->settings >> i & 1)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s", settings[i]);
    length += (size_t)snprintf(text + length, sizeof text - length, "\033[m\033(B\017");
    *screen = (struct screen){0};
    if (!waits_for_terminal(output) || write(output, text, length) < 0) // it can be gone
        return;
}

// ---- the caller's terminal ----------------------------------------------------------------------------------------

static struct termios raw_of(const struct termios *own)
{
    struct termios raw = *own;
    cfmakeraw(&raw);
    return raw;
}

static bool in_foreground(const struct relay *relay)
{
    pid_t group = tcgetpgrp(relay->input);
    return group == getpgrp() || (group < 0 && errno == ENOTTY); // that controls nobody's session is nobody else's
}

// Not by somebody who has taken it over since: only what sbxrun itself has set is set back.
static void restore(int input, int output, const struct termios *own, struct screen *screen)
{
    struct termios now, raw = own ? raw_of(own) : (struct termios){0};
    undo(output, screen);
    if (own && tcgetattr(input, &now) == 0 && now.c_lflag == raw.c_lflag && now.c_iflag == raw.c_iflag &&
        now.c_oflag == raw.c_oflag)
        tcsetattr(input, TCSANOW, own);
}

// A process that restores the terminal when sbxrun can't. It is in a session of its own, so that what is sent to
// sbxrun's group does not meet it.
static void start_keeper(struct relay *relay)
{
    int ends[2];
    if (relay->keeper >= 0 || pipe2(ends, O_CLOEXEC) != 0)
        return;
    long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL); // ends without a signal to sbxrun
    if (pid == 0) {
        sigset_t all;
        char said;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        setsid();
        prctl(PR_SET_NAME, "sbxrun-terminal");
        int kept[] = {dup2(ends[0], 0), dup2(relay->is_terminal ? relay->input : relay->output, 1),
                      dup2(relay->output, 2)};
        if (kept[2] == 2 && close_range(3, ~0U, 0) == 0 && read(0, &said, 1) == 0)
            restore(1, 2, relay->is_terminal ? &relay->modes : NULL, relay->screen);
        _exit(0);
    }
    close(ends[0]);
    if (pid < 0)
        close(ends[1]);
    else
        relay->keeper = ends[1];
}

void relay_take(struct supervisor *s, struct relay *relay)
{
    struct termios now;
    if (relay->master < 0 || relay->taken || (relay->is_terminal && !in_foreground(relay)))
        return;
    if (relay->is_terminal || relay->shows)
        start_keeper(relay);
    if (relay->is_terminal && tcgetattr(relay->input, &now) == 0) {
        relay->modes = now;
        struct termios raw = raw_of(&now);
        tcsetattr(relay->input, TCSANOW, &raw);
        relay_resize(relay);
    }
    relay->taken = true;
    stream_resume(s, &relay->in);
}

void relay_give_back(struct supervisor *s, struct relay *relay)
{
    if (!relay->taken)
        return;
    stream_pause(s, &relay->in);
    if (relay->is_terminal)
        tcsetattr(relay->input, TCSANOW, &relay->modes);
    relay->taken = false;
}

void relay_resize(struct relay *relay)
{
    struct winsize size;
    int shown = relay->is_terminal ? relay->input : relay->output;
    if (relay->master >= 0 && relay->has_modes && ioctl(shown, TIOCGWINSZ, &size) == 0)
        ioctl(relay->master, TIOCSWINSZ, &size);
}

// ---- beginning ----------------------------------------------------------------------------------------------------

int relay_open(int fd, int flags)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

// The first of the standard descriptors that is a terminal; -1: none is.
static int first_terminal(const bool is_terminal[3])
{
    for (int fd = 0; fd < 3; fd++)
        if (is_terminal[fd])
            return fd;
    return -1;
}

int relay_begin(struct relay *relay, enum terminal_wish wish, const bool is_terminal[3], bool stands_for[3],
                struct failure *failure)
{
    struct stat one, other;
    int first = first_terminal(is_terminal);
    if (wish == TERMINAL_NEVER || (wish == TERMINAL_WHERE_THERE_IS_ONE && first < 0))
        return 0;
    // What is a file or a pipe stays one.
    for (int fd = 0; fd < 3; fd++)
        stands_for[fd] = wish == TERMINAL_ALWAYS || (is_terminal[fd] && fstat(first, &one) == 0 &&
                                                     fstat(fd, &other) == 0 && one.st_rdev == other.st_rdev);
    int sides[2];
    relay->screen = mmap(NULL, sizeof *relay->screen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (relay->screen == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sides) != 0)
        return fail(failure, NO_RULE, errno, "cannot make a terminal for the command");
    relay->handover.fd = sides[0];
    relay->theirs = sides[1];
    relay->is_terminal = is_terminal[STDIN_FILENO];
    relay->reads = relay->is_terminal || wish == TERMINAL_ALWAYS;
    int writes = wish == TERMINAL_ALWAYS ? STDOUT_FILENO : first;
    relay->shows = is_terminal[writes];
    if (relay->reads)
        relay->input =
            relay->is_terminal ? relay_open(STDIN_FILENO, O_RDONLY) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    relay->output = relay->shows ? relay_open(writes, O_WRONLY) : fcntl(writes, F_DUPFD_CLOEXEC, 3);
    relay->size = (struct winsize){.ws_row = 24, .ws_col = 80};
    relay->has_modes = relay->is_terminal || wish == TERMINAL_WHERE_THERE_IS_ONE;
    if (relay->has_modes)
        ioctl(first, TIOCGWINSZ, &relay->size);
    if ((relay->reads && relay->input < 0) || relay->output < 0 ||
        (relay->has_modes && tcgetattr(first, &relay->modes) != 0))
        return fail(failure, NO_RULE, errno, "cannot use the terminal");
    if (!relay->is_terminal) // the caller's own stays as it is, and makes lines of what is written
        relay->modes.c_oflag &= ~(tcflag_t)OPOST;
    relay->wanted = true;
    return 0;
}

// The caller's terminal is gone, or takes nothing any more: so is the command's, and the kernel says so to its session.
static void hang_up(struct supervisor *s, struct relay *relay)
{
    if (relay->master < 0)
        return;
    close(take_fd(relay->master));
    stream_end(s, &relay->in);
    stream_end(s, &relay->out);
}

// Within a line, ^D only has what there is of it read (termios(3), VEOF).
static void look_for_lines(struct stream *stream, size_t length)
{
    struct relay *relay = stream->context;
    relay->in_line = stream->data[length - 1] != '\n';
}

// What is typed has an end. Of a terminal it is that the person is gone; of anything else, what ^D says on one.
static void input_ended(struct supervisor *s, struct stream *stream)
{
    struct relay *relay = stream->context;
    struct termios theirs;
    if (relay->is_terminal)
        hang_up(s, relay);
    else if (relay->master >= 0 && tcgetattr(relay->master, &theirs) == 0) {
        char ends[] = {(char)theirs.c_cc[VEOF], (char)theirs.c_cc[VEOF]};
        if (write(relay->master, ends, relay->in_line ? 2 : 1) < 0)
            return; // nobody reads
    }
}

static void output_ended(struct supervisor *s, struct stream *stream)
{
    hang_up(s, stream->context);
}

// The command's end does not; the caller's may, where it could not be opened again.
static bool never_blocks(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static int begin_streams(struct supervisor *s, struct relay *relay)
{
    fcntl(relay->master, F_SETFL, O_RDWR | O_NONBLOCK);
    relay->out = (struct stream){.from.fd = fcntl(relay->master, F_DUPFD_CLOEXEC, 3),
                                 .to.fd = relay->output,
                                 .left = relay->out.left,
                                 .is_output = true,
                                 .never_blocks = never_blocks(relay->output),
                                 .passes = relay->shows ? look : NULL,
                                 .ended = output_ended,
                                 .context = relay};
    relay->in = (struct stream){.from.fd = fcntl(relay->input, F_DUPFD_CLOEXEC, 3),
                                .to.fd = relay->master,
                                .passes = look_for_lines,
                                .ended = input_ended,
                                .context = relay};
    if (relay->out.from.fd < 0 || (relay->reads && relay->in.from.fd < 0) || stream_add(s, &relay->out) ||
        stream_add(s, &relay->in))
        return -1;
    stream_pause(s, &relay->in);
    relay_take(s, relay);
    return 0;
}

static void came(struct supervisor *s, struct watch *watch, uint32_t events)
{
    (void)events;
    struct relay *relay = watch->context;
    uint64_t what;
    int fds[HANDOVER_MOST], count = handover_receive(watch->fd, &what, fds);
    epoll_ctl(s->loop, EPOLL_CTL_DEL, watch->fd, NULL);
    s->streams_open -= s->streams_open > 0; // from here on the output itself is one
    if (count == 1 && what == HANDED_TERMINAL) {
        relay->master = take_fd(fds[0]);
        if (begin_streams(s, relay) != 0)
            hang_up(s, relay);
    }
    for (int i = 0; i < count; i++)
        close_scoped(&fds[i]);
}

int relay_add(struct supervisor *s, struct relay *relay, uint64_t *left)
{
    relay->out.left = left;
    relay->handover.ready = came;
    relay->handover.context = relay;
    s->streams_open++; // a sandbox that has ended may have left something to be read there
    return supervisor_add(s, &relay->handover, EPOLLIN);
}

void relay_end(struct relay *relay)
{
    if (relay->screen) // also from the background, where no mode of the terminal itself was set
        restore(relay->input, relay->output, relay->is_terminal && relay->taken ? &relay->modes : NULL, relay->screen);
    if (relay->keeper >= 0 && write(relay->keeper, "", 1) < 0)
        errno = 0; // it is gone, and needs not be told
    const int *mine[] = {&relay->keeper,     &relay->handover.fd, &relay->theirs, &relay->master,
                         &relay->in.from.fd, &relay->out.from.fd, &relay->input,  &relay->output};
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        close_scoped(mine[i]);
    if (relay->screen)
        munmap(relay->screen, sizeof *relay->screen);
    *relay = RELAY_NONE;
}
