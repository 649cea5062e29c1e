#!/usr/bin/perl
# Files that a person names to be written, in a folder where a sandbox has been: nothing is written through what it
# left.
use strict;
use warnings;
use FindBin;
use Fcntl ();
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; }', uses => 'shell');
    my $w = "$dir/w";
    spew("$dir/commands", "true\0\0");
    spew("$dir/victim", "victim\n");
    owned($user, "$dir/victim", $dir);
    # Each that writes a file, as the caller.
    my %writes = (
        report => [$sbxrun, '--report', 'FILE', 'p.sbx', '--', 'true'],
        changes => [$sbxrun, '--changes', 'FILE', 'p.sbx', '--', 'true'],
        events => [$sbxrun, '--events', 'FILE', 'p.sbx', '--', 'true'],
        batch => [$sbxrun, '--batch', '--report', 'FILE', 'p.sbx'],
        learn => [$sbxrun, '--learn', 'FILE', '--', 'true'],
        plan => [$sbxc, '--no-proof', '--emit=plan', '-o', 'FILE', 'p.sbx'],
    );
    my $write = sub {
        my ($what, $file, %more) = @_;
        run({ %$user, cwd => $dir, in => "$dir/commands", seconds => patience(30), %more },
            map { $_ eq 'FILE' ? $file : $_ } @{ $writes{$what} });
    };
    for my $what (sort keys %writes) {
        my ($file, $record) = ("$w/$what.sbx", "$w/$what.seen.json"); # of what --learn saw
        # What an earlier run can leave at that name.
        my %left = (
            'a link out' => "ln -s $dir/victim /w/$what.sbx",
            'a link to nothing' => "ln -s $dir/new /w/$what.sbx",
            'a link to a link' => "ln -s $dir/victim /w/second; ln -s second /w/$what.sbx",
            'a link to a device' => "ln -s /dev/full /w/$what.sbx",
        );
        # A name that --learn takes must be free: there, what it writes beside it first.
        my $near = POSIX::strtol(run('sh', '-c', 'echo $$')->{out});
        %left = ('links that guess' => "i=0; while [ \$i -lt 300 ]; do i=\$((i+1)); ln -s $dir/new "
            . "/w/$what.sbx.\$(($near+i)); done") if $what eq 'learn';
        for my $left (sort keys %left) {
            in_sandbox($user, $dir, 'sh', '-c', $left{$left});
            ok -l $file || $what eq 'learn', "$name: a run has left $left";
            my $run = $write->($what, $file);
            is $run->{status}, 0, "$name: --$what is written over $left" or diag $run->{err};
            is slurp("$dir/victim") . (-e "$dir/new" ? 'made' : ''), "victim\n", "$name: and not where it led";
            ok -f $file && !-l $file, "$name: it is a file now";
            cmp_ok -s $file, '>', 0, "$name: with something in it" if $what ne 'events';
            unlink $file, "$w/second", "$dir/new", $record, glob "$w/learn.sbx.*";
        }
        # What else has that file by another name keeps it as it is.
        link "$dir/victim", $file or die $!;
        $write->($what, $file);
        is slurp("$dir/victim"), "victim\n", "$name: --$what does not write to what a hard link leads to, too";
        unlink $file, $record;
        # The mode is what the umask says, and never more than that of what was there.
        my $old = umask 027;
        $write->($what, $file);
        umask $old;
        is sprintf('%o', (stat $file)[2] & 0777), '640', "$name: --$what: a new file's mode";
        chmod 0600, $file;
        $write->($what, $file);
        is sprintf('%o', (stat $file)[2] & 0777), '600', "$name: --$what: a private one stays private";
        is_deeply [glob "$w/.sbx-*"], [], "$name: --$what: nothing else is left";
        unlink $file, $record;
        next if $what eq 'learn';
        # What is no file is written to.
        POSIX::mkfifo("$dir/fifo", 0600) or die $!;
        owned($user, "$dir/fifo");
        sysopen my $reader, "$dir/fifo", Fcntl::O_RDWR() or die $!;
        is $write->($what, "$dir/fifo")->{status}, 0, "$name: --$what: a pipe";
        ok -p "$dir/fifo", "$name: it stays one";
        my $ready = '';
        vec($ready, fileno $reader, 1) = 1;
        ok select($ready, undef, undef, 0), "$name: and has it" if $what ne 'events';
        unlink "$dir/fifo";
        for my $called ('/dev/stdout', '/dev/fd/1', '/proc/self/fd/1') {
            my $run = $write->($what, $called);
            is $run->{status}, 0, "$name: --$what: $called";
            like $run->{out}, qr/^\{/, "$name: is that descriptor" if $what ne 'events';
            ok -e $called, "$name: which is still there";
        }
        # Where no new file can be made, the one that is there is written.
        if (defined $user->{uid}) {
            mkdir "$dir/fixed"; chmod 0755, "$dir/fixed"; # root's
            spew("$dir/fixed/f", 'x' x 100_000);
            owned($user, "$dir/fixed/f");
            owned({ uid => 0, gid => 0 }, "$dir/fixed") if $> == 0;
            chmod 0555, "$dir/fixed";
            is $write->($what, "$dir/fixed/f")->{status}, 0, "$name: --$what: a file in a folder that takes no new one";
            cmp_ok -s "$dir/fixed/f", '<', 100_000, "$name: is written anew";
            chmod 0755, "$dir/fixed";
            unlink "$dir/fixed/f";
            symlink "$dir/victim", "$dir/fixed/f";
            chmod 0555, "$dir/fixed";
            isnt $write->($what, "$dir/fixed/f")->{status}, 0, "$name: --$what: but no link is followed there";
            is slurp("$dir/victim"), "victim\n", "$name: as one sees";
            chmod 0755, "$dir/fixed";
            unlink "$dir/fixed/f";
        }
        isnt $write->($what, $w)->{status}, 0, "$name: --$what: a folder is none";
    }
    # Events can be read while the run goes on.
    my $pid = fork // die $!;
    if (!$pid) {
        in_sandbox($user, $dir, { args => ['--events', "$w/live.json"], seconds => patience(30) }, 'sh', '-c',
            'unshare -U true 2>/dev/null; until [ -e /w/go ]; do sleep 0.05; done');
        POSIX::_exit(0);
    }
    ok soon(sub { -s "$w/live.json" }), "$name: events are there while the run goes on";
    spew("$w/go", '');
    waitpid $pid, 0;
}
done_testing;
