#!/usr/bin/perl
# Policies as units of systemd: systemd reads them, whatever names stand in them; and what a program can do in one,
# under systemd itself, is what it can do behind sbxrun, but for what is said to be wider.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Emitted;
use Sbx;
use Test::More;

my $dir = folder();
my @emit = ($sbxc, '--emit=systemd', '--no-proof');
my $analyze = (grep { -x } map { "$_/systemd-analyze" } split /:/, $ENV{PATH})[0];

# A port of the host's loopback, which no unit of these reaches.
socket my $server, 2, 1, 0 or die $!;
listen $server, 1 or die $!;
my ($port) = unpack 'x2 n', getsockname $server;

my $place = "$dir/odd %h \$folder";
mkdir $place or die $!;
spew("$dir/key", "k'y\n");
my $script = what_it_can($port) =~ s/([\\"])/\\$1/gr =~ s/\n/\\n/gr;
my $all = all_of_it($place, 'file "../key"', qq(    command "/bin/sh", "-c", "$script", "\$HOME";\n));
# Of what system calls the unit names systemd's libseccomp may not know all, where it is older than the policy's
# edition.
my $unread = sub {
    my ($said) = @_;
    return join '', grep { !/Failed to parse system call, ignoring: (\w+)$/ || !defined syscall_number($1) }
        split /^/, $said;
};
mkdir "$dir/units" or die $!;
for my $file (library(), $all) {
    my ($name) = $file =~ m{(?:stdlib-)?([^/]+/[^/]+)\.sbx$}s;
    $name =~ s{.*%.*/}{}s || $name =~ tr{/}{-};
    my $unit = "$dir/units/$name.service";
    my $run = run(@emit, '-o', $unit, $file);
    if ($file =~ /project/) {
        is $run->{status}, 1, "$name is refused";
        like $run->{err}, qr/^sbxc: a unit shows no folder copy on write: show a copy, or the folder itself \(/,
            '  why';
        next;
    }
    is $run->{status}, 0, $name or diag $run->{err};
    my $command = slurp($unit) =~ /^ExecStart=/m;
    is $command, $file !~ /stdlib/ || '', '  a service where there is a command' if $file !~ /pages/;
    if (!$command) {
        mkdir("$unit.d") && rename($unit, "$unit.d/sbx.conf") or die $!;
        spew($unit, "[Service]\nExecStart=/bin/true\n");
    }
    SKIP: {
        skip 'systemd-analyze is not installed', 3 unless $analyze;
        skip 'its program is not installed', 3 if slurp($unit) =~ /^ExecStart=":(\S+?)"/m && !-x $1;
        $run = run($analyze, '--man=no', 'verify', $unit);
        is $unread->($run->{err} . $run->{out}), '', '  systemd reads it';
        is $run->{status}, 0, '  and verifies it';
        $run = run($analyze, '--no-pager', 'security', '--offline=yes', $command ? $unit : "$unit.d/sbx.conf");
        my ($exposure) = $run->{out} =~ /Overall exposure level for \S+: (\S+)/;
        cmp_ok $exposure // 10, '<', 5, '  and holds it for safe' if $command;
    }
}

my $unit = slurp("$dir/units/all.service");
my ($comments) = $unit =~ /\A((?:#.*\n)+)\[Unit\]/;
for my $said (
    ['no argument is compared', 'allow mknod, mknodat'],
    ['of its arguments only namespaces are compared', 'allow clone'],
    ['user_namespaces is not asked for', 'require user_namespaces'],
    ['no address is compared; outside', 'allow connect tcp loopback:8000'],
    ['it shows the host\'s terminals', 'allow read, modify "/dev"'],
    ['/proc shows the processes of other services of this user', 'allow read "/proc" from proc'],
) {
    like $comments, qr/^# \Q$said->[0]\E.* \(.+:\d+:\d+: \Q$said->[1]\E/m, "it says: $said->[0]";
}
like $comments, qr/^# arguments, but for what a setting keeps, are not compared of .*\bfcntl\b/m,
    'it says what follows from other rules';
unlike $comments, qr/no limit of/, 'limits are kept';
like $unit, qr/^TasksMax=64\nLimitNOFILE=64\n/m, 'by these';

# What a program can do.
my $why = no_systemd();
SKIP: {
    skip $why, 12 if $why;
    system('chown', '-R', '1234:1234', "$place/w", "$dir/key") == 0 or die;
    spew("$place/w/later", "later\n"); # what is not there, no unit keeps from being made
    my %how = (cwd => $dir, env => { SBX_SEEN => 'seen', SBX_KEY => 'other' });
    my $ours = run(\%how, $sbxrun, $all);
    is $ours->{status}, 0, 'sbxrun' or diag $ours->{err};
    unlink "$place/w/new";
    my $theirs = under_systemd($dir, 'all.service');
    is $theirs->{status}, 0, 'systemd' or diag $theirs->{said}, $theirs->{err};
    for ($ours, $theirs) {
        $_->{out} =~ s/^-1: \d+$/-1/mg;                # one errno for all
        $_->{out} =~ s/(?<=seen  \/w 1234 1234 ).*//; # the host's name
    }
    is $theirs->{out}, $ours->{out}, 'a program can do the same';
    like $theirs->{out}, qr{^cat /w/secret: no\n.*^touch /w/new: yes\n}ms, 'some of it, and some not';

    # What it keeps besides.
    mkdir "$dir/w" or die $!;
    chown 65534, 65534, "$dir/w";
    my $try = sub {
        my ($rules, $command) = @_;
        my $path = spew("$dir/try.sbx", "sbx 1;\nimport std.base;\npolicy try {\n    use std.base;\n$rules\n"
            . "    command \"/bin/sh\", \"-c\", \"$command\";\n}\n");
        my $run = run(@emit, '-o', "$dir/units/try.service", $path);
        return $run->{status} ? $run : under_systemd($dir, 'try.service');
    };
    is $try->('', 'exit 7')->{status}, 7, 'a command\'s status';
    cmp_ok $try->('    limits { lifetime 1s; }', 'sleep 30')->{seconds}, '<', patience(20), 'a limit of time';
    is $try->('    limits { open_files 20; }', 'ulimit -n')->{out}, "20\n", 'a limit of files';
    is $try->('', 'ls -d /sys /home /srv /root /etc/shadow; ls /run; ls -A /run/systemd/incoming')->{out},
        "credentials\nsystemd\n", 'nothing of the host is shown beside';
    my $later = '    fs { allow read, write "/w" from "./w"; deny write "/w/later"; }';
    is $try->($later, 'echo ran')->{out}, '', 'what is denied and is not there keeps the unit from starting';
    spew("$dir/w/later", '');
    is $try->($later, 'echo ran; echo > /w/new && ls /w; echo > /w/later')->{out}, "ran\nlater\nnew\n",
        '  and what is there does not';
    my $noexec = '    fs { allow read, write "/tmp" from tmpfs size 1MiB;'
        . ' allow read, write, exec "/x" from tmpfs size 1MiB; allow read, write "/w" from "./w";'
        . ' allow exec "/w/later"; }';
    spew("$dir/w/later", "#!/bin/sh\necho later\n");
    chmod 0755, "$dir/w/later";
    is $try->($noexec, 'for d in tmp x w; do cp /bin/true /$d/t; /$d/t; echo $?; done; /w/later')->{out},
        "126\n0\n126\nlater\n", 'programs are run where they may be';
    my $example = "$root/examples/pipeline.sbx";
    my $same = run(\%how, $sbxrun, $example);
    is run(@emit, '-o', "$dir/units/pipeline.service", $example)->{status}, 0, 'an example';
    my $there = under_systemd($dir, 'pipeline.service', { shows => ["$root/examples"] });
    is $there->{out}, $same->{out}, '  says the same' or diag $there->{err}, $there->{said};
    isnt $same->{out}, '', '  which is something';
}
is_deeply [grep { -e } "$dir/ran", "$place/ran", "$place/w/ran"], [], 'no name is run';

# Addresses, where they are all that a policy says.
my $network = sub {
    my ($rules) = @_;
    return run(@emit, spew("$dir/net.sbx", "sbx 1;\npolicy net {\n    net { $rules }\n}\n"))->{out};
};
my $to = $network->('allow connect tcp 10.0.0.0/8:443; allow connect udp [2001:db8::]/33:53;'
        . ' allow connect tcp host-loopback:1;');
like $to, qr{^PrivateNetwork=no\nIPAddressDeny=any\nIPAddressAllow= 10\.0\.0\.0/8 2001:db8::/33 localhost$}m,
    'addresses';
like $to, qr/^# no port is compared, and loopback is the host's \(/m, '  and what is wider';
like $network->('allow connect tcp [::]/0:1;'), qr{^IPAddressAllow= 0\.0\.0\.0/0 ::/0$}m, 'all addresses';
like $network->('allow connect tcp 0.0.0.0/0:1;'), qr{^IPAddressAllow= 0\.0\.0\.0/0$}m, 'all of IPv4';
unlike $network->($_), qr/^IPAddress/m, "not where it is about more: $_"
    for 'allow connect tcp "a.example":1;', 'allow bind, listen tcp 10.0.0.1:1; allow connect tcp 10.0.0.2:1;';
like $network->(''), qr/^SystemCallFilter=~\@default\nSystemCallError/m, 'no call is none';
like $network->(''), qr/^PrivateNetwork=yes$/m, 'none';

# What there is no unit for.
my $refused = sub {
    my ($rules, $why, $what) = @_;
    my $run = run(@emit, spew("$dir/no.sbx", "sbx 1;\npolicy no {\n    $rules\n}\n"));
    is $run->{status}, 1, "refused: $what";
    like $run->{err}, $why, '  said why';
    is $run->{out}, '', '  and nothing is made';
};
$refused->('fs { allow read "/" from image "./i.tar" size 1MiB; }',
    qr/^sbxc: a unit unpacks no image: unpack it, and show the folder \(\S+no\.sbx:3:\d+: allow read .*\)\n$/,
    'an image');
$refused->('secrets { K from env "A" at "/k"; }',
    qr/^sbxc: a unit has no caller with an environment: take the secret from a file \(\S+no\.sbx:3:\d+: K from/,
    'a secret of the environment');
$refused->(
    "fs { allow read \"/a$_->[0]b\"; }",
    qr/^sbxc: a unit can't name a path with `\Q$_->[1]\E`/,
    "a path with $_->[1]"
    )
    for [':', ':'], ['\\"', '"'], ['\\n', '\\x'];
$refused->('fs { allow read "/p" from proc; }', qr/^sbxc: a unit has it at \/proc alone \(/, 'proc elsewhere');
done_testing;
