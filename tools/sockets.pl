#!/usr/bin/perl
# docs/sockets.md from the table of what becomes of a call on a socket:
#   tools/sockets.pl enforcer/network/sockets.def > docs/sockets.md
use strict;
use warnings;

my @calls = ('connect', 'connect to `AF_UNSPEC`', 'bind', 'listen');

# The rows of the table: { state, what, cells => [ [RULES|KERNEL|REFUSED, errno] ... ], then }
sub rows {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!";
    local $/;
    my $text = <$file>;
    $text =~ s{^//.*\n}{}mg;
    my @rows;
    my $words = qr/(?:"[^"]*"\s*)+/;
    my $cell = qr/\s*(?:KERNEL|(?:RULES|REFUSED)\(\w+\)),/;
    while ($text =~ /\bSOCKET\((\w+),\s*($words),((?:$cell){4})\s*($words)\)/g) {
        my ($state, $what, $cells, $then) = ($1, $2, $3, $4);
        for ($what, $then) { $_ = join '', /"([^"]*)"/g }
        my @cells;
        push @cells, [ $1, $2 // '' ] while $cells =~ /(\w+)(?:\((\w+)\))?/g;
        push @rows, { state => $state, what => $what, cells => \@cells, then => $then };
    }
    my $count = () = $text =~ /\bSOCKET\(/g;
    die "$path: " . @rows . " of $count rows can be read\n" if @rows != $count;
    return @rows;
}

sub name { my ($state) = @_; return lc $state =~ tr/_/ /r }

sub cell {
    my ($made, $error) = @{ $_[0] };
    return $made eq 'RULES' ? "by the rules, else `$error`" : $made eq 'KERNEL' ? 'as Linux does' : "`$error`";
}

sub page {
    my @rows = rows(@_);
    my $page = <<'P';
# What becomes of a call on a socket

Where a rule allows more than the loopback, sbxrun makes these calls ([language.md](language.md)). What it does depends
on what the socket is at that moment, and on nothing else. This is the table that it goes by,
`enforcer/network/sockets.def`; `tools/sockets.pl` makes the page of it.

P
    $page .= '| a socket is | ' . join(' | ', @calls) . " | then |\n" . '| --- ' x (@calls + 2) . "|\n";
    for my $row (@rows) {
        my $cells = join ' | ', map { cell($_) } @{ $row->{cells} };
        $page .= '| **' . name($row->{state}) . "**: $row->{what} | $cells | $row->{then} |\n";
    }
    $page .= <<'P';

- *By the rules*: the address is read once, and the rules are asked about it; where they say no the error is the one in
  the table. What they allow in the network that the socket leads to is then done as Linux does it, with its errors.
- *As Linux does*: it can lead nowhere, whatever the arguments are.
- A copy of a descriptor (`dup`, `fork`, `SCM_RIGHTS`) is the same socket. Only where a socket of the host's takes the
  place of one of the sandbox's, it does so in the process that made the call: its other descriptors of the socket
  follow, those of other processes do not. Of event loops (epoll) that wait for it none follow any more once it took
  four milliseconds to look at what those before them wait for.
- `shutdown`, `accept`, reading, writing to where a socket is connected, and options are the command's own calls. None
  of them leads a socket anywhere; options that would are denied.
- What Linux remembers of a `shutdown` of a socket that is not connected, for when it will be, is not remembered where
  a socket of the host's takes its place.
- Sending to an address is for udp what connecting is. Sockets of tcp have no use for one.
P
    return $page;
}

print page(@ARGV) unless caller;
1;
