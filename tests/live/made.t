#!/usr/bin/perl
# Files that are made for a run: text of the policy's, and what tells a program about its sandbox.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, '', uses => 'shell');
    my $says = sub {
        my ($command, %o) = @_;
        my $run = in_sandbox($user, $dir, \%o, 'sh', '-c', $command);
        return $run->{out} . $run->{err};
    };
    is $says->('whoami; id -un; id -gn; getent hosts localhost | sed "s/ .*//"; cat /etc/hostname; hostname'),
        "nobody\nnobody\nnogroup\n::1\nsbx\nsbx\n", "$name: who and where";
    is $says->('stat -c %a /etc/passwd; (echo x > /etc/passwd) 2>/dev/null || echo refused'), "444\nrefused\n",
        "$name: it can't be written";
    my ($one, $two) = map { $says->('cat /etc/machine-id') } 1, 2;
    like $one, qr/^[0-9a-f]{32}\n$/, "$name: a machine's number";
    isnt $one, $two, "$name: another one for each run";
    my $here = -e '/etc/hostname' ? slurp('/etc/hostname') : "\n";
    my $told = $says->('cat /etc/passwd /etc/group /etc/hosts /etc/hostname /etc/machine-id /etc/nsswitch.conf');
    chomp $here;
    unlike $told, qr/\Q$here\E/, "$name: nothing of the host's name" if length $here > 2;
    unlike $told, qr/sbx-test|postgres|daemon/, "$name: nor of its users";

    # Whoever the user is.
    for my $who (['root', 0, 'root'], ['nobody', 65534, 'nobody'], ['1234', 1234, 'user']) {
        my $other = sandbox($user, "process { user $who->[0]; env HOME = \"/home/me\"; }", uses => 'shell');
        my $run = in_sandbox($user, $other, 'sh', '-c', 'whoami; getent passwd $(id -u)');
        like $run->{out}, qr{^$who->[2]\n$who->[2]:x:$who->[1]:\d+:[^:]*:/home/me:/bin/sh\n$},
            "$name: user $who->[0]" or diag $run->{err};
    }

    # The policy's own content wins, in the file and above it.
    my $own = sandbox($user, 'fs { allow read "/etc/passwd" from "./users"; allow read "/etc/motd" '
        . 'from text "one\ntwo\n"; }', uses => 'shell');
    spew("$own/users", "me:x:65534:65534:me:/:/bin/sh\n");
    is in_sandbox($user, $own, 'sh', '-c', 'whoami; cat /etc/motd')->{out}, "me\none\ntwo\n",
        "$name: the policy's own passwd, and text";
    my $above = sandbox($user, 'fs { allow read "/etc" from "./etc"; }', uses => 'shell');
    mkdir "$above/etc"; spew("$above/etc/hostname", "theirs\n"); chmod 0755, "$above/etc";
    is in_sandbox($user, $above, 'sh', '-c', 'cat /etc/hostname; ls /etc')->{out}, "theirs\nhostname\n",
        "$name: a folder above that the policy shows stays as it is";
    my $image = sandbox($user, 'fs { allow read "/w" from "./w"; allow read "/w/note" from text "over it\n"; }',
        uses => 'shell');
    spew("$image/w/note", "beneath\n"); owned($user, "$image/w/note");
    is in_sandbox($user, $image, 'cat', '/w/note')->{out}, "over it\n", "$name: text over a file of the host's";
    is slurp("$image/w/note"), "beneath\n", "$name: which stays as it was";
    is in_sandbox($user, $image, 'sh', '-c', 'echo x 2>/dev/null > /w/note || echo refused')->{out}, "refused\n",
        "$name: and can't be written";
    is run({ %$user, cwd => $image }, $sbxrun, '--dry-run', 'p.sbx', '--', 'true')->{status}, 0,
        "$name: it can be looked at before";
}

# As a plan, read and written.
my $dir = folder();
spew("$dir/p.sbx",
    "sbx 1;\nimport std.base;\npolicy p { use std.base; fs { allow read \"/x\" from text \"a\\n\\\"b\\\"\"; } }\n");
my $plan = run($sbxc, '--emit=plan', '-o', "$dir/p.json", "$dir/p.sbx");
is $plan->{status}, 0, 'a plan has them' or diag $plan->{err};
ok slurp("$dir/p.json") =~ /"from":"text","text":"a\\u000a\\"b\\""/, 'text';
ok slurp("$dir/p.json") =~ /"from":"sandbox","sandbox":"passwd"/, 'and names';
is run($sbxrun, "$dir/p.json", '--', 'cat', '/x')->{out}, "a\n\"b\"", 'and is run';
for my $bad (['"sandbox":"passwd"', '"sandbox":"shadow"'], ['"from":"text","text":"a', '"from":"text","texts":"a'],
    ['("path":"/x","verbs":\["read")', '$1,"modify"']) {
    my ($what, $with) = @$bad;
    my $text = slurp("$dir/p.json");
    $with =~ /\$1/ ? $text =~ s/$what/$1,"modify"/ : $text =~ s/\Q$what\E/$with/;
    spew("$dir/bad.json", $text);
    my $run = run($sbxrun, "$dir/bad.json", '--', 'true');
    is $run->{status}, 125, "a plan with $with is refused" or diag $run->{err};
}
done_testing;
