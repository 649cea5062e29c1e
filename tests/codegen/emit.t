#!/usr/bin/perl
# Templates for security modules: their own compilers take them, for any path and name; and what they say of a policy is
# what it says.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
my ($parser, $secilc) = map {
    my $program = $_;
    (grep { -x } map { "$_/$program" } split(/:/, $ENV{PATH}), '/sbin', '/usr/sbin')[0];
} 'apparmor_parser', 'secilc';
my $odd = <<'SBX';
sbx 1;
import std.base;
policy odd-name {
    use std.base;
    fs {
        allow read, write "/w" from "./w";
        deny write "/w/.git" except "/w/.git/objects";
        deny read, write "/w/secret";
        deny exec "/usr/local";
        allow read, write, exec "/all" from "./all";
        allow read "/a b]c^e@\"g\\h" from "./x";
        allow read "/srv/a.b+c(d)" if exists;
        allow read "/ünï/🎉" from "./y";
        allow read, write "/tmp" from tmpfs size 1MiB;
    }
    net { allow connect tcp 10.0.0.0/8:443; allow bind, connect udp loopback:1024..65535; }
    process { capabilities CAP_CHOWN, CAP_CHECKPOINT_RESTORE; }
}
SBX
my @files = (glob("$root/examples/*.sbx"), (grep { slurp($_) =~ /^policy/m } glob("$root/stdlib-policies/*.sbx")),
    spew("$dir/odd.sbx", $odd));
my %text;
for my $file (@files) {
    my ($name) = $file =~ m{([^/]+)$};
    for my $form ('apparmor', 'selinux-cil') {
        my $run = run($sbxc, "--emit=$form", '--no-proof', '-o', "$dir/$name.$form", $file);
        is $run->{status}, 0, "$form of $name" or diag $run->{err};
        $text{$form} = slurp("$dir/$name.$form");
    }
    SKIP: {
        skip 'apparmor_parser is not installed', 1 unless $parser;
        my $run = run($parser, '-Q', '-K', '-T', "$dir/$name.apparmor");
        is $run->{status}, 0, "apparmor_parser takes $name" or diag $run->{err};
    }
    SKIP: {
        skip 'secilc is not installed', 1 unless $secilc;
        my $run = run({ cwd => $dir }, $secilc, '-o', "$dir/policy", '-f', "$dir/contexts", "$FindBin::Bin/base.cil",
            "$dir/$name.selinux-cil");
        is $run->{status}, 0, "secilc takes $name" or diag $run->{err}, $run->{out};
    }
}
my $profile = $text{apparmor};
for my $line ('profile sbx-odd-name flags=', '"/w/**" rwkl,', 'deny "/w/secret" rwkl,', 'deny "/usr/local/**" mx,',
    '"/all/**" rwklmix,', 'network inet stream,', 'network inet6 dgram,', 'capability chown,',
    'capability checkpoint_restore,', '# wider here', '"/ünï/🎉" r,') {
    ok index($profile, $line) >= 0, "the profile says: $line";
}
unlike $profile, qr/deny "\/w\/\.git/, 'what a deny spares is not denied by accident';
ok index($profile, q("/a b\\]c\\^e@\\"g\\\\h" r,)) >= 0, 'no path is a pattern' or diag grep { /a b/ } split /^/,
    $profile;
my $module = $text{'selinux-cil'};
like $module, qr/^\(block sbx_odd_name$/m, 'a name that CIL takes';
like $module, qr/\(filecon "\/usr\(\/\.\*\)\?" any \(system_u object_r runs/, 'files of the host get their types';
like $module, qr{filecon "/srv/a\\\.b\\\+c\\\(d\\\)\(/\.\*\)\?" any}, 'no path is an expression';
is run($sbxc, '--emit=nonsense', $files[0])->{status}, 2, 'no other form';
SKIP: {
    skip 'secilc is not installed', 1 unless $secilc;
    (my $bad = $module) =~ s/getattr open read ioctl lock map\)/getattr fly/;
    spew("$dir/bad.cil", $bad);
    isnt run({ cwd => $dir }, $secilc, '-o', "$dir/policy", '-f', "$dir/contexts", "$FindBin::Bin/base.cil",
        "$dir/bad.cil")->{status}, 0, 'secilc would notice';
}
done_testing;
