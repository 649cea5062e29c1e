#!/usr/bin/perl
# What each limit, and the size of each place, can be: in a policy, by -D, and in a plan, the ends of the range are
# taken and what is past them is refused.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use JSON::PP;
use Math::BigInt;
use Test::More;

my $dir = folder();
my %number = ('1 << 20' => 1 << 20, INT64_MAX => '9223372036854775807', INT32_MAX => 2147483647);
my %types = (SIZE => ['size', sub { "$_[0]B" }], INT => ['int', sub { $_[0] }],
    DURATION => ['duration', sub { "$_[0]ms" }],
    DECIMAL => ['decimal', sub {
        my ($whole, $part) = Math::BigInt->new($_[0])->bdiv(1000);
        sprintf '%s.%03d', $whole, $part;
    }]);

# name, type in the language, how a value is written, least, most, the policy's text around a value, and the plan's
# value
my @cases;
for (split /\n/, slurp("$root/lang/data/limits.def")) {
    my ($name, $type, $least, $most) = /^LIMIT\((\w+),\s*(\w+),\s*([^,]+),\s*([^,]+),/ or next;
    push @cases, [$name, @{ $types{$type} }, map({ Math::BigInt->new($number{$_} // $_) } $least, $most),
        "limits { $name %s; }", sub { \$_[0]{limits}{$name}{value} }];
}
cmp_ok scalar @cases, '>', 9, 'the limits are read';
my $size_of = sub {
    my ($plan) = @_;
    my ($place) = grep { $_->{path} eq '/place' } @{ $plan->{view} };
    \$place->{size};
};
push @cases, ["size of $_", 'size', sub { "$_[0]B" }, Math::BigInt->new(1), Math::BigInt->new($number{INT64_MAX}),
    "fs { allow read, write \"/place\" from $_ size %s; }", $size_of] for 'tmpfs', 'overlay "/etc"', 'image "/i.tar"';

my $json = JSON::PP->new->allow_bignum;
for my $case (@cases) {
    my ($name, $type, $write, $least, $most, $text, $value) = @$case;
    my $policy = sub {
        my ($head, $written) = @_;
        spew("$dir/p.sbx", "sbx 1; import std.base; policy p$head { use std.base; command \"/bin/true\"; "
            . sprintf($text, $written) . ' }');
    };
    my $check = sub { run($sbxc, '--check', @_)->{status} };
    for my $good ($least, $most) {
        $policy->('', $write->($good));
        is $check->("$dir/p.sbx"), 0, "$name: $good is taken";
    }
    system("$sbxc --emit=plan -o $dir/good.json $dir/p.sbx") == 0 or die;
    for my $bad (($least > 0 ? ($least - 1, 0) : ()), $most + 1) {
        my $run = run($sbxc, '--check', $policy->('', $write->($bad)));
        is $run->{status}, 1, "$name: $bad is not";
        like $run->{err} . $run->{out}, qr/^error\[SBX06(?:08|11)\]: `\w+` is \S+ at (?:least|most)$/m,
            "$name: it says what can be";
        if ($type ne 'decimal') {
            $policy->("(n: $type = " . $write->($most) . ')', '$n');
            is $check->("$dir/p.sbx"), 0, "$name: a parameter";
            is $check->('-D', 'n=' . $write->($bad), "$dir/p.sbx"), 1, "$name: $bad by -D";
        }
        my $plan = $json->decode(slurp("$dir/good.json"));
        ${ $value->($plan) } = Math::BigInt->new($bad);
        $run = run($sbxrun, '--dry-run', spew("$dir/bad.json", $json->encode($plan)));
        is $run->{status}, 125, "$name: $bad in a plan";
        like $run->{err}, qr/is not a plan: \w+: out of range/, "$name: and why";
    }
}
done_testing;
