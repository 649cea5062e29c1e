#!/usr/bin/perl
# A terminal of the command's own: what people do at one, typed by tmux; and the caller's, which is what it was after
# every end.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;
use Time::HiRes qw(time sleep);

sub has { my ($program) = @_; return scalar grep { -x "$_/$program" } split /:/, $ENV{PATH} }
plan skip_all => 'tmux is not installed' unless has('tmux');

my $server = "sbx-test-$$";
sub tmux { my $run = run({ seconds => 10 }, 'tmux', '-L', $server, '-f', '/dev/null', @_); return $run->{out} }
END { local $?; tmux('kill-server') }

# What the screen shows, without the blank rest of lines and of the screen.
sub screen {
    my $text = tmux('capture-pane', '-p', '-t', 'it');
    $text =~ s/[ \t]+$//mg;
    $text =~ s/\n+\z/\n/;
    return $text;
}

# Types keys (as tmux names them, or text) and waits until the screen shows what is expected.
sub types { my (@keys) = @_; tmux('send-keys', '-t', 'it', @keys) }
sub shows {
    my ($what, $name, $seconds) = @_;
    my ($text, $end) = ('', time + patience($seconds // 6));
    while (($text = screen()) !~ $what && time < $end) { sleep 0.05 }
    like $text, $what, $name;
    return $text =~ $what;
}

# A shell of the user's own in a terminal of 80 by 24, in the folder.
sub begins {
    my ($user, $dir) = @_;
    my @as = defined $user->{uid} && $> == 0
        ? ('setpriv', "--reuid=$user->{uid}", "--regid=$user->{gid}", '--clear-groups') : ();
    tmux('kill-session', '-t', 'it');
    tmux('new-session', '-d', '-s', 'it', '-x', 80, '-y', 24, join ' ', "cd $dir;", 'exec', @as, 'env',
        "PS1='outside> '",
         'PATH=' . dirname_of($sbxrun) . ":$ENV{PATH}", 'ENV=', 'sh');
    shows(qr/^outside>/m, "$user->{name}: a shell in a terminal");
}
sub dirname_of { my ($path) = @_; $path =~ s{/[^/]+$}{}; return $path }

# The modes of the caller's terminal, as stty knows them.
sub modes {
    types('clear; stty -g | tr -d "\n" > modes; echo " noted"', 'Enter');
    shows(qr/^ noted/m, 'its modes are read');
    return slurp("$_[0]/modes");
}

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; allow read, write "/tmp" from tmpfs size 4MiB; } '
        . 'process { cwd "/w"; env TERM = "xterm-256color"; env PS1 = "inside> "; } limits { lifetime 120s; }',
            uses => 'shell');
    owned($user, $dir);
    begins($user, $dir);
    my $before = modes($dir);

    # Where am I.
    types('clear; sbxrun p.sbx -- bash --norc', 'Enter');
    shows(qr/^inside>/m, "$name: bash") or diag screen();
    types('tty; stty size; test -t 0 && test -t 2 && echo all of it; : < /dev/tty && echo controls', 'Enter');
    shows(qr{^/dev/pts/0\n24 80\nall of it\ncontrols$}m,
        "$name: a terminal of its own, that controls it, with the caller's size");

    # Job control.
    types('clear; sleep 100', 'Enter'); sleep 0.4; types('C-z');
    shows(qr/Stopped/, "$name: control-Z stops a job");
    types('bg; fg', 'Enter'); sleep 0.4; types('C-c');
    types('echo status $?', 'Enter');
    shows(qr/^status 130$/m, "$name: control-C ends it, and not the shell");
    types('sleep 100', 'Enter'); sleep 0.4; types('C-\\');
    shows(qr/Quit/, "$name: so does control-backslash");

    # A resize. (Of a pty the kernel tells the one side before it has set the size of both: pty_resize.)
    types(q{clear; trap 'sleep 0.2; echo now $(stty size)' WINCH; echo waiting}, 'Enter');
    shows(qr/^waiting$/m, "$name: waits");
    tmux('resize-window', '-t', 'it', '-x', 100, '-y', 30);
    types('', 'Enter');
    shows(qr/now 30 100$/m, "$name: a resize is told");
    tmux('resize-window', '-t', 'it', '-x', 80, '-y', 24);
    shows(qr/now 24 80$/m, "$name: and back");
    types('trap - WINCH; clear', 'Enter');

    # Programs with a screen.
    SKIP: {
        skip 'python3 is not installed', 1 unless has('python3');
        types('python3 -q', 'Enter');
        shows(qr/^>>>/m, "$name: python");
        types('6*7', 'Enter'); shows(qr/^42$/m, "$name: its REPL"); types('C-d');
    }
    types('clear; seq 100 | less', 'Enter'); shows(qr/^23$/m, "$name: less"); types('G');
    shows(qr/^100$/m, "$name: to its end"); types('q');
    types('clear; top -d 1', 'Enter'); shows(qr/PID.*COMMAND/, "$name: top"); types('q');
    SKIP: {
        skip 'vim is not installed', 2 unless has('vim');
        types('clear; vim -u NONE -N /w/note', 'Enter');
        sleep 0.5; types('i', 'written inside', 'Escape', ':wq', 'Enter');
        shows(qr/^inside>/m, "$name: vim"); sleep 0.3;
        is slurp("$dir/w/note"), "written inside\n", "$name: writes";
    }
    types('clear; TERM=screen tmux -L in -f /dev/null new-session "echo within; sleep 2"', 'Enter');
    shows(qr/within|no rule|error|not permitted/, "$name: tmux inside of it");
    sleep 2.5;
    types('clear; exit 7', 'Enter');
    shows(qr/^outside>/m, "$name: the end of it");
    types('echo status $?', 'Enter'); shows(qr/^status 7$/m, "$name: with its status");
    is modes($dir), $before, "$name: the terminal has its modes again";

    # Typed ahead: while it is set up.
    types('clear; sbxrun p.sbx -- sh -c "read line; echo got \\$line"; echo over', 'Enter', 'ahead', 'Enter');
    shows(qr/^got ahead\nover$/m, "$name: what is typed ahead is read");

    # Every end.
    my $ends = sub {
        my ($how, $command, $kill) = @_;
        types("clear; sbxrun p.sbx -- sh -c '$command'", 'Enter');
        shows(qr/^begun$/m, "$name: $how: begun") or diag screen();
        $kill->() if $kill;
        sleep 0.3;
        types('', 'Enter'); # where it was killed, the prompt may stand on the screen that is left
        shows(qr/^ *outside>/m, "$name: $how: over");
        is modes($dir), $before, "$name: $how: the terminal has its modes again";
    };
    my $sbxruns = sub { # of this test's own terminal
        my ($pane) = tmux('list-panes', '-t', 'it', '-F', '#{pane_pid}') =~ /(\d+)/;
        return grep { -e "/proc/$_" && (eval { readlink("/proc/$_/exe") } // '') =~ /sbxrun$/ } split ' ',
            `ps -o pid= --ppid $pane`;
    };
    $ends->('a signal of its own', 'stty raw -echo; echo begun; sleep 0.3; kill -9 $$');
    $ends->('kill', 'stty raw; echo begun; exec sleep 100', sub { kill TERM => $sbxruns->() });
    $ends->('kill -9', 'printf "\033[?1049h\033[?25lbegun"; exec sleep 100', sub { kill KILL => $sbxruns->() });

    # Another screen that was left on, and its mouse.
    types(q{clear; sbxrun p.sbx -- sh -c 'printf "\033[?1049h\033[?1000;1006h\033[?25lthere"; exec sleep 100'},
        'Enter');
    shows(qr/^there$/m, "$name: another screen");
    is tmux('display-message', '-p', '-t', 'it', '#{alternate_on} #{mouse_any_flag} #{cursor_flag}'), "1 1 0\n",
        "$name: with its modes";
    kill TERM => $sbxruns->();
    shows(qr/^outside>/m, "$name: is left");
    is tmux('display-message', '-p', '-t', 'it', '#{alternate_on} #{mouse_any_flag} #{cursor_flag}'), "0 0 1\n",
        "$name: and so are they";
    unlike screen(), qr/^there$/m, "$name: the first one is seen again";

    # Stopped from elsewhere, and continued.
    types('clear; sbxrun p.sbx -- sh -c "stty -echo; echo begun; read a; echo got \\$a"', 'Enter');
    shows(qr/^begun$/m, "$name: begun");
    my ($sbxrun_process) = $sbxruns->();
    kill TSTP => $sbxrun_process;
    shows(qr/Stopped|Suspended|\[1\]/, "$name: stopped from another terminal");
    is modes($dir), $before, "$name: stopped: the terminal has its modes again";
    types('clear; fg', 'Enter'); sleep 0.5;
    types('more', 'Enter');
    shows(qr/^got more$/m, "$name: goes on");

    # In the background it leaves what is typed to the shell.
    types('clear; sbxrun p.sbx -- sh -c "sleep 1; echo from behind" &', 'Enter'); sleep 0.3;
    types('echo typed', 'Enter');
    shows(qr/^typed$/m, "$name: in the background what is typed is the shell's");
    shows(qr/from behind/, "$name: and its output is seen");
    types('wait', 'Enter');

    # What comes out is text, whatever its bytes.
    types(q{clear; sbxrun p.sbx -- sh -c 'head -c 300000 /dev/zero | tr "\0" x | wc -c; printf "\377\376\n"; echo end'},
        'Enter');
    shows(qr/^300000\n.*\nend$/m, "$name: bytes that are no characters");

    # A size of nothing, a terminal that goes away.
    types('clear; sbxrun p.sbx -- sh -c "trap \"echo hung > /w/hung; exit\" HUP; echo begun; while :; do sleep 0.1; '
        . 'done"', 'Enter');
    shows(qr/^begun$/m, "$name: begun");
    my @left = $sbxruns->();
    tmux('kill-session', '-t', 'it');
    # Its parent has ended too, and who takes it over may be slow to look.
    my $runs = sub { grep { -e "/proc/$_/stat" && slurp("/proc/$_/stat") !~ /\) [ZX]/ } @left };
    for (1 .. 50) { last unless $runs->(); sleep 0.1 }
    is scalar($runs->()), 0, "$name: it ends with its terminal";
    is -e "$dir/w/hung" ? 1 : 0, 1, "$name: and the command is told";
}

# With a pseudo terminal around it, but no tmux: what is counted.
for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; } limits { output 1KiB; lifetime 20s; }',
        uses => 'shell');
    my $terminal = sub {
        run({ %$user, cwd => $dir, seconds => 30, env => { SHELL => '/bin/sh' } }, 'script', '-qec', join(' ', @_),
            '/dev/null');
    };
    SKIP: {
        skip 'script(1) is not installed', 6 unless has('script');
        my $run = $terminal->(
            "$sbxrun p.sbx -- sh -c 'exec 5<&0; head -c 200000 /dev/zero | tr \"\\0\" x >&5'; echo status \$?");
        cmp_ok length($run->{out}), '<', 2000, "$name: its output is limited, whatever descriptor it goes to";
        like $run->{out}, qr/killed for writing more than it may.*\n.*status 137/s, "$name: and it is told";
        $run = $terminal->("$sbxrun p.sbx -- /probe tiocsti");
        like $run->{out}, qr/EPERM\r$/m, "$name: nothing can be typed into it from inside";
        $run = $terminal->("$sbxrun p.sbx -- sh -c 'echo reopened > /dev/stdout'");
        like $run->{out}, qr/reopened\r$/m, "$name: it can be opened again by its descriptor";
        $run = $terminal->("$sbxrun --no-tty p.sbx -- sh -c ': < /dev/tty'");
        like $run->{out}, qr/No such device or address/, "$name: --no-tty: the caller's is not the command's";
        $run = $terminal->("$sbxrun p.sbx -- sh -c 'test -t 0 && test ! -t 1 && echo as it is' | cat");
        like $run->{out}, qr/as it is\r?$/m, "$name: what is no terminal stays what it is";
    }
    SKIP: {
        skip 'script(1) is not installed', 1 unless has('script');
        my $plain = qr/\e\[m\e\(B\x0f/;
        for my $case (
            ['a mode, with a control in its number', '\\033[?10\\b00h', qr/\e\[\?1000l$plain/],
            ['the last of many modes', '\\033[?' . '0;' x 30 . '1000h', qr/\e\[\?1000l$plain/],
            ['a mode saved and brought back', '\\033[?1000h\\033[?1000s\\033[?1000l\\033[?1000r',
                qr/\e\[\?1000l$plain/],
            ['a mode after a sequence that was given up', '\\033[?1\\030\\033[?1000h', qr/\e\[\?1000l$plain/],
            ['a mode after a title', '\\033]0;title\\033[?1000h', qr/\e\[\?1000l$plain/],
            ['codes of other keys', '\\033[>4;2m', qr/\e\[>4m$plain/],
            ['a keyboard', '\\033[>1u\\033[=5u', qr/\e\[<1u\e\[=0u$plain/],
            ['letters that are not seen', '\\033[8m', $plain], ['lines for letters', '\\033(0', $plain],
            ['another set of letters', '\\016', $plain],
            ['a string without an end', '\\033X', qr/\x18\e\\$plain/],
            ['a title without an end', '\\033]0;all is well', qr/\x18\e\\$plain/],
            ['half a sequence', '\\033[3', qr/\x18\e\\$plain/], ['its beginning', '\\033', qr/\x18\e\\$plain/],
            ['a control of C1', '\\302\\233?1000h', qr/\x18\e\\\e\[\?1000l$plain/],
            ['the same as one byte', '\\233?1000h', qr/\x18\e\\\e\[\?1000l$plain/],
            ['a string of C1, without an end', '\\302\\235text', qr/\x18\e\\$plain/],
            ['letters that have such bytes', '\\342\\233\\237?1000h', qr/[^m\x0f]/],
            ['colours', '\\033]10;red\\007', qr/\e\]110\e\\\e\]111\e\\.*$plain/],
            ['the background', '\\033]11;#000000\\033\\\\', qr/\e\]111\e\\.*$plain/],
            ['by C1', '\\302\\23511;#000000\\302\\234', qr/\e\]111\e\\.*$plain/],
            ['one of the palette', '\\033]4;1;rgb:00/00/00\\007', qr/\e\]104\e\\$plain/],
            ["one of the console's", '\\033]P1000000', qr/\e\]R\e\\$plain/],
            ['a question about colours', '\\033]4;1;?\\007\\033]10;?;?\\007', qr/\?\x07/],
            ['a link', '\\033]8;;http://x.example\\033\\\\', qr/\e\]8;;\e\\$plain/],
            ['a cursor', '\\033[5 q', qr/\e\[0 q$plain/], ['margins', '\\033[3;4r', qr/\e7\e\[r\e8$plain/],
            ['a keyboard that is locked', '\\033[2h', qr/\e\[2;4;20l\e\[12h$plain/],
            ['another way of bytes', '\\033%%@', qr/\e%G$plain/],
            ['nothing', 'text', qr/text/],
            ['a title', '\\033]0;title\\007', qr/\e\]0;title\x07/],
            ['another', '\\033]0;title\\033\\\\', qr/\e\]0;title\e\\/],
        ) {
            my ($what, $printed, $undone) = @$case;
            my $run = $terminal->("stty -echo; $sbxrun p.sbx -- sh -c \"printf '$printed'; exit 3\"; echo status \$?");
            like $run->{out}, qr/${undone}status 3\r$/, "$name: left: $what" or diag $run->{out} =~ s/\e/^[/gr;
        }
        # Standard input is none: nothing is read from the caller's, and nothing done to it.
        $terminal = sub {
            my ($typed, $command) = @_;
            run({ %$user, cwd => $dir, seconds => 30, env => { SHELL => '/bin/sh' }, in => spew("$dir/typed", $typed) },
                'script', '-qec', $command, '/dev/null');
        };
        my $run = $terminal->('', "a=\$(stty -g); $sbxrun p.sbx -- sh -c 'test -t 0 || tty <&1; echo line; tty <&2; "
            . "stty raw -echo <&1 && echo raw; stty size <&1' < /dev/null; test \$a = \$(stty -g) && echo same");
        like $run->{out}, qr{/dev/pts/0\r\nline\r\n/dev/pts/0\r\nraw\r\n\d+ \d+\r\nsame\r\n},
            "$name: only its output is a terminal: the command has its own";
        $run = $terminal->("mine\n", "$sbxrun p.sbx -- sh -c 'timeout 1 cat <&1' < /dev/null; read a; echo kept \$a");
        like $run->{out}, qr/^kept mine\r$/m, "$name: what is typed is not read for it";
        $run = $terminal->('', "$sbxrun p.sbx -- sh -c 'test -t 2 && tty <&2' < /dev/null 2>&1 > /dev/null");
        like $run->{out}, qr/^\W*$/, "$name: a file stays what it is" or diag $run->{out};
        $run = $terminal->('', "stty -echo; $sbxrun p.sbx -- sh -c 'printf \"\\033[?1000h\"' < /dev/null");
        like $run->{out}, qr/\e\[\?1000l/, "$name: its modes are undone there, too";
        $run = $terminal->("word\n", "$sbxrun --no-tty p.sbx -- sh -c 'for fd in 0 1 2; do "
            . "test -t \$fd && echo a terminal; done; read a; echo got \$a; echo told >&2; stty raw; exit 7'; "
            . 'echo status $?');
        like $run->{out}, qr/^got word\r\ntold\r\n.*^status 7\r$/ms, "$name: --no-tty: pipes";
        unlike $run->{out}, qr/a terminal/, "$name: --no-tty: the caller's is not there";
        $terminal = sub {
            run({ %$user, cwd => $dir, seconds => 30, env => { SHELL => '/bin/sh' } }, 'script', '-qec', @_,
                '/dev/null');
        };
        $run = $terminal->("printf abc | timeout 10 $sbxrun --tty p.sbx -- cat; echo; echo status \$?");
        like $run->{out}, qr/abc.*status 0\r$/s, "$name: --tty: a line without an end ends";
        for my $signal (qw(TERM INT HUP QUIT)) {
            $run = $terminal->("(sleep 0.7; kill -$signal \$\$) & exec $sbxrun p.sbx -- sh -c 'kill -STOP \$\$'");
            cmp_ok $run->{status}, '>', 128, "$name: who is stopped gets SIG$signal";
            cmp_ok $run->{seconds}, '<', patience(5), "$name: and ends";
        }
    }
    my $run = run({ %$user, cwd => $dir }, $sbxrun, '--tty', 'p.sbx', '--', 'sh', '-c',
        'tty; stty size; cat; echo end');
    is $run->{out}, "/dev/pts/0\r\n24 80\r\nend\r\n",
        "$name: --tty gives one where there is none, and the end of what is read is one";
    spew("$dir/lines", "one\ntwo\n");
    $run = run({ %$user, cwd => $dir, in => "$dir/lines" }, $sbxrun, '--tty', 'p.sbx', '--', 'sh', '-c',
        'stty -echo; echo ready; cat');
    like $run->{out}, qr/one\r\ntwo\r\n$/, "$name: --tty reads from a file";
}

# A terminal that takes nothing: what is read of it is not.
SKIP: {
    skip 'script(1) is not installed', 2 unless has('script');
    my $dir = sandbox({}, 'limits { lifetime 2s; }', uses => 'shell');
    my $script = open my $unread, '-|', 'script', '-qec', "exec $sbxrun $dir/p.sbx -- yes", '/dev/null' or die $!;
    fcntl $unread, 1031, 4096 or die $!; # F_SETPIPE_SZ: it is soon full
    sleep 3.5;
    my ($sbxrun_process) = own_processes(qr/^[^\0]*sbxrun\0/);
    my $said = $sbxrun_process ? '' : do { local $/; <$unread> }; # there was room for one more line
    ok $sbxrun_process || $said =~ /its lifetime ran out/,
        'at a terminal that takes nothing it waits to say that its lifetime is over';
    kill TERM => $sbxrun_process if $sbxrun_process;
    for (1 .. 50) { last unless own_processes(qr/^[^\0]*sbxrun\0/); sleep 0.1 }
    is own_processes(qr/^[^\0]*sbxrun\0/), 0, 'but not when it is told to end';
    kill KILL => $script;
    close $unread;
}
done_testing;
