#!/usr/bin/perl
# aisbx promote: all that was chosen lands, or nothing; an edit of the host's is never lost, nor undone by an undo; what
# the host would obey is named first; what was interrupted is taken back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Aisbx;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'a copy in memory takes Linux 6.6' unless overlays();

for my $user (users()) {
    my $name = $user->{name};
    my %files = ('f' => "a\n", 'd/x' => "x\n", 'd/y' => "y\n", 'k' => "k\n", 't/in' => "in\n");
    my $w = workspace($user, \%files);
    my $before = tree($w->{dir});
    my ($promote, $last) = (sub { $w->{aisbx}->('promote', @_) },
        sub { (reverse map { /^(\S+)/ } split /\n/, $w->{aisbx}->('ls', 'promotions')->{out})[0] });

    # All kinds of changes, and back.
    my $change = 'echo b >> f; rm -r d; mkdir -p n/m; echo g > n/m/g; chmod 700 n/m; ln -s m/g n/l; rm k; mkdir k;'
        . ' echo deep > k/in; rm -r t; echo file > t; printf %70000s big > big';
    is $w->{sh}->($change)->{status}, 0, "$name: a run";
    my $run = $promote->();
    is $run->{status}, 0, "$name: promoted" or diag $run->{err};
    my $after = tree($w->{dir});
    is_deeply $after, { 'f' => "file 644 a\nb\n", 'n' => 'folder 755', 'n/m' => 'folder 700', 'n/m/g' => "file 644 g\n",
        'n/l' => 'link m/g', 'k' => 'folder 755', 'k/in' => "file 644 deep\n", 't' => "file 644 file\n",
        'big' => 'file 644 ' . ' ' x 69997 . 'big' }, "$name: the host has it";
    if (!$> && defined $user->{uid}) {
        is((lstat "$w->{dir}/n/m/g")[4], $user->{uid}, "$name: files are the user's");
    }
    is $w->{aisbx}->('diff')->{out}, '', "$name: nothing differs any more";
    is $w->{sh}->('cat f')->{out}, "a\nb\n", "$name: the next run has it";
    $run = $promote->('--undo', $last->());
    is $run->{status}, 0, "$name: taken back" or diag $run->{err};
    is_deeply tree($w->{dir}), $before, "$name: as it was before";
    is $promote->('--undo', $last->())->{status}, 1, "$name: once";

    # Conflicts: nothing is written until each is decided.
    spew("$w->{dir}/f", "mine\n");
    unlink "$w->{dir}/k";
    spew("$w->{dir}/big", "mine too\n");
    my $edited = tree($w->{dir});
    $run = $promote->();
    is $run->{status}, 1, "$name: the host has changed";
    like $run->{err}, qr/^conflict big: made on the host since;/m, "$name: made";
    like $run->{err}, qr/^conflict f: changed on the host since; take the sandbox's: --theirs f, leave the host's: --/m,
        "$name: changed";
    like $run->{err}, qr/^conflict k: deleted on the host since/m, "$name: deleted";
    is_deeply tree($w->{dir}), $edited, "$name: nothing was written";
    $run = $promote->('--theirs', 'k', '--ours', 'f', '--theirs', 'large');
    is $run->{status}, 1, "$name: a path that names nothing";
    like $run->{err}, qr/large: nothing there differs/, "$name: is a mistake";
    $run = $promote->('--theirs', 'k', '--ours', 'f', '--theirs', 'big');
    is $run->{status}, 0, "$name: decided" or diag $run->{err};
    is tree($w->{dir})->{$_}, $_ eq 'f' ? "file 644 mine\n" : $after->{$_}, "$name: $_" for sort keys %$after;

    # An undo does not take a later edit with it.
    spew("$w->{dir}/n/m/g", "edited\n");
    $run = $promote->('--undo', $last->());
    is $run->{status}, 1, "$name: what was edited since";
    like $run->{err}, qr/n\/m\/g has been edited since/, "$name: is named";
    is tree($w->{dir})->{'n/m/g'}, "file 644 edited\n", "$name: and stays";
    $run = $promote->('--undo', $last->(), '--force');
    is tree($w->{dir})->{'n/m/g'}, "file 644 edited\n", "$name: also with --force";
    is tree($w->{dir})->{'d/x'}, "file 644 x\n", "$name: which takes back the rest";

    # Danger, and what never lands.
    $w = workspace($user, { %files, '.git/config' => "[core]\n" });
    is $w->{sh}->('mkdir -p .git/hooks sub/.vscode; echo x > .git/hooks/post-checkout; echo y > sub/.vscode/tasks.json;'
        . ' echo z > CLAUDE.md; ln -s /etc/passwd out; ln -s ../../x d/up; mkfifo pipe; echo b >> f')->{status}, 0,
        "$name: a run that does more";
    $before = tree($w->{dir});
    $run = $promote->();
    is $run->{status}, 1, "$name: it is refused";
    like $run->{err}, qr/^danger \.git\/hooks\/post-checkout: obeyed by git/m, "$name: hooks";
    like $run->{err}, qr/^danger sub\/\.vscode\/tasks\.json: obeyed by Visual/m, "$name: an editor's tasks";
    like $run->{err}, qr/^danger CLAUDE\.md: /m, "$name: what an agent is told";
    like $run->{err}, qr/^never out: a link that leads out/m, "$name: a link to the host";
    like $run->{err}, qr/^never d\/up: a link that leads out/m, "$name: another";
    like $run->{err}, qr/^never pipe: it is neither/m, "$name: a FIFO";
    is_deeply tree($w->{dir}), $before, "$name: nothing was written";
    $run = $promote->('--danger', 'sub/.vscode', map { ('--ours', $_) } 'out', 'd/up', 'pipe', '.git', 'CLAUDE.md');
    is $run->{status}, 0, "$name: with what was named" or diag $run->{err};
    my $now = tree($w->{dir});
    is $now->{'sub/.vscode/tasks.json'}, "file 644 y\n", "$name: that landed";
    ok !$now->{$_}, "$name: $_ did not" for '.git/hooks', 'out', 'd/up', 'pipe', 'CLAUDE.md';

    # A link on the host in the place of a folder leads nowhere.
    $w = workspace($user, { 'd/x' => "x\n" });
    my $elsewhere = folder();
    owned($user, $elsewhere);
    $w->{sh}->('echo y > d/y');
    rename "$w->{dir}/d", "$w->{dir}/e";
    symlink $elsewhere, "$w->{dir}/d";
    is $promote->()->{status}, 1, "$name: a folder that has become a link";
    is_deeply [glob "$elsewhere/*"], [], "$name: is not followed";
}

# Killed at any moment: the next command finds all of it, or nothing.
for my $user (users()) {
    my $name = $user->{name};
    my $w = workspace($user, { map { ("f$_" => "old $_\n", "d$_/x" => "x\n") } 1 .. 20 });
    my $before = tree($w->{dir});
    $w->{sh}->('for i in $(seq 20); do echo new > f$i; rm -r d$i; mkdir -p n/$i; echo $i > n/$i/g; done');
    my $start = time;
    is $w->{aisbx}->('promote')->{status}, 0, "$name: whole";
    my ($took, $after) = (time - $start, tree($w->{dir}));
    my ($whole, $nothing, $mixed) = (0, 0, 0);
    my $back = sub {
        my ($last) = reverse map { /^(\S+) .* done / } split /\n/, $w->{aisbx}->('ls', 'promotions')->{out};
        $w->{aisbx}->('promote', '--undo', $last) if $last;
    };
    $back->();
    is_deeply tree($w->{dir}), $before, "$name: and back";
    my $rounds = $ENV{SBX_KILLS} // 25;
    for my $round (1 .. $rounds) {
        killed($user, $w, $took * 1.2 * $round / $rounds, 'promote');
        my $status = $w->{aisbx}->();
        my $tree = tree($w->{dir});
        if ("@{[%$tree{sort keys %$tree}]}" eq "@{[%$after{sort keys %$after}]}") { $whole++; $back->() }
        elsif ("@{[%$tree{sort keys %$tree}]}" eq "@{[%$before{sort keys %$before}]}") { $nothing++ }
        else { $mixed++; diag "round $round: $status->{err}", explain $tree; last }
    }
    is $mixed, 0, "$name: killed $rounds times: $whole times all of it, $nothing times nothing of it";
    is $w->{aisbx}->('fsck')->{status}, 0, "$name: the store is whole";
    $back->();
    is_deeply tree($w->{dir}), $before, "$name: nothing lies about";
}

# Killed between the rename and the second look, when somebody had just edited: the edit is put back.
for my $user (users()) {
    my $w = workspace($user, { 'f' => "old\n", 'g' => "old\n" });
    $w->{sh}->('echo new > f; echo new > g');
    $w->{aisbx}->('promote');
    my ($id) = $w->{aisbx}->('ls', 'promotions')->{out} =~ /^(prom_\w+)/;
    my $run = run({ %$user }, 'python3', '-c', <<'P', "$w->{home}/store.db");
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE promotions SET state = 'writing'")
print(db.execute("SELECT number FROM promoted WHERE path = CAST('f' AS BLOB)").fetchone()[0])
db.commit()
P
    chomp(my $number = $run->{out});
    spew("$w->{dir}/.aisbx-$id-$number", "edited\n");
    owned($user, "$w->{dir}/.aisbx-$id-$number");
    like $w->{aisbx}->()->{err}, qr/\Q$id\E was interrupted/, "$user->{name}: interrupted";
    is_deeply tree($w->{dir}), { f => "file 644 edited\n", g => "file 644 old\n" },
        "$user->{name}: what was edited is there, the rest is as it was";
}

# Someone edits while it lands.
{
    my ($user) = users();
    my $w = workspace($user, { map { ("f$_" => "old $_\n") } 1 .. 50 });
    $w->{sh}->('for i in $(seq 50); do echo new $i > f$i; done');
    my ($lost, $mixed, $landed) = (0, 0, 0);
    for my $round (1 .. 10) {
        my $pid = fork // die;
        if (!$pid) { # writes in place, as editors do not, and by rename, as they do
            my $end = time + 30;
            for (my $n = 1; time < $end && !-e "$w->{dir}/../stop"; $n++) {
                my $i = 1 + int rand 50;
                if ($n % 2) { spew("$w->{dir}/f$i", "edit $n\n") }
                else { spew("$w->{dir}/../t", "edit $n\n"); rename "$w->{dir}/../t", "$w->{dir}/f$i" }
                spew("$w->{dir}/../edits", ''), sleep 0.001;
            }
            POSIX::_exit(0);
        }
        sleep 0.02;
        my $run = $w->{aisbx}->('promote');
        spew("$w->{dir}/../stop", '');
        waitpid $pid, 0;
        unlink "$w->{dir}/../stop";
        $landed++ if $run->{status} == 0;
        for my $i (1 .. 50) {
            my $text = slurp("$w->{dir}/f$i");
            $mixed++ if $text !~ /\A(?:old $i|new $i|edit \d+)\n\z/ && $text ne '';
        }
        my ($last) = reverse map { /^(\S+) .* done / } split /\n/, $w->{aisbx}->('ls', 'promotions')->{out};
        $w->{aisbx}->('promote', '--undo', $last, '--force') if $last;
        spew("$w->{dir}/f$_", "old $_\n") for 1 .. 50;
    }
    is $mixed, 0, 'no file is a mixture';
    ok !glob("$w->{dir}/.aisbx-*"), 'nothing is left beside';
}

done_testing();
