#!/usr/bin/perl
# The table of rooms in docs/architecture.md against every #include; and no circles: among rooms, headers, programs.
use strict;
use warnings;
use Test::More;

my $build = $ENV{SBX_BUILD} // 'build';

sub slurp { my ($path) = @_; open my $file, '<', $path or die "$path: $!"; local $/; return <$file> }
sub room_of { my ($path) = @_; return $path =~ m{^(.+)/[^/]+$} ? $1 : '' }

# The table.
my (%may, %files_of);
for my $line (split /\n/, slurp('docs/architecture.md')) {
    next unless $line =~ m{^\| `([a-z_/]+)` \| .* \| ([^|]*) \|$};
    my ($room, $includes) = ($1, $2);
    $may{$room} = { map { $_ => 1 } $includes =~ /`([^`]+)`/g };
}
cmp_ok(keys %may, '>', 20, 'docs/architecture.md has a table of rooms');

my @sources = grep { m{^(lang|compiler|enforcer|libsbx|names|image|aisbx)/} && /\.[ch]$/ } split /\n/,
    `git ls-files -co --exclude-standard '*.c' '*.h'`;
cmp_ok(@sources, '>', 150, 'there are sources');
push @{ $files_of{ room_of($_) } }, $_ for @sources;
is_deeply([ grep { !$may{$_} } sort keys %files_of ], [], 'each folder of sources is a room of the table');
is_deeply([ grep { !-d $_ } sort keys %may ], [], 'each room of the table is a folder');
for my $room (sort keys %may) {
    is_deeply([ grep { !-e $_ } sort keys %{ $may{$room} } ], [], "what $room may include is there");
}

# Every #include.
my (%arrow, @against, %used);
for my $source (@sources) {
    my $number = 0;
    for my $line (split /\n/, slurp($source)) {
        $number++;
        next unless $line =~ /^\s*#\s*include\s+"([^"]+)"/;
        my $header = $1;
        next unless $header =~ m{/};    # made by the build
        $arrow{$source}{$header} = 1 if $header =~ /\.h$/;
        my ($from, $to) = (room_of($source), room_of($header));
        next if $from eq $to;
        $used{$from}{$to} = $used{$from}{$header} = 1;
        push @against, "$source:$number: $from -> $to" unless $may{$from}{$to} || $may{$from}{$header};
    }
}
is_deeply(\@against, [], 'no #include points against the table');
my @unused = map {
    my $room = $_;
    map { "$room -> $_" } grep { !$used{$room}{$_} } sort keys %{ $may{$room} };
} sort keys %may;
is_deeply(\@unused, [], 'the table has no arrow that nothing needs');

# Circles: strongly connected parts of more than one node (Tarjan).
sub circles {
    my ($next) = @_;
    my ($count, %index, %low, @stack, %on, @found) = (0);
    my $visit;
    $visit = sub {
        my ($node) = @_;
        $index{$node} = $low{$node} = $count++;
        push @stack, $node;
        $on{$node} = 1;
        for my $to (sort keys %{ $next->{$node} // {} }) {
            next if $to eq $node;
            if (!defined $index{$to}) {
                $visit->($to);
                $low{$node} = $low{$to} if $low{$to} < $low{$node};
            } elsif ($on{$to}) {
                $low{$node} = $index{$to} if $index{$to} < $low{$node};
            }
        }
        return unless $low{$node} == $index{$node};
        my @part;
        do { push @part, pop @stack; $on{ $part[-1] } = 0 } until $part[-1] eq $node;
        push @found, join ' ', sort @part if @part > 1;
    };
    for my $node (sort keys %$next) {
        $visit->($node) unless defined $index{$node};
    }
    return @found;
}
is_deeply([ circles({ a => { b => 1 }, b => { c => 1 }, c => { a => 1 }, d => { a => 1 } }) ], ['a b c'],
    'a circle is found');
is_deeply([ circles(\%may) ], [], 'no circle among rooms');
is_deeply([ circles(\%arrow) ], [], 'no circle among headers');

# What calls what, by the symbols of what was built.
my (%defines, %needs);
for my $object (map { my $o = $_; $o =~ s/\.c$/.o/ ? ("$build/$o", "$build/objects/$o") : () } @sources) {
    next unless -e $object;
    for my $line (split /\n/, `nm $object 2>/dev/null`) {
        if    ($line =~ / [TDBRV] (\S+)$/) { $defines{$1} = $object }
        elsif ($line =~ / U (\S+)$/)       { $needs{$object}{$1} = 1 }
    }
}
SKIP: {
    skip 'nothing is built here', 1 unless keys %needs > 100;
    my %calls;
    for my $object (keys %needs) {
        for my $symbol (keys %{ $needs{$object} }) {
            my $other = $defines{$symbol};
            $calls{$object}{$other} = 1 if $other && $other ne $object;
        }
    }
    is_deeply([ circles(\%calls) ], [], 'no circle among files by what they call');
}

# Files that the page names.
my $page = slurp('docs/architecture.md');
my @named = $page =~ m{`((?:grammar|lang|compiler|enforcer|names|image|libsbx|tests)/[\w/]+\.\w+)`}g;
is_deeply([ grep { !-e $_ } @named ], [], 'each file that the page names is there');

done_testing();
