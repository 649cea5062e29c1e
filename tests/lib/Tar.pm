# Tar archives that no tar(1) would write.
package Tar;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(entry archive);

# One entry of a tar archive, as ustar has it; whatever is asked for.
sub entry {
    my (%e) = @_;
    my $data = $e{data} // '';
    my $header = pack 'a100 a8 a8 a8 a12 a12 a8 a1 a100 a6 a2 a32 a32 a8 a8 a155 x12', $e{name}, sprintf('%07o',
        $e{mode} // 0644), sprintf('%07o', $e{uid} // 0), '0000000', sprintf('%011o', $e{size} // length $data),
        '00000000000', ' ' x 8, $e{type} // '0', $e{link} // '', "ustar\0", '00', 'root', 'root',
        sprintf('%07o', $e{major} // 0), sprintf('%07o', $e{minor} // 0), '';
    substr($header, 148, 8) = sprintf "%06o\0 ", unpack '%32C*', $header;
    return $header . $data . "\0" x (-length($data) % 512);
}
sub archive { join('', map { entry(%$_) } @_) . "\0" x 1024 }

1;
